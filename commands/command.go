// Package commands is what users may do. Each command is one file: its params
// and one pure decision on what is true now, which ends in the body of one event
// or in a refusal. The handler appends the event and answers when the log has
// shown it.
package commands

import (
	"time"

	"lishi/events"
	"lishi/events/ledger"
)

// Actor is who asks: the token's sub and name claims. Name may be empty.
type Actor struct{ ID, Name string }

// Command is one thing a user may do. Its params are struct fields with a tag
//
//	`param:"receiveUserId,id"`
//
// the name on the wire, the limit class (see Limits), then "optional" where it
// may be missing. Fields are strings, lists of strings, int64 or bool; a missing
// optional param is the zero value. A *string tells the empty text from none. A
// tag values:"0,9" lists for the docs the only values that the decider takes,
// range:"0,200" bounds a number.
type Command interface {
	// Stream is the stream the event belongs to. Its errors are *Refusal.
	Stream(Lookup, Actor) (events.Stream, error)
	// Decide is pure: what happens if the command comes at the time given. Its
	// errors are *Refusal. A nil body without error means that there is nothing
	// to do, and that this is a success.
	Decide(State, Actor, time.Time) (events.Body, error)
}

// Lookup is what a command needs in order to name its stream.
type Lookup interface {
	// Application finds a friend's or group's application or invitation by id.
	Application(events.ID) (ledger.Application, bool)
	// EventID is the id of the event that this request makes, within a scope.
	EventID(scope events.Stream) events.ID
	// Record is the valid event that an About command names, once the handler has
	// fetched it.
	Record() (events.Recorded, bool)
}

// Ordered is implemented by commands whose events do not carry a revision:
// messages and read marks. They are appended without waiting for one another.
type Ordered interface{ Ordering() events.Ordering }

// Scoped is implemented by commands whose uniqueNo has another scope than the
// event's own stream.
type Scoped interface {
	Scope(events.Stream, Actor) events.Stream
}

// About is implemented by commands about a record: the handler fetches it, and
// State.Record shows it to Decide. Where Stream needs it, it fails with
// not_found until it is there. The zero position names no record. An error is a
// *Refusal.
type About interface {
	About() (events.Position, error)
}

// Limits are the byte limits of the classes of params.
type Limits struct {
	ID      int // ids, uniqueNo, and each of a list of ids
	Content int // of a message
	Note    int
	Name    int
}

// DefaultLimits are those of PROTOCOL.
var DefaultLimits = Limits{ID: 64, Content: 16384, Note: 1000, Name: 200}

// Max is the greatest number of bytes of a text of a class; 0 means that the
// class has no limit of its own.
func (l Limits) Max(class string) int {
	switch class {
	case "id", "ids":
		return l.ID
	case "content":
		return l.Content
	case "note":
		return l.Note
	case "name":
		return l.Name
	case "state":
		return 1
	case "position":
		return 40
	}
	return 0
}

// MaxMentions bounds the people that one message may name.
const MaxMentions = 200

// MaxMute bounds how long a member can be muted, in minutes: ten years.
const MaxMute = 10 * 366 * 24 * 60

// MaxInvitations bounds the invitations of one addGroup, since they stand in one
// event.
const MaxInvitations = 500
