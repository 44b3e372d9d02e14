package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"lishi/events"
)

// RulesVersion stands in every snapshot. Whoever changes what a verdict or a
// fold depends on raises it: a snapshot made by other rules is thrown away.
const RulesVersion = 4

const snapshotMagic = "lishi ledger\n"

// phaseBytes is how much of a snapshot is made at a time while Admit waits.
const phaseBytes = 128 << 10

// Snapshot writes all that the ledger knows, so that a reader need not begin at
// offset 0: rules version, width, partition, offset, id and hash of the last
// record, recorded times, void offsets with their reasons, recalled ones, streams, applications, the window, and
// SHA-256 of all that. The same records give the same bytes: what was true when
// the call began, and Folded of what it returns.
//
// Admit goes on meanwhile; it waits for one part at a time, of a fraction of a
// millisecond. Calls for the same ledger wait for one another.
func (l *Ledger) Snapshot(to io.Writer) (folded int64, err error) {
	return l.snapshotTo(to, phaseBytes)
}

func (l *Ledger) snapshotTo(to io.Writer, phase int) (folded int64, err error) {
	l.snapshots.Lock()
	defer l.snapshots.Unlock()
	w := &writer{b: make([]byte, 0, 2*phase)}
	c, err := l.beginCopy(w)
	if err != nil {
		return 0, fmt.Errorf("ledger: snapshot: %w", err)
	}
	defer l.endCopy()
	sum := sha256.New()
	for more := true; more; {
		more = l.copySome(w, c, phase)
		sum.Write(w.b)
		if _, err := to.Write(w.b); err != nil {
			return 0, err
		}
		w.b = w.b[:0]
	}
	_, err = to.Write(sum.Sum(nil))
	return c.folded, err
}

func (l *Ledger) snapshot() ([]byte, error) {
	var b bytes.Buffer
	_, err := l.Snapshot(&b)
	return b.Bytes(), err
}

// copying is a snapshot being made. What Admit is about to change and is not
// written yet, it keeps here as it was when the snapshot began.
type copying struct {
	folded  int64
	streams []*stream
	asking  []*Application
	offset  int64 // of the window, the next to write

	keptStreams map[*stream][]byte
	keptAsking  map[*Application]Application
	keptWindow  map[int64]entry
}

// beginCopy writes what comes before the streams and has Admit keep what it
// changes from here on.
func (l *Ledger) beginCopy(w *writer) (*copying, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	tip, err := l.tipNow()
	if err != nil {
		return nil, err
	}
	w.raw([]byte(snapshotMagic))
	w.uint(RulesVersion)
	w.int(l.window.width)
	w.text(l.partition.String())
	w.int(l.folded)
	w.raw(tip.id[:])
	w.raw(tip.hash[:])
	w.bool(!l.at.IsZero())
	if !l.at.IsZero() {
		w.int(l.at.UnixMilli())
	}
	w.clock(l.clock)
	w.offsets(l.voids)
	for _, v := range l.reasons {
		w.byte(byte(v))
	}
	w.offsets(l.recalled)
	w.uint(uint64(len(l.state.order)))
	c := &copying{
		folded: l.folded, streams: l.state.order, asking: l.state.asking, offset: max(0, l.folded-l.window.width+1),
		keptStreams: map[*stream][]byte{}, keptAsking: map[*Application]Application{}, keptWindow: map[int64]entry{},
	}
	if len(c.streams) == 0 {
		w.uint(uint64(len(c.asking)))
	}
	l.state.copying = c
	return c, nil
}

func (l *Ledger) endCopy() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.copying = nil
}

// copySome writes one part more; false if that was the last.
func (l *Ledger) copySome(w *writer, c *copying, phase int) bool {
	l.mu.RLock() // Admit is kept out, readers are not
	defer l.mu.RUnlock()
	for len(c.streams) > 0 {
		if len(w.b) >= phase {
			return true
		}
		s := c.streams[0]
		if kept, ok := c.keptStreams[s]; ok {
			w.raw(kept)
		} else {
			w.stream(s)
		}
		if c.streams = c.streams[1:]; len(c.streams) == 0 {
			w.uint(uint64(len(c.asking)))
		}
	}
	for ; len(c.asking) > 0; c.asking = c.asking[1:] {
		if len(w.b) >= phase {
			return true
		}
		a := c.asking[0]
		if kept, ok := c.keptAsking[a]; ok {
			a = &kept
		}
		w.application(a)
	}
	for ; c.offset <= c.folded; c.offset++ {
		if len(w.b) >= phase {
			return true
		}
		e, ok := c.keptWindow[c.offset]
		if !ok {
			e = *l.window.at(l.window.slot(c.offset))
		}
		w.entry(c.offset, &e)
	}
	return false
}

// keepStream is called before a stream changes.
func (c *copying) keepStream(s *stream) {
	if len(c.streams) == 0 || s.place < c.streams[0].place || s.place > c.streams[len(c.streams)-1].place {
		return // it is written, or was not there
	}
	if _, kept := c.keptStreams[s]; !kept {
		w := &writer{}
		w.stream(s)
		c.keptStreams[s] = w.b
	}
}

// keepAsking is called before an application changes.
func (c *copying) keepAsking(a *Application) {
	if _, kept := c.keptAsking[a]; !kept {
		c.keptAsking[a] = *a
	}
}

// keepEntry is called before the window's entry of an offset is written over.
func (c *copying) keepEntry(w *window, offset int64) {
	if offset >= c.offset && offset <= c.folded {
		c.keptWindow[offset] = *w.at(w.slot(offset))
	}
}

// tip names the last record.
type tip struct {
	id   events.ID
	hash [sha256.Size]byte
}

// tipNow is the tip at folded: of the record admitted last, or the snapshot's if
// none was since. It needs the lock.
func (l *Ledger) tipNow() (tip, error) {
	if l.last.Body == nil {
		return l.restored, nil
	}
	return tipOf(&l.last)
}

// tipOf hashes the canonical encoding of the record as this program writes it; a
// foreign record is known only by its position.
func tipOf(r *events.Recorded) (tip, error) {
	if _, ok := r.Body.(events.Foreign); ok {
		return tip{hash: sha256.Sum256([]byte("foreign " + r.Position.String()))}, nil
	}
	rec, err := events.Encode(r.Event)
	if err != nil {
		return tip{}, err
	}
	at := strconv.FormatInt(r.At.UnixMilli(), 10)
	rec.Headers = append(rec.Headers, events.Header{Key: events.HeaderRecordedTime, Value: []byte(at)})
	return tip{id: r.ID, hash: sha256.Sum256(events.AppendRecord(nil, rec))}, nil
}

// Continues checks that a record is the one at Folded(). Whoever restored a
// ledger reads that record from the log and asks; on an error the log is not the
// one that the snapshot was made of, and the ledger must be thrown away.
func (l *Ledger) Continues(r events.Recorded) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if at := (events.Position{Partition: l.partition, Offset: l.folded}); r.Position != at {
		return fmt.Errorf("ledger: %s is not the last record folded, %s", r.Position, at)
	}
	want, err := l.tipNow()
	if err != nil {
		return err
	}
	if got, err := tipOf(&r); err != nil || got != want {
		return fmt.Errorf("ledger: %s is not the record that the snapshot was made at", r.Position)
	}
	return nil
}

type writer struct{ b []byte }

func (w *writer) raw(b []byte)   { w.b = append(w.b, b...) }
func (w *writer) byte(c byte)    { w.b = append(w.b, c) }
func (w *writer) uint(n uint64)  { w.b = binary.AppendUvarint(w.b, n) }
func (w *writer) int(n int64)    { w.b = binary.AppendVarint(w.b, n) }
func (w *writer) text(s string)  { w.uint(uint64(len(s))); w.b = append(w.b, s...) }
func (w *writer) bool(on bool)   { w.byte(map[bool]byte{true: 1}[on]) }
func (w *writer) id(i events.ID) { w.raw(i[:]) }

func (w *writer) ids(ids []events.ID) {
	w.uint(uint64(len(ids)))
	for _, id := range ids {
		w.id(id)
	}
}

func (w *writer) offsets(os offsets) {
	w.uint(uint64(len(os)))
	before := int64(0)
	for _, o := range os {
		w.int(o - before)
		before = o
	}
}

func (w *writer) stream(s *stream) {
	w.text(s.key.Key())
	w.ids(s.ids)
	w.ids(s.void)
	switch {
	case s.pair != nil:
		w.uint(uint64(len(s.friends)))
		for _, i := range s.friends {
			w.int(i.From)
			w.int(i.To)
		}
		w.bool(s.blocked[0])
		w.bool(s.blocked[1])
		for _, v := range s.views {
			w.text(v.Remark)
			w.text(v.FriendGroupID)
		}
	case s.group != nil:
		w.group(s.group)
	case s.user != nil:
		w.text(s.nickName)
		w.text(s.avatar)
		w.text(s.tokenName)
		w.bool(s.nameSet)
		w.uint(uint64(len(s.folders)))
		for _, f := range s.folders {
			w.id(f.ID)
			w.text(f.Name)
		}
		read := make([]string, 0, len(s.marks))
		for conversation := range s.marks {
			read = append(read, conversation)
		}
		slices.SortFunc(read, strings.Compare)
		w.uint(uint64(len(read)))
		for _, conversation := range read {
			w.text(conversation)
			w.text(s.marks[conversation].String())
		}
	}
}

func (w *writer) group(g *group) {
	w.bool(g.exists)
	w.bool(g.deleted)
	for _, s := range []string{g.name, g.img, g.notice, g.joinMode, g.owner, g.creator} {
		w.text(s)
	}
	w.int(g.createdAt)
	w.int(g.created)
	w.int(g.deletedAt)
	w.uint(uint64(len(g.members)))
	for i := range g.members {
		m := &g.members[i]
		w.text(m.user)
		w.uint(uint64(len(m.past)))
		for _, s := range m.past {
			w.spell(s)
		}
		w.spell(m.now)
	}
	w.uint(uint64(len(g.staff)))
	for _, i := range g.staff {
		w.uint(uint64(i))
	}
	w.offsets(g.joins)
	w.offsets(g.leaves)
}

func (w *writer) spell(s spell) {
	w.int(s.from)
	w.int(s.mutedUntil)
	w.byte(byte(s.role))
}

func (w *writer) application(a *Application) {
	w.text(a.Stream.Key())
	w.id(a.ID)
	w.int(a.Offset)
	w.byte(byte(a.Kind))
	w.int(a.ExpiresAt)
	for _, s := range []string{a.Actor, a.User, a.State, a.Note, a.Remark, a.FriendGroupID} {
		w.text(s)
	}
}

// entry writes one entry of the last width offsets, oldest first: 0 for no
// entry, else 1 + the distance to the deciding occurrence, its verdict, the id.
func (w *writer) entry(offset int64, e *entry) {
	if e.what == none {
		w.uint(0)
		return
	}
	first, v := e.first()
	w.uint(uint64(offset-first) + 1)
	w.byte(byte(v))
	w.id(e.id)
}
