// Package chdb runs the ClickHouse engine inside this process: libchdb, loaded
// without cgo. It knows SQL and bytes, nothing of lishi.
//
// An engine owns one directory, and a process runs one engine at a time. It
// shares the fate of the process: an abort inside ends both.
package chdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Options of an engine. Dir is required; everything else has a default.
type Options struct {
	Dir       string // where the tables live; made with mode 0700
	Library   string // path of libchdb; "" looks for it as Find does
	MaxMemory int64  // bytes the engine may use; 0 is 1 GiB
	MaxConns  int    // statements at a time, the others wait; 0 is 16
	// Roles that sessions can be limited to, with what each may do, as GRANT
	// statements without TO: {"reader": {"GRANT SELECT ON views.*"}}.
	Roles map[string][]string
}

// Engine is a running ClickHouse engine. It is safe for concurrent use.
type Engine struct {
	lib     *library
	args    []string
	lock    *os.File
	slots   chan struct{}
	lastTag atomic.Uint64

	ctx    context.Context // done once Close has begun
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool
	busy   sync.WaitGroup
	idle   []*conn // least recently used first

	control     *conn // kills statements; open as long as the engine is, then nil
	controlLock sync.Mutex

	forbidden func() (map[string]bool, error) // functions that no role may call
}

// running is the directory of the engine of this process: libchdb has one
// storage path a process.
var running struct {
	sync.Mutex
	dir string
}

// Open starts the engine on a directory. It fails with a *NotFoundError if
// there is no library, and names the holder if another process has the
// directory open.
func Open(o Options) (e *Engine, err error) {
	if o.Dir == "" {
		return nil, errors.New("opening the ClickHouse engine: no directory given")
	}
	if o.MaxMemory == 0 {
		o.MaxMemory = 1 << 30
	}
	if o.MaxConns == 0 {
		o.MaxConns = 16
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if o.Library == "" {
		o.Library, err = Find()
	} else {
		err = present(o.Library, true)
	}
	if err != nil {
		return nil, err
	}

	running.Lock()
	defer running.Unlock()
	if running.dir != "" {
		return nil, fmt.Errorf("opening the ClickHouse engine on %s: this process already runs one on %s, and libchdb allows one a process", dir, running.dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the ClickHouse engine: %w", err)
	}
	held, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			held.Close()
		}
	}()
	config, err := writeConfiguration(dir, o.MaxMemory, o.Roles)
	if err != nil {
		return nil, err
	}
	lib, err := loadLibrary(o.Library)
	if err != nil {
		return nil, err
	}
	e = &Engine{
		lib:   lib,
		args:  []string{"--config-file=" + config, "--path=" + filepath.Join(dir, "data")},
		lock:  held,
		slots: make(chan struct{}, o.MaxConns),
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.forbidden = sync.OnceValues(e.findForbidden)
	if e.control, err = e.connect(Session{}); err != nil {
		return nil, err
	}
	running.dir = dir
	return e, nil
}

// Close stops what still runs, waits for it, and gives the directory free.
// The process may then open an engine again, on any directory; doing so many
// times is not what libchdb is made for.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	e.mu.Unlock()

	e.cancel()
	e.busy.Wait()
	for _, c := range e.idle {
		c.close()
	}
	e.idle = nil
	e.controlLock.Lock()
	e.control.close()
	e.control = nil
	e.controlLock.Unlock()

	running.Lock()
	running.dir = ""
	running.Unlock()
	return e.lock.Close()
}

// Query runs one statement of any kind and gives its answer in the named
// format to each, piece by piece, as the engine makes it; each must not keep
// the bytes. Memory does not grow with the answer. A *Error is the engine's
// own; it can come after pieces.
//
// When the context ends the statement is killed and its cause returned. How far it
// is, Watch tells.
func (e *Engine) Query(ctx context.Context, s Session, sql, format string, params []Param, each func([]byte) error) error {
	return e.run(ctx, s, func(c *conn, tag string) error {
		if s.Role != "" {
			if err := e.admit(c, sql, params); err != nil {
				return err
			}
		}
		over := make(chan struct{})
		defer close(over)
		watcher, begun := WatcherOf(ctx), time.Now()
		stop := e.watch(watcher, tag)
		err := c.query(tag, sql, format, params, each, func() { go e.kill(tag, over) })
		stop()
		if watcher.Told != nil && err == nil {
			c.read.Elapsed, c.read.Done = time.Since(begun), true
			watcher.Told(c.read)
		}
		return err
	})
}

// Insert runs an INSERT without FORMAT clause and feeds it the rows in the
// named format. Rows of one Native block come in whole or not at all; if data
// fails to be read, or the context ends before its end, nothing is inserted.
func (e *Engine) Insert(ctx context.Context, s Session, sql, format string, params []Param, data io.Reader) error {
	if s.Role != "" {
		return refusal("a role reads, it inserts nothing")
	}
	return e.run(ctx, s, func(c *conn, tag string) error {
		return c.insert(ctx, tag+sql, format, params, data)
	})
}

// run gives f a connection with the session's settings and sees to it that the
// statement ends when the context does.
func (e *Engine) run(ctx context.Context, s Session, f func(c *conn, tag string) error) error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return ErrClosed
	}
	e.busy.Add(1)
	e.mu.Unlock()
	defer e.busy.Done()

	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-e.ctx.Done():
		return ErrClosed
	}
	c, err := e.take(s)
	if err != nil {
		return err
	}

	// The engine lists running statements by their text, so a comment in front
	// makes ours findable: the library takes no query id.
	tag := fmt.Sprintf("/*lishi %d*/ ", e.lastTag.Add(1))
	ended := make(chan struct{})
	kill := func() { e.kill(tag, ended) }
	calm := context.AfterFunc(ctx, kill)
	open := context.AfterFunc(e.ctx, kill)
	err = f(c, tag)
	close(ended)
	undisturbed := calm()
	if undisturbed = open() && undisturbed; undisturbed && !c.spoiled {
		e.giveBack(c)
	} else {
		c.close()
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case e.ctx.Err() != nil:
		return ErrClosed
	}
	return err
}
