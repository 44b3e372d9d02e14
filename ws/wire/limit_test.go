package wire

import (
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
)

// declare is the header of a text frame that says it has n bytes.
func declare(n uint64, fin bool) []byte {
	b := []byte{0x01, 0xff}
	if fin {
		b[0] = 0x81
	}
	return append(binary.BigEndian.AppendUint64(b, n), 1, 2, 3, 4)
}

func TestMessageLimit(t *testing.T) {
	const limit = 64 << 10 // the default
	full := strings.Repeat("x", limit)
	part := func(n int, fin bool, op byte) cframe {
		return cframe{op: op, payload: full[:n], notFin: !fin}
	}
	s := serveEcho(t, Options{})
	for _, tc := range []struct {
		name  string
		send  []byte
		close uint16
		want  []wireFrame
	}{
		{name: "just fits", send: join(text(full)), want: []wireFrame{textBack(full)}},
		{name: "fits in fragments", send: join(fragments(1, full, 1000)...), want: []wireFrame{textBack(full)}},
		{name: "a byte more", send: join(text(full + "x")), close: CloseTooBig},
		{name: "a byte more in the last fragment", send: join(part(limit, false, 1), part(1, true, 0)), close: CloseTooBig},
		{name: "a byte more, header alone", send: append(join(part(limit, false, 1)), part(1, false, 0).bytes()[:6]...), close: CloseTooBig},
		{name: "declares 1 GiB", send: declare(1<<30, true), close: CloseTooBig},
		{name: "declares 2^62", send: declare(1<<62, true), close: CloseTooBig},
		{name: "declares 2^62 in a fragment", send: declare(1<<62, false), close: CloseTooBig},
		{name: "declares 2^62 after a fragment", send: append(join(part(10, false, 1)), append([]byte{0x80}, declare(1<<62, true)[1:]...)...), close: CloseTooBig},
		{name: "declares 2^63-1", send: declare(1<<63-1, true), close: CloseTooBig},
		{name: "declares 2^63", send: declare(1<<63, true), close: CloseProtocol},
		{name: "declares 2^64-1", send: declare(1<<64-1, true), close: CloseProtocol},
		{name: "after a ping between", send: join(part(limit, false, 1), ping("p"), part(1, true, 0)), close: CloseTooBig, want: []wireFrame{pongBack("p")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := s.dial(t)
			c.send(t, tc.send)
			c.expect(t, tc.want...)
			if tc.close != 0 {
				c.expectClose(t, tc.close)
			}
			c.Close()
			<-s.reasons
		})
	}
}

// TestDeclaredLengthTakesNoMemory: a limit says what may come, not what is
// made room for. A hundred peers declare a GiB each and send a byte of it.
func TestDeclaredLengthTakesNoMemory(t *testing.T) {
	s := serveEcho(t, Options{MessageLimit: 2 << 30})
	before := heap()
	for range 100 {
		c := s.dial(t)
		c.send(t, append(declare(1<<30, true), 'x'^1))
		// The pong shows that what came before it was read.
		p := s.dial(t)
		p.send(t, join(cframe{op: 1, payload: "x", notFin: true}, ping("p")))
		p.expect(t, pongBack("p"))
	}
	if grown := heap() - before; grown > 16<<20 {
		t.Errorf("%d MiB for %d connections", grown>>20, s.Len())
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}
