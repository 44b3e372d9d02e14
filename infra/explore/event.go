// Package explore shows people what the log holds: one event with its envelope,
// verdict, neighbours, cause and effects, the events of a stream, and new events
// as they come. It reads the log itself, so it also shows what does not count.
// The command line and the console answer with the same views.
package explore

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"lishi/events"
	"lishi/events/ledger"
)

// Event is one record of the log as people are shown it.
type Event struct {
	Position  events.Position `json:"position"`
	Stream    string          `json:"stream,omitempty"` // its key; empty if the record isn't lishi's
	Type      string          `json:"type,omitempty"`   // without version: message.sent
	Written   string          `json:"written,omitempty"`
	ID        events.ID       `json:"id,omitzero"`
	Revision  uint64          `json:"revision,omitempty"`
	Prev      events.ID       `json:"prev,omitzero"`
	Basis     *int64          `json:"basis,omitempty"`
	Actor     string          `json:"actor,omitempty"`
	ActorName string          `json:"actorName,omitempty"`
	Request   string          `json:"request,omitempty"` // uniqueNo as it was sent
	Imported  bool            `json:"imported,omitempty"`
	Said      string          `json:"said,omitempty"`     // ISO 8601, UTC, milliseconds
	Recorded  string          `json:"recorded,omitempty"` // likewise

	Judged  bool   `json:"judged"` // false where no ledger judges, or none has come so far yet
	Void    bool   `json:"void"`
	Verdict string `json:"verdict,omitempty"` // the ledger's word: "valid", "repeat", "not member" …
	Why     string `json:"why,omitempty"`     // of a void record, a sentence

	Payload json.RawMessage `json:"payload,omitempty"` // in the newest version, upcast
	Raw     *Raw            `json:"raw,omitempty"`     // as it stands in the log
	Problem string          `json:"problem,omitempty"` // why it can't be decoded
}

// Raw is a record byte for byte, as far as it is text.
type Raw struct {
	Key     string   `json:"key"`
	Headers []Header `json:"headers"`
	Value   string   `json:"value"`
	// Base64 tells that key, header values and value are base64, since one of
	// them is not UTF-8.
	Base64 bool `json:"base64,omitempty"`
}

// Header is one of a record's headers, which stand in an order and may stand twice.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// millis is how times are written: ISO 8601, UTC, always three digits.
const millis = "2006-01-02T15:04:05.000Z"

// Moment is how views write times: ISO 8601, UTC, milliseconds; "" for none.
func Moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(millis)
}

// of views a decoded event, without its verdict.
func of(r *events.Recorded) Event {
	e := Event{
		Position: r.Position, ID: r.ID, Revision: r.Revision, Prev: r.Prev, Actor: r.Actor, ActorName: r.ActorName,
		Request: r.Request, Imported: r.Imported, Said: Moment(r.Time), Recorded: Moment(r.At),
	}
	if f, ok := r.Body.(events.Foreign); ok {
		e.Problem = "not a record of lishi: " + f.Reason
		return e
	}
	e.Stream, e.Type = r.Stream.Key(), r.Body.Type()
	e.Written = "lishi." + e.Type + ".v" + strconv.Itoa(events.Version(e.Type))
	if events.OrderingOf(r.Body) == events.ByBasis {
		e.Basis = &r.Basis
	}
	e.Payload, _ = json.Marshal(r.Body) // bodies are plain structs
	return e
}

// raw copies a record that is another's.
func raw(r events.Record) *Raw {
	text := utf8.Valid(r.Key) && utf8.Valid(r.Value)
	for _, h := range r.Headers {
		text = text && utf8.Valid(h.Value)
	}
	show := func(b []byte) string {
		if text {
			return string(b)
		}
		return base64Of(b)
	}
	out := &Raw{Key: show(r.Key), Value: show(r.Value), Base64: !text, Headers: make([]Header, len(r.Headers))}
	for i, h := range r.Headers {
		out.Headers[i] = Header{h.Key, show(h.Value)}
	}
	return out
}

// header finds the first header of a name.
func header(r events.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// judge enters the verdict on the record, as far as the ledger has come.
func (e *Event) judge(l *ledger.Ledger) {
	if l == nil || l.Folded() < e.Position.Offset {
		return
	}
	e.judged(l.Verdict(e.Position.Offset))
}

func (e *Event) judged(v ledger.Verdict) {
	e.Judged, e.Void, e.Verdict = true, v.Void(), v.String()
	if v.Void() {
		e.Why = why[v]
	}
}

var why = map[ledger.Verdict]string{
	ledger.Repeat:     "Its id stood in the log before: the first occurrence decides.",
	ledger.Stale:      "It was decided on a state of the stream that another event had changed meanwhile.",
	ledger.Late:       "Its writer was too far behind the log when it was appended.",
	ledger.NotFriend:  "The two were no friends at this offset.",
	ledger.NotMember:  "The actor was not in the group at this offset.",
	ledger.Blocked:    "One of the two had blocked the other.",
	ledger.Muted:      "The actor was silenced in the group when it was appended.",
	ledger.Recalled:   "The message that it changes had been recalled.",
	ledger.Forbidden:  "The actor may not do that to this message.",
	ledger.Ended:      "The group had been deleted.",
	ledger.NotGreater: "The read mark does not move forward.",
	ledger.NotLishi:   "The record is somebody else's.",
	ledger.Reopened:   "The log was opened before.",
}
