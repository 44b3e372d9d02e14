// Package exports makes audit packages: what the log holds of some people,
// conversations and times, with proofs, so that it stands alone. docs/audit.md
// has the format; cmd/lishi-verify checks it.
package exports

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections/search"
)

// Query says what is exported. Values of one kind widen it, each further kind
// narrows it. A message counts with all its versions: if one of them matches,
// all are exported.
type Query struct {
	// Users: what these people did.
	Users []string `json:"users,omitempty"`
	// Participants: what happened where these people were, while they could see it.
	Participants []string `json:"participants,omitempty"`
	// Conversations: keys of streams, p|a|b or g|id.
	Conversations []string `json:"conversations,omitempty"`
	// From and To bound the time at which it was said; To itself is outside.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
	// Text stands in the message, upper and lower case alike. With it there are
	// only messages.
	Text string `json:"text,omitempty"`
	// All stands for everything, where nothing else is asked for.
	All bool `json:"all,omitempty"`
	// Formats are what archives take, beside what every package has.
	Formats []string `json:"formats,omitempty"`
	// Zone is that of the days in eml.
	Zone string `json:"zone,omitempty"`
}

// Formats are those that a query can ask for.
var Formats = []string{"actiance", "eml", "parquet"}

// QueryError says what is wrong with a query.
type QueryError struct{ Problem string }

func (e *QueryError) Error() string { return e.Problem }

func badQuery(format string, args ...any) error { return &QueryError{fmt.Sprintf(format, args...)} }

const (
	maxValues = 1000 // of one kind
	maxText   = 1000 // bytes
	maxReason = 2000
)

// Normal is the query in its one form: sorted, without repeats, in UTC; or what
// is wrong with it.
func (q Query) Normal() (Query, error) {
	for _, kind := range []struct {
		name   string
		values *[]string
	}{{"user", &q.Users}, {"participant", &q.Participants}, {"conversation", &q.Conversations}, {"format", &q.Formats}} {
		*kind.values = slices.Compact(slices.Sorted(slices.Values(*kind.values)))
		if len(*kind.values) > maxValues {
			return q, badQuery("at most %d of a kind can be asked for: %d of %s were", maxValues, len(*kind.values), kind.name)
		}
		for _, v := range *kind.values {
			if v == "" || !utf8.ValidString(v) || len(v) > 400 {
				return q, badQuery("%s %.60q can't be", kind.name, v)
			}
		}
	}
	for _, key := range q.Conversations {
		s, err := events.ParseKey(key)
		if err != nil || s.Kind != events.Pair && s.Kind != events.Group {
			return q, badQuery("%.80q is no conversation: they are written p|ID|ID, the smaller id first, and g|ID", key)
		}
	}
	if slices.Contains(q.Formats, "all") {
		q.Formats = Formats
	}
	for _, f := range q.Formats {
		if !slices.Contains(Formats, f) {
			return q, badQuery("%.40q is no format; there are %s, and all", f, strings.Join(Formats, ", "))
		}
	}
	q.From, q.To = q.From.UTC().Truncate(time.Millisecond), q.To.UTC().Truncate(time.Millisecond)
	if !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		return q, badQuery("nothing lies from %s to %s", q.From.Format(time.RFC3339), q.To.Format(time.RFC3339))
	}
	if len(q.Text) > maxText || !utf8.ValidString(q.Text) {
		return q, badQuery("the text to look for has at most %d bytes of UTF-8", maxText)
	}
	if _, err := time.LoadLocation(q.Zone); err != nil {
		return q, badQuery("zone: %v", err)
	}
	asked := len(q.Users)+len(q.Participants)+len(q.Conversations) > 0 || q.Text != "" || !q.From.IsZero() || !q.To.IsZero()
	switch {
	case !asked && !q.All:
		return q, badQuery("nothing is asked for: name a user, participant, group, conversation, time or text, or all")
	case asked && q.All:
		return q, badQuery("all is everything: nothing can be asked for beside it")
	}
	return q, nil
}

// CheckReason: nobody looks without saying why.
func CheckReason(reason, by string) error {
	switch {
	case strings.TrimSpace(reason) == "":
		return badQuery("say why: a reason is written into the package")
	case len(reason) > maxReason || !utf8.ValidString(reason):
		return badQuery("a reason has at most %d bytes of UTF-8", maxReason)
	case by == "" || !utf8.ValidString(by):
		return badQuery("say who asks")
	}
	return nil
}

var errNoRange = errors.New("the range does not fit the log")

// matcher tells which records of one partition a query asks for.
type matcher struct {
	Query
	conversations map[events.Stream]bool
	text          string
	relations     *ledger.Relations
}

func newMatcher(q Query, relations *ledger.Relations) *matcher {
	m := &matcher{Query: q, text: search.Fold(q.Text), relations: relations}
	if len(q.Conversations) > 0 {
		m.conversations = map[events.Stream]bool{}
		for _, key := range q.Conversations {
			s, _ := events.ParseKey(key)
			m.conversations[s] = true
		}
	}
	return m
}

// matches judges a record that its ledger has just admitted.
func (m *matcher) matches(r *events.Recorded) bool {
	if m.text != "" && !strings.Contains(search.Fold(content(r.Body)), m.text) {
		return false
	}
	if !m.From.IsZero() && r.Time.Before(m.From) || !m.To.IsZero() && !r.Time.Before(m.To) {
		return false
	}
	if m.conversations != nil && !m.conversations[conversation(r)] {
		return false
	}
	if len(m.Users) > 0 && !slices.Contains(m.Users, r.Actor) {
		return false
	}
	return len(m.Participants) == 0 || slices.ContainsFunc(m.Participants, func(user string) bool { return m.saw(r, user) })
}

// conversation is the one that a record is about.
func conversation(r *events.Recorded) events.Stream {
	if read, ok := r.Body.(events.ConversationRead); ok {
		if s, err := events.ParseKey(read.Conversation); err == nil {
			return s
		}
	}
	return r.Stream
}

func content(b events.Body) string {
	switch b := b.(type) {
	case events.MessageSent:
		return b.Content.Plain
	case events.MessageEdited:
		return b.Content.Plain
	}
	return ""
}

// saw tells whether a record happened where a user was: in a pair, in the group
// while a member (with what began and ended that), or in the user's own stream.
func (m *matcher) saw(r *events.Recorded, user string) bool {
	switch r.Stream.Kind {
	case events.Pair:
		return r.Stream.Other(user) != ""
	case events.User:
		return r.Stream.ID == user
	case events.Group:
		if r.Actor == user {
			return true
		}
		offset := r.Position.Offset
		if _, before := m.relations.Member(r.Stream, user, offset); before {
			return true
		}
		_, after := m.relations.Member(r.Stream, user, offset+1)
		return after
	}
	return false
}

// Day is the form in which days are written.
const Day = "2006-01-02"

// ParseTimeIn reads a time as people give it: RFC 3339, or a day, or a day and a
// time of it in the zone. Nothing is the zero time.
func ParseTimeIn(text, zone string) (time.Time, error) {
	in, err := time.LoadLocation(zone)
	if err != nil {
		return time.Time{}, badQuery("zone: %v", err)
	}
	for _, layout := range []string{"", time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", Day} {
		switch t, err := time.ParseInLocation(layout, text, in); {
		case err == nil && text == "":
			return time.Time{}, nil
		case err == nil:
			return t, nil
		}
	}
	return time.Time{}, badQuery("%.40q is no time: write 2026-01-31, 2026-01-31 18:00:00 or 2026-01-31T18:00:00+08:00", text)
}
