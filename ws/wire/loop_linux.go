package wire

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// loops are an Upgrader's event loops, one a processor. A connection belongs to
// the one that its descriptor's number says. A loop runs while it has
// connections.
type loops struct {
	ping time.Duration

	mu  sync.Mutex
	all []*loop // nil: not running
}

func newLoops(ping time.Duration) *loops {
	return &loops{ping: ping, all: make([]*loop, runtime.GOMAXPROCS(0))}
}

// hands is in how many steps the loop's clock goes round its connections in a
// ping interval: a few of them are due at a time, and none needs a timer.
const hands = 64

// roomOfLoop is how much one read may bring. The loop has one such buffer for
// all its connections.
const roomOfLoop = 64 << 10

// A loop waits for many descriptors at once, on one goroutine, which reads what
// comes and calls the handlers. Another goroutine writes, while there is
// something to write.
//
// The events are edges: a descriptor is entered once, for both directions, and
// never changed. So whoever reads goes on until nothing is left, and whoever
// writes until nothing more is taken.
type loop struct {
	fd    int
	file  *os.File // of fd, the epoll instance, which Go's own poller waits for
	raw   syscall.RawConn
	ping  time.Duration
	due   time.Time // when the clock's hand moves next
	hand  int
	again []*polled // of those, not all was read

	mu       sync.Mutex
	sockets  []*polled // by number: the descriptor's divided by how many loops there are
	count    int
	dirty    []*Conn // have something to write
	flushing bool    // a goroutine writes
	writer   func()  // l.write, made once: starting it allocates nothing
}

// enter adds a socket, which is a connection's whole descriptor from now on.
func (ls *loops) enter(p *polled) error {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	at := int(p.fd) % len(ls.all)
	l := ls.all[at]
	if l == nil {
		var err error
		if l, err = newLoop(ls.ping); err != nil {
			return err
		}
		ls.all[at] = l
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p.loop, p.number = l, p.fd/int32(len(ls.all))
	for int(p.number) >= len(l.sockets) {
		l.sockets = append(l.sockets, nil)
	}
	l.sockets[p.number] = p
	l.count++
	return nil
}

// leave takes a socket out. A loop without any ends.
func (ls *loops) leave(p *polled) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := p.loop
	l.mu.Lock()
	defer l.mu.Unlock()
	unix.EpollCtl(l.fd, unix.EPOLL_CTL_DEL, int(p.fd), nil)
	l.sockets[p.number] = nil
	if l.count--; l.count == 0 {
		ls.all[int(p.fd)%len(ls.all)] = nil
		l.file.Close()
	}
}

func newLoop(ping time.Duration) (*loop, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // which is what lets Go's poller take it
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	l := &loop{fd: fd, file: os.NewFile(uintptr(fd), "epoll"), ping: ping, due: time.Now().Add(ping / hands)}
	if l.raw, err = l.file.SyscallConn(); err != nil {
		l.file.Close()
		return nil, err
	}
	l.writer = l.write
	go l.run()
	return l, nil
}

// run reads: it ends with the last socket.
func (l *loop) run() {
	var events [256]unix.EpollEvent
	var ready []*polled
	room := make([]byte, roomOfLoop)
	n := 0
	wait := func(epoll uintptr) (done bool) {
		var err error
		if n, err = unix.EpollWait(int(epoll), events[:], 0); err != nil {
			n = 0 // interrupted
			return true
		}
		return n > 0
	}
	l.file.SetReadDeadline(l.due)
	for {
		n = 0
		var err error
		if len(l.again) > 0 {
			err = l.raw.Control(func(fd uintptr) { wait(fd) })
		} else {
			err = l.raw.Read(wait)
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		unread := l.again
		l.again = nil
		ready = l.find(events[:n], ready)
		for i, p := range ready {
			if p != nil {
				p.happened(events[i].Events, room)
			}
		}
		for _, p := range unread {
			p.readable(room, true)
		}
		if now := time.Now(); !now.Before(l.due) {
			ready = l.tick(ready)
			l.due = now.Add(l.ping / hands)
			l.file.SetReadDeadline(l.due)
		}
		clear(ready[:cap(ready)])
	}
}

// find gives the sockets of events. One may have gone since, and its number have
// another owner, who then looks at what is not there: that does no harm.
func (l *loop) find(events []unix.EpollEvent, ready []*polled) []*polled {
	ready = ready[:0]
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range events {
		ready = append(ready, l.sockets[events[i].Fd])
	}
	return ready
}

// tick is for the connections that the clock's hand reaches.
func (l *loop) tick(due []*polled) []*polled {
	due = due[:0]
	l.mu.Lock()
	for i := l.hand; i < len(l.sockets); i += hands {
		if p := l.sockets[i]; p != nil {
			due = append(due, p)
		}
	}
	l.mu.Unlock()
	l.hand = (l.hand + 1) % hands
	for _, p := range due {
		if p.reader.Load() == byLoop {
			p.c.tick()
		}
	}
	return due
}

// flush has a connection's writer run.
func (l *loop) flush(c *Conn) {
	l.mu.Lock()
	l.dirty = append(l.dirty, c)
	start := !l.flushing
	l.flushing = true
	l.mu.Unlock()
	if start {
		go l.writer()
	}
}

// turn is after how many connections the writer lets others have the processor,
// which the scheduler would take from it only much later: it does not see writes
// that can't block.
const turn = 32

// write runs the writers of all connections that have something to write, one
// behind the other: none of them waits.
func (l *loop) write() {
	var mine []*Conn
	for {
		l.mu.Lock()
		mine, l.dirty = l.dirty, mine[:0]
		l.flushing = len(mine) > 0
		l.mu.Unlock()
		if len(mine) == 0 {
			return
		}
		for i, c := range mine {
			mine[i] = nil
			c.write()
			if i%turn == turn-1 {
				runtime.Gosched()
			}
		}
	}
}
