package ws

import (
	"context"
	"errors"

	"lishi/commands"
	"lishi/events"
	"lishi/projections"
)

// Query is a question to a read model; its params are fields with the tags that
// commands have.
type Query any

// Queries runs queries. seen is what the answer must include; where the read
// model does not get there in time, the error is projections.ErrUnavailable.
// Other refusals are *commands.Refusal.
type Queries interface {
	Run(ctx context.Context, q Query, caller string, seen events.Cursor) (list any, next string, err error)
}

var (
	errRows  = refuse(commands.Unavailable, "the read model gave rows that can't be written")
	errModel = refuse(commands.Unavailable, "the read model can't be reached, or has not caught up")
)

// ask runs a query for a user, who sees at least what this node has shown them.
func (s *Server) ask(ctx context.Context, url *URL, d decoded, p *person) reply {
	r := reply{url: url, uniqueNo: d.uniqueNo, query: true}
	if r.refusal = s.ready(); r.refusal != nil {
		return r
	}
	layout := s.tail.Book().Layout()
	seen := p.cursor(s.partitions)
	for part, offset := range d.seen {
		if part.Number >= layout.Count(part.Topic) {
			r.refusal = refuse(commands.BadRequest, "seen: the log has no partition "+part.String())
			return r
		}
		seen.Advance(events.Position{Partition: part, Offset: offset})
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.QueryTimeout)
	defer cancel()
	var err error
	r.list, r.next, err = s.queries.Run(ctx, d.query, p.id, seen)
	var bad *commands.Refusal
	switch {
	case err == nil:
	case errors.As(err, &bad):
		r.refusal = bad
	default:
		r.refusal = errModel
		if !errors.Is(err, projections.ErrUnavailable) && ctx.Err() == nil {
			s.o.Logger.Error("a query failed", "url", url.Path, "error", err)
		}
	}
	return r
}
