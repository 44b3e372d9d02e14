package search

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"lishi/commands"
	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections"
	"lishi/projections/history"
)

// one is a single conversation. It is read in the order of the key and no
// further than the page is filled.
type one struct {
	stream events.Stream
	p      events.Partition
	ranges []history.Range
	last   *hit
}

func newOne(r projections.Reader, s events.Stream, seen []ledger.Interval, before string) (*one, error) {
	o := &one{stream: s, p: r.Book.Layout().Partition(s)}
	end, err := history.Offset("before", before, o.p, math.MaxInt64)
	o.ranges = history.Cut(seen, events.Start, min(end, r.At(s)))
	return o, err
}

func (o *one) find(ctx context.Context, r projections.Reader, c condition, n int) ([]hit, error) {
	var hits []hit
	older := "1" // texts of the same message
	if o.last != nil {
		older = fmt.Sprintf("(message != %d OR offset < %d)", o.last.at.Offset, o.last.written)
	}
	newestFirst := slices.Clone(o.ranges)
	slices.Reverse(newestFirst)
	for rs := range slices.Chunk(newestFirst, history.MaxRanges) {
		sql := fmt.Sprintf(`SELECT message, offset FROM %s WHERE conversation = {conversation:String} AND %s AND %s AND %s%s
			ORDER BY conversation DESC, message DESC, offset DESC LIMIT {limit:UInt32} %s`,
			r.Table("texts"), history.Where("message", rs), c.sql, older, r.UpTo(), projections.Nearby)
		args := append([]projections.Arg{
			{Name: "conversation", Value: o.stream.Key()}, {Name: "limit", Value: uint32(n - len(hits))},
		}, c.args...)
		err := r.Select(ctx, sql, args, func(row projections.RowScanner) error {
			var message, written uint64
			var h hit
			err := row.Scan(&message, &written)
			h.written = int64(written)
			h.place = history.Place{Stream: o.stream, Offset: int64(message)}
			h.at = events.Position{Partition: o.p, Offset: int64(message)}
			hits = append(hits, h)
			return err
		})
		if err != nil || len(hits) == n {
			return hits, err
		}
	}
	return hits, nil
}

func (o *one) before(h hit) {
	var rest []history.Range
	for _, x := range o.ranges {
		if x.Before = min(x.Before, h.at.Offset+1); x.Before-1 > x.After {
			rest = append(rest, x)
		}
	}
	o.ranges, o.last = rest, &h
}

func (o *one) next(h hit) string { return h.at.String() }

// all is every conversation of a user: all pairs, and of groups what the user
// may see. A set of conversations and arithmetic on offsets take ClickHouse a
// few milliseconds to plan; a condition for every group would take as many as
// reading does.
type all struct {
	caller string
	layers []layer
	last   *hit
}

// layer has one interval of each group that has as many: the first layer their
// first, the second their second. Most groups have one.
type layer struct {
	groups      []string
	after, upTo []int64
}

func newAll(r projections.Reader, caller, before string) (*all, error) {
	a := &all{caller: caller, layers: make([]layer, 1)}
	for _, p := range r.Book.Layout().Partitions() {
		relations := r.Book.Ledger(p).Relations()
		for _, g := range relations.Groups(caller) {
			for i, x := range history.Cut(r.Intervals(g, caller), events.Start, r.At(g)) {
				if i == len(a.layers) {
					a.layers = append(a.layers, layer{})
				}
				l := &a.layers[i]
				l.groups, l.after, l.upTo = append(l.groups, g.Key()), append(l.after, x.After), append(l.upTo, x.Before-1)
			}
		}
	}
	if before == "" {
		return a, nil
	}
	last, err := parseNext(before)
	a.last = &last
	return a, err
}

func (a *all) find(ctx context.Context, r projections.Reader, c condition, n int) ([]hit, error) {
	back, err := a.windows(ctx, r)
	if err != nil {
		return nil, err
	}
	w := window{since: math.MaxInt64, until: math.MaxInt64}
	if a.last != nil {
		w.since = a.last.recorded + 1
	}
	var hits []hit
	for len(hits) < n && w.since > math.MinInt64 {
		w.since, w.until = math.MinInt64, w.since
		if len(back) > 0 {
			w.since, back = back[0], back[1:]
		}
		found, err := a.within(ctx, r, c, n-len(hits), w)
		if err != nil {
			return nil, err
		}
		hits = append(hits, found...)
		if len(hits)*widen < n { // nor would the next one do, and the index finds rare words
			back = nil
		}
	}
	return hits, nil
}

// window is a span of recorded times.
type window struct{ since, until int64 } // until is exclusive

// A search begins with the user's newest texts, about as many as a page of a
// common word needs, and looks at so many times more as long as they do not
// fill the page.
var ( // changed by tests alone
	firstWindow int64 = 32768
	widen             = 16
)

const maxWindows = 2

// windows are the recorded times at which so many texts of the user lie back,
// the latest first; none where there are not that many.
func (a *all) windows(ctx context.Context, r projections.Reader) ([]int64, error) {
	until := int64(math.MaxInt64)
	if a.last != nil {
		until = a.last.recorded
	}
	ranks, last := []string{}, firstWindow/stride
	for range maxWindows {
		ranks = append(ranks, strconv.FormatInt(last, 10))
		last *= int64(widen)
	}
	sql := fmt.Sprintf(`SELECT recorded FROM (SELECT recorded, row_number() OVER (ORDER BY recorded DESC) AS n FROM (
		SELECT recorded FROM %s WHERE conversation IN (SELECT conversation FROM %s WHERE user = {caller:String}) AND recorded <= {until:Int64}%s
		ORDER BY recorded DESC LIMIT %d)) WHERE n IN (%s) ORDER BY n SETTINGS max_threads = 1`,
		r.Table("text_times"), r.Table("conversations"), r.UpTo(), last/int64(widen), strings.Join(ranks, ", "))
	var back []int64
	err := r.Select(ctx, sql, []projections.Arg{{Name: "caller", Value: a.caller}, {Name: "until", Value: until}}, func(row projections.RowScanner) error {
		var recorded int64
		err := row.Scan(&recorded)
		back = append(back, recorded)
		return err
	})
	return back, err
}

// within finds the newest n hits in a window.
func (a *all) within(ctx context.Context, r projections.Reader, c condition, n int, w window) ([]hit, error) {
	var hits []hit
	statements := 0
	for layers := range slices.Chunk(a.layers, history.MaxRanges) {
		more, err := a.ask(ctx, r, c, n, w, layers, statements == 0)
		if err != nil {
			return nil, err
		}
		hits = append(hits, more...)
		statements++
	}
	if statements > 1 {
		slices.SortFunc(hits, newestFirst)
	}
	return hits[:min(len(hits), n)], nil
}

// newestFirst is the order of ask's statement.
func newestFirst(a, b hit) int {
	return cmp.Or(cmp.Compare(b.recorded, a.recorded), strings.Compare(b.at.Partition.String(), a.at.Partition.String()),
		cmp.Compare(b.written, a.written))
}

func (a *all) ask(ctx context.Context, r projections.Reader, c condition, n int, w window, layers []layer, pairs bool) ([]hit, error) {
	var seen []string
	args := append([]projections.Arg{{Name: "caller", Value: a.caller}, {Name: "limit", Value: uint32(n)},
		{Name: "since", Value: w.since}, {Name: "until", Value: w.until}}, c.args...)
	if pairs {
		seen = append(seen, "startsWith(conversation, 'p|')")
	}
	for i, l := range layers {
		if len(l.groups) == 0 {
			continue
		}
		// A conversation that is not among the groups lies between -1 and -1.
		seen = append(seen, fmt.Sprintf(`toInt64(message) > transform(conversation, {groups%d:Array(String)}, {after%[1]d:Array(Int64)}, toInt64(-1))
			AND toInt64(message) <= transform(conversation, {groups%[1]d:Array(String)}, {upTo%[1]d:Array(Int64)}, toInt64(-1))`, i))
		args = append(args, projections.Arg{Name: fmt.Sprintf("groups%d", i), Value: l.groups},
			projections.Arg{Name: fmt.Sprintf("after%d", i), Value: l.after}, projections.Arg{Name: fmt.Sprintf("upTo%d", i), Value: l.upTo})
	}
	older := "1"
	if a.last != nil {
		older = `(recorded < {recorded:Int64} OR recorded = {recorded:Int64} AND (partition < {partition:String} OR
			partition = {partition:String} AND offset < {written:Int64}))`
		args = append(args, projections.Arg{Name: "recorded", Value: a.last.recorded},
			projections.Arg{Name: "partition", Value: a.last.at.Partition.String()}, projections.Arg{Name: "written", Value: a.last.written})
	}
	// The text comes first: it leaves few rows to hold against sets and lists.
	sql := fmt.Sprintf(`SELECT conversation, message, offset, recorded FROM %s
		PREWHERE recorded >= {since:Int64} AND recorded < {until:Int64} AND %s
		WHERE conversation IN (SELECT conversation FROM %s WHERE user = {caller:String}) AND (%s) AND %s%s
		ORDER BY recorded DESC, partition DESC, offset DESC LIMIT {limit:UInt32}`,
		r.Table("texts"), c.sql, r.Table("conversations"), strings.Join(seen, " OR "), older, r.UpTo())
	var hits []hit
	err := r.Select(ctx, sql, args, func(row projections.RowScanner) error {
		var key string
		var message, written uint64
		var h hit
		err := row.Scan(&key, &message, &written, &h.recorded)
		if err != nil {
			return err
		}
		if h.place.Stream, err = events.ParseKey(key); err != nil {
			return err
		}
		h.place.Offset, h.written = int64(message), int64(written)
		h.at = events.Position{Partition: r.Book.Layout().Partition(h.place.Stream), Offset: h.place.Offset}
		hits = append(hits, h)
		return nil
	})
	return hits, err
}

func (a *all) before(h hit) { a.last = &h }

func (a *all) next(h hit) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d,%s", h.recorded, events.Position{Partition: h.at.Partition, Offset: h.written}))
}

func parseNext(next string) (h hit, err error) {
	b, err := base64.RawURLEncoding.DecodeString(next)
	recorded, position, ok := strings.Cut(string(b), ",")
	if err == nil && ok {
		if h.recorded, err = strconv.ParseInt(recorded, 10, 64); err == nil {
			h.at, err = events.ParsePosition(position)
			h.written = h.at.Offset
		}
	}
	if err != nil || !ok || (*all)(nil).next(h) != next {
		return h, commands.ErrBadRequest.With("before is not the next of an earlier page")
	}
	return h, nil
}
