package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"

	"lishi/infra/torture/history"
)

type porcupineModel = porcupine.Model

// most is how many users a run may have.
const most = 8

// group is a group's state; its people by their place among the run's users.
type group struct {
	exists, deleted bool
	mode            string
	role            [most]byte // "1", "5", "9", or 0
	muted           [most]bool
	waits           [most]string // the id of the application or invitation that waits
	invited         [most]bool   // it is an invitation
	recalled        offsets
}

type groupRules struct{ users []string }

func groupModel(users []string) porcupineModel {
	if len(users) > most {
		panic(fmt.Sprintf("model: %d users, at most %d can be told apart", len(users), most))
	}
	return newModel(groupRules{users}, func(g group) string {
		var b strings.Builder
		fmt.Fprintf(&b, "exists=%t deleted=%t", g.exists, g.deleted)
		for i, u := range users {
			if g.role[i] != 0 || g.waits[i] != "" || g.muted[i] {
				fmt.Fprintf(&b, " %s:%c muted=%t waits=%.8s", u, g.role[i], g.muted[i], g.waits[i])
			}
		}
		return b.String()
	})
}

func (r groupRules) index(user string) int { return slices.Index(r.users, user) }

func (r groupRules) decide(g group, o *history.Op, made string) (group, string) {
	me, other := r.index(o.User), r.index(o.Target)
	if o.URL == AddGroup {
		if g.exists {
			return g, conflict
		}
		g.exists, g.mode, g.role[me] = true, o.State, Owner[0]
		return g, ""
	}
	if !g.exists || g.deleted {
		return g, notFound
	}
	if made == "" {
		made = nameless
	}
	mine := g.role[me]
	staff := mine == Owner[0] || mine == Admin[0]
	switch o.URL {
	case SendGroupMessage, EditMessage, RecallMessage:
		switch {
		case mine == 0:
			return g, notMember
		case g.muted[me]:
			return g, muted
		}
		return g.change(o, staff)
	case ApplyGroup:
		switch {
		case mine != 0:
			return g, conflict
		case g.mode == Open: // which overtakes an invitation
			g.role[me], g.waits[me], g.invited[me] = Member[0], "", false
			return g, ""
		case g.waits[me] != "":
			return g, conflict
		}
		g.waits[me], g.invited[me] = made, false
		return g, ""
	case GroupVerify:
		whom := r.index(o.Applicant)
		switch {
		case mine == 0:
			return g, notMember
		case !staff:
			return g, forbidden
		}
		return g.verify(whom, o, false)
	case UserVerify:
		if o.Applicant != o.User {
			return g, forbidden
		}
		return g.verify(me, o, true)
	case QuitGroup:
		switch mine {
		case 0:
			return g, notMember
		case Owner[0]:
			return g, forbidden
		}
		g.role[me] = 0
		return g, ""
	case DeleteGroup:
		switch {
		case mine == 0:
			return g, notMember
		case mine != Owner[0]:
			return g, forbidden
		}
		g.deleted = true
		return g, ""
	}
	return g.over(o, me, other, made)
}

// over is what the group's staff do to another one.
func (g group) over(o *history.Op, me, other int, made string) (group, string) {
	mine, theirs := g.role[me], g.role[other]
	owner := mine == Owner[0]
	switch {
	case mine == 0:
		return g, notMember
	case mine == Member[0], !owner && (o.URL == TransferGroup || o.URL == SetGroupRole):
		return g, forbidden
	}
	switch o.URL {
	case InvitationGroup:
		if theirs != 0 || g.waits[other] != "" {
			return g, conflict
		}
		g.waits[other], g.invited[other] = made, true
		return g, ""
	case RemoveUserGroup, MuteMember:
		switch {
		case me == other:
			return g, forbidden
		case theirs == 0:
			return g, notMember
		case theirs == Owner[0], theirs == Admin[0] && !owner:
			return g, forbidden
		}
		if o.URL == RemoveUserGroup {
			g.role[other] = 0
		} else {
			g.muted[other] = o.Minutes > 0
		}
		return g, ""
	case TransferGroup:
		switch {
		case theirs == 0:
			return g, notMember
		case me == other:
			return g, conflict
		}
		g.role[me], g.role[other] = Admin[0], Owner[0]
		return g, ""
	case SetGroupRole:
		switch {
		case theirs == 0:
			return g, notMember
		case me == other:
			return g, forbidden
		case theirs == o.State[0]:
			return g, conflict
		}
		g.role[other] = o.State[0]
		return g, ""
	}
	return g, "no rule for " + o.URL
}

// verify ends what waits for somebody.
func (g group) verify(whom int, o *history.Op, invitation bool) (group, string) {
	if g.role[whom] != 0 || !is(g.waits[whom], o.Application) || g.invited[whom] != invitation {
		return g, conflict
	}
	g.waits[whom], g.invited[whom] = "", false
	if o.State == Agreed {
		g.role[whom] = Member[0]
	}
	return g, ""
}

func (g group) change(o *history.Op, staff bool) (group, string) {
	switch {
	case o.URL == SendGroupMessage:
		return g, ""
	case o.Author != o.User && (o.URL == EditMessage || !staff):
		return g, forbidden
	case g.recalled.has(o.Message):
		return g, conflict
	case o.URL == RecallMessage:
		g.recalled = g.recalled.with(o.Message)
	}
	return g, ""
}

func (r groupRules) shows(g group, q *history.Relations) bool {
	me := r.index(q.User)
	switch {
	case !g.exists, g.deleted:
		return q.Reason == notFound
	case g.role[me] == 0:
		return q.Reason == notMember
	case q.Reason != "":
		return false
	}
	n := 0
	for i, u := range r.users {
		if g.role[i] != 0 {
			n++
			if q.Members[u] != string(g.role[i]) {
				return false
			}
		}
	}
	return n == len(q.Members)
}
