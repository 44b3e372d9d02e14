package events

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
)

func TestPositions(t *testing.T) {
	for text, p := range map[string]Position{
		"c3-182736":                       {Partition{Conversations, 3}, 182736},
		"u0-0":                            {Partition{Users, 0}, 0},
		"c2147483647-9223372036854775807": {Partition{Conversations, 1<<31 - 1}, 1<<63 - 1},
	} {
		if p.String() != text {
			t.Errorf("%#v is written %q", p, p.String())
		}
		if got, err := ParsePosition(text); err != nil || got != p {
			t.Errorf("ParsePosition(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "c", "c-", "c-1", "c1", "c1-", "-1", "c01-1", "c1-01", "c+1-1", "c1-+1", "c-1-1", "c1--1", "x1-1", "C1-1", "c1-1 ", " c1-1", "c1-1,c2-1",
		"c2147483648-0", "c0-9223372036854775808", "c1_0-0", "c0x1-0", "x0-1", "c１-1",
	} {
		if p, err := ParsePosition(text); err == nil {
			t.Errorf("ParsePosition(%q) = %v", text, p)
		}
	}
	if _, err := ParsePosition(strings.Repeat("9", 1000)); err == nil || len(err.Error()) > 200 {
		t.Errorf("%v", err)
	}
}

func TestPositionsInJSON(t *testing.T) {
	type doc struct{ At, Zero Position }
	b, err := json.Marshal(doc{At: Position{Partition{Users, 1}, 7}})
	if err != nil || string(b) != `{"At":"u1-7","Zero":""}` {
		t.Fatalf("%s %v", b, err)
	}
	var back doc
	if err := json.Unmarshal(b, &back); err != nil || back.At.Offset != 7 || back.Zero != (Position{}) {
		t.Fatalf("%+v %v", back, err)
	}
	if json.Unmarshal([]byte(`{"At":"u1-07"}`), &back) == nil {
		t.Fatal("u1-07 was read")
	}
}

func TestCursors(t *testing.T) {
	c0, c1, c10, u0 := Partition{Conversations, 0}, Partition{Conversations, 1}, Partition{Conversations, 10}, Partition{Users, 0}
	c := Cursor{u0: 4, c10: 2, c1: 0, c0: 17, Partition{Users, 1}: Start}
	if got := c.String(); got != "c0-17,c1-0,c10-2,u0-4" {
		t.Errorf("%s", got)
	}
	if got, err := ParseCursor("u0-4,c0-17"); err != nil || !maps.Equal(got, Cursor{u0: 4, c0: 17}) {
		t.Errorf("%v %v", got, err)
	}
	if got, err := ParseCursor(""); err != nil || len(got) != 0 || got == nil {
		t.Errorf("%v %v", got, err)
	}
	for _, s := range []string{",", "c0-1,", ",c0-1", "c0-1,c0-2", "c0-1, c1-1", "c0-1;c1-1", "c0-1,c1--1", strings.Repeat("c0-1,", 5000)} {
		if got, err := ParseCursor(s); err == nil {
			t.Errorf("ParseCursor(%.20q) = %v", s, got)
		}
	}

	d := c.Clone()
	d.Advance(Position{c0, 16})
	d.Advance(Position{c1, 9})
	d.Advance(Position{Partition{Conversations, 7}, 0})
	if d[c0] != 17 || d[c1] != 9 || d[Partition{Conversations, 7}] != 0 || c[c1] != 0 || len(c) != 5 {
		t.Errorf("%v %v", c, d)
	}
	if !d.Covers(c) || c.Covers(d) || !c.Covers(nil) || !(Cursor{}).Covers(Cursor{c0: Start}) || (Cursor{}).Covers(Cursor{c0: 0}) {
		t.Error("Covers is wrong")
	}
}

func FuzzParsePosition(f *testing.F) {
	for _, s := range []string{"c3-182736", "u0-0", "c01-1", "c1--1", "x1-1", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := ParsePosition(s); err == nil && p.String() != s {
			t.Fatalf("%q was read as %s", s, p)
		}
	})
}

func FuzzParseCursor(f *testing.F) {
	for _, s := range []string{"c0-17,c1-0,u0-4", "u0-4,c0-17", "c0-1,c0-2", ",", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCursor(s)
		if err != nil {
			return
		}
		if again, err := ParseCursor(c.String()); err != nil || !maps.Equal(c, again) || again.String() != c.String() || len(c.String()) != len(s) {
			t.Fatalf("%q was read as %s, that as %v (%v)", s, c, again, err)
		}
	})
}

// The values of Kafka's own test of its Java client
// (org.apache.kafka.common.utils.UtilsTest.testMurmur2), and two that were made
// with that client by users of it.
func TestMurmur2IsKafkas(t *testing.T) {
	for key, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
		"\x0c\x2a\x38\x18\x6d\x6f": 274204207, "": 275646681,
	} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("murmur2(%q) = %d, want %d", key, got, want)
		}
	}
}

func TestLayouts(t *testing.T) {
	l := Layout{Conversations: 4, Users: 2}
	if len(l.Partitions()) != 6 || l.Partitions()[4] != (Partition{Users, 0}) || l.Count(Users) != 2 || l.Count(Conversations) != 4 {
		t.Errorf("%v", l.Partitions())
	}
	seen := map[Partition]int{}
	for i := range 200 {
		id := string(rune('a'+i%26)) + strings.Repeat("x", i/26)
		for _, s := range []Stream{GroupStream(id), PairStream(id, "z"), UserStream(id)} {
			p := l.Partition(s)
			if p.Topic != s.Topic() || p.Number < 0 || p.Number >= l.Count(p.Topic) {
				t.Fatalf("%s in %s", s, p)
			}
			seen[p]++
		}
	}
	if len(seen) != 6 {
		t.Errorf("all streams in %v", seen)
	}
	// toPositive(murmur2("u|…")) % n, as the Java client does: pinned, since a
	// log written with another choice could not be read.
	for s, want := range map[Stream]string{PairStream("an", "bo"): "c10", GroupStream("club"): "c15", UserStream("林"): "u1"} {
		if got := (Layout{Conversations: 16, Users: 4}).Partition(s).String(); got != want {
			t.Errorf("%s is in %s, want %s", s, got, want)
		}
	}
}
