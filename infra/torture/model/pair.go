package model

import (
	"fmt"

	"lishi/infra/torture/history"
)

// pair is what there is between two people: the first and the second by id.
type pair struct {
	friends  bool
	asked    string // the id of the application that waits
	by       int    // whose that is
	blocked  [2]bool
	recalled offsets // messages
}

type pairRules struct{ users [2]string }

func pairModel(stream string) porcupineModel {
	a, b := history.Two(stream)
	return newModel(pairRules{[2]string{a, b}}, func(p pair) string {
		return fmt.Sprintf("friends=%t asked=%.8s by %d blocked=%v recalled=%s", p.friends, p.asked, p.by, p.blocked, p.recalled)
	})
}

func (r pairRules) decide(p pair, o *history.Op, made string) (pair, string) {
	me := 0
	if o.User == r.users[1] {
		me = 1
	}
	either := p.blocked[0] || p.blocked[1]
	switch o.URL {
	case SendMessage, EditMessage, RecallMessage:
		switch {
		case either:
			return p, blocked
		case !p.friends:
			return p, notFriend
		}
		return p.change(o)
	case ApplyFriend:
		switch {
		case either:
			return p, blocked
		case p.friends, p.asked != "" && p.by == me:
			return p, conflict
		case p.asked != "": // crossing: the answer names the first application
			if made != "" && !is(p.asked, made) {
				return p, "crossed another application"
			}
			p.friends, p.asked, p.by = true, "", 0
			return p, ""
		}
		if made == "" {
			made = nameless
		}
		p.asked, p.by = made, me
		return p, ""
	case VerifyFriend:
		switch {
		case o.Applicant == o.User:
			return p, forbidden
		case p.friends || !is(p.asked, o.Application):
			return p, conflict
		case o.State == Agreed && either:
			return p, blocked
		}
		p.friends, p.asked, p.by = o.State == Agreed, "", 0
		return p, ""
	case DeleteFriend:
		if !p.friends {
			return p, notFriend
		}
		p.friends = false
		return p, ""
	case BlockFriend, UnblockFriend:
		if on := o.URL == BlockFriend; p.blocked[me] == on {
			return p, conflict
		} else {
			p.blocked[me] = on
		}
		return p, ""
	}
	return p, "no rule for " + o.URL
}

// change is what becomes of the message of an edit or a recall, for who may write.
func (p pair) change(o *history.Op) (pair, string) {
	switch {
	case o.URL == SendMessage:
		return p, ""
	case o.Author != o.User:
		return p, forbidden
	case p.recalled.has(o.Message):
		return p, conflict
	case o.URL == RecallMessage:
		p.recalled = p.recalled.with(o.Message)
	}
	return p, ""
}

func (r pairRules) shows(p pair, q *history.Relations) bool {
	me := 0
	if q.User == r.users[1] {
		me = 1
	}
	return q.Reason == "" && q.Friends == p.friends && (!p.friends || q.Blocked == p.blocked[me])
}
