package broker

import (
	"context"
	"errors"
	"net"
	"sync"
)

// listener accepts what comes over the port, and connections from within the
// process, which need no kernel between the two ends.
type listener struct {
	net.Listener
	accepted chan accepted
	ended    chan struct{}
	end      sync.Once
}

type accepted struct {
	conn net.Conn
	err  error
}

func newListener(port net.Listener) *listener {
	l := &listener{Listener: port, accepted: make(chan accepted), ended: make(chan struct{})}
	go l.port()
	return l
}

// port hands on what comes over the port, until that is closed.
func (l *listener) port() {
	for {
		c, err := l.Listener.Accept()
		select {
		case l.accepted <- accepted{c, err}:
		case <-l.ended:
			if c != nil {
				c.Close()
			}
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case a := <-l.accepted:
		return a.conn, a.err
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.end.Do(func() { close(l.ended) })
	return l.Listener.Close()
}

func (l *listener) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.accepted <- accepted{conn: theirs}:
		return ours, nil
	case <-l.ended:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: ctx.Err()}
	}
}

// Dial opens a connection to the broker within the process, whatever the address.
// All else, who may speak and what is judged, is as over the port.
func (b *Broker) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return b.inside.dial(ctx)
}
