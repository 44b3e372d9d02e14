package broker

import (
	"io"
	"net"
	"strings"
	"testing"
)

// A length nobody may send ends the connection with its fourth byte: kfake would
// make room for it before it reads the fifth.
func TestALengthIsJudgedBeforeRoomIsMade(t *testing.T) {
	for name, sent := range map[string]string{
		"4 GiB":                    "\xff\xff\xff\xff",
		"too short for a request":  "\x00\x00\x00\x07",
		"too long before greeting": "\x00\x01\x00\x01",
	} {
		ours, theirs := net.Pipe()
		c := &guardedConn{Conn: ours, head: make([]byte, 0, 8), answered: make(chan struct{}), closed: make(chan struct{})}
		go func() { io.Copy(theirs, strings.NewReader(sent)) }()
		if n, err := io.ReadFull(c, make([]byte, 4)); err == nil || !strings.Contains(err.Error(), "not a request") {
			t.Errorf("%s: %d bytes reach the broker, %v", name, n, err)
		}
		theirs.Close()
	}
}
