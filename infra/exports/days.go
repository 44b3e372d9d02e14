package exports

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lishi/cmd/lishi-verify/verify"
)

// day is what was said in a conversation on a day: what archives take as one.
type day struct {
	conversation string
	date         string // 2006-01-02 in the zone
}

// days are the rows of messages.csv by conversation and day, and those of
// membership.csv by conversation, in files of their own beside the package, so
// that memory does not grow with them.
type days struct {
	dir  string // of the files
	zone *time.Location
	all  []day // by conversation, then date

	pending map[string][]byte // rows that wait for their file
	held    int               // bytes of them
}

// holdAtMost is how many bytes wait in memory for their files.
const holdAtMost = 16 << 20

func sortByDay(ctx context.Context, dir string, zone *time.Location, show func(string, int64)) (*days, error) {
	d := &days{dir: dir + ".days", zone: zone, pending: map[string][]byte{}}
	if err := d.remove(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return nil, err
	}
	seen := map[day]bool{}
	err := eachMessage(ctx, dir, func(n int64, m message, row []string) error {
		if n%1000 == 0 {
			show("sorting by day", n)
		}
		at := day{m.Conversation, m.Said.In(zone).Format(Day)}
		if !seen[at] {
			seen[at] = true
			d.all = append(d.all, at)
		}
		return d.append(at.file(), row)
	})
	if err == nil {
		err = eachRow(ctx, filepath.Join(dir, "membership.csv"), 1, func(row []string) error { return d.append(membersFile(row[0]), row) })
	}
	slices.SortFunc(d.all, func(a, b day) int {
		if c := strings.Compare(a.conversation, b.conversation); c != 0 {
			return c
		}
		return strings.Compare(a.date, b.date)
	})
	return d, errors.Join(err, d.flush())
}

func hashName(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:16])
}

func (at day) file() string                  { return hashName(at.conversation) + "-" + at.date }
func membersFile(conversation string) string { return hashName(conversation) + "-members" }

func (d *days) append(file string, row []string) error {
	before := len(d.pending[file])
	d.pending[file] = verify.AppendRow(d.pending[file], row...)
	if d.held += len(d.pending[file]) - before; d.held < holdAtMost {
		return nil
	}
	return d.flush()
}

func (d *days) flush() error {
	for name, rows := range d.pending {
		f, err := os.OpenFile(filepath.Join(d.dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(rows)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	clear(d.pending)
	d.held = 0
	return nil
}

func (d *days) remove() error { return os.RemoveAll(d.dir) }

// messages hands on what was said on a day, in the order of the log.
func (d *days) messages(ctx context.Context, at day, each func(m message) error) error {
	return d.read(ctx, at.file(), func(row []string) error {
		m, err := readMessage(row)
		if err != nil {
			return err
		}
		return each(m)
	})
}

func (d *days) read(ctx context.Context, name string, each func(row []string) error) error {
	if _, err := os.Stat(filepath.Join(d.dir, name)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return eachRow(ctx, filepath.Join(d.dir, name), 0, each)
}

// begin and end of a day.
func (d *days) bounds(at day) (begin, end time.Time) {
	begin, _ = time.ParseInLocation(Day, at.date, d.zone) // it was written by Format
	return begin, begin.AddDate(0, 0, 1)
}

// presence is somebody's stay in a conversation on a day.
type presence struct {
	user          string
	entered, left time.Time
}

// people are those who were in a conversation on a day, and when, by user.
func (d *days) people(ctx context.Context, at day) (people []presence, err error) {
	begin, end := d.bounds(at)
	known := map[string]bool{}
	err = d.read(ctx, membersFile(at.conversation), func(row []string) error {
		p := presence{row[1], begin, end.Add(-time.Millisecond)}
		if from, err := time.Parse(time.RFC3339Nano, row[5]); err == nil && row[2] != "pair" && strings.HasPrefix(at.conversation, "g|") && from.After(p.entered) {
			p.entered = from
		}
		if to, err := time.Parse(time.RFC3339Nano, row[7]); err == nil && strings.HasPrefix(at.conversation, "g|") && to.Before(p.left) {
			p.left = to
		}
		if !p.entered.After(p.left) && (strings.HasPrefix(at.conversation, "g|") || !known[p.user]) {
			known[p.user] = true
			people = append(people, p)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	// Imported messages were said before their writers became members here.
	err = d.messages(ctx, at, func(m message) error {
		var ids []string
		if err := json.Unmarshal([]byte(m.AudienceIDs), &ids); err != nil {
			ids = nil // more than a row names
		}
		for _, user := range append(ids, m.Actor) {
			if !known[user] {
				known[user] = true
				people = append(people, presence{user, begin, end.Add(-time.Millisecond)})
			}
		}
		return nil
	})
	slices.SortStableFunc(people, func(a, b presence) int { return strings.Compare(a.user, b.user) })
	return people, err
}
