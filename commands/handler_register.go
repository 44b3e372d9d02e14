package commands

import (
	"context"
	"errors"
	"time"

	"lishi/events"
)

// Register makes the actor exist and takes over a changed name of the token. It
// returns when the state shows it; every other command of the actor is submitted
// after that. With nothing to do it costs a look into the state. Errors are
// *Refusal, or ctx's.
func (h *Handler) Register(ctx context.Context, a Actor) error {
	for range attempts {
		u, known := h.book.User(a.ID)
		// The ids are such that nodes which do the same at once make the same
		// event, and that no client's uniqueNo can make it.
		id := events.NewID("register", a.ID, "")
		switch {
		case known && (a.Name == "" || u.NameSet || u.TokenName == a.Name):
			return nil
		case known:
			id = events.NewID("register", a.ID, u.Head.String()+a.Name)
		}
		if err := h.register(ctx, a, id); err != nil && !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return errCompetition
}

func (h *Handler) register(ctx context.Context, a Actor, id events.ID) error {
	outcome := make(chan Outcome, 1)
	h.submit(ctx, Request{Command: register{}, Actor: a, Time: time.Now()}, id, func(o Outcome) { outcome <- o })
	select {
	case o := <-outcome:
		return o.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}
