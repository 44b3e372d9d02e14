package history

import (
	"context"
	"fmt"
	"math"

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
}

// Until is the offset up to which edits reach the caller. Who belongs to a
// conversation sees the newest version of each of its messages, also of edits
// made while away; who has left a group, or saw it end, sees each as it was then.
func Until(r projections.Reader, caller string, s events.Stream) int64 {
	if s.Kind == events.Group {
		seen := r.Book.Relations(s).Intervals(s, caller)
		if n := len(seen); n > 0 && seen[n-1].To > 0 {
			return seen[n-1].To
		}
	}
	return math.MaxInt64
}

// Versions tells which of the messages were edited or recalled, as far as the
// caller may know. A recall takes the text from everybody, also from those who
// have left; the ledger tells of it at once.
func Versions(ctx context.Context, r projections.Reader, caller string, places []Place) (map[Place]Version, error) {
	found := map[Place]Version{}
	var left []Place
	for _, p := range places {
		if r.Book.Of(p.Stream).Recalled(p.Offset) {
			found[p] = Version{Recalled: true}
		} else {
			left = append(left, p)
		}
	}
	if len(left) == 0 {
		return found, nil
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
	sql := fmt.Sprintf(`SELECT conversation, original, argMax(content, offset), max(offset) FROM %s WHERE %s AND change = 'edited'
		GROUP BY conversation, original SETTINGS max_threads = 1`, r.Table("versions"), where)
	err := r.Select(ctx, sql, args, func(row projections.RowScanner) error {
		var key, content string
		var original, edit uint64
		if err := row.Scan(&key, &original, &content, &edit); err != nil {
			return err
		}
		s, err := events.ParseKey(key)
		found[Place{s, int64(original)}] = Version{Content: content, Offset: int64(edit), Edited: true}
		return err
	})
	return found, err
}

// amend shows a message as a version of it is.
func (m *Message) amend(v Version) {
	m.Edited, m.Recalled = v.Edited, v.Recalled
	switch {
	case v.Recalled:
		m.TalkContent = ""
	case v.Edited:
		m.TalkContent, m.Written = v.Content, v.Offset
	}
}
