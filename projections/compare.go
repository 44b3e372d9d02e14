package projections

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"lishi/events"
)

// Digest is what a table's rows come to, in whatever order they lie: each key
// once, two hashes of every column.
type Digest struct {
	Rows uint64 `json:"rows"`
	Sum  uint64 `json:"sum"`
	Xor  uint64 `json:"xor"`
}

func (d Digest) and(o Digest) Digest { return Digest{d.Rows + o.Rows, d.Sum + o.Sum, d.Xor ^ o.Xor} }

// Difference is a table of which the live build and the new one, both made from
// the same events, have different rows.
type Difference struct {
	Table string `json:"table"`
	Live  Digest `json:"live"`
	New   Digest `json:"new"`
	First Place  `json:"first"`
}

// Place is the first event, by partition and offset, whose rows differ.
type Place struct {
	Position events.Position `json:"position"`
	What     string          `json:"what"` // see the constants
}

// What a row can be that differs.
const (
	Missing = "missing" // the log makes it, the live build does not have it
	Changed = "changed" // the live build has it with other contents
	Extra   = "extra"   // the live build has it, the log does not make it
)

func (d Difference) String() string {
	s := fmt.Sprintf("%s has %d rows, the log makes %d", d.Table, d.Live.Rows, d.New.Rows)
	if d.Live.Rows == d.New.Rows {
		s += ", with other contents"
	}
	return s + fmt.Sprintf("; the first at %s is %s", d.First.Position, d.First.What)
}

// DiffersError is the finding of a replay: the live build did not hold what the
// log says.
type DiffersError struct {
	Projection  string
	Differences []Difference
}

func (d *DiffersError) Error() string {
	var all []string
	for _, x := range d.Differences {
		all = append(all, x.String())
	}
	return fmt.Sprintf("the live build of %s differed from the log: %s", d.Projection, strings.Join(all, "; "))
}

// bucket is how many offsets are summed up together.
const bucket = 1 << 16

// area is a bucket of a partition.
type area struct {
	partition events.Partition
	bucket    uint64
}

// compare looks for tables whose rows differ, and for the first row that does.
// The new build stands exactly at the cursor; the live one may have gone further
// meanwhile, so what has changed in it since then is left out on both sides.
func (e *Engine) compare(ctx context.Context, tables []Table, live, next uint32, at events.Cursor) (found []Difference, err error) {
	c := newComparison(e.db, live, next, at)
	for _, t := range tables {
		err := e.retry(ctx, "comparing", fits(func() error {
			d, differ, err := c.table(ctx, t)
			if err == nil && differ {
				found = append(found, d)
			}
			return err
		}))
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

type comparison struct {
	db         DB
	live, next uint32
	partitions []string
	offsets    []int64
}

func newComparison(db DB, live, next uint32, at events.Cursor) comparison {
	c := comparison{db: db, live: live, next: next, partitions: []string{}, offsets: []int64{}}
	for p, o := range at {
		c.partitions = append(c.partitions, p.String())
		c.offsets = append(c.offsets, o)
	}
	return c
}

func (c comparison) args(more ...Arg) []Arg {
	return append([]Arg{{"partitions", c.partitions}, {"offsets", c.offsets}}, more...)
}

// table compares one table.
func (c comparison) table(ctx context.Context, t Table) (d Difference, differ bool, err error) {
	d.Table = t.Name
	var was, is map[area]Digest
	differ = true
	if t.distinct() {
		// No event replaces another's rows, so rows that are equal as they lie are
		// equal, and nobody has to look for those that lie there twice.
		was, is, err = c.both(ctx, t, c.lying(t, c.live), c.lying(t, c.next))
		differ = !maps.Equal(was, is)
	}
	if err == nil && differ {
		was, is, err = c.both(ctx, t, c.liveRows(t), c.newRows(t))
		differ = !maps.Equal(was, is)
	}
	if err != nil {
		return d, false, err
	}
	for _, x := range was {
		d.Live = d.Live.and(x)
	}
	for _, x := range is {
		d.New = d.New.and(x)
	}
	if differ {
		d.First, err = c.first(ctx, t, was, is)
	}
	return d, differ, err
}

func (c comparison) both(ctx context.Context, t Table, live, next string) (was, is map[area]Digest, err error) {
	var two errgroup.Group
	two.Go(func() (err error) { was, err = c.digests(ctx, live, t); return err })
	two.Go(func() (err error) { is, err = c.digests(ctx, next, t); return err })
	return was, is, two.Wait()
}

// lying is a build's rows as they lie: one that was written again after a crash
// lies there twice until ClickHouse merges the two.
func (c comparison) lying(t Table, build uint32) string {
	return fmt.Sprintf("(SELECT %s FROM `%s`) WHERE toInt64(offset) <= %s", allColumns(t), physical(t.Name, build), upTo)
}

const upTo = "transform(toString(partition), {partitions:Array(String)}, {offsets:Array(Int64)}, toInt64(-1))"

// liveRows is the live build's rows that no later event has replaced.
func (c comparison) liveRows(t Table) string {
	return fmt.Sprintf("(SELECT %s FROM `%s` FINAL) WHERE toInt64(offset) <= %s", allColumns(t), physical(t.Name, c.live), upTo)
}

// newRows is the new build's rows but those that a later event has replaced in
// the live one.
func (c comparison) newRows(t Table) string {
	key := strings.Join(t.Key, ", ")
	return fmt.Sprintf("(SELECT %s FROM `%s` FINAL) WHERE (%s) NOT IN (SELECT %s FROM `%s` WHERE toInt64(offset) > %s)",
		allColumns(t), physical(t.Name, c.next), key, key, physical(t.Name, c.live), upTo)
}

func allColumns(t Table) string {
	columns := []string{"partition", "offset"}
	for _, f := range t.Fields {
		columns = append(columns, f.Name)
	}
	return strings.Join(columns, ", ")
}

// digests sums rows up, by partition and bucket. Both hashes are of the fast kind:
// they find faults, not somebody who builds rows with the same sums (what was said
// is sealed in the log).
func (c comparison) digests(ctx context.Context, rows string, t Table) (map[area]Digest, error) {
	all := allColumns(t)
	found := map[area]Digest{}
	sql := fmt.Sprintf("SELECT toString(partition) AS p, intDiv(offset, %d) AS b, count(), sum(cityHash64(%s)), groupBitXor(xxh3(%s)) FROM %s GROUP BY p, b", bucket, all, all, rows)
	return found, each(ctx, c.db, sql, c.args(), func(s RowScanner) error {
		var d Digest
		a, err := scanArea(s, &d.Rows, &d.Sum, &d.Xor)
		found[a] = d
		return err
	})
}

// scanArea reads a row that begins with a partition and a number.
func scanArea(s RowScanner, more ...any) (a area, err error) {
	var p string
	if err = s.Scan(append([]any{&p, &a.bucket}, more...)...); err != nil {
		return a, err
	}
	at, err := events.ParsePosition(p + "-0")
	a.partition = at.Partition
	return a, err
}

// first finds the first row that differs: the first bucket, and in it the first offset.
func (c comparison) first(ctx context.Context, t Table, was, is map[area]Digest) (Place, error) {
	var differ []area
	for a, x := range was {
		if is[a] != x {
			differ = append(differ, a)
		}
	}
	for a := range is {
		if _, both := was[a]; !both {
			differ = append(differ, a)
		}
	}
	a := slices.MinFunc(differ, func(a, b area) int {
		return cmp.Or(cmp.Compare(a.partition.Topic, b.partition.Topic), cmp.Compare(a.partition.Number, b.partition.Number), cmp.Compare(a.bucket, b.bucket))
	})
	all := allColumns(t)
	within := "partition = {partition:String} AND intDiv(offset, {size:UInt64}) = {bucket:UInt64}"
	sql := fmt.Sprintf(`SELECT toString(any(p)), o, countIf(n > 0) > 0, countIf(n < 0) > 0 FROM (
			SELECT p, o, h, sum(side) AS n FROM (
				SELECT partition AS p, offset AS o, sipHash64(%s) AS h, toInt8(1) AS side FROM %s AND %s
				UNION ALL
				SELECT partition AS p, offset AS o, sipHash64(%s) AS h, toInt8(-1) AS side FROM %s AND %s)
			GROUP BY p, o, h HAVING n != 0)
		GROUP BY o ORDER BY o LIMIT 1`, all, c.liveRows(t), within, all, c.newRows(t), within)
	var place Place
	args := c.args(Arg{"partition", a.partition.String()}, Arg{"size", uint64(bucket)}, Arg{"bucket", a.bucket})
	return place, each(ctx, c.db, sql, args, func(s RowScanner) error {
		var live, next bool
		at, err := scanArea(s, &live, &next)
		place.Position = events.Position{Partition: at.partition, Offset: int64(at.bucket)}
		switch {
		case live && next:
			place.What = Changed
		case live:
			place.What = Extra
		default:
			place.What = Missing
		}
		return err
	})
}
