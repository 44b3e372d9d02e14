//go:build unix

package wire

import (
	"io"
	"net"
	"syscall"
)

// A source reads from a network connection. It waits without a buffer where it
// can: on a socket it takes one only when there is something to put into it.
type source struct {
	nc       net.Conn
	raw      syscall.RawConn              // nil: not a plain socket
	readable func(fd uintptr) (done bool) // s.take, made once
	got      *buffer
	err      error
}

func (s *source) open(nc net.Conn) {
	s.nc, s.raw = nc, plainSocket(nc)
	if s.raw != nil {
		s.readable = s.take
	}
}

// plainSocket gives the descriptor of a connection that is a socket with nothing in
// between; else nil.
func plainSocket(nc net.Conn) syscall.RawConn {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		if raw, err := nc.(syscall.Conn).SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// plain reports whether the connection is a socket with nothing in between.
func (s *source) plain() bool { return s.raw != nil }

// read waits for bytes and gives what there is, in a buffer that the caller
// hands back. more says that the last bytes left something unfinished.
func (s *source) read(more bool) (*buffer, error) {
	if s.raw == nil {
		return readStream(s.nc, more)
	}
	err := s.raw.Read(s.readable)
	b := s.got
	if err == nil {
		err = s.err
	}
	s.got, s.err = nil, nil
	if err != nil {
		if b != nil {
			putBuffer(b)
		}
		return nil, err
	}
	return b, nil
}

func (s *source) take(fd uintptr) bool {
	b := getBuffer(readSize)
	for {
		n, err := syscall.Read(int(fd), b.b[:readSize])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			putBuffer(b)
			return false
		case err == nil && n == 0:
			err = io.EOF
		}
		s.got, s.err = b, err
		b.b = b.b[:max(n, 0)]
		return true
	}
}
