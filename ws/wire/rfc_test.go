package wire

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// An rfcCase is what a client sends and what it must get back. Where close is
// 0, the client closes with 1000 at the end and must get 1000 back.
type rfcCase struct {
	name  string
	send  []cframe
	want  []wireFrame
	close uint16
}

// rfcCases follow RFC 6455 section by section.
func rfcCases() []rfcCase {
	var cs []rfcCase
	add := func(name string, send []cframe, close uint16, want ...wireFrame) {
		cs = append(cs, rfcCase{name, send, want, close})
	}
	fs := func(f ...cframe) []cframe { return f }

	// 5.2, 5.6: lengths in each of their three forms, at each border.
	for _, n := range []int{0, 1, 125, 126, 127, 128, 65535, 65536} {
		s := strings.Repeat("*", n)
		add(fmt.Sprintf("text of %d", n), fs(text(s)), 0, textBack(s))
		b := strings.Repeat("\xfe", n)
		add(fmt.Sprintf("binary of %d", n), fs(binmsg(b)), 0, binaryBack(b))
	}
	add("length 5 in two bytes", fs(cframe{op: 1, payload: "hello", long: 2}), CloseProtocol)
	add("length 125 in two bytes", fs(cframe{op: 1, payload: strings.Repeat("x", 125), long: 2}), CloseProtocol)
	add("length 5 in eight bytes", fs(cframe{op: 1, payload: "hello", long: 8}), CloseProtocol)
	add("length 65535 in eight bytes", fs(cframe{op: 1, payload: strings.Repeat("x", 65535), long: 8}), CloseProtocol)
	add("ping's length in two bytes", fs(cframe{op: 9, payload: "p", long: 2}), CloseProtocol)

	// 5.1: a client's frames are masked.
	add("text not masked", fs(cframe{op: 1, payload: "hello", bare: true}), CloseProtocol)
	add("empty text not masked", fs(cframe{op: 1, bare: true}), CloseProtocol)
	add("ping not masked", fs(text("a"), cframe{op: 9, bare: true}), CloseProtocol, textBack("a"))
	add("close not masked", fs(cframe{op: 8, payload: "\x03\xe8", bare: true}), CloseProtocol)

	// 5.5.2, 5.5.3: ping and pong.
	add("ping", fs(ping("")), 0, pongBack(""))
	add("ping with text", fs(ping("Hello, 世界")), 0, pongBack("Hello, 世界"))
	add("ping with bytes", fs(ping("\x00\xff\xfe\xfd\xfc\xfb\x00\xff")), 0, pongBack("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"))
	add("ping of 125", fs(ping(strings.Repeat("\xfe", 125))), 0, pongBack(strings.Repeat("\xfe", 125)))
	add("ping of 126", fs(ping(strings.Repeat("\xfe", 126))), CloseProtocol)
	add("pong of 126", fs(pong(strings.Repeat("\xfe", 126))), CloseProtocol)
	add("pong unasked", fs(pong("")), 0)
	add("pong unasked with payload", fs(pong("unsolicited")), 0)
	add("pong unasked, then ping", fs(pong("unsolicited"), ping("p")), 0, pongBack("p"))
	var tens []cframe
	var tenBack []wireFrame
	for i := range 10 {
		tens = append(tens, ping(fmt.Sprint("payload-", i)))
		tenBack = append(tenBack, pongBack(fmt.Sprint("payload-", i)))
	}
	add("ten pings", tens, 0, tenBack...)

	// 5.2: reserved bits, on each kind of frame.
	for rsv := byte(1); rsv <= 7; rsv++ {
		add(fmt.Sprintf("text with rsv %d", rsv), fs(text("first"), cframe{op: 1, payload: "second", rsv: rsv}, ping("")), CloseProtocol, textBack("first"))
		add(fmt.Sprintf("binary with rsv %d", rsv), fs(cframe{op: 2, payload: "second", rsv: rsv}), CloseProtocol)
		add(fmt.Sprintf("ping with rsv %d", rsv), fs(cframe{op: 9, rsv: rsv}), CloseProtocol)
		add(fmt.Sprintf("close with rsv %d", rsv), fs(cframe{op: 8, rsv: rsv, payload: "\x03\xe8"}), CloseProtocol)
		add(fmt.Sprintf("continuation with rsv %d", rsv), fs(cframe{op: 1, payload: "a", notFin: true}, cframe{payload: "b", rsv: rsv}), CloseProtocol)
	}

	// 5.2: reserved opcodes, empty and not, alone and after a message.
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		add(fmt.Sprintf("opcode %d", op), fs(cframe{op: op}), CloseProtocol)
		add(fmt.Sprintf("opcode %d with payload", op), fs(text("first"), cframe{op: op, payload: "reserved"}, ping("")), CloseProtocol, textBack("first"))
		add(fmt.Sprintf("opcode %d in fragments", op), fs(cframe{op: op, notFin: true}), CloseProtocol)
	}

	// 5.4: fragments.
	two := func(a, b string) []cframe {
		return fs(cframe{op: 1, payload: a, notFin: true}, cframe{payload: b})
	}
	hanging := cframe{payload: "nothing to continue", notFin: true}
	hangingFin := cframe{payload: "nothing to continue"}
	add("two fragments", two("frag", "ment"), 0, textBack("fragment"))
	add("two fragments of binary", fs(cframe{op: 2, payload: "\xff", notFin: true}, cframe{payload: "\xfe"}), 0, binaryBack("\xff\xfe"))
	add("fragments without bytes", fs(cframe{op: 1, notFin: true}, cframe{notFin: true}, cframe{}), 0, textBack(""))
	add("fragments, only the middle with bytes", fs(cframe{op: 1, notFin: true}, cframe{payload: "middle", notFin: true}, cframe{}), 0, textBack("middle"))
	add("a thousand fragments", fragments(1, filler[:1000], 1), 0, textBack(filler[:1000]))
	add("fragments of 1300", fragments(1, filler[:65536], 1300), 0, textBack(filler[:65536]))
	add("ping between fragments", fs(two("frag", "ment")[0], ping("between"), two("frag", "ment")[1]), 0, pongBack("between"), textBack("fragment"))
	add("many pings between fragments", fs(cframe{op: 1, payload: "a", notFin: true}, ping("1"), pong("x"), cframe{payload: "b", notFin: true}, ping("2"), ping(""), cframe{payload: "c"}), 0,
		pongBack("1"), pongBack("2"), pongBack(""), textBack("abc"))
	add("ping in fragments", fs(cframe{op: 9, payload: "frag", notFin: true}, cframe{payload: "ment"}), CloseProtocol)
	add("pong in fragments", fs(cframe{op: 10, payload: "frag", notFin: true}, cframe{payload: "ment"}), CloseProtocol)
	add("close in fragments", fs(cframe{op: 8, payload: "\x03\xe8", notFin: true}), CloseProtocol)
	add("continuation of nothing", fs(hanging, text("x")), CloseProtocol)
	add("last continuation of nothing", fs(hangingFin, text("x")), CloseProtocol)
	add("continuation after the end", append(two("frag", "ment"), hanging, text("x")), CloseProtocol, textBack("fragment"))
	add("last continuation after the end", append(two("frag", "ment"), hangingFin, text("x")), CloseProtocol, textBack("fragment"))
	add("continuation after a whole message", fs(text("a"), hangingFin), CloseProtocol, textBack("a"))
	add("text within a message", fs(cframe{op: 1, payload: "a", notFin: true}, text("b")), CloseProtocol)
	add("text in fragments within a message", fs(cframe{op: 1, payload: "a", notFin: true}, cframe{op: 1, payload: "b", notFin: true}), CloseProtocol)
	add("binary within a text", fs(cframe{op: 1, payload: "a", notFin: true}, binmsg("b")), CloseProtocol)
	add("text after an unfinished one and a ping", fs(cframe{op: 1, payload: "a", notFin: true}, ping("p"), text("b")), CloseProtocol, pongBack("p"))

	// 5.6, 8.1: UTF-8, however it is cut.
	for name, s := range validTexts {
		add("valid "+name, fs(text(s)), 0, textBack(s))
		add("valid "+name+" byte by byte", fragments(1, s, 1), 0, textBack(s))
	}
	for name, s := range invalidTexts {
		add("invalid "+name, fs(text(s)), CloseInvalidText)
		add("invalid "+name+" among others", fs(text("好"+s+"好")), CloseInvalidText)
		add("invalid "+name+" byte by byte", fragments(1, "好"+s+"好", 1), CloseInvalidText)
	}

	// 5.5.1, 7.4: close.
	add("close without a code", fs(cframe{op: 8}), CloseNoStatus)
	add("close of one byte", fs(cframe{op: 8, payload: "\x03"}), CloseProtocol)
	add("close with a reason", fs(closing(1000, "Hello World!")), CloseNormal)
	add("close with the longest reason", fs(closing(1000, strings.Repeat("*", 123))), CloseNormal)
	add("close with a reason too long", fs(closing(1000, strings.Repeat("*", 124))), CloseProtocol)
	add("close with an invalid reason", fs(closing(1000, "\xce\xba\xe1\xbd\xb9\xed\xa0\x80edited")), CloseInvalidText)
	for _, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		add(fmt.Sprintf("close %d", code), fs(closing(code, "")), code)
	}
	for _, code := range []uint16{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		add(fmt.Sprintf("close %d", code), fs(closing(code, "")), CloseProtocol)
	}
	add("text, then close", fs(text("a"), closing(1000, "")), CloseNormal, textBack("a"))
	add("two closes", fs(closing(1000, ""), closing(1001, "")), CloseNormal)
	add("ping after close", fs(closing(1000, ""), ping("p")), CloseNormal)
	add("text after close", fs(closing(1000, ""), text("a")), CloseNormal)
	add("garbage after close", fs(closing(1000, ""), cframe{op: 7, rsv: 7, bare: true}), CloseNormal)
	add("close within a message", fs(cframe{op: 1, payload: "a", notFin: true}, closing(1000, ""), cframe{payload: "b"}), CloseNormal)
	add("long text, close, ping", fs(text(filler[:256<<10]), closing(1000, ""), ping("p")), CloseNormal, textBack(filler[:256<<10]))
	return cs
}

// validTexts and invalidTexts: each length of character at its borders, and
// what RFC 3629 forbids: longer forms than needed, surrogates, beyond
// U+10FFFF, bytes that never occur, pieces.
var validTexts = map[string]string{
	"greek":              "Hello-µ@ßöäüàá-UTF-8!!κόσμε",
	"chinese":            "史者所以明夫治天下之道也",
	"first of 1 byte":    "\x00",
	"last of 1 byte":     "\x7f",
	"first of 2 bytes":   "\xc2\x80",
	"last of 2 bytes":    "\xdf\xbf",
	"first of 3 bytes":   "\xe0\xa0\x80",
	"last of 3 bytes":    "\xef\xbf\xbf",
	"first of 4 bytes":   "\xf0\x90\x80\x80",
	"last of 4 bytes":    "\xf4\x8f\xbf\xbf",
	"before surrogates":  "\xed\x9f\xbf",
	"after surrogates":   "\xee\x80\x80",
	"replacement":        "\xef\xbf\xbd",
	"not a character":    "\xef\xbf\xbe\xf0\x9f\xbf\xbe\xf4\x8f\xbf\xbe",
	"emoji in sequences": "👩‍👩‍👧‍👦🏳️‍🌈",
}

var invalidTexts = map[string]string{
	"continuation 80":             "\x80",
	"continuation bf":             "\xbf",
	"continuations":               "\x80\xbf\x80\xbf\x80\xbf",
	"lone start of 2":             "\xc2 ",
	"lone start of 3":             "\xe0 ",
	"lone start of 4":             "\xf0 ",
	"2 bytes cut short":           "\xdf",
	"3 bytes cut short":           "\xe7\x82",
	"4 bytes cut short":           "\xf0\x9f\x98",
	"start of 5":                  "\xf8\x88\x80\x80\x80",
	"start of 6":                  "\xfc\x84\x80\x80\x80\x80",
	"fe":                          "\xfe",
	"ff":                          "\xff",
	"fe fe ff ff":                 "\xfe\xfe\xff\xff",
	"slash in 2 bytes":            "\xc0\xaf",
	"slash in 3 bytes":            "\xe0\x80\xaf",
	"slash in 4 bytes":            "\xf0\x80\x80\xaf",
	"slash in 5 bytes":            "\xf8\x80\x80\x80\xaf",
	"slash in 6 bytes":            "\xfc\x80\x80\x80\x80\xaf",
	"last too long in 2":          "\xc1\xbf",
	"last too long in 3":          "\xe0\x9f\xbf",
	"last too long in 4":          "\xf0\x8f\xbf\xbf",
	"zero in 2 bytes":             "\xc0\x80",
	"zero in 3 bytes":             "\xe0\x80\x80",
	"zero in 4 bytes":             "\xf0\x80\x80\x80",
	"first surrogate":             "\xed\xa0\x80",
	"last high surrogate":         "\xed\xaf\xbf",
	"first low surrogate":         "\xed\xb0\x80",
	"last surrogate":              "\xed\xbf\xbf",
	"pair of surrogates":          "\xed\xa0\x80\xed\xb0\x80",
	"beyond the last":             "\xf4\x90\x80\x80",
	"start f5":                    "\xf5\x80\x80\x80",
	"latin 1":                     "caf\xe9 ",
	"cut short before another":    "\xe7\x82历",
	"valid, surrogate, valid":     "κόσμε\xed\xa0\x80edited",
	"four bytes with a short end": "\xf0\x9f\x98a",
}

// cuts are the ways that the network may cut what is sent.
var cuts = map[string]func([]cframe) [][]byte{
	"at once": func(fs []cframe) [][]byte { return [][]byte{join(fs...)} },
	"by frames": func(fs []cframe) (out [][]byte) {
		for _, f := range fs {
			out = append(out, f.bytes())
		}
		return out
	},
	"byte by byte": func(fs []cframe) [][]byte { return slices.Collect(slices.Chunk(join(fs...), 1)) },
	"by 997 bytes": func(fs []cframe) [][]byte { return slices.Collect(slices.Chunk(join(fs...), 997)) },
}

func (rc rfcCase) run(t *testing.T, c *client, cut func([]cframe) [][]byte) {
	t.Helper()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for _, p := range cut(rc.send) {
			if _, err := c.Write(p); err != nil {
				return // the server may have seen enough
			}
		}
	}()
	c.expect(t, rc.want...)
	code := rc.close
	if code == 0 {
		<-sent
		c.send(t, closing(1000, "").bytes())
		code = CloseNormal
	}
	c.SetReadDeadline(time.Now().Add(patience))
	f, err := c.read()
	if err != nil || closeCode(f) != code {
		t.Fatalf("got %v, %v, want close %d", f, err, code)
	}
	c.Close()
	<-sent
}

// TestRFC6455 runs every case over a real socket and over a pipe, which keeps
// the cuts exactly.
func TestRFC6455(t *testing.T) {
	o := Options{MessageLimit: 1 << 20, QueueLimit: 4 << 20}
	s := serveEcho(t, o)
	for _, rc := range rfcCases() {
		t.Run(rc.name, func(t *testing.T) {
			for name, cut := range cuts {
				size := len(join(rc.send...))
				if name == "byte by byte" && size > 10_000 {
					continue
				}
				t.Run(name, func(t *testing.T) {
					rc.run(t, s.dial(t), cut)
					<-s.reasons
					u := NewUpgrader(o)
					_, c := pipe(u, func(c *Conn) Handler { return &echoAll{echoText{c, nil}} })
					rc.run(t, c, cut)
					eventually(t, "the pipe's end", func() bool { return u.Len() == 0 })
				})
			}
		})
	}
}

// TestBadTextIsFoundAtOnce: a text goes wrong with a byte, and the connection
// is closed without waiting for the frame's or the message's end.
func TestBadTextIsFoundAtOnce(t *testing.T) {
	s := serveEcho(t, Options{})
	long := text("κόσμε\xf4\x90" + strings.Repeat("x", 1000)).bytes()
	for name, p := range map[string][]byte{
		"in a frame":             long[:8+len("κόσμε\xf4\x90")],
		"in a fragment":          join(cframe{op: 1, payload: "κόσμε", notFin: true}, cframe{payload: "\xf4\x90", notFin: true}),
		"over two fragments":     join(cframe{op: 1, payload: "κόσμε\xf4", notFin: true}, cframe{payload: "\x90", notFin: true}),
		"surrogate":              join(cframe{op: 1, payload: "\xed\xa0", notFin: true}),
		"longer than needed":     join(cframe{op: 1, payload: "\xc0", notFin: true}),
		"after a ping between":   join(cframe{op: 1, payload: "\xe5", notFin: true}, ping(""), cframe{payload: "x", notFin: true}),
		"message ends too early": join(cframe{op: 1, payload: "\xe5\x8e", notFin: true}, cframe{}),
	} {
		t.Run(name, func(t *testing.T) {
			c := s.dial(t)
			c.send(t, p)
			c.expectClose(t, CloseInvalidText)
		})
	}
}

// TestLargeMessages: sizes from 64 KiB to 16 MiB, whole, in fragments and in
// chops, come back unchanged.
func TestLargeMessages(t *testing.T) {
	s := serveEcho(t, Options{MessageLimit: 16 << 20, QueueLimit: 64 << 20})
	body := strings.Repeat("0123456789abcdef", 1<<20)
	send := func(name string, op byte, p []byte, size int) {
		t.Run(name, func(t *testing.T) {
			c := s.dial(t)
			go c.Write(p)
			c.expect(t, wireFrame{0x80 | op, body[:size]})
			c.Close()
			<-s.reasons
		})
	}
	for _, op := range []byte{1, 2} {
		for _, size := range []int{64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20} {
			send(fmt.Sprintf("op %d of %d", op, size), op, cframe{op: op, payload: body[:size]}.bytes(), size)
		}
		for _, n := range []int{64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20} {
			send(fmt.Sprintf("op %d in fragments of %d", op, n), op, join(fragments(op, body[:4<<20], n)...), 4<<20)
		}
	}
	for _, n := range []int{64, 128, 256, 512, 1024, 2048} {
		t.Run(fmt.Sprintf("in chops of %d", n), func(t *testing.T) {
			c := s.dial(t)
			p := cframe{op: 1, payload: body[:1<<20]}.bytes()
			go func() {
				for chop := range slices.Chunk(p, n) {
					c.Write(chop)
				}
			}()
			c.expect(t, textBack(body[:1<<20]))
			c.Close()
			<-s.reasons
		})
	}
}

// TestManySmallMessages: a thousand messages of each size, answered in order.
func TestManySmallMessages(t *testing.T) {
	s := serveEcho(t, Options{MessageLimit: 128 << 10, QueueLimit: 64 << 20})
	for _, op := range []byte{1, 2} {
		for _, size := range []int{0, 16, 64, 256, 1024, 4096, 16384} {
			t.Run(fmt.Sprintf("op %d of %d", op, size), func(t *testing.T) {
				c := s.dial(t)
				f := cframe{op: op, payload: filler[:size]}
				if op == 1 {
					f.payload = strings.Repeat("x", size)
				}
				p := f.bytes()
				go func() {
					for range 1000 {
						c.Write(p)
					}
				}()
				for range 1000 {
					c.expect(t, wireFrame{0x80 | op, f.payload})
				}
				c.Close()
				<-s.reasons
			})
		}
	}
}

// TestBinaryRefused: without a BinaryHandler a binary message is closed by its
// header alone.
func TestBinaryRefused(t *testing.T) {
	s := serve(t, Options{}, func(s *server, c *Conn) Handler { return &echoText{c, s.reasons} })
	for name, p := range map[string][]byte{
		"whole":       binmsg("\x01\x02").bytes(),
		"header only": binmsg(strings.Repeat("x", 1000)).bytes()[:8],
		"empty":       binmsg("").bytes(),
		"fragment":    cframe{op: 2, notFin: true}.bytes(),
	} {
		t.Run(name, func(t *testing.T) {
			c := s.dial(t)
			c.send(t, join(text("a")))
			c.expect(t, textBack("a"))
			c.send(t, p)
			c.expectClose(t, CloseUnsupported)
			c.Close()
			if r := <-s.reasons; r.Code != CloseUnsupported || r.ByPeer {
				t.Error(r)
			}
		})
	}
}
