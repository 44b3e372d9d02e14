package events

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
)

// Partition is one partition of one topic: "c3".
type Partition struct {
	Topic  Topic
	Number int32
}

func (p Partition) String() string { return string(rune(p.Topic)) + strconv.Itoa(int(p.Number)) }

// Position is the one address of an event, for ever: "c3-182736". The zero
// Position is none, and the empty string.
type Position struct {
	Partition
	Offset int64
}

func (p Position) String() string {
	if p == (Position{}) {
		return ""
	}
	return p.Partition.String() + "-" + strconv.FormatInt(p.Offset, 10)
}

// MarshalText writes the position as String does, so JSON carries it as text.
func (p Position) MarshalText() ([]byte, error) {
	return []byte(p.String()), nil
}

// UnmarshalText reads what MarshalText wrote.
func (p *Position) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*p = Position{}
		return nil
	}
	*p, err = ParsePosition(string(b))
	return err
}

// ParsePosition reads "c3-182736" and refuses everything that String would not
// have written (leading zeros, signs, unknown letters).
func ParsePosition(s string) (Position, error) {
	bad := func() (Position, error) { return Position{}, fmt.Errorf("not a position: %q", clip(s)) }
	dash := strings.IndexByte(s, '-')
	if dash < 2 || len(s) > 40 || !Topic(s[0]).valid() {
		return bad()
	}
	n, err := strconv.ParseInt(s[1:dash], 10, 32)
	if err != nil {
		return bad()
	}
	o, err := strconv.ParseInt(s[dash+1:], 10, 64)
	if err != nil || n < 0 || o < 0 {
		return bad()
	}
	p := Position{Partition{Topic(s[0]), int32(n)}, o}
	if p.String() != s {
		return bad()
	}
	return p, nil
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

// Start is the cursor's offset of a partition of which nothing was passed.
const Start int64 = -1

// Now, given as an offset to the relations, asks for what is true after
// everything folded.
const Now int64 = math.MaxInt64

// Cursor holds, for each partition, the offset last passed.
type Cursor map[Partition]int64

// String joins the positions last passed by commas, topics in order, then
// partitions by number: "c0-17,c1-0,u0-4". A partition at Start is left out.
func (c Cursor) String() string {
	ps := make([]Position, 0, len(c))
	for p, o := range c {
		if o > Start {
			ps = append(ps, Position{p, o})
		}
	}
	sort.Slice(ps, func(i, j int) bool {
		a, b := ps[i], ps[j]
		if a.Topic != b.Topic {
			return a.Topic < b.Topic
		}
		return a.Number < b.Number
	})
	var b strings.Builder
	for i, p := range ps {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// ParseCursor reads positions joined by commas. A partition named twice is an
// error. The empty string is the empty cursor.
func ParseCursor(s string) (Cursor, error) {
	c := Cursor{}
	if s == "" {
		return c, nil
	}
	if len(s) > 16<<10 {
		return nil, fmt.Errorf("cursor is longer than %d bytes", 16<<10)
	}
	for _, part := range strings.Split(s, ",") {
		p, err := ParsePosition(part)
		if err != nil {
			return nil, err
		}
		if _, twice := c[p.Partition]; twice {
			return nil, fmt.Errorf("cursor names %s twice", p.Partition)
		}
		c[p.Partition] = p.Offset
	}
	return c, nil
}

// Advance moves the cursor's entry for p's partition forward to p, never back.
func (c Cursor) Advance(p Position) {
	if o, ok := c[p.Partition]; !ok || o < p.Offset {
		c[p.Partition] = p.Offset
	}
}

// Clone is a copy that shares nothing.
func (c Cursor) Clone() Cursor {
	d := make(Cursor, len(c))
	for p, o := range c {
		d[p] = o
	}
	return d
}

// Covers tells whether c has passed everything that d has.
func (c Cursor) Covers(d Cursor) bool {
	for p, o := range d {
		if have, ok := c[p]; o > Start && (!ok || have < o) {
			return false
		}
	}
	return true
}

// Layout says how many partitions each topic of the chat has. It is fixed when a
// log is created and written in log.opened. Topics beside it have one each.
type Layout struct {
	Conversations int32
	Users         int32
}

// Partitions lists all partitions of the chat, topics in order.
func (l Layout) Partitions() []Partition {
	var ps []Partition
	for n := range l.Conversations {
		ps = append(ps, Partition{Conversations, n})
	}
	for n := range l.Users {
		ps = append(ps, Partition{Users, n})
	}
	return ps
}

// WithBeside lists all partitions: those of the chat, then those beside it.
func (l Layout) WithBeside() []Partition {
	ps := l.Partitions()
	for _, t := range Beside {
		ps = append(ps, Partition{Topic: t})
	}
	return ps
}

// Count is the number of partitions of a topic of the chat; 0 of any other.
func (l Layout) Count(t Topic) int32 {
	switch t {
	case Conversations:
		return l.Conversations
	case Users:
		return l.Users
	}
	return 0
}

// Partition is where a stream lives: murmur2 of its key, as Kafka's Java client
// chooses (org.apache.kafka.common.utils.Utils.murmur2).
func (l Layout) Partition(s Stream) Partition {
	var room [2*64 + 4]byte
	t := s.Topic()
	if t.beside() {
		return Partition{Topic: t}
	}
	return Partition{t, int32(murmur2(s.AppendKey(room[:0]))&0x7fffffff) % l.Count(t)}
}

func murmur2(key []byte) uint32 {
	const m, r = 0x5bd1e995, 24
	n := len(key)
	h := uint32(0x9747b28c) ^ uint32(n)
	i := 0
	for ; i+4 <= n; i += 4 {
		k := uint32(key[i]) | uint32(key[i+1])<<8 | uint32(key[i+2])<<16 | uint32(key[i+3])<<24
		k *= m
		k ^= k >> r
		k *= m
		h = h*m ^ k
	}
	switch n - i {
	case 3:
		h ^= uint32(key[i+2]) << 16
		fallthrough
	case 2:
		h ^= uint32(key[i+1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(key[i])) * m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}
