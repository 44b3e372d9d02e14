package history

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"lishi/events"
	"lishi/projections"
)

// Version is what became of a message since it was sent; the zero value is
// nothing.
type Version struct {
	Content  string // of the newest edit
	Offset   int64  // of the newest edit
	Edited   bool
	Recalled bool
	By       string // who edited it last or recalled it; empty while the rows are behind the ledger
	Time     int64  // when, in Unix milliseconds; 0 likewise
}

// Until is the offset up to which edits reach the caller. Who belongs to a
// conversation sees the newest version of each of its messages, also of edits
// made while away; who has left a group, or saw it end, sees each as it was then.
func Until(r projections.Reader, caller string, s events.Stream) int64 {
	if s.Kind == events.Group {
		seen := r.Intervals(s, caller)
		if n := len(seen); n > 0 && seen[n-1].To > 0 {
			return seen[n-1].To
		}
	}
	return math.MaxInt64
}

// Versions tells which of the messages were edited or recalled, as far as the
// caller may know. A recall takes the text from everybody, also from those who
// have left; the ledger tells of it at once, of the past the rows do.
func Versions(ctx context.Context, r projections.Reader, caller string, places []Place) (map[Place]Version, error) {
	found := map[Place]Version{}
	if r.Past() {
		return then(ctx, r, caller, places, found)
	}
	var left, gone []Place
	for _, p := range places {
		if r.Book.Of(p.Stream).Recalled(p.Offset) {
			found[p], gone = Version{Recalled: true}, append(gone, p)
		} else {
			left = append(left, p)
		}
	}
	if err := edits(ctx, r, caller, left, found); err != nil {
		return nil, err
	}
	return found, recalls(ctx, r, gone, found)
}

// then adds the versions of the past.
func then(ctx context.Context, r projections.Reader, caller string, places []Place, found map[Place]Version) (map[Place]Version, error) {
	if err := recalls(ctx, r, places, found); err != nil {
		return nil, err
	}
	left := slices.DeleteFunc(slices.Clone(places), func(p Place) bool { return found[p].Recalled })
	return found, edits(ctx, r, caller, left, found)
}

// edits adds the newest version of each message that was edited.
func edits(ctx context.Context, r projections.Reader, caller string, left []Place, found map[Place]Version) error {
	if len(left) == 0 {
		return nil
	}
	in, args := In(left)
	where, limited := "(conversation, original) IN "+in, map[events.Stream]bool{}
	for _, p := range left {
		if until := Until(r, caller, p.Stream); until < math.MaxInt64 && !limited[p.Stream] {
			limited[p.Stream] = true
			name := fmt.Sprintf("left%d", len(limited))
			where += fmt.Sprintf(" AND NOT (conversation = {%s:String} AND offset > %d)", name, until)
			args = append(args, projections.Arg{Name: name, Value: p.Stream.Key()})
		}
	}
	// Which version is the newest, the key alone tells: the texts of the others are
	// not read, however many there are.
	sql := fmt.Sprintf(`SELECT conversation, original, max(offset) FROM %s WHERE %s AND change = 'edited'%s
		GROUP BY conversation, original SETTINGS max_threads = 1`, r.Table("versions"), where, r.UpTo())
	newest := []Place{}
	originals := map[Place]Place{} // by the place of the edit
	err := r.Select(ctx, sql, args, func(row projections.RowScanner) error {
		var key string
		var original, edit uint64
		if err := row.Scan(&key, &original, &edit); err != nil {
			return err
		}
		s, err := events.ParseKey(key)
		newest = append(newest, Place{s, int64(edit)})
		originals[Place{s, int64(edit)}] = Place{s, int64(original)}
		return err
	})
	if err != nil || len(newest) == 0 {
		return err
	}
	return texts(ctx, r, newest, originals, found)
}

// texts adds what the edits at these places made of their originals.
func texts(ctx context.Context, r projections.Reader, edits []Place, originals map[Place]Place, found map[Place]Version) error {
	parts, args := make([]string, len(edits)), []projections.Arg{}
	names := map[events.Stream]int{}
	for i, e := range edits {
		n, ok := names[e.Stream]
		if !ok {
			n = len(names)
			names[e.Stream] = n
			args = append(args, projections.Arg{Name: fmt.Sprintf("c%d", n), Value: e.Stream.Key()})
		}
		parts[i] = fmt.Sprintf("({c%d:String}, %d, %d)", n, originals[e].Offset, e.Offset)
	}
	sql := fmt.Sprintf(`SELECT conversation, offset, content, by, said FROM %s WHERE (conversation, original, offset) IN (%s) SETTINGS max_threads = 1`,
		r.Table("versions"), strings.Join(parts, ", "))
	return r.Select(ctx, sql, args, func(row projections.RowScanner) error {
		var key string
		var edit uint64
		v := Version{Edited: true}
		if err := row.Scan(&key, &edit, &v.Content, &v.By, &v.Time); err != nil {
			return err
		}
		s, err := events.ParseKey(key)
		v.Offset = int64(edit)
		found[originals[Place{s, v.Offset}]] = v
		return err
	})
}

// recalls adds by whom and when each was recalled.
func recalls(ctx context.Context, r projections.Reader, gone []Place, found map[Place]Version) error {
	if len(gone) == 0 {
		return nil
	}
	in, args := In(gone)
	sql := fmt.Sprintf(`SELECT conversation, original, any(by), any(said) FROM %s WHERE (conversation, original) IN %s AND change = 'recalled'%s
		GROUP BY conversation, original SETTINGS max_threads = 1`, r.Table("versions"), in, r.UpTo())
	return r.Select(ctx, sql, args, func(row projections.RowScanner) error {
		var key string
		var original uint64
		v := Version{Recalled: true}
		if err := row.Scan(&key, &original, &v.By, &v.Time); err != nil {
			return err
		}
		s, err := events.ParseKey(key)
		found[Place{s, int64(original)}] = v
		return err
	})
}

// amend shows a message as a version of it is.
func (m *Message) amend(v Version) {
	m.Edited, m.Recalled, m.OperatorUserID, m.ChangeTime = v.Edited, v.Recalled, v.By, v.Time
	switch {
	case v.Recalled:
		m.TalkContent = ""
	case v.Edited:
		m.TalkContent, m.Written = v.Content, v.Offset
	}
}
