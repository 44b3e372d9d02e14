package wire

import "net"

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
