package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"lishi/infra/bench"
)

// A relay passes texts on and keeps nothing: the floor under everything that is
// measured. It speaks three kinds of text: "=NAME" says who one is, ">A,B,C" to
// whom one writes, anything else is a message "N CONTENT", passed on as "CONTENT"
// to them and answered by "+N".
type relay struct {
	mu     sync.Mutex
	people map[string]*relayed
}

type relayed struct {
	mu   sync.Mutex
	conn net.Conn
	to   []*relayed
}

func (p *relayed) write(frame []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.conn.Write(frame)
	return err
}

func (r *relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	conn, _, _, err := ws.UpgradeHTTP(req, w)
	if err != nil {
		return
	}
	go r.serve(conn)
}

func (r *relay) serve(conn net.Conn) {
	defer conn.Close()
	me := &relayed{conn: conn}
	for {
		text, err := wsutil.ReadClientText(conn)
		if err != nil || len(text) == 0 {
			return
		}
		switch text[0] {
		case '=':
			r.mu.Lock()
			r.people[string(text[1:])] = me
			r.mu.Unlock()
			err = me.write(ws.MustCompileFrame(ws.NewTextFrame([]byte("="))))
		case '>':
			r.mu.Lock()
			for name := range bytes.SplitSeq(text[1:], []byte{','}) {
				me.to = append(me.to, r.people[string(name)])
			}
			r.mu.Unlock()
			err = me.write(ws.MustCompileFrame(ws.NewTextFrame([]byte(">"))))
		default:
			n, content, _ := bytes.Cut(text, []byte{' '})
			pushed := ws.MustCompileFrame(ws.NewTextFrame(content))
			for _, p := range me.to {
				p.write(pushed)
			}
			err = me.write(ws.MustCompileFrame(ws.NewTextFrame(append([]byte{'+'}, n...))))
		}
		if err != nil {
			return
		}
	}
}

// relaying speaks to a relay.
type relaying struct{ addr string }

func (d relaying) tell(c *bench.Conn, text string) error {
	if err := c.Send(text); err != nil {
		return err
	}
	_, err := c.Frame()
	return err
}

// Dial implements bench.Server.
func (d relaying) Dial(ctx context.Context, person string) (*bench.Conn, error) {
	c, err := bench.Open(ctx, "ws://"+d.addr+"/ws", person)
	if err != nil {
		return nil, err
	}
	return c, d.tell(c, "="+person)
}

// Pair implements bench.Server.
func (d relaying) Pair(ctx context.Context, from, to *bench.Conn) (bench.Writer, error) {
	return d.Group(ctx, from, []*bench.Conn{to})
}

// Group implements bench.Server.
func (d relaying) Group(_ context.Context, from *bench.Conn, to []*bench.Conn) (bench.Writer, error) {
	names := []byte{'>'}
	for i, c := range to {
		if i > 0 {
			names = append(names, ',')
		}
		names = append(names, c.Person...)
	}
	return numbered{}, d.tell(from, string(names))
}

type numbered struct{}

// Append implements bench.Writer.
func (numbered) Append(b []byte, n int64, content []byte) []byte {
	return append(append(strconv.AppendInt(b, n, 10), ' '), content...)
}

// Next implements bench.Server.
func (relaying) Next(frame []byte) (bench.Said, []byte, error) {
	if frame[0] != '+' {
		return bench.Said{Kind: bench.Pushed, Content: frame}, nil, nil
	}
	n, err := strconv.ParseInt(string(frame[1:]), 10, 64)
	return bench.Said{Kind: bench.Answered, N: n}, nil, err
}
