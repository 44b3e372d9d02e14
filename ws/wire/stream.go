package wire

import (
	"errors"
	"net"
	"os"
	"time"
)

// A stream is a connection with a goroutine that reads, and another as long as
// there is something to write. It takes any net.Conn: TLS, pipes, and sockets
// where there is no event loop.
type stream struct {
	c       *Conn
	nc      net.Conn
	source  source
	writer  func()        // c.write, made once: starting it allocates nothing
	writeBy time.Duration // the write deadline set, since up.epoch; the writer's own
}

func newStream(c *Conn, nc net.Conn) *stream {
	s := &stream{c: c, nc: nc, writer: c.write}
	s.source.open(nc)
	return s
}

func (s *stream) start(early []byte) { go s.read(early) }

// read is the reader: it runs as long as the connection.
func (s *stream) read(early []byte) {
	defer s.c.end()
	s.setTick()
	if early != nil {
		s.c.receiveAll(early)
	}
	for {
		b, err := s.source.read(!s.c.between())
		switch {
		case err == nil:
			s.c.heard = true
			s.c.receiveAll(b.b)
			putBuffer(b)
		case errors.Is(err, os.ErrDeadlineExceeded):
			// The read deadline is the clock: waiting needs no timer beside it.
			if s.c.tick() {
				s.setTick()
			} else {
				s.nc.SetReadDeadline(time.Time{}) // the closing has its own clock
			}
		default:
			s.c.lost(err)
			return
		}
	}
}

func (s *stream) setTick() { s.nc.SetReadDeadline(time.Now().Add(s.c.up.o.PingInterval)) }

func (s *stream) flush() { go s.writer() }

// write writes p before the write timeout. On a plain socket the deadline is
// moved on only once half of it is gone, which spares most writes a timer. TLS
// writes by itself while reading, which an old deadline would break.
func (s *stream) write(p []byte) (int, error) {
	timeout := s.c.up.o.WriteTimeout
	if !s.source.plain() {
		if err := s.nc.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
			return 0, err
		}
		defer s.nc.SetWriteDeadline(time.Time{})
	} else if now := time.Since(s.c.up.epoch); s.writeBy < now+timeout/2 {
		s.writeBy = now + timeout
		if err := s.nc.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
			return 0, err
		}
	}
	return s.nc.Write(p)
}

func (s *stream) closeWrite() bool {
	half, ok := s.nc.(interface{ CloseWrite() error })
	if ok {
		half.CloseWrite()
	}
	return ok
}

func (s *stream) cut()                 { s.nc.Close() }
func (s *stream) close()               { s.nc.Close() }
func (s *stream) remoteAddr() net.Addr { return s.nc.RemoteAddr() }

// tinySize is the buffer that a connection waits with where it cannot wait
// without one: a small frame's header and a little more.
const tinySize = 64

// readStream reads from any net.Conn. Between messages it waits with a tiny
// buffer; within one it takes a large one for the rest.
func readStream(nc net.Conn, more bool) (*buffer, error) {
	size := tinySize
	if more {
		size = readSize
	}
	b := getBuffer(size)
	n, err := nc.Read(b.b[:size])
	if n == 0 {
		putBuffer(b)
		return nil, err
	}
	b.b = b.b[:n] // an error beside bytes comes again with the next read
	return b, nil
}
