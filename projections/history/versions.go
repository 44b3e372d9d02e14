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

// Versions tells which of the messages were edited or recalled, as far as the
// caller may know: of a group, edits that were made while the caller was a
// member, which are those that the caller was pushed. A recall takes the text from everybody, also from those who
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
	where := "(conversation, original) IN " + in
	// Of a group those edits reach the caller that were made during a membership;
	// who has been a member once sees the messages of that time alone.
	asked := map[events.Stream]bool{}
	once, last := []string{}, []int64{}
	for _, p := range left {
		if p.Stream.Kind != events.Group || asked[p.Stream] {
			continue
		}
		asked[p.Stream] = true
		switch is := r.Intervals(p.Stream, caller); len(is) {
		case 0: // nobody's own question
		case 1:
			once, last = append(once, p.Stream.Key()), append(last, is[0].To)
		default:
			var from, to []int64
			for _, i := range is {
				from, to = append(from, i.From), append(to, i.To)
			}
			n := len(asked)
			where += fmt.Sprintf(` AND (conversation != {seen%d:String} OR
				arrayExists((f, t) -> toInt64(offset) > f AND toInt64(offset) <= t, {from%[1]d:Array(Int64)}, {to%[1]d:Array(Int64)}))`, n)
			args = append(args, projections.Arg{Name: fmt.Sprintf("seen%d", n), Value: p.Stream.Key()},
				projections.Arg{Name: fmt.Sprintf("from%d", n), Value: from}, projections.Arg{Name: fmt.Sprintf("to%d", n), Value: to})
		}
	}
	if len(once) > 0 {
		where += fmt.Sprintf(" AND toInt64(offset) <= transform(conversation, {once:Array(String)}, {last:Array(Int64)}, toInt64(%d))", int64(math.MaxInt64))
		args = append(args, projections.Arg{Name: "once", Value: once}, projections.Arg{Name: "last", Value: last})
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
