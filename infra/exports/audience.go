package exports

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"lishi/cmd/lishi-verify/verify"
	"lishi/events"
)

// listed is how many people a message's row names; of more it gives the number.
const listed = 100

// audiences says who could see a record. A conversation's answer is kept while
// nobody comes or goes.
type audiences struct {
	*scan
	kept map[events.Stream]audience
}

type audience struct {
	changes      int
	count, names string
}

// of is how many could see a message's version, which its actor made at an
// offset, and who: of a group its members then who were members already when the
// message was said, and the actor.
func (a *audiences) of(s events.Stream, actor string, offset, said int64) (count, names string) {
	if s.Kind == events.Pair {
		if s.ID == s.Peer {
			return "1", list(s.ID)
		}
		return "2", list(s.ID, s.Peer)
	}
	changes := a.before(s, offset)
	if a.before(s, said) != changes { // somebody has come or gone since it was said
		return a.those(s, offset, func(user string) bool {
			_, saw := a.ledger.Relations().Member(s, user, said)
			return saw || user == actor
		})
	}
	if k, ok := a.kept[s]; ok && k.changes == changes {
		return k.count, k.names
	}
	k := audience{changes: changes}
	if n := a.ledger.Relations().Count(s, offset); n <= listed {
		k.count, k.names = a.those(s, offset, func(string) bool { return true })
	} else {
		k.count, k.names = strconv.Itoa(n), many
	}
	if len(a.kept) >= 1024 {
		clear(a.kept)
	}
	a.kept[s] = k
	return k.count, k.names
}

// many stands where there are too many to name.
const many = "membership.csv"

// those are the members at an offset for whom saw holds.
func (a *audiences) those(s events.Stream, offset int64, saw func(user string) bool) (count, names string) {
	var users []string
	a.ledger.Relations().Members(s, offset, func(user string, _ events.Role) bool {
		if saw(user) {
			users = append(users, user)
		}
		return true
	})
	if len(users) > listed {
		return strconv.Itoa(len(users)), many
	}
	slices.Sort(users)
	return strconv.Itoa(len(users)), list(users...)
}

// list writes ids as a JSON array.
func list(ids ...string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if ids == nil {
		ids = []string{}
	}
	_ = e.Encode(ids) // strings are written to memory
	return strings.TrimSuffix(b.String(), "\n")
}

var membershipColumns = []string{"conversation", "user", "how", "actor", "from_position", "from_recorded", "to_position", "to_recorded", "to_how", "to_actor"}

// memberships writes who was in the selected conversations, and when: the rows of
// membership.csv, by conversation and user.
func (s *scan) memberships(row func(line []byte) error) error {
	streams := make([]events.Stream, 0, len(s.streams))
	for stream := range s.streams {
		if stream.Topic() == s.partition.Topic && (stream.Kind == events.Pair || stream.Kind == events.Group) {
			streams = append(streams, stream)
		}
	}
	slices.SortFunc(streams, func(a, b events.Stream) int { return strings.Compare(a.Key(), b.Key()) })
	relations := s.ledger.Relations()
	var line []byte
	for _, stream := range streams {
		write := func(user string, from, to int64) error {
			fields := []string{stream.Key(), user, "pair", "", "", "", "", "", "", ""}
			if from > 0 {
				c := s.changeAt(stream, from)
				copy(fields[2:], []string{c.how, c.by, s.position(from), isoTime(c.recorded)})
			}
			if to > 0 {
				c := s.changeAt(stream, to)
				copy(fields[6:], []string{s.position(to), isoTime(c.recorded), c.how, c.by})
			}
			line = verify.AppendRow(line[:0], fields...)
			return row(line)
		}
		users, in := []string{stream.ID, stream.Peer}, relations.Pair(stream).Intervals
		if stream.Kind == events.Group {
			users = users[:0]
			for _, c := range s.changes[stream] {
				users = append(users, c.joined)
			}
			users = slices.Sorted(slices.Values(users))
		}
		for _, user := range slices.Compact(users) {
			if stream.Kind == events.Group {
				in = relations.Intervals(stream, user)
			} else if len(in) == 0 {
				if err := write(user, 0, 0); err != nil {
					return err
				}
			}
			for _, i := range in {
				if user == "" {
					continue
				}
				if err := write(user, i.From, i.To); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (s *scan) position(offset int64) string {
	return events.Position{Partition: s.partition, Offset: offset}.String()
}

func isoTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
