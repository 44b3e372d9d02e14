//go:build !unix

package wire

import "net"

// A source reads from a network connection.
type source struct{ nc net.Conn }

func (s *source) open(nc net.Conn) { s.nc = nc }

// plain reports whether the connection is a socket with nothing in between.
func (s *source) plain() bool { return false }

// read waits for bytes and gives what there is, in a buffer that the caller
// hands back. more says that the last bytes left something unfinished.
func (s *source) read(more bool) (*buffer, error) { return readStream(s.nc, more) }
