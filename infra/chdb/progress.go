package chdb

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Progress is how far a statement has come, as ClickHouse counts it: of one whose
// rows are streamed the library may leave some of what was read out. In a header
// of its HTTP interface it is JSON with numbers as texts.
type Progress struct {
	ReadRows    uint64        `json:"read_rows,string"`
	ReadBytes   uint64        `json:"read_bytes,string"`
	TotalRows   uint64        `json:"total_rows_to_read,string"`    // as far as it is known; it may grow
	ResultRows  uint64        `json:"result_rows,string,omitempty"` // known at the end
	Elapsed     time.Duration `json:"elapsed_ns,string"`
	MemoryUsage uint64        `json:"memory_usage,string"` // bytes, now
	Done        bool          `json:"-"`                   // these are the figures of the whole
}

// ParseProgress reads the value of X-ClickHouse-Progress or X-ClickHouse-Summary.
func ParseProgress(header string) (p Progress, err error) {
	return p, json.Unmarshal([]byte(header), &p)
}

// Header is the value of X-ClickHouse-Progress and X-ClickHouse-Summary.
func (p Progress) Header() string {
	text, _ := json.Marshal(p) // numbers only
	return string(text)
}

// Watcher is told how far a statement has come.
type Watcher struct {
	// Every is how often it is told, at most; 0: once, at the end.
	Every time.Duration
	// Told is called one call at a time, for the last time before Query returns,
	// with the figures of the whole if it was answered. It holds nothing up but
	// the next call, and the end.
	Told func(Progress)
}

type watcherKey struct{}

// Watch makes the statements that are run with the context tell how far they are.
func Watch(ctx context.Context, w Watcher) context.Context {
	return context.WithValue(ctx, watcherKey{}, w)
}

// WatcherOf is the context's; its Told is nil if there is none.
func WatcherOf(ctx context.Context) Watcher {
	w, _ := ctx.Value(watcherKey{}).(Watcher)
	return w
}

// soonest is how often a statement is looked at, at most.
const soonest = 50 * time.Millisecond

// watch tells how far the statement with the tag is, until the function that it
// gives is called. The library tells nothing by itself before the end; the engine
// lists what runs.
func (e *Engine) watch(w Watcher, tag string) (stop func()) {
	if w.Every <= 0 || w.Told == nil {
		return func() {}
	}
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(max(w.Every, soonest))
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-over:
				return
			}
			if p, found := e.progress(tag); found {
				w.Told(p)
			}
		}
	}()
	return func() { close(over); <-ended }
}

// progress asks the engine about the running statement with the tag.
func (e *Engine) progress(tag string) (p Progress, found bool) {
	e.controlLock.Lock()
	defer e.controlLock.Unlock()
	if e.control == nil {
		return p, false
	}
	_ = e.control.execute("SELECT read_rows, read_bytes, total_rows_approx, toUInt64(elapsed * 1e9), toUInt64(greatest(memory_usage, 0)) FROM system.processes WHERE startsWith(query, "+
		quoteString(tag)+")", "TabSeparated", nil, func(b []byte) error {
		fields := strings.Fields(string(bytes.TrimSpace(b)))
		found = len(fields) == 5
		for i, to := range []*uint64{&p.ReadRows, &p.ReadBytes, &p.TotalRows, (*uint64)(nil), &p.MemoryUsage} {
			if !found {
				break
			}
			n, err := strconv.ParseUint(fields[i], 10, 64)
			if found = err == nil; to == nil {
				p.Elapsed = time.Duration(n)
			} else {
				*to = n
			}
		}
		return nil
	})
	return p, found
}

// counted adds what a result of the library has counted.
func (c *conn) counted(result uintptr) {
	c.read.ReadRows += c.lib.resultScannedRows(result)
	c.read.ReadBytes += c.lib.resultScannedBytes(result)
	c.read.ResultRows += c.lib.resultRowsRead(result)
	c.read.TotalRows = c.read.ReadRows
}
