package chdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"
)

// conn is one connection to the engine: a session that runs one statement at a
// time. It is for one goroutine at a time.
type conn struct {
	lib     *library
	handle  *uintptr
	session Session
	spoiled bool     // its state is not the session's any more; it must not be used again
	read    Progress // of the last statement
}

// connects counts connections made, for the test that they are used again.
var connects atomic.Int64

func (e *Engine) connect(s Session) (*conn, error) {
	connects.Add(1)
	handle := e.lib.open(e.args...)
	if handle == nil {
		return nil, fmt.Errorf("the ClickHouse engine would not open with %s (its own words, if it had any, are on stderr)", strings.Join(e.args, " "))
	}
	c := &conn{lib: e.lib, handle: handle}
	if err := c.apply(s); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *conn) close() {
	c.lib.closeConn(c.handle)
	c.handle = nil
}

// query runs a statement with the tag in front. Rows come as they are made: in
// formats whose pieces make up the whole from the library's stream, in others
// (JSON, Parquet, CSVWithNames …), which the library would begin anew with each
// piece, through a pipe. kill ends the statement behind its back.
func (c *conn) query(tag, sql, format string, params []Param, each func([]byte) error, kill func()) error {
	if !selects(sql) {
		return c.execute(tag+sql, format, params, each)
	}
	body, format, tail := c.splitFormat(sql, format)
	if pieces[format] {
		if err := c.stream(tag+sql, format, params, each); !errors.Is(err, errNotStreamable) {
			return err
		}
		return c.execute(tag+sql, format, params, each)
	}
	return c.document(tag, body, format, tail, params, each, kill)
}

// execute runs a statement whose answer the engine makes whole.
func (c *conn) execute(sql, format string, params []Param, each func([]byte) error) error {
	if c.changesSession(sql) {
		c.spoiled = true
	}
	result := call(c.lib.queryWithParams, *c.handle, sql, format, params)
	defer c.lib.destroyQueryResult(result)
	c.read = Progress{}
	c.counted(result)
	if text := c.lib.resultError(result); text != "" {
		return parseError(text)
	}
	if bytes := c.lib.bytes(result); len(bytes) > 0 {
		return each(bytes)
	}
	return nil
}

// changesSession tells if a statement leaves the connection changed: SET, USE
// and their like, and what the engine cannot classify.
func (c *conn) changesSession(sql string) bool {
	a := analysis{size: uint32(unsafe.Sizeof(analysis{}))}
	return c.classify(sql, &a) != 0 || a.class >= classControl
}

// classify asks the library what kind of statement it is; 0 if it can tell.
func (c *conn) classify(sql string, a *analysis) int32 {
	defer runtime.KeepAlive(sql)
	return c.lib.classifyQuery(*c.handle, unsafe.StringData(sql), uintptr(len(sql)), nil, 0, a)
}

// errNotStreamable: the library streams SELECTs only; nothing was run.
var errNotStreamable = errors.New("not a statement that streams")

// stream runs a SELECT and passes its answer on block by block.
func (c *conn) stream(sql, format string, params []Param, each func([]byte) error) error {
	c.read = Progress{}
	stream := call(c.lib.streamQueryWithParams, *c.handle, sql, format, params)
	defer c.lib.destroyQueryResult(stream)
	if text := c.lib.resultError(stream); text != "" {
		if strings.Contains(text, "Streaming query is not supported") {
			return errNotStreamable
		}
		return parseError(text)
	}
	for {
		done, err := c.fetch(stream, each)
		if done {
			return err
		}
		if err != nil {
			// Destroying a stream that has not ended waits for ever.
			c.lib.streamCancelQuery(*c.handle, stream)
			c.spoiled = true
			return err
		}
	}
}

// fetch passes on one block of a stream. After done, the stream has ended.
func (c *conn) fetch(stream uintptr, each func([]byte) error) (done bool, err error) {
	result := c.lib.streamFetchResult(*c.handle, stream)
	defer c.lib.destroyQueryResult(result)
	if text := c.lib.resultError(result); text != "" {
		return true, parseError(text)
	}
	c.counted(result)
	bytes := c.lib.bytes(result)
	if len(bytes) == 0 {
		return true, nil
	}
	return false, each(bytes)
}

// buffers carry rows from a reader to the engine, which copies them.
var buffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

// insert runs an INSERT and feeds it data. The engine commits only at the end,
// so an early return inserts nothing.
func (c *conn) insert(ctx context.Context, sql, format string, params []Param, data io.Reader) error {
	insert := call(c.lib.streamInsertWithParams, *c.handle, sql, format, params)
	defer c.lib.destroyInsertStream(insert) // cancels first if it has not ended
	if text := c.lib.streamInsertError(insert); text != "" {
		return parseError(text)
	}
	pooled := buffers.Get().(*[]byte)
	defer buffers.Put(pooled)
	to := &appender{ctx: ctx, lib: c.lib, insert: insert}
	_, err := io.CopyBuffer(to, data, *pooled)
	if to.refused != nil {
		c.spoiled = true
		return to.refused
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.lib.streamCancelInsert(insert)
		c.spoiled = true
		return fmt.Errorf("reading the rows to insert: %w", err)
	}
	result := c.lib.streamDone(insert)
	defer c.lib.destroyQueryResult(result)
	if text := c.lib.resultError(result); text != "" {
		c.spoiled = true
		return parseError(text)
	}
	return nil
}

// appender is an insert as a writer. The engine copies what it is given.
type appender struct {
	ctx     context.Context
	lib     *library
	insert  uintptr
	refused error // the engine's
}

func (a *appender) Write(p []byte) (n int, err error) {
	const most = 1 << 20 // at once, so that a context's end is heard of
	for n < len(p) {
		if err := a.ctx.Err(); err != nil {
			return n, err
		}
		piece := p[n:min(n+most, len(p))]
		if a.lib.streamAppend(a.insert, &piece[0], uintptr(len(piece))) != 0 {
			a.refused = parseError(a.lib.streamInsertError(a.insert))
			return n, a.refused
		}
		n += len(piece)
	}
	return n, nil
}

// selects tells if a statement begins like one that can stream.
func selects(sql string) bool {
	word := opening(sql)
	return strings.EqualFold(word, "SELECT") || strings.EqualFold(word, "WITH")
}

// opening is the word that a statement begins with, behind comments and
// parentheses.
func opening(sql string) string {
	for {
		sql = strings.TrimLeft(sql, " \t\r\n(")
		found := true
		switch {
		case strings.HasPrefix(sql, "/*"):
			_, sql, found = strings.Cut(sql, "*/")
		case strings.HasPrefix(sql, "--"):
			_, sql, found = strings.Cut(sql, "\n")
		default:
			if end := strings.IndexAny(sql, " \t\r\n(/-"); end >= 0 {
				return sql[:end]
			}
			return sql
		}
		if !found {
			return ""
		}
	}
}
