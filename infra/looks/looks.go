// Package looks records who looked at other people's words and doings, before
// anything is shown, and lists what was recorded. A look is an event in the
// topic lishi.audit, sealed like the others.
package looks

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"lishi/events"
)

// The ways in which looks are taken.
const (
	Console = "console"
	SQL     = "sql"
	Export  = "export"
)

// Roles are those that may look: groups and figures with SQL alone.
var Roles = []string{Auditor, "admin", "analyst", "groups", "figures"}

// Ways are all of them.
var Ways = []string{Console, SQL, Export}

// Auditor is the role that must say why.
const Auditor = "auditor"

// Look is one look, before it is granted. The fields are those of
// events.LookTaken, with who looks.
type Look struct {
	Actor, ActorName string
	Role, Reason     string
	Way              string
	What             string
	Text             string
	From             string
	Time             time.Time // now, if it is zero
}

// ErrNoReason means that an auditor gave no reason.
var ErrNoReason = errors.New("an auditor must say why")

// Log is where looks are recorded.
type Log interface {
	Append(ctx context.Context, es ...events.Event) ([]events.Position, error)
}

// Recorder records looks. It is safe for concurrent use.
type Recorder struct{ Log Log }

// patience is how long a look waits for the log; then it is not granted.
const patience = 10 * time.Second

// mostText and mostWhat are the bytes of each that a record keeps.
const (
	mostText = 64 << 10
	mostWhat = 16 << 10
)

// Record returns once the look is durable in the log. After any error nothing may
// be shown: ErrNoReason, events.ErrUnavailable, or events.ErrUnknown where the
// look may have been recorded all the same.
func (r *Recorder) Record(ctx context.Context, l Look) (events.Position, error) {
	if l.Role == Auditor && strings.TrimSpace(l.Reason) == "" {
		return events.Position{}, ErrNoReason
	}
	if l.Time.IsZero() {
		l.Time = time.Now()
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	at, err := r.Log.Append(ctx, event(l, rand.Text()))
	if err != nil {
		return events.Position{}, fmt.Errorf("recording a look: %w", err)
	}
	return at[0], nil
}

func event(l Look, request string) events.Event {
	s := events.Stream{Kind: events.Auditor, ID: l.Actor}
	b := events.LookTaken{Role: text(l.Role), Reason: text(l.Reason), Way: l.Way, From: text(l.From)}
	b.What, _ = cut(l.What, mostWhat)
	b.Text, b.TextSHA256 = cut(l.Text, mostText)
	return events.Event{
		ID: events.NewID(s.Key(), l.Actor, request), Stream: s, Actor: l.Actor, ActorName: l.ActorName,
		Request: request, Time: l.Time.UTC(), Body: b,
	}
}

// cut makes a text one that JSON carries, of so many bytes at most; one that is
// changed by that comes with the hash of what it was.
func cut(s string, most int) (kept, sum string) {
	if kept = s; len(kept) > most {
		kept = kept[:most]
	}
	kept = text(kept) // without the half of a character that was cut
	if kept != s {
		h := sha256.Sum256([]byte(s))
		sum = hex.EncodeToString(h[:])
	}
	return kept, sum
}

func text(s string) string { return strings.ToValidUTF8(s, "") }
