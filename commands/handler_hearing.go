package commands

import (
	"errors"

	"lishi/events"
)

// hearing is what an attempt hears from the log. It is used again, since the log
// calls back once.
type hearing struct {
	h    *Handler
	p    *pending
	done func(events.Position, error)
}

func (h *Handler) hearing(p *pending) *hearing {
	w, _ := h.hearings.Get().(*hearing)
	if w == nil {
		w = &hearing{h: h}
		w.done = w.appended
	}
	w.p = p
	return w
}

// appended hears from the log. That it took the event is no answer: reading it
// back is. A doubtful outcome is cleared up by the reading too, or by the
// deadline.
func (w *hearing) appended(_ events.Position, err error) {
	h, p := w.h, w.p
	w.p = nil
	h.hearings.Put(w)
	if err == nil || errors.Is(err, events.ErrUnknown) {
		return
	}
	part := p.part
	part.mu.Lock()
	p.outstanding = false
	switch {
	case p.answered && !p.doubt: // with unknown; now it is known that nothing happened
		part.forget(p)
	case !p.answered && !p.doubt:
		waiters := part.answer(p)
		part.mu.Unlock()
		h.tell(p, waiters, Outcome{Err: refusal(err)})
		return
	}
	part.mu.Unlock()
}
