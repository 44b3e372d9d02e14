package projections

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"lishi/events"
	"lishi/events/ledger"
)

// Then is the reader of the past: queries answer as they would have when the
// records at these offsets, one of every partition, were the last of the log,
// and the clock showed now. Rows keep every change with
// its offset and the ledger every membership, so nothing is rebuilt. Who was
// online is no event: nobody knows it of the past.
func (r Reader) Then(asOf events.Cursor, now time.Time) Reader {
	r.asOf = asOf.Clone()
	r.Now = func() time.Time { return now }
	return r
}

// Past tells whether the reader answers for the past.
func (r Reader) Past() bool { return r.asOf != nil }

// At is the offset of which the ledger is asked, for the relations of a stream:
// events.Now, or the one after the last record that counts.
func (r Reader) At(s events.Stream) int64 {
	if r.asOf == nil {
		return events.Now
	}
	return r.asOf[r.Book.Layout().Partition(s)] + 1
}

// UpTo is the condition " AND …" on the rows of a table that leaves out what
// happened later; empty for the present, whose statements it costs nothing.
func (r Reader) UpTo() string {
	if r.asOf == nil {
		return ""
	}
	var ps []events.Partition
	for p := range r.asOf {
		ps = append(ps, p)
	}
	slices.SortFunc(ps, func(a, b events.Partition) int { return strings.Compare(a.String(), b.String()) })
	names, offsets := make([]string, len(ps)), make([]string, len(ps))
	for i, p := range ps {
		names[i], offsets[i] = "'"+p.String()+"'", fmt.Sprint(max(r.asOf[p], 0))
	}
	// No row was made by the record at offset 0, which opens the log.
	return fmt.Sprintf(" AND offset <= transform(toString(partition), [%s], [%s], toUInt64(0))", strings.Join(names, ", "), strings.Join(offsets, ", "))
}

// Intervals are the memberships of a user in a group, as the ledger has them: one
// that lasts ends with the last record that is folded, or that counts. Rows may be
// ahead of that, written by another node or since, and by then the user may have
// been removed.
func (r Reader) Intervals(s events.Stream, user string) []ledger.Interval {
	last := r.Book.Of(s).Folded() // before the memberships are asked, which know of everything up to it
	if r.asOf != nil {
		last = r.At(s) - 1
	}
	is := r.Book.Relations(s).Intervals(s, user)
	is = slices.DeleteFunc(is, func(i ledger.Interval) bool { return i.From > last })
	for i := range is {
		if is[i].To == 0 || is[i].To > last {
			is[i].To = last
		}
	}
	return is
}

// Group tells whether there is such a group, and whether it has been deleted.
func (r Reader) Group(s events.Stream) (deleted, ok bool) {
	g, ok := r.Book.Relations(s).Group(s)
	at := r.At(s)
	return g.Deleted && g.DeletedAt < at, ok && g.Created < at
}
