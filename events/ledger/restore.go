package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"lishi/events"
)

// ErrSnapshot means that a snapshot can't be trusted: damaged, cut, of other
// rules or another format. Throw it away and fold from offset 0.
var ErrSnapshot = errors.New("ledger: snapshot refused")

// Restore makes a ledger from what Snapshot wrote. It refuses everything that it
// has the least doubt about, with ErrSnapshot. The caller then reads the record
// at Folded() from the log and asks Continues, before it admits the next.
func Restore(from io.Reader) (*Ledger, error) { return restore(from, W) }

func restore(from io.Reader, width int64) (*Ledger, error) {
	b, err := io.ReadAll(from)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	if len(b) < sha256.Size {
		return nil, fmt.Errorf("%w: it is cut", ErrSnapshot)
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if want := sha256.Sum256(body); !bytes.Equal(want[:], sum) {
		return nil, fmt.Errorf("%w: the checksum is wrong", ErrSnapshot)
	}
	l, err := parseSnapshot(body, width)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	return l, nil
}

// parseSnapshot reads the part under the checksum. It survives any bytes.
func parseSnapshot(b []byte, width int64) (*Ledger, error) {
	p := &parser{rest: b}
	if string(p.raw(len(snapshotMagic))) != snapshotMagic {
		return nil, errors.New("it is none")
	}
	if v := p.uint(); v != RulesVersion {
		return nil, fmt.Errorf("it was made by rules %d, these are %d", v, RulesVersion)
	}
	if w := p.int(); w != width {
		return nil, fmt.Errorf("its window is %d wide, not %d", w, width)
	}
	at, err := events.ParsePosition(p.text() + "-0")
	if err != nil {
		return nil, err
	}
	l := newLedger(at.Partition, width)
	l.folded = p.int()
	p.need(l.folded >= events.Start)
	l.restored.id = p.id()
	copy(l.restored.hash[:], p.raw(sha256.Size))
	if p.bool() {
		l.at = time.UnixMilli(p.int()).UTC()
	}
	l.clock = p.clock(l.folded)
	l.voids = p.offsets()
	for range l.voids {
		v := Verdict(p.byte())
		p.need(v.Void() && v < verdicts)
		l.reasons = append(l.reasons, v)
	}
	l.recalled = p.offsets()
	for range p.count(3) {
		p.stream(&l.state)
	}
	for range p.count(26) {
		p.application(&l.state)
	}
	if p.err == nil {
		l.state.waitAgain()
		p.window(&l.window, l.folded)
	}
	p.need(len(p.rest) == 0)
	if p.err != nil {
		return nil, p.err
	}
	return l, nil
}

// waitAgain lets the pending applications wait, in the order they were made.
func (st *state) waitAgain() {
	as := slices.Clone(st.asking)
	slices.SortStableFunc(as, func(a, b *Application) int { return int(a.Offset - b.Offset) })
	for _, a := range as {
		if a.State == events.Pending {
			st.wait(a)
		}
	}
}

// parser reads what writer wrote. After an error it gives zeros.
type parser struct {
	rest []byte
	err  error
}

func (p *parser) need(ok bool) {
	if !ok && p.err == nil {
		p.err = errors.New("it does not hold together")
	}
	if p.err != nil {
		p.rest = nil
	}
}

func (p *parser) raw(n int) []byte {
	p.need(n >= 0 && n <= len(p.rest))
	if p.err != nil {
		return nil
	}
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

func (p *parser) byte() byte {
	if b := p.raw(1); b != nil {
		return b[0]
	}
	return 0
}

func (p *parser) bool() bool {
	c := p.byte()
	p.need(c <= 1)
	return c == 1
}

func (p *parser) uint() uint64 {
	v, n := binary.Uvarint(p.rest)
	p.need(n > 0)
	p.raw(max(n, 0))
	return v
}

func (p *parser) int() int64 {
	v, n := binary.Varint(p.rest)
	p.need(n > 0)
	p.raw(max(n, 0))
	return v
}

// count reads a number of things that take at least size bytes each.
func (p *parser) count(size int) int {
	n := p.uint()
	p.need(n <= uint64(len(p.rest)/size))
	if p.err != nil {
		return 0
	}
	return int(n)
}

func (p *parser) text() string { return string(p.raw(p.count(1))) }

func (p *parser) id() (id events.ID) {
	copy(id[:], p.raw(len(id)))
	return id
}

func (p *parser) ids() []events.ID {
	n := p.count(len(events.ID{}))
	if n == 0 {
		return nil
	}
	ids := make([]events.ID, n)
	for i := range ids {
		ids[i] = p.id()
	}
	return ids
}

func (p *parser) offsets() offsets {
	n := p.count(1)
	if n == 0 {
		return nil
	}
	os := make(offsets, n)
	before := int64(0)
	for i := range os {
		os[i] = before + p.int()
		p.need(i == 0 || os[i] > before)
		before = os[i]
	}
	return os
}

func (p *parser) key() events.Stream {
	s, err := events.ParseKey(p.text())
	p.need(err == nil)
	return s
}

func (p *parser) stream(st *state) {
	key := p.key()
	p.need(st.streams[key] == nil)
	if p.err != nil {
		return
	}
	s := st.stream(key)
	s.ids, s.void = p.ids(), p.ids()
	switch {
	case s.pair != nil:
		for range p.count(2) {
			s.friends = append(s.friends, Interval{From: p.int(), To: p.int()})
		}
		s.blocked = [2]bool{p.bool(), p.bool()}
		for i := range s.views {
			s.views[i] = View{p.text(), p.text()}
		}
	case s.group != nil:
		p.group(s.group)
		st.index(s, 0)
	case s.user != nil:
		s.nickName, s.avatar, s.tokenName, s.nameSet = p.text(), p.text(), p.text(), p.bool()
		for range p.count(17) {
			s.folders = append(s.folders, Folder{p.id(), p.text()})
		}
		for range p.count(2) {
			conversation := p.text()
			at, err := events.ParsePosition(p.text())
			p.need(err == nil)
			s.user.mark(conversation, at)
		}
	}
}

func (p *parser) group(g *group) {
	g.exists, g.deleted = p.bool(), p.bool()
	for _, s := range []*string{&g.name, &g.img, &g.notice, &g.joinMode, &g.owner, &g.creator} {
		*s = p.text()
	}
	g.createdAt, g.created, g.deletedAt = p.int(), p.int(), p.int()
	n := p.count(5)
	if n > 0 {
		g.members = make([]member, n)
	}
	for i := range g.members {
		m := &g.members[i]
		m.user = p.text()
		if past := p.count(3); past > 0 {
			m.past = make([]spell, past)
		}
		for j := range m.past {
			m.past[j] = p.spell()
		}
		m.now = p.spell()
		g.index[m.user] = int32(i)
	}
	p.need(len(g.index) == len(g.members))
	for range p.count(1) {
		i := p.uint()
		p.need(i < uint64(len(g.members)))
		g.staff = append(g.staff, int32(i))
	}
	g.joins, g.leaves = p.offsets(), p.offsets()
}

func (p *parser) spell() spell {
	s := spell{from: p.int(), mutedUntil: p.int(), role: events.Role(p.byte())}
	switch s.role {
	case events.NoRole, events.Member, events.Admin, events.Owner:
	default:
		p.need(false)
	}
	return s
}

func (p *parser) application(st *state) {
	a := &Application{Stream: p.key(), ID: p.id(), Offset: p.int(), Kind: ApplicationKind(p.byte()), ExpiresAt: p.int()}
	for _, s := range []*string{&a.Actor, &a.User, &a.State, &a.Note, &a.Remark, &a.FriendGroupID} {
		*s = p.text()
	}
	p.need(st.asked[a.ID] == nil && st.streams[a.Stream] != nil)
	if p.err == nil {
		st.asked[a.ID] = a
		st.asking = append(st.asking, a)
	}
}

func (p *parser) window(w *window, folded int64) {
	from := max(0, folded-w.width+1)
	p.need(folded-from+1 <= int64(len(p.rest))) // an entry takes a byte at least
	for offset := from; offset <= folded && p.err == nil; offset++ {
		back := p.uint()
		if back == 0 {
			w.skip(offset)
			continue
		}
		v, id := Verdict(p.byte()), p.id()
		p.need(v < verdicts && back-1 <= uint64(offset))
		if p.err == nil {
			w.put(offset, id, offset-int64(back-1), v)
		}
	}
}
