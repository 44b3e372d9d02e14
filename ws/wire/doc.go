// Package wire is the server side of RFC 6455: it turns HTTP requests into
// WebSocket connections, reads whole checked messages from them and writes
// compiled frames to them. It knows nothing of what the messages say.
//
// # Reading
//
// One goroutine a connection reads, and calls the Handler; a slow handler
// slows its own peer and nobody else. While nothing arrives, the connection
// holds no buffer. A message that came whole in one read is handed on where it
// lies, unmasked in place; only one that came in pieces is gathered, in a
// pooled buffer that grows with what has arrived, never with what a peer
// declares.
//
// # Writing
//
// Sending puts a frame into the connection's queue and never waits. The first
// frame of a burst starts a writer, which takes all that has gathered, writes
// it in few large writes, and ends when the queue is empty. A queue over its
// limit closes the connection with CloseSlowConsumer.
//
// # Locks
//
// Conn.mu guards a connection's queue and state, Upgrader.mu the list of open
// connections. Neither is held while the other is taken, while a Handler is
// called, or during a read or write.
package wire
