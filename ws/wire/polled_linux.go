package wire

import (
	"io"
	"net"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A polled is a connection's descriptor in an event loop. It was taken out of its
// net.Conn, so nothing of Go's own poller is held for it.
type polled struct {
	c      *Conn
	loop   *loop
	fd     int32 // -1 once it is closed; changed under c.mu, when nobody else uses it
	number int32 // its place in the loop
	reader atomic.Int32
}

// Who reads. What one has written of the connection the next one sees: they hand
// over by the atomic.
const (
	byGoroutine     int32 = iota // a request waits, or Start was not called yet
	byGoroutineMore              // the same, and something came meanwhile
	byLoop
	byNobody // the reader's end
)

// hold takes a plain socket into an event loop, and gives everything else, or
// what the system has no descriptor left for, goroutines.
func (u *Upgrader) hold(c *Conn, nc net.Conn) socket {
	raw := plainSocket(nc)
	if u.loops == nil || raw == nil {
		return newStream(c, nc)
	}
	own, err := -1, error(nil)
	if e := raw.Control(func(fd uintptr) { own, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); e != nil || err != nil {
		return newStream(c, nc)
	}
	p := &polled{c: c, fd: int32(own)}
	if err := u.loops.enter(p); err != nil {
		unix.Close(own)
		return newStream(c, nc)
	}
	nc.Close() // its descriptor; the socket lives on in ours
	return p
}

func (p *polled) start(early []byte) {
	err := unix.EpollCtl(p.loop.fd, unix.EPOLL_CTL_ADD, int(p.fd), &unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: p.number})
	if err != nil {
		p.c.lost(os.NewSyscallError("epoll_ctl", err))
	}
	if early != nil || err != nil {
		go p.goOn(nil, &buffer{b: early})
		return
	}
	if !p.reader.CompareAndSwap(byGoroutine, byLoop) { // it has something already
		go p.goOn(nil, nil)
	}
}

// happened takes the events of the descriptor. It is the loop's.
func (p *polled) happened(events uint32, room []byte) {
	if events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		p.c.writable()
	}
	if end := events & (unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR); end|events&unix.EPOLLIN != 0 {
		p.readable(room, end != 0)
	}
}

// readable reads, in the loop, or tells the goroutine that does. all: until
// nothing is left; else a read that does not fill the room was the last.
func (p *polled) readable(room []byte, all bool) {
	for {
		switch p.reader.Load() {
		case byLoop:
			p.read(room, all)
			return
		case byGoroutine:
			if p.reader.CompareAndSwap(byGoroutine, byGoroutineMore) {
				return
			}
		default:
			return
		}
	}
}

// readsInRow is how many reads one connection has before others have theirs.
const readsInRow = 4

func (p *polled) read(room []byte, all bool) {
	for range readsInRow {
		n, ok := p.take(room)
		if n == 0 {
			if !ok {
				p.end()
			}
			return
		}
		if rest, left := p.c.receive(room[:n]); rest != nil {
			p.reader.Store(byGoroutineMore) // not all was read, perhaps
			b := getBuffer(len(left))
			b.b = append(b.b, left...)
			go p.goOn(rest, b)
			return
		}
		if n < len(room) && !all {
			return
		}
		all = true
	}
	p.loop.again = append(p.loop.again, p)
}

// goOn reads on a goroutine of its own, so that what has to wait can: until
// nothing is left for it.
func (p *polled) goOn(rest func() error, left *buffer) {
	if rest != nil {
		p.c.failed(rest())
	}
	if left != nil {
		p.c.receiveAll(left.b)
		putBuffer(left)
	}
	room := getBuffer(readSize)
	defer putBuffer(room)
	for {
		p.reader.Store(byGoroutine)
		for {
			n, ok := p.take(room.b[:readSize])
			if !ok {
				p.end()
				return
			}
			if n == 0 {
				break
			}
			p.c.receiveAll(room.b[:n])
		}
		if p.reader.CompareAndSwap(byGoroutine, byLoop) {
			return
		}
	}
}

// take reads once: nothing and true where nothing has come, nothing and false at the end.
func (p *polled) take(room []byte) (n int, ok bool) {
	for !p.c.over.Load() {
		n, err := readNow(p.fd, room)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return 0, true
		case n > 0:
			p.c.heard = true
			return n, true
		case err == nil:
			p.c.lost(io.EOF)
		default:
			p.c.lost(os.NewSyscallError("read", err))
		}
	}
	p.c.lost(net.ErrClosed) // by us, for a reason that counts if it is the first
	return 0, false
}

func (p *polled) end() {
	p.reader.Store(byNobody)
	p.c.end()
}

func (p *polled) flush() { p.loop.flush(p.c) }

func (p *polled) write(b []byte) (int, error) {
	for {
		n, err := writeNow(p.fd, b)
		switch err {
		case nil:
			return n, nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, nil
		default:
			return 0, os.NewSyscallError("write", err)
		}
	}
}

func (p *polled) closeWrite() bool {
	unix.Shutdown(int(p.fd), unix.SHUT_WR)
	return true
}

// cut ends both directions, which the loop hears. The descriptor is closed only
// once nobody uses it: its number may be another connection's the moment after.
func (p *polled) cut() {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	if p.fd >= 0 {
		unix.Shutdown(int(p.fd), unix.SHUT_RDWR)
	}
}

func (p *polled) close() {
	p.c.up.loops.leave(p)
	p.c.mu.Lock()
	fd := p.fd
	p.fd = -1
	p.c.mu.Unlock()
	unix.Close(int(fd))
}

func (p *polled) remoteAddr() net.Addr {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	if p.fd < 0 {
		return nil
	}
	peer, err := unix.Getpeername(int(p.fd))
	if err != nil {
		return nil
	}
	switch a := peer.(type) {
	case *unix.SockaddrInet4:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	case *unix.SockaddrInet6:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	case *unix.SockaddrUnix:
		return &net.UnixAddr{Name: a.Name, Net: "unix"}
	}
	return nil
}
