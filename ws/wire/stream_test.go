package wire

import (
	"net"
	"strings"
	"testing"
	"testing/synctest"
)

// asked is a connection that tells how much each of its reads has room for.
type asked struct {
	net.Conn
	room chan int
}

func (a *asked) Read(p []byte) (int, error) {
	a.room <- len(p)
	return a.Conn.Read(p)
}

// TestStreamsWaitWithoutABuffer: what is not a plain socket, TLS say, has to wait
// with some room, but only within a message with much.
func TestStreamsWaitWithoutABuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		a := &asked{near, make(chan int, 100)}
		u := NewUpgrader(Options{})
		c := newConn(u, a, nil)
		u.add(c)
		c.Start(&script{})
		last := func() (n int) {
			synctest.Wait()
			for len(a.room) > 0 {
				n = <-a.room
			}
			return n
		}
		message := join(text(strings.Repeat("x", 1000)))
		for range 3 {
			if n := last(); n != tinySize {
				t.Errorf("it waits for a message with %d bytes", n)
			}
			far.Write(message[:10])
			if n := last(); n != readSize {
				t.Errorf("it waits for the rest of one with %d bytes", n)
			}
			far.Write(message[10:])
		}
		far.Close()
		synctest.Wait()
	})
}
