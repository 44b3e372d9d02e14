package bench

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// What is queued and flushed is what gobwas reads, whatever its length.
func TestFramesAreWebSocket(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	c := &Conn{nc: ours}
	var texts []string
	for _, n := range []int{0, 1, 125, 126, 127, 4096, 65535} {
		texts = append(texts, strings.Repeat("x", n))
		c.Queue(func(b []byte) []byte { return append(b, texts[len(texts)-1]...) })
	}
	go c.Flush()
	for _, want := range texts {
		got, err := wsutil.ReadClientText(theirs)
		if err != nil || string(got) != want {
			t.Fatalf("%d bytes read of %d: %v", len(got), len(want), err)
		}
	}
}

// What gobwas writes is read, in whatever pieces it comes, and its pings are
// answered.
func TestFramesAreReadInAnyPieces(t *testing.T) {
	texts := []string{"", "a", strings.Repeat("b", 126), strings.Repeat("c", 70_000)}
	var sent bytes.Buffer
	ws.WriteFrame(&sent, ws.NewPingFrame([]byte("there?")))
	for _, text := range texts {
		wsutil.WriteServerText(&sent, []byte(text))
	}
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		for b := sent.Bytes(); len(b) > 0; {
			n := min(1+len(b)%977, len(b))
			theirs.Write(b[:n])
			b = b[n:]
		}
		theirs.Close()
	}()
	pong := make(chan string, 1)
	go func() {
		h, _ := ws.ReadHeader(theirs)
		p := make([]byte, h.Length)
		io.ReadFull(theirs, p)
		ws.Cipher(p, h.Mask, 0)
		pong <- string(p)
	}()
	c := &Conn{nc: ours, room: make([]byte, 16)}
	for _, want := range texts {
		got, err := c.Frame()
		if err != nil || string(got) != want {
			t.Fatalf("%d bytes read of %d: %v", len(got), len(want), err)
		}
	}
	if p := <-pong; p != "there?" {
		t.Errorf("pong %q", p)
	}
	if _, err := c.Frame(); err == nil {
		t.Error("a frame after the end")
	}
}

// A ping that lies behind a text is not the next text: who takes it for one waits.
func TestAPingIsNotReady(t *testing.T) {
	text := []byte{0x81, 1, 'x'}
	ping := []byte{0x89, 0}
	for _, tc := range []struct {
		in    []byte
		ready bool
	}{
		{nil, false},
		{text, true},
		{text[:2], false},
		{ping, false},
		{append(bytes.Clone(ping), ping...), false},
		{append(bytes.Clone(ping), text...), true},
		{append(bytes.Clone(ping), text[:2]...), false},
		{[]byte{0x88, 0}, true}, // the end has something to say
	} {
		if got := (&Conn{in: tc.in}).Ready(); got != tc.ready {
			t.Errorf("% x: ready is %v", tc.in, got)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte{0x81, 2, 'h', 'i'})
	f.Add([]byte{0x81, 126, 0, 1, 'h', 0x81, 127, 0, 0, 0, 0, 0, 0, 0, 1, 'x'})
	f.Add([]byte{0x81, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'x'})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, payload, rest, ok, err := split(b)
		if ok && (err != nil || len(payload)+len(rest) >= len(b)) {
			t.Fatalf("%d and %d bytes of %d, %v", len(payload), len(rest), len(b), err)
		}
	})
}

func TestField(t *testing.T) {
	for _, tc := range []struct{ frame, name, want string }{
		{`{"a":"1","b":"2"}`, "b", "2"},
		{`{"a":"b","b":"2"}`, "b", "2"},
		{`{"ab":"1","b":"2"}`, "b", "2"},
		{`{"b":1}`, "b", ""},
		{`{"b":"`, "b", ""},
		{`b":"1"`, "b", ""},
	} {
		if got := Field([]byte(tc.frame), tc.name); string(got) != tc.want {
			t.Errorf("%s of %s: %q", tc.name, tc.frame, got)
		}
	}
}

// The rhythm is the conversation's own: what came together comes together, and
// nobody waits through a night.
func TestRhythm(t *testing.T) {
	var r rhythm
	for _, at := range []string{"2020-01-01 10:00:00", "2020-01-01 10:00:00", "2020-01-01 10:00:07", "2020-01-02 08:00:00", "2020-01-02 07:59:00"} {
		if err := r.add(Line{Time: at, Text: "四个字吧"}); err != nil {
			t.Fatal(err)
		}
	}
	var got []time.Duration
	for n := range int64(7) {
		got = append(got, r.when(n)/time.Second)
	}
	want := []time.Duration{0, 0, 7, 67, 67, 68, 68}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%v, want %v", got, want)
		}
	}
	if r.size[0] != 12 {
		t.Errorf("size %d", r.size[0])
	}
}
