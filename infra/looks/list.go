package looks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"lishi/events"
)

// Records is a log that is read as it stands: kafka.Log, or an archive.
type Records interface {
	Ends(ctx context.Context) (events.Cursor, error)
	Records(ctx context.Context, p events.Partition, from, end int64, each func(offset int64, r events.Record) error) error
}

// Entry is a recorded look as it is listed.
type Entry struct {
	Position  events.Position `json:"position"`
	Time      string          `json:"time"`     // said: when it was asked
	Recorded  string          `json:"recorded"` // before it was answered
	Actor     string          `json:"actor"`
	ActorName string          `json:"actorName,omitempty"`
	events.LookTaken
}

// Filter says which looks are wanted; what is empty lets all pass.
type Filter struct {
	Actor, Role, Way string
	Text             string    // somewhere in reason, what or text; case does not matter
	From, To         time.Time // recorded, From included and To not
}

func (f Filter) wants(r *events.Recorded, l *events.LookTaken) bool {
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(f.Text)) }
	return (f.Actor == "" || r.Actor == f.Actor) && (f.Role == "" || l.Role == f.Role) && (f.Way == "" || l.Way == f.Way) &&
		(f.From.IsZero() || !r.At.Before(f.From)) && (f.To.IsZero() || r.At.Before(f.To)) &&
		(f.Text == "" || has(l.Reason) || has(l.What) || has(l.Text))
}

// Page is a part of the list, newest first.
type Page struct {
	Looks   []Entry          `json:"looks"`
	Next    *events.Position `json:"next,omitempty"` // to be given as before: there may be older ones
	Scanned int64            `json:"scanned"`        // records looked at
}

// Partition is where all looks are.
var Partition = events.Partition{Topic: events.Audit}

const (
	// MostLooks is the most that a page holds.
	MostLooks = 1000
	// reach is how many records one call looks at.
	reach  = 100_000
	stride = 2048
)

// ErrLimit means that a page of that size is not given.
var ErrLimit = fmt.Errorf("limit is 1 to %d", MostLooks)

// List gives the newest looks before an offset (0: before the end).
func List(ctx context.Context, log Records, f Filter, before int64, limit int) (*Page, error) {
	if limit < 1 || limit > MostLooks {
		return nil, ErrLimit
	}
	ends, err := log.Ends(ctx)
	if err != nil {
		return nil, err
	}
	last, there := ends[Partition]
	out := &Page{Looks: []Entry{}}
	if !there { // a log that no release with looks has written to
		return out, nil
	}
	at := last + 1
	if before > 0 {
		at = min(at, before)
	}
	lowest := max(0, at-reach)
	for at > lowest && len(out.Looks) < limit {
		from := max(lowest, at-stride)
		var some []Entry
		err := Each(ctx, log, from, at, func(r *events.Recorded, l *events.LookTaken) error {
			if f.wants(r, l) {
				some = append(some, entry(r, l))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		out.Scanned += at - from
		slices.Reverse(some)
		if over := len(out.Looks) + len(some) - limit; over > 0 {
			some = some[:len(some)-over]
			from = some[len(some)-1].Position.Offset
		}
		out.Looks = append(out.Looks, some...)
		at = from
	}
	if at > 0 {
		out.Next = &events.Position{Partition: Partition, Offset: at}
	}
	return out, nil
}

// Each hands on the looks between two offsets, oldest first. A record that can't
// be decoded is an error: nothing is left out in silence.
func Each(ctx context.Context, log Records, from, end int64, each func(r *events.Recorded, l *events.LookTaken) error) error {
	return log.Records(ctx, Partition, from, end, func(offset int64, record events.Record) error {
		r, err := events.Decode(events.Position{Partition: Partition, Offset: offset}, record)
		if err != nil {
			return err
		}
		l, ok := r.Body.(events.LookTaken)
		if !ok {
			return nil
		}
		return each(&r, &l)
	})
}

const millis = "2006-01-02T15:04:05.000Z"

func entry(r *events.Recorded, l *events.LookTaken) Entry {
	return Entry{
		Position: r.Position, Time: r.Time.UTC().Format(millis), Recorded: r.At.UTC().Format(millis),
		Actor: r.Actor, ActorName: r.ActorName, LookTaken: *l,
	}
}

// Check tells whether the filter can be meant.
func (f Filter) Check() error {
	if f.Way != "" && !slices.Contains(Ways, f.Way) {
		return fmt.Errorf("way is one of %s, not %q", strings.Join(Ways, ", "), f.Way)
	}
	if f.Role != "" && !slices.Contains(Roles, f.Role) {
		return fmt.Errorf("role is one of %s, not %q", strings.Join(Roles, ", "), f.Role)
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		return errors.New("from is not before to")
	}
	return nil
}
