package commands

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"lishi/events"
)

// AddGroup makes a group that the actor owns, and invites people to it. They
// need not be friends; repeated ids and the actor's own are passed over.
//
// url /group/addGroup · event group.created with its invitations, the first of
// the group's stream · push 5 to each invited, 11 to own connections.
type AddGroup struct {
	GroupName string   `param:"groupName,name"`
	GroupImg  string   `param:"groupImg,note,optional"`
	JoinMode  string   `param:"joinMode,state,optional" values:"0,1,9"`
	UserIDs   []string `param:"userIds,ids,optional"`
}

// Stream implements Command: the group's id is the event's.
func (c AddGroup) Stream(l Lookup, a Actor) (events.Stream, error) {
	if c.JoinMode != "" && !joinMode(c.JoinMode) {
		return events.Stream{}, errJoinMode
	}
	if n := len(c.invited(a)); n > MaxInvitations {
		return events.Stream{}, ErrBadRequest.With(fmt.Sprintf("userIds: %d people, at most %d can be invited at once", n, MaxInvitations))
	}
	return events.GroupStream(l.EventID(events.UserStream(a.ID)).String()), nil
}

// Scope implements Scoped: the actor, since there is no group yet.
func (AddGroup) Scope(_ events.Stream, a Actor) events.Stream { return events.UserStream(a.ID) }

var errJoinMode = ErrBadRequest.With(`joinMode must be "0" (by invitation), "1" (by application) or "9" (open)`)

func joinMode(s string) bool {
	return s == events.JoinByInvitation || s == events.JoinByApplication || s == events.JoinOpen
}

// invited lists whom the request names, in its order.
func (c AddGroup) invited(a Actor) []string {
	users := make([]string, 0, len(c.UserIDs))
	seen := map[string]bool{a.ID: true}
	for _, u := range c.UserIDs {
		if !seen[u] {
			seen[u] = true
			users = append(users, u)
		}
	}
	return slices.Clip(users)
}

// Decide implements Command.
func (c AddGroup) Decide(s State, a Actor, now time.Time) (events.Body, error) {
	id := s.EventID(events.UserStream(a.ID))
	var unknown []string
	var invitations []events.Invitation
	for _, u := range c.invited(a) {
		if _, ok := s.User(u); !ok {
			unknown = append(unknown, u)
			continue
		}
		invitations = append(invitations, events.Invitation{ID: id.Derive(u), UserID: u, ExpiresAt: s.expiresAt(now)})
	}
	if len(unknown) > 0 {
		return nil, ErrNotFound.With("no such users: " + strings.Join(unknown, ", "))
	}
	stream := events.GroupStream(id.String())
	if _, exists := s.relations(stream).Group(stream); exists {
		// Only this very request can have made it, longer ago than the ledger
		// remembers ids; resend finds its answer.
		return nil, ErrConflict.With("this uniqueNo has made a group already")
	}
	mode := c.JoinMode
	if mode == "" {
		mode = events.JoinByApplication
	}
	return events.GroupCreated{GroupName: c.GroupName, GroupImg: c.GroupImg, JoinMode: mode, Invitations: invitations}, nil
}
