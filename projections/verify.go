package projections

import (
	"context"
	"fmt"

	"lishi/events"
)

// Counted is one partition of the log, read from its first record: there is no
// gap if every offset was either an event or a record that the ledger found void.
type Counted struct {
	Partition string `json:"partition"`
	Records   int64  `json:"records"`
	Events    int64  `json:"events"`
	Void      int64  `json:"void"`
	Gap       string `json:"gap,omitempty"` // the first position that was neither
}

// Verified is what was found of one projection.
type Verified struct {
	Projection string          `json:"projection"`
	Build      uint32          `json:"build"` // the live one
	UpTo       string          `json:"upTo"`  // the cursor up to which it was compared
	Tables     []VerifiedTable `json:"tables"`
	// Problem says why it could not be compared.
	Problem string `json:"problem,omitempty"`
}

// VerifiedTable is one table: what its live rows and those of a rebuild come to.
type VerifiedTable struct {
	Table   string `json:"table"`
	Live    Digest `json:"live"`
	Rebuilt Digest `json:"rebuilt"`
	First   *Place `json:"first,omitempty"` // the first difference; nil: there is none
}

// Verification is the result of Verify.
type Verification struct {
	Log         []Counted  `json:"log"`
	Projections []Verified `json:"projections"`
}

// Wrong lists what was found to be wrong, a sentence each; empty: all is well.
func (v Verification) Wrong() (all []string) {
	for _, c := range v.Log {
		if c.Gap != "" {
			all = append(all, "the log has no record at "+c.Gap)
		}
	}
	for _, p := range v.Projections {
		if p.Problem != "" {
			all = append(all, p.Projection+": "+p.Problem)
		}
		for _, t := range p.Tables {
			if t.First != nil {
				all = append(all, fmt.Sprintf("%s: %s", p.Projection, Difference{t.Table, t.Live, t.Rebuilt, *t.First}))
			}
		}
	}
	return all
}

// verification is the name of the builds that a verification makes and drops.
const verification = "verification"

// Verify counts the log, builds the projections' rows a second time from the
// first event, beside the live ones, and compares the two by an order-independent
// hash of every table. Nothing is changed; the second build is dropped at the end.
// An error says that it could not be done; what it found stands in the result.
func (e *Engine) Verify(ctx context.Context, names []string, o Replaying) (v Verification, err error) {
	ctx, ms, release, err := e.reserve(ctx, names...)
	if err != nil {
		return v, err
	}
	defer release()
	r := &replay{engine: e, options: Replaying{Into: verification, Throttle: o.Throttle, Progress: o.Progress}, models: ms}
	for _, m := range ms { // one that was cut off may have left its build
		if err := e.dropNamed(ctx, m, verification); err != nil {
			return v, err
		}
	}
	defer func() {
		r.letMerge(ctx)
		for _, m := range ms {
			if failed := e.dropNamed(context.WithoutCancel(ctx), m, verification); failed != nil && err == nil {
				err = failed
			}
		}
	}()
	at := r.aim()
	r.options.To = at
	if v.Log, err = e.count(ctx, at); err != nil {
		return v, err
	}
	if err = r.begin(ctx); err != nil {
		return v, err
	}
	if err = r.fillTo(ctx); err != nil {
		return v, err
	}
	r.tell("comparing")
	for _, t := range r.parts {
		found := Verified{Projection: t.model.projection.Name(), UpTo: at.String()}
		live := e.comparable(t.model)
		if live == nil {
			found.Problem = "no build of this version is live and in order"
		} else {
			found.Build = live.number
			if _, err := e.reach(ctx, live, at); err != nil {
				return v, err
			}
			if found.Tables, err = e.verifyTables(ctx, t, live, at); err != nil {
				return v, err
			}
		}
		v.Projections = append(v.Projections, found)
	}
	r.tell("complete")
	return v, nil
}

func (e *Engine) verifyTables(ctx context.Context, t *part, live *fill, at events.Cursor) (all []VerifiedTable, err error) {
	c := newComparison(e.db, live.number, t.fill.number, at)
	for _, table := range t.model.projection.Tables() {
		var one VerifiedTable
		err := e.retry(ctx, "comparing", fits(func() (err error) {
			d, differ, err := c.table(ctx, table)
			one = VerifiedTable{Table: table.Name, Live: d.Live, Rebuilt: d.New}
			if differ {
				one.First = &d.First
			}
			return err
		}))
		if err == nil && one.First == nil {
			one.First, err = e.beyond(ctx, table, live)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// beyond finds a row of an event that the log does not have. The rows are asked
// first: what comes meanwhile is in the log before it is in them.
func (e *Engine) beyond(ctx context.Context, t Table, live *fill) (found *Place, err error) {
	var last []area
	err = e.retry(ctx, "looking beyond the log's end", func() error {
		last = nil
		sql := fmt.Sprintf("SELECT toString(partition) AS p, max(offset) FROM `%s` GROUP BY p ORDER BY p", physical(t.Name, live.number))
		return each(ctx, e.db, sql, nil, func(s RowScanner) error {
			a, err := scanArea(s)
			last = append(last, a)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	for _, a := range last {
		place := &Place{events.Position{Partition: a.partition, Offset: int64(a.bucket)}, Extra}
		if _, known := live.start[a.partition]; !known { // the log has no such partition
			return place, nil
		}
		if err := e.tail.CatchUp(ctx, a.partition); err != nil {
			return nil, err
		}
		if place.Position.Offset > e.tail.Folded()[a.partition] {
			return place, nil
		}
	}
	return nil, nil
}

// count reads every partition from its first record up to the cursor.
func (e *Engine) count(ctx context.Context, at events.Cursor) (all []Counted, err error) {
	for _, p := range e.tail.Book().Layout().Partitions() {
		c, l := Counted{Partition: p.String()}, e.tail.Book().Ledger(p)
		next := int64(0)
		skip := func(to int64) { // what was not handed on must have been found void
			for ; next < to; next++ {
				if c.Void++; !l.Void(next) && c.Gap == "" {
					c.Gap = events.Position{Partition: p, Offset: next}.String()
				}
			}
		}
		err := e.retry(ctx, "reading "+p.String(), func() error {
			return e.tail.Range(ctx, p, next-1, at[p], func(batch []events.Recorded, passed int64) error {
				for i := range batch {
					skip(batch[i].Position.Offset)
					next++
					c.Events++
				}
				skip(passed + 1)
				return nil
			})
		})
		if err != nil {
			return nil, err
		}
		c.Records = next
		all = append(all, c)
	}
	return all, nil
}

// dropNamed drops a projection's build of that name, if there is one.
func (e *Engine) dropNamed(ctx context.Context, m *model, named string) error {
	return e.retry(ctx, "dropping a build", func() error {
		b, err := readBooks(ctx, e.db)
		if err != nil {
			return err
		}
		for _, r := range b.builds {
			if r.projection == m.projection.Name() && r.named == named && !r.dropped {
				if err := e.drop(ctx, m.projection, r); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
