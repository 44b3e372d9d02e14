package wire

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options are an Upgrader's. A zero field means its default.
type Options struct {
	// Origins are the foreign origins that may connect. The server's own is
	// always welcome, and so is a client that names none.
	Origins Origins
	// MessageLimit is the most bytes of a message, over all its fragments
	// (64 KiB). A larger one is closed with CloseTooBig before it is read.
	MessageLimit int
	// QueueLimit is the most bytes that wait to be written to one connection
	// (1 MiB). One more closes it with CloseSlowConsumer.
	QueueLimit int
	// PingInterval is how often a ping is sent (25 s). A peer of whom nothing
	// is heard for two of them is closed, and so is one whose message takes
	// longer than three.
	PingInterval time.Duration
	// WriteTimeout is how long one write of at most 64 KiB, or of one larger
	// frame, may take (30 s).
	WriteTimeout time.Duration
	// CloseTimeout bounds the closing handshake (5 s).
	CloseTimeout time.Duration
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	if o.MessageLimit == 0 {
		o.MessageLimit = 64 << 10
	}
	if o.QueueLimit == 0 {
		o.QueueLimit = 1 << 20
	}
	def(&o.PingInterval, 25*time.Second)
	def(&o.WriteTimeout, 30*time.Second)
	def(&o.CloseTimeout, 5*time.Second)
	return o
}

// An Upgrader makes connections of HTTP requests and knows all that are open.
type Upgrader struct {
	o     Options
	epoch time.Time // what write deadlines are counted from
	loops *loops    // nil: each connection has goroutines

	mu    sync.Mutex
	first *Conn
	count int
	shut  chan struct{} // made by Shutdown, closed when no connection is left
}

// NewUpgrader makes an Upgrader.
func NewUpgrader(o Options) *Upgrader {
	u := &Upgrader{o: o.withDefaults(), epoch: time.Now()}
	u.loops = newLoops(u.o.PingInterval)
	return u
}

// Upgrade answers the opening handshake (RFC 6455 section 4.2). The caller
// starts the connection and returns from its HTTP handler. On an error the
// request has been answered: 405 not a GET, 505 not HTTP/1.1, 426 not a
// WebSocket or another version, 400 malformed, 403 a foreign origin, 503 after
// Shutdown. Bytes that came behind the handshake are kept.
func (u *Upgrader) Upgrade(w http.ResponseWriter, r *http.Request) (*Conn, error) {
	key, refused := checkHandshake(r)
	if refused == nil && !u.originAllowed(r) {
		refused = &HandshakeError{Status: http.StatusForbidden, Text: "origin not allowed"}
	}
	if refused == nil && u.isShut() {
		refused = &HandshakeError{Status: http.StatusServiceUnavailable, Text: "server going away"}
	}
	if refused != nil {
		refused.write(w)
		return nil, refused
	}
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		refused := &HandshakeError{Status: http.StatusInternalServerError, Text: "connection cannot be taken over"}
		refused.write(w)
		return nil, err
	}
	var early []byte
	if n := rw.Reader.Buffered(); n > 0 {
		waiting, _ := rw.Reader.Peek(n)
		early = append(early, waiting...)
	}
	if err := u.accept(nc, key); err != nil {
		nc.Close()
		return nil, err
	}
	c := newConn(u, nc, early)
	if !u.add(c) {
		c.Close(errGoingAway.Code, errGoingAway.Text)
	}
	return c, nil
}

// accept writes the answer that opens the connection.
func (u *Upgrader) accept(nc net.Conn, key string) error {
	b := getBuffer(256)
	defer putBuffer(b)
	b.b = appendAccept(b.b, key)
	if err := nc.SetWriteDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	if _, err := nc.Write(b.b); err != nil {
		return err
	}
	return nc.SetWriteDeadline(time.Time{})
}

// Len is the number of open connections, those closing among them.
func (u *Upgrader) Len() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.count
}

// Shutdown refuses new connections, closes all with CloseGoingAway and waits
// until the last has ended. When ctx ends first it cuts the rest off and
// returns ctx's error.
func (u *Upgrader) Shutdown(ctx context.Context) error {
	u.mu.Lock()
	if u.shut == nil {
		u.shut = make(chan struct{})
		if u.count == 0 {
			close(u.shut)
		}
	}
	shut := u.shut
	u.mu.Unlock()
	u.each(func(c *Conn) { c.Close(errGoingAway.Code, errGoingAway.Text) })
	select {
	case <-shut:
		return nil
	case <-ctx.Done():
		u.each((*Conn).abort)
		return ctx.Err()
	}
}

func (u *Upgrader) isShut() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.shut != nil
}

// each calls f for every open connection, without holding u.mu.
func (u *Upgrader) each(f func(*Conn)) {
	u.mu.Lock()
	all := make([]*Conn, 0, u.count)
	for c := u.first; c != nil; c = c.next {
		all = append(all, c)
	}
	u.mu.Unlock()
	for _, c := range all {
		f(c)
	}
}

// add reports false after Shutdown; the connection is known all the same.
func (u *Upgrader) add(c *Conn) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	c.next = u.first
	if c.next != nil {
		c.next.prev = c
	}
	u.first = c
	u.count++
	return u.shut == nil
}

func (u *Upgrader) remove(c *Conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		u.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	if u.count--; u.count == 0 && u.shut != nil {
		select {
		case <-u.shut: // a handshake was under way when the last one had ended
		default:
			close(u.shut)
		}
	}
}
