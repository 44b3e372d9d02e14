package projections

import (
	"context"
	"fmt"
	"strings"

	"lishi/events"
)

// Digest is what a table's rows come to, in whatever order they lie: each key
// once, two hashes of every column.
type Digest struct {
	Rows uint64
	Sum  uint64
	Xor  uint64
}

// Difference is a table of which the live build and the new one, both made from
// the same events, have different rows.
type Difference struct {
	Table string
	Live  Digest
	New   Digest
}

// DiffersError is the finding of a replay: the live build did not hold what the
// log says.
type DiffersError struct {
	Projection  string
	Differences []Difference
}

func (d *DiffersError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the live build of %s differed from the log:", d.Projection)
	for _, x := range d.Differences {
		fmt.Fprintf(&b, " %s has %d rows, the log makes %d", x.Table, x.Live.Rows, x.New.Rows)
		if x.Live.Rows == x.New.Rows {
			b.WriteString(", with other contents")
		}
		b.WriteString(";")
	}
	return strings.TrimSuffix(b.String(), ";")
}

// compare looks for tables whose rows differ. The new build stands exactly at
// the cursor; the live one may have gone further meanwhile, so what has changed
// in it since then is left out on both sides.
func compare(ctx context.Context, db DB, tables []Table, live, next uint32, at events.Cursor) ([]Difference, error) {
	var ps []string
	var offsets []int64
	for p, o := range at {
		ps = append(ps, p.String())
		offsets = append(offsets, o)
	}
	args := []Arg{{"partitions", ps}, {"offsets", offsets}}
	const upTo = "transform(toString(partition), {partitions:Array(String)}, {offsets:Array(Int64)}, toInt64(-1))"
	var found []Difference
	for _, t := range tables {
		columns := []string{"partition", "offset"}
		for _, f := range t.Fields {
			columns = append(columns, f.Name)
		}
		all, key := strings.Join(columns, ", "), strings.Join(t.Key, ", ")
		digest := func(where string, build uint32) (d Digest, err error) {
			sql := fmt.Sprintf("SELECT count(), sum(cityHash64(%s)), groupBitXor(sipHash64(%s)) FROM (SELECT %s FROM `%s` FINAL) WHERE %s",
				all, all, all, physical(t.Name, build), where)
			err = each(ctx, db, sql, args, func(s RowScanner) error { return s.Scan(&d.Rows, &d.Sum, &d.Xor) })
			return d, err
		}
		was, err := digest("toInt64(offset) <= "+upTo, live)
		if err != nil {
			return nil, err
		}
		is, err := digest(fmt.Sprintf("(%s) NOT IN (SELECT %s FROM `%s` WHERE toInt64(offset) > %s)", key, key, physical(t.Name, live), upTo), next)
		if err != nil {
			return nil, err
		}
		if was != is {
			found = append(found, Difference{t.Name, was, is})
		}
	}
	return found, nil
}
