package projections

import (
	"context"
	"fmt"
	"slices"
	"time"

	"lishi/commands"
	"lishi/events"
)

// fillTo fills builds that never become live, as far as they are to go.
func (r *replay) fillTo(ctx context.Context) error {
	e := r.engine
	for _, t := range r.parts {
		at := e.tail.Folded()
		if t.fill.upTo != "" {
			var err error
			if at, err = events.ParseCursor(t.fill.upTo); err != nil {
				return err
			}
		}
		e.mu.Lock()
		t.fill.target = events.Cursor{}
		for _, p := range e.tail.Book().Layout().Partitions() {
			t.fill.target[p] = events.Start
		}
		for p, o := range at {
			t.fill.target[p] = o
		}
		e.mu.Unlock()
		for p, o := range at {
			if folded := e.tail.Folded()[p]; o > folded {
				return fmt.Errorf("%s: the log ends at %s-%d, before %s-%d", t.model.projection.Name(), p, folded, p, o)
			}
		}
	}
	return r.fill(ctx, r.parts[0].fill.target, r.options.Throttle)
}

// fillNamed does so and shows them under their name.
func (r *replay) fillNamed(ctx context.Context) error {
	e := r.engine
	if err := r.fillTo(ctx); err != nil {
		return err
	}
	for _, t := range r.parts {
		err := e.retry(ctx, "completing a named build", func() error {
			for _, table := range t.model.projection.Tables() {
				if err := e.db.Exec(ctx, fmt.Sprintf("CREATE OR REPLACE VIEW `%s` AS SELECT * FROM `%s` FINAL",
					namedView(table.Name, r.options.Into), physical(table.Name, t.fill.number))); err != nil {
					return err
				}
			}
			if err := e.showToPeople(ctx, t.model.projection, t.fill.number, r.options.Into); err != nil {
				return err
			}
			return e.finish(ctx, t.fill)
		})
		if err != nil {
			return err
		}
	}
	r.tell("complete")
	return nil
}

// namedView is the name of a table of a named build, and of a view of people's SQL.
func namedView(table, into string) string { return table + "__" + into }

// Named is where the rows of a named build are, and the cursor as of which it
// shows them. An error says that there is none that is complete, or that
// ClickHouse can't be asked.
func (e *Engine) Named(ctx context.Context, projection, into string) (Tables, events.Cursor, error) {
	e.mu.Lock()
	m := e.modelLocked(projection)
	e.mu.Unlock()
	if m == nil {
		return nil, nil, fmt.Errorf("there is no projection %q", projection)
	}
	b, err := readBooks(ctx, e.db)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range b.builds {
		if r.projection != projection || r.named != into || into == "" || r.dropped || r.stage != finished {
			continue
		}
		tables := Tables{}
		for _, t := range m.projection.Tables() {
			tables[t.Name] = "`" + physical(t.Name, r.number) + "`"
		}
		at := events.Cursor{}
		for p, c := range b.checkpoints[r.number] {
			at[p] = c.offset
		}
		return tables, at, nil
	}
	return nil, nil, fmt.Errorf("%s has no complete build named %q", projection, into)
}

// From answers a query from the tables of a build, as Engine.Named gives them for
// each projection that the query needs. What the ledger is asked is as of now.
func (r Reader) From(ctx context.Context, tables Tables, q Query, caller string) (Page, error) {
	r.tables = tables
	return q.Run(ctx, r, caller)
}

// Discard drops a build: the one that was live before, one that an interrupted
// replay has left, or a named one. The live one and one that is being filled stay;
// an error says so.
func (e *Engine) Discard(ctx context.Context, projection string, number uint32) error {
	_, ms, release, err := e.reserve(ctx, projection)
	if err != nil {
		return err
	}
	defer release()
	m := ms[0]
	return e.retry(ctx, "discarding a build", func() error {
		b, err := readBooks(ctx, e.db)
		if err != nil {
			return err
		}
		r := b.build(number)
		switch {
		case r == nil || r.projection != projection || r.dropped:
			return commands.ErrNotFound.With(fmt.Sprintf("%s has no build %d", projection, number))
		case number == b.live[projection].build || number == e.Live(projection):
			return commands.ErrConflict.With(fmt.Sprintf("build %d of %s is live", number, projection))
		case e.options.Share != nil && r.idle < e.options.Lease && r.stage != finished:
			return commands.ErrConflict.With(fmt.Sprintf("build %d of %s is in use on another node, or was less than %s ago", number, projection, e.options.Lease))
		}
		return e.drop(ctx, m.projection, *r)
	})
}

// drop writes down that a build is gone, and takes its tables and views away.
func (e *Engine) drop(ctx context.Context, p Projection, b build) error {
	b.dropped = true
	if err := recordBuild(ctx, e.db, b); err != nil {
		return err
	}
	if b.named != "" {
		if err := e.hideFromPeople(ctx, p, b.named); err != nil {
			return err
		}
	}
	for _, t := range p.Tables() {
		if b.named != "" {
			if err := e.db.Exec(ctx, "DROP VIEW IF EXISTS `"+namedView(t.Name, b.named)+"`"); err != nil {
				return err
			}
		}
		if err := e.db.Exec(ctx, "DROP TABLE IF EXISTS `"+physical(t.Name, b.number)+"` SYNC"); err != nil {
			return err
		}
	}
	return nil
}

// Rollback makes the build that was live before answer again, once it has
// caught up. Run must be under way; progress may be nil.
func (e *Engine) Rollback(ctx context.Context, name string, progress func(Progress)) error {
	ctx, ms, release, err := e.reserve(ctx, name)
	if err != nil {
		return err
	}
	defer release()
	r := &replay{engine: e, models: ms, options: Replaying{Progress: progress}}
	if err = r.back(ctx, ms[0]); err != nil {
		for _, t := range r.parts {
			e.abandon(ctx, t.model, t.fill)
		}
		return fmt.Errorf("rollback %s: %w", name, err)
	}
	return nil
}

func (r *replay) back(ctx context.Context, m *model) error {
	e := r.engine
	var b books
	err := e.retry(ctx, "reading the books", func() (err error) { b, err = readBooks(ctx, e.db); return err })
	if err != nil {
		return err
	}
	at := slices.IndexFunc(b.builds, func(o build) bool {
		return o.number == b.live[m.projection.Name()].previous && o.projection == m.projection.Name() && !o.dropped && o.version == m.projection.Version()
	})
	if at < 0 {
		return commands.ErrNotFound.With("there is no earlier build of this version")
	}
	f, err := e.newFill(m.projection, b.builds[at], b.checkpoints[b.builds[at].number], nil)
	if err != nil {
		return err
	}
	if err := e.verify(ctx, f, e.tail.Book().Layout().Partitions()); err != nil {
		return err
	}
	e.mu.Lock()
	m.next = f
	e.mu.Unlock()
	r.parts = []*part{{model: m, fill: f, from: f.done.Clone(), began: time.Now()}}
	return r.join(ctx)
}
