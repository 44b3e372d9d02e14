// Package presence tells who is connected, to whichever node. It is the one
// thing that is remembered without being an event: each node puts a row with a
// short life up for each of its users, and takes it down when the user leaves.
// A node that dies takes nothing down; its rows end by themselves.
package presence

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"lishi/projections"
)

// Node is what a board asks of the node it belongs to. It is called by any
// goroutine.
type Node interface {
	// Online tells whether a user has a connection to this node.
	Online(user string) bool
	// Present are all who have one.
	Present() iter.Seq[string]
}

// Options are a board's times and limits; zero values stand for the defaults.
type Options struct {
	// Life is how long a row counts that nobody renews (default 60 s): how long
	// users of a node that died still seem to be there. A row is renewed when
	// half of it is over.
	Life time.Duration
	// Every is the time between two looks at who came and who left (default
	// 1 s): as long as other nodes may not know. However many come and leave
	// meanwhile, they go with the same insert.
	Every time.Duration
	// MaxRows bounds one insert (default 50,000); more go with the next.
	MaxRows int
	Now     func() time.Time
	Log     *slog.Logger
}

// Board is where a node puts up who is there. It is safe for concurrent use.
type Board struct {
	db   projections.DB
	node Node
	name string // of this run of this node
	o    Options

	ready   atomic.Bool          // the table is there
	up      map[string]time.Time // what is put up, and until when; Run's
	written int64                // version of the last rows; Run's
}

// New makes a board of a node. Nothing is put up before Run.
func New(db projections.DB, node Node, o Options) *Board {
	o.Life = cmp.Or(o.Life, time.Minute)
	o.Every = cmp.Or(o.Every, time.Second)
	o.MaxRows = cmp.Or(o.MaxRows, 50_000)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Board{db: db, node: node, name: rand.Text(), o: o, up: map[string]time.Time{}}
}

// The newest row of a user and node counts, as long as its life lasts; until is
// 0 for who has left. Rows go by the time they were written, so an older one
// never outlives the one that takes it down.
const table = `CREATE TABLE IF NOT EXISTS lishi_presence (user String, node String, until Int64, written Int64)
	ENGINE = ReplacingMergeTree(written) ORDER BY (user, node)
	TTL toDateTime(intDiv(written, 1000)) + toIntervalSecond(%d)
	SETTINGS index_granularity = 512, merge_with_ttl_timeout = 600`

// Run keeps the rows of the node's users up to date until ctx ends, and then
// takes them down. It always returns nil: while ClickHouse is away other nodes
// do not know who is here, and nothing else happens.
func (b *Board) Run(ctx context.Context) error {
	tick := time.NewTicker(b.o.Every)
	defer tick.Stop()
	away := false
	for {
		err := b.look(ctx)
		if ctx.Err() != nil {
			b.leave(context.WithoutCancel(ctx))
			return nil
		}
		if (err != nil) != away {
			away = err != nil
			if away {
				b.o.Log.Warn("other nodes can't be told who is here", "error", err)
			} else {
				b.o.Log.Info("other nodes are told again who is here")
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// look writes what has changed since the last time, and what is to be renewed.
func (b *Board) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, b.o.Life/4)
	defer cancel()
	if !b.ready.Load() {
		forgotten := 4 * b.o.Life
		if err := b.db.Exec(ctx, fmt.Sprintf(table, int(forgotten.Seconds())+1)); err != nil {
			return err
		}
		b.ready.Store(true)
	}
	now := b.o.Now()
	until := now.Add(b.o.Life)
	rows := rows{}
	for user := range b.node.Present() {
		if b.up[user].Sub(now) >= b.o.Life/2 {
			continue
		}
		if err := b.put(ctx, &rows, user, until); err != nil {
			return err
		}
	}
	// A row of its own for who came and left meanwhile: a later version.
	if err := b.flush(ctx, &rows); err != nil {
		return err
	}
	for user, until := range b.up {
		switch {
		case b.node.Online(user):
		case !until.After(now): // nobody takes it for true any more
			delete(b.up, user)
		default:
			if err := b.put(ctx, &rows, user, time.Time{}); err != nil {
				return err
			}
		}
	}
	return b.flush(ctx, &rows)
}

// leave takes everything down, once and in short time: what stays ends by itself.
func (b *Board) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	rows := rows{}
	for user := range b.up {
		if b.put(ctx, &rows, user, time.Time{}) != nil {
			return
		}
	}
	_ = b.flush(ctx, &rows)
}

// rows gather for one insert. until is the zero time for who has left.
type rows struct {
	users []string
	until []time.Time
}

func (b *Board) put(ctx context.Context, r *rows, user string, until time.Time) error {
	r.users, r.until = append(r.users, user), append(r.until, until)
	if len(r.users) < b.o.MaxRows {
		return nil
	}
	return b.flush(ctx, r)
}

// flush inserts what has gathered and notes it as put up.
func (b *Board) flush(ctx context.Context, r *rows) error {
	n := len(r.users)
	if n == 0 {
		return nil
	}
	b.written = max(b.written+1, b.o.Now().UnixMilli()) // also where the clock goes back
	nodes, untils, written := make([]string, n), make([]int64, n), make([]int64, n)
	for i, until := range r.until {
		nodes[i], written[i] = b.name, b.written
		if !until.IsZero() {
			untils[i] = until.UnixMilli()
		}
	}
	err := b.db.Insert(ctx, "lishi_presence", []projections.Column{
		{Name: "user", Type: "String", Data: r.users}, {Name: "node", Type: "String", Data: nodes},
		{Name: "until", Type: "Int64", Data: untils}, {Name: "written", Type: "Int64", Data: written},
	})
	if err != nil {
		if !errors.Is(err, projections.ErrUnavailable) {
			b.ready.Store(false) // somebody may have dropped the table
		}
		return err
	}
	for i, user := range r.users {
		if r.until[i].IsZero() {
			delete(b.up, user)
		} else {
			b.up[user] = r.until[i]
		}
	}
	r.users, r.until = r.users[:0], r.until[:0]
	return nil
}

// Online gives those of the users who have a connection to some node: to this
// one as of now, to others as of a moment ago. Where ClickHouse can't be asked,
// it knows of this node alone.
func (b *Board) Online(ctx context.Context, users []string) map[string]bool {
	online := map[string]bool{}
	var others []string
	for _, user := range users {
		if b.node.Online(user) {
			online[user] = true
		} else {
			others = append(others, user)
		}
	}
	if len(others) == 0 || !b.ready.Load() {
		return online
	}
	for part := range slices.Chunk(others, maxAsked) {
		if err := b.elsewhere(ctx, part, online); err != nil {
			b.o.Log.Debug("other nodes' users can't be asked for", "error", err)
			break
		}
	}
	return online
}

// maxAsked is how many users one statement names.
const maxAsked = 1000

func (b *Board) elsewhere(ctx context.Context, users []string, online map[string]bool) error {
	rows, err := b.db.Query(ctx, `SELECT user FROM lishi_presence WHERE user IN {users:Array(String)} AND node != {node:String}
		GROUP BY user, node HAVING argMax(until, written) > {now:Int64} SETTINGS max_threads = 1`,
		projections.Arg{Name: "users", Value: users}, projections.Arg{Name: "node", Value: b.name},
		projections.Arg{Name: "now", Value: b.o.Now().UnixMilli()})
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var user string
		if err := rows.Scan(&user); err != nil {
			return err
		}
		online[user] = true
	}
	return rows.Err()
}
