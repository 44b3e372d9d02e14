package explore

import (
	"fmt"
	"strings"

	"lishi/events"
)

// Filter says which events are wanted. What is empty lets everything pass.
type Filter struct {
	Stream string // key of the stream: "g|7", "p|a|b", "u|a"
	Type   string // a type, or the beginning of one that ends at a dot: "message", "message.sent"
	User   string // the actor, or named by the stream or the payload
	Group  string // id of a group
	Void   string // "only" or "no"; empty: with those that do not count
}

// Check tells whether the filter can be meant.
func (f Filter) Check() error {
	if f.Stream != "" {
		if _, err := events.ParseKey(f.Stream); err != nil {
			return fmt.Errorf("%w: %q is not the key of a stream (g|GROUP, p|USER|USER, u|USER)", ErrMisuse, f.Stream)
		}
	}
	if f.Type != "" && !knownType(f.Type) {
		return fmt.Errorf("%w: there is no type of event %q; there are: %s", ErrMisuse, f.Type, strings.Join(events.Types(), ", "))
	}
	switch f.Void {
	case "", "only", "no":
		return nil
	}
	return fmt.Errorf("%w: void is only or no, not %q", ErrMisuse, f.Void)
}

func knownType(typ string) bool {
	for _, t := range events.Types() {
		if isType(t, typ) {
			return true
		}
	}
	return false
}

func isType(typ, wanted string) bool { return typ == wanted || strings.HasPrefix(typ, wanted+".") }

// Wants tells whether an event passes, its verdict aside.
func (f Filter) Wants(r *events.Recorded) bool {
	if r.Body == nil {
		return false
	}
	switch {
	case f.Stream != "" && r.Stream.Key() != f.Stream,
		f.Type != "" && !isType(r.Body.Type(), f.Type),
		f.Group != "" && r.Stream != events.GroupStream(f.Group),
		f.User != "" && !touches(r, f.User):
		return false
	}
	return true
}

// touches tells whether an event is by a user or about one.
func touches(r *events.Recorded, user string) bool {
	s := r.Stream
	if r.Actor == user || s.Kind == events.User && s.ID == user || s.Other(user) != "" || s.Kind == events.Pair && s.ID == user {
		return true
	}
	switch b := r.Body.(type) {
	case events.GroupInvited:
		return b.UserID == user
	case events.GroupApplicationVerified:
		return b.UserID == user
	case events.GroupInvitationVerified:
		return b.Inviter == user
	case events.GroupMemberRemoved:
		return b.UserID == user
	case events.GroupOwnerChanged:
		return b.UserID == user
	case events.GroupRoleChanged:
		return b.UserID == user
	case events.GroupMemberMuted:
		return b.UserID == user
	case events.GroupCreated:
		for _, i := range b.Invitations {
			if i.UserID == user {
				return true
			}
		}
	}
	return false
}
