// Package wire is the server side of RFC 6455: it turns HTTP requests into
// WebSocket connections, reads whole checked messages from them and writes
// compiled frames to them. It knows nothing of what the messages say.
//
// # Holding
//
// On Linux plain sockets are held by event loops, one a processor: a loop waits
// for the descriptors of all its connections at once, by epoll, reads what comes
// into one buffer of its own and calls the Handlers. What a Handler has to wait
// for goes on in a goroutine, which reads its connection until nothing is left
// and gives it back. A connection that is silent has neither goroutine nor
// buffer, timer or net.Conn. TLS, and other systems, have a goroutine for each
// connection that reads. Both follow the same rules, and the same tests.
//
// # Reading
//
// A message that came whole in one read is handed on where it lies, unmasked in
// place; only one that came in pieces is gathered, in a pooled buffer that grows
// with what has arrived, never with what a peer declares.
//
// # Writing
//
// Sending puts a frame into the connection's queue and never waits. The first
// frame of a burst makes the connection's writer run soon: in its loop, behind
// those of other connections, or on a goroutine. It takes all that has gathered,
// writes it in few large writes, and ends when the queue is empty. In a loop it
// also ends, and keeps its place, when the socket takes no more: nobody waits for
// a peer that does not read. A queue over its limit closes the connection with
// CloseSlowConsumer.
//
// # Locks
//
// Conn.mu guards a connection's queue and state, loop.mu its list of connections,
// Upgrader.mu that of all. loop.mu is taken while a Conn.mu is held, never the
// other way round. None is held while a Handler is called, or during a read or
// write.
package wire
