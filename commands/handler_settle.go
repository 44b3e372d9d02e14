package commands

import (
	"lishi/events"
	"lishi/events/ledger"
)

// Settle takes every record with its verdict, in offset order per partition. It
// answers the commands that waited for it and returns their origins. Without
// waiting commands in the partition it costs one atomic load.
func (h *Handler) Settle(r events.Recorded, v ledger.Verdict) (origins []any) {
	part := h.part(r.Position.Partition)
	if part.size.Load() == 0 {
		return nil
	}
	part.mu.Lock()
	p := part.commands[r.ID]
	if p == nil {
		part.mu.Unlock()
		return nil
	}
	if p.answered { // with unknown; now the log has spoken
		if v != ledger.Late && v != ledger.Stale {
			part.forget(p)
		}
		part.mu.Unlock()
		return nil
	}
	o, final := h.read(p, &r, v)
	if !final {
		part.mu.Unlock()
		return nil
	}
	waiters := part.answer(p)
	part.mu.Unlock()
	if o.Err == nil {
		for i := range waiters {
			p.origins = append(p.origins, waiters[i].origin)
		}
	}
	h.tell(p, waiters, o)
	return p.origins
}

// read is what a record with the command's id means for it. It needs part.mu.
func (h *Handler) read(p *pending, r *events.Recorded, v ledger.Verdict) (o Outcome, final bool) {
	same := r.Fingerprint == p.request.Fingerprint
	switch {
	case v == ledger.Late || v == ledger.Repeat:
		if p.ordering == events.ByBasis && p.outstanding && (v == ledger.Repeat || r.Basis == p.basis) {
			h.again(p)
		}
	case p.ordering == events.ByRevision && v.Void():
		if p.outstanding && r.Revision == p.revision && r.Prev == p.prev {
			h.again(p)
		}
	case !same: // another request's; the own record comes later, and is judged by itself
	case v == ledger.NotGreater:
		return Outcome{Event: unmoved(r.Event)}, true
	case v.Void():
		return Outcome{Err: refusalOf(v)}, true
	default:
		return Outcome{Event: *r}, true
	}
	return Outcome{}, false
}

// unmoved is the success of a command that found nothing to do.
func unmoved(e events.Event) events.Recorded { return events.Recorded{Event: e} }

// again has a command decided once more, because its record did not count.
func (h *Handler) again(p *pending) {
	p.outstanding = false
	p.tries++
	if p.wake != nil {
		p.signal()
		return
	}
	h.enqueue(p)
}
