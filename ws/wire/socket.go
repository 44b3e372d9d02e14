package wire

import "net"

// A socket is how one connection is held: who waits for what comes, and who
// writes what is queued. There are two kinds: stream, a goroutine each over any
// net.Conn, and polled, a descriptor in an event loop.
//
// Whoever reads calls Conn.receive, Conn.tick once a ping interval, and Conn.end
// at the end of what comes.
type socket interface {
	// start begins to read; early came behind the handshake.
	start(early []byte)
	// flush sees to it that Conn.write is called soon, by somebody else. It is
	// called with Conn.mu held.
	flush()
	// write writes p, and never another p before that was written. Where n is less
	// than len(p) without an error, nothing more is taken now; Conn.writable is
	// called once that changes.
	write(p []byte) (n int, err error)
	// closeWrite closes the writing end alone; false where that can't be.
	closeWrite() bool
	// cut ends reading and writing at once, from any goroutine and any number of times.
	cut()
	// close frees the socket, when nobody uses it any more.
	close()
	remoteAddr() net.Addr
}
