package ws

import (
	"context"

	"lishi/commands"
	"lishi/events"
	"lishi/projections"
)

// Queries answers queries. seen is what the answer must include; where the read
// models do not get there in time, the error is unavailable. Errors are
// *commands.Refusal. It is what projections.Reader does.
type Queries interface {
	Answer(ctx context.Context, q projections.Query, caller string, seen events.Cursor) (projections.Page, error)
}

var errAsking = refuse(commands.Unavailable, "too many of your queries are under way")

var errRows = refuse(commands.Unavailable, "the read model gave rows that can't be written")

// ask runs a query for a user, who sees at least what this node has shown them.
func (s *Server) ask(ctx context.Context, url *URL, d decoded, p *person) reply {
	r := reply{url: url, uniqueNo: d.uniqueNo, query: true}
	if p == nil {
		r.refusal = errGoing
		return r
	}
	seen := p.cursor(s.partitions)
	for part, offset := range d.seen {
		seen.Advance(events.Position{Partition: part, Offset: offset})
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.QueryTimeout)
	defer cancel()
	if !p.asking.take(s.o.AtOnce) && !p.asking.await(s.o.AtOnce, ctx.Done()) {
		r.refusal = errAsking
		return r
	}
	defer p.asking.give()
	page, err := s.queries.Answer(ctx, d.query, p.id, seen)
	if err != nil {
		r.refusal = asRefusal(err)
	}
	r.list, r.next = page.List, page.Next
	return r
}
