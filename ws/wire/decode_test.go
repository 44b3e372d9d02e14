package wire

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// decodeAll feeds p to a decoder in the pieces that cut gives, and writes down
// what it says: events and, last, a violation's code.
func decodeAll(d *decoder, p []byte, cut func(left int) int) []string {
	var out []string
	names := map[event]string{evText: "text", evBinary: "binary", evPing: "ping", evPong: "pong", evClose: "close"}
	for len(p) > 0 {
		n := cut(len(p))
		piece := bytes.Clone(p[:n])
		p = p[n:]
		for len(piece) > 0 {
			ev, payload, rest, err := d.next(piece)
			if err != nil {
				return append(out, fmt.Sprint("violation ", err.Code))
			}
			if ev != evNothing {
				out = append(out, fmt.Sprintf("%s %q", names[ev], payload))
				d.release()
			}
			if ev == evClose {
				return out
			}
			piece = rest
		}
	}
	return out
}

// reference says the same, from all bytes at once, by gobwas's own readers and
// checks, and unmasking and decoding character by character.
func reference(p []byte, limit int, binaryToo bool) []string {
	var out []string
	violation := func(code uint16) []string { return append(out, fmt.Sprint("violation ", code)) }
	state := ws.StateServerSide
	var message []byte
	var op ws.OpCode
	for r := bytes.NewReader(p); r.Len() > 0; {
		before := r.Len()
		h, err := ws.ReadHeader(r)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil || ws.CheckHeader(h, state) != nil || before-r.Len() != ws.HeaderSize(h) {
			return violation(CloseProtocol)
		}
		if h.OpCode == ws.OpBinary && !binaryToo {
			return violation(CloseUnsupported)
		}
		if !h.OpCode.IsControl() && int64(len(message))+h.Length > int64(limit) {
			return violation(CloseTooBig)
		}
		payload := make([]byte, min(h.Length, int64(r.Len())))
		r.Read(payload)
		for i := range payload {
			payload[i] ^= h.Mask[i%4]
		}
		complete := int64(len(payload)) == h.Length
		if h.OpCode.IsControl() {
			if !complete {
				break
			}
			name := map[ws.OpCode]string{ws.OpPing: "ping", ws.OpPong: "pong", ws.OpClose: "close"}[h.OpCode]
			out = append(out, fmt.Sprintf("%s %q", name, payload))
			if h.OpCode == ws.OpClose {
				break
			}
			continue
		}
		if h.OpCode != ws.OpContinuation {
			op = h.OpCode
		}
		message = append(message, payload...)
		last := complete && h.Fin
		if op == ws.OpText && !textSoFar(message, last) {
			return violation(CloseInvalidText)
		}
		if !complete {
			break
		}
		if !last {
			state = state.Set(ws.StateFragmented)
			continue
		}
		state = state.Clear(ws.StateFragmented)
		out = append(out, fmt.Sprintf("%s %q", map[ws.OpCode]string{ws.OpText: "text", ws.OpBinary: "binary"}[op], message))
		message = nil
	}
	return out
}

// textSoFar decodes character by character; the last may be incomplete where
// more can come: where some bytes behind it would make it one.
func textSoFar(b []byte, last bool) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			return !last && len(b) < utf8.UTFMax && canBecomeOne(b)
		}
		b = b[n:]
	}
	return true
}

func canBecomeOne(b []byte) bool {
	for next := 0x80; next <= 0xbf; next++ {
		for _, behind := range []string{"", "\x80", "\x80\x80"} {
			s := string(b) + string([]byte{byte(next)}) + behind
			if _, n := utf8.DecodeRuneInString(s); n == len(s) {
				return true
			}
		}
	}
	return false
}

// FuzzDecoder: the decoder says the same however the network cuts the bytes,
// the same as the reference, and holds no more than the limit.
func FuzzDecoder(f *testing.F) {
	for i, rc := range rfcCases() {
		if p := join(rc.send...); len(p) < 4000 {
			f.Add(p, uint64(i), i%2 == 0)
		}
	}
	for _, n := range []uint64{1 << 30, 1 << 62, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		f.Add(declare(n, true), n, true)
	}
	f.Fuzz(func(t *testing.T, p []byte, seed uint64, binaryToo bool) {
		const limit = 300
		want := reference(p, limit, binaryToo)
		r := rand.New(rand.NewPCG(seed, 1))
		for name, cut := range map[string]func(int) int{
			"at once":      func(left int) int { return left },
			"byte by byte": func(int) int { return 1 },
			"at random":    func(left int) int { return 1 + r.IntN(min(left, 1+r.IntN(40))) },
		} {
			d := decoder{limit: limit, binary: binaryToo}
			got := decodeAll(&d, p, cut)
			if !slices.Equal(got, want) {
				t.Fatalf("%s:\ngot  %q\nwant %q", name, got, want)
			}
			if d.message != nil && cap(d.message.b) > 1<<10 || d.control != nil && cap(d.control.b) > 1<<10 {
				t.Fatalf("%s: holds more than a message of %d needs", name, limit)
			}
			d.drop()
			if d.message != nil || d.control != nil {
				t.Fatalf("%s: memory is left", name)
			}
		}
	})
}

// TestEveryCut: each case of the RFC cut in two at every place.
func TestEveryCut(t *testing.T) {
	for _, rc := range rfcCases() {
		p := join(rc.send...)
		if len(p) > 300 {
			continue
		}
		want := reference(p, 1<<20, true)
		for at := 1; at < len(p); at++ {
			d := decoder{limit: 1 << 20, binary: true}
			first := true
			got := decodeAll(&d, p, func(left int) int {
				if first {
					first = false
					return at
				}
				return left
			})
			if !slices.Equal(got, want) {
				t.Fatalf("%s cut at %d:\ngot  %q\nwant %q", rc.name, at, got, want)
			}
		}
	}
}

// TestIdleDecoderHoldsNothing: between messages no memory is held, and none is
// taken for a header whose payload has not begun to come.
// What one peer sent against the rules is nowhere in another's messages, though
// decoders are used again.
func TestDecodersAreClean(t *testing.T) {
	s := serveEcho(t, Options{})
	for range 100 {
		bad, good := s.dial(t), s.dial(t)
		bad.send(t, join(cframe{op: 1, payload: "of somebody else", notFin: true}, cframe{payload: "\xff"}))
		bad.expectClose(t, CloseInvalidText)
		bad.Close()
		<-s.reasons
		good.send(t, join(fragments(1, "mine alone", 3)...))
		good.expect(t, textBack("mine alone"))
		good.Close()
		<-s.reasons
	}
}

func TestIdleDecoderHoldsNothing(t *testing.T) {
	d := decoder{limit: 1 << 20}
	p := join(append(fragments(1, "历史 in fragments", 3), ping("p"), text("whole"))...)
	decodeAll(&d, p, func(int) int { return 1 })
	if !d.idle() || d.message != nil || d.control != nil {
		t.Errorf("%+v", d)
	}
	d.next(text(strings.Repeat("x", 60000)).bytes()[:8])
	if d.idle() || d.message != nil {
		t.Errorf("%+v", d)
	}
}

func TestCloseErrorAndReason(t *testing.T) {
	for want, v := range map[string]fmt.Stringer{
		"closed with 4001 token expired":         CloseReason{Code: 4001, Text: "token expired"},
		"closed by peer with 1006: EOF":          CloseReason{Code: 1006, ByPeer: true, Err: io.EOF},
		"closed by peer with 1005":               CloseReason{Code: 1005, ByPeer: true},
		"closed with 1011 internal error: boom!": CloseReason{Code: 1011, Text: "internal error", Err: fmt.Errorf("boom!")},
	} {
		if v.String() != want {
			t.Errorf("%q, want %q", v, want)
		}
	}
	if got := errTooBig.Error(); got != "close 1009: message over the limit" {
		t.Error(got)
	}
}

func BenchmarkDecode200B(b *testing.B) {
	frame := text(strings.Repeat("x", 200)).bytes()
	p := make([]byte, len(frame))
	d := decoder{limit: 64 << 10}
	b.ReportAllocs()
	b.SetBytes(200)
	for b.Loop() {
		copy(p, frame)
		ev, _, _, err := d.next(p)
		if ev != evText || err != nil {
			b.Fatal(ev, err)
		}
		d.release()
	}
}
