package broker

import (
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"testing"
	"time"
)

// Whoever connects without the password, whatever is sent, stops nothing, and makes
// the broker make room for nothing large: also after a password that was wrong.
func TestStrangers(t *testing.T) {
	b, err := Open(t.Context(), Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatalf("the broker is gone: %v", err)
		}
		c.SetDeadline(time.Now().Add(30 * time.Second))
		return c
	}
	request := func(key, version uint16, body []byte) []byte {
		head := binary.BigEndian.AppendUint16(nil, key)
		head = binary.BigEndian.AppendUint16(head, version)
		head = binary.BigEndian.AppendUint32(head, 1)      // correlation id
		head = binary.BigEndian.AppendUint16(head, 0xffff) // no client id
		raw := binary.BigEndian.AppendUint32(nil, uint32(len(head)+len(body)))
		return append(append(raw, head...), body...)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, key := range []uint16{17, 18, 36} { // SASLHandshake, ApiVersions, SASLAuthenticate
		for _, version := range []uint16{0, 1, 2, 3, 4, 5, 100, 32767, 65535} {
			for size := range 4 {
				body := make([]byte, size*9)
				for i := range body {
					body[i] = byte(random.Uint32())
				}
				c := dial()
				c.Write(request(key, version, body))
				c.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, c)
				c.Close()
			}
		}
	}
	c := dial()
	defer c.Close()
	c.Write(request(17, 1, []byte("\x00\x05PLAIN")))
	c.Write(request(36, 0, []byte("\x00\x00\x00\x0c\x00lishi\x00wrong")))
	answers := make([]byte, 4)
	if _, err := io.ReadFull(c, answers); err != nil {
		t.Fatal(err)
	}
	c.Write([]byte{0x06, 0, 0, 0}) // 96 MiB, of which nothing comes
	if rest, err := io.ReadAll(c); err != nil {
		t.Errorf("a wrong password, and it waits for 96 MiB: %d bytes, %v", len(rest), err)
	}
	// The same in one go, before the password can have been looked at, with as many
	// tags as can be named.
	for _, behind := range [][]byte{{0x06, 0, 0, 0}, request(3, 12, []byte("\xff\xff\xff\xff\x0f"))} {
		c := dial()
		defer c.Close()
		c.Write(slices.Concat(request(17, 1, []byte("\x00\x05PLAIN")), request(36, 0, []byte("\x00\x00\x00\x0c\x00lishi\x00wrong")), behind))
		c.(*net.TCPConn).CloseWrite()
		if _, err := io.ReadAll(c); err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("behind a wrong password %x is read: %v", behind, err)
		}
	}
}
