package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"lishi/infra/bench"
)

// centrifugal speaks centrifuge's JSON protocol: commands with ids, answered by
// replies with the same ids; several stand in one frame, a line each.
type centrifugal struct{ addr string }

// firstID is the id of a conversation's first message, less one: those before it
// connected and subscribed.
const firstID = 2

// Dial implements bench.Server.
func (d centrifugal) Dial(ctx context.Context, person string) (*bench.Conn, error) {
	c, err := bench.Open(ctx, "ws://"+d.addr+"/ws", person)
	if err != nil {
		return nil, err
	}
	return c, d.call(c, 1, `{"id":1,"connect":{"token":"`+person+`"}}`)
}

// call sends a command and waits for its reply.
func (d centrifugal) call(c *bench.Conn, id int, command string) error {
	if err := c.Send(command); err != nil {
		return err
	}
	c.Deadline(time.Now().Add(time.Minute))
	defer c.Deadline(time.Time{})
	want := fmt.Appendf(nil, `{"id":%d,`, id)
	for {
		frame, err := c.Frame()
		if err != nil {
			return err
		}
		for line := range bytes.Lines(frame) {
			if !bytes.HasPrefix(line, want) {
				continue
			}
			if bytes.Contains(line, []byte(`"error"`)) {
				return fmt.Errorf("%s: %s", command, line)
			}
			return nil
		}
	}
}

// Pair implements bench.Server.
func (d centrifugal) Pair(ctx context.Context, from, to *bench.Conn) (bench.Writer, error) {
	return d.Group(ctx, from, []*bench.Conn{to})
}

// Group implements bench.Server: all others subscribe to the sender's channel.
func (d centrifugal) Group(_ context.Context, from *bench.Conn, to []*bench.Conn) (bench.Writer, error) {
	for _, c := range to {
		if err := d.call(c, 2, `{"id":2,"subscribe":{"channel":"`+from.Person+`"}}`); err != nil {
			return nil, err
		}
	}
	return publisher(`,"publish":{"channel":"` + from.Person + `","data":{"content":"`), nil
}

// publisher is what stands behind a message's id.
type publisher string

// Append implements bench.Writer.
func (p publisher) Append(b []byte, n int64, content []byte) []byte {
	b = strconv.AppendInt(append(b, `{"id":`...), n+firstID, 10)
	b = append(append(b, p...), content...)
	return append(b, `"}}}`...)
}

// Next implements bench.Server.
func (d centrifugal) Next(frame []byte) (said bench.Said, rest []byte, err error) {
	line := frame
	if i := bytes.IndexByte(frame, '\n'); i >= 0 {
		line, rest = frame[:i], frame[i+1:]
	}
	if id, ok := bytes.CutPrefix(line, []byte(`{"id":`)); ok {
		if bytes.Contains(line, []byte(`"error"`)) {
			return said, nil, fmt.Errorf("refused: %s", line)
		}
		digits, _, _ := bytes.Cut(id, []byte{','})
		n, err := strconv.ParseInt(string(digits), 10, 64)
		if err != nil || n <= firstID {
			return said, rest, err
		}
		return bench.Said{Kind: bench.Answered, N: n - firstID}, rest, nil
	}
	if content := bench.Field(line, "content"); content != nil {
		return bench.Said{Kind: bench.Pushed, Content: content}, rest, nil
	}
	return said, rest, nil
}
