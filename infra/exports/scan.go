package exports

import (
	"context"
	"fmt"
	"slices"
	"time"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/events/merkle"
)

// Log is what is read of a log: one at rest (kafka.AtRest), or a running one.
type Log interface {
	Records(ctx context.Context, p events.Partition, from, end int64, each func(offset int64, r events.Record) error) error
}

// bits is a set of offsets.
type bits []uint64

func (b bits) has(o int64) bool { return b[o>>6]>>(o&63)&1 == 1 }
func (b bits) set(o int64)      { b[o>>6] |= 1 << (o & 63) }

// next is the first member from an offset on, or end.
func (b bits) next(o, end int64) int64 {
	for o < end {
		if o&63 == 0 && b[o>>6] == 0 {
			o += 64
			continue
		}
		if b.has(o) {
			return o
		}
		o++
	}
	return end
}

// revision is an edit or a recall of a message.
type revision struct {
	offset int64
	recall bool
	valid  bool
	by     string
	said   time.Time
}

// change is a record that began or ended somebody's membership or a friendship.
type change struct {
	offset   int64
	how, by  string
	recorded time.Time
	joined   string // who became a member by it
}

// scan is what the first pass over a partition finds: which records are asked
// for, and what must be known of later ones when they are written. Memory: a bit
// a record, and some bytes for each void record, edit, recall and change of
// membership; texts are not kept.
type scan struct {
	partition events.Partition
	ledger    *ledger.Ledger
	size      int64
	head      merkle.Checkpoint
	foreign   int64
	selected  bits
	count     int64
	first     int64
	last      int64
	void      map[int64]ledger.Verdict // of the selected
	revisions map[int64][]revision     // by message
	changes   map[events.Stream][]change
	streams   map[events.Stream]bool // conversations of the selected
}

// scanPartition is the first pass.
func scanPartition(ctx context.Context, log Log, logID string, p events.Partition, size int64, q Query, show func(done int64)) (*scan, error) {
	s := &scan{
		partition: p, ledger: ledger.New(p), size: size, selected: make(bits, (size+63)/64),
		void: map[int64]ledger.Verdict{}, revisions: map[int64][]revision{}, changes: map[events.Stream][]change{}, streams: map[events.Stream]bool{},
	}
	m := newMatcher(q, s.ledger.Relations())
	var tree merkle.Tree
	var final []events.Hash
	err := log.Records(ctx, p, 0, size, func(offset int64, raw events.Record) error {
		final = tree.Append(final[:0], events.LeafHash(raw))
		r, err := events.Decode(events.Position{Partition: p, Offset: offset}, raw)
		if err != nil {
			return err
		}
		verdict, err := s.ledger.Admit(r)
		if err != nil {
			return err
		}
		if offset%1000 == 0 || offset == size-1 {
			show(offset + 1)
		}
		s.take(&r, verdict, m)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if tree.Size() != size {
		return nil, fmt.Errorf("%w: %s has %d records, %d were asked for", errNoRange, p, tree.Size(), size)
	}
	s.head = merkle.Checkpoint{Origin: merkle.Origin(logID, p), Size: size, Root: tree.Root()}
	s.settle()
	return s, nil
}

func (s *scan) take(r *events.Recorded, v ledger.Verdict, m *matcher) {
	offset := r.Position.Offset
	if _, foreign := r.Body.(events.Foreign); foreign {
		s.foreign++
		return
	}
	if v.Void() {
		s.void[offset] = v
	}
	matches := m.matches(r)
	if matches {
		s.selected.set(offset)
		s.streams[conversation(r)] = true
	}
	message, recall := events.Position{}, false
	switch b := r.Body.(type) {
	case events.MessageSent:
		return
	case events.MessageEdited:
		message = b.Message
	case events.MessageRecalled:
		message, recall = b.Message, true
	default:
		if !v.Void() {
			s.changed(r)
		}
		return
	}
	if message.Partition == s.partition && message.Offset < offset {
		s.revisions[message.Offset] = append(s.revisions[message.Offset], revision{offset, recall, !v.Void(), r.Actor, r.Time})
		if matches {
			s.selected.set(message.Offset)
		}
	}
}

// changed keeps who came and went.
func (s *scan) changed(r *events.Recorded) {
	c := change{offset: r.Position.Offset, how: r.Body.Type(), by: r.Actor, recorded: r.At}
	switch b := r.Body.(type) {
	case events.GroupCreated, events.GroupJoined:
		c.joined = r.Actor
	case events.GroupApplicationVerified:
		if c.joined = b.UserID; b.State != events.Agreed {
			return
		}
	case events.GroupInvitationVerified:
		if c.joined = r.Actor; b.State != events.Agreed {
			return
		}
	case events.GroupMemberRemoved, events.GroupMemberQuit, events.GroupDeleted, events.FriendAgreed, events.FriendRemoved:
	default:
		return
	}
	s.changes[r.Stream] = append(s.changes[r.Stream], c)
}

// settle takes in all versions of the messages that are asked for, and forgets
// what belongs to others.
func (s *scan) settle() {
	for message, versions := range s.revisions {
		if !s.selected.has(message) {
			delete(s.revisions, message)
			continue
		}
		for _, v := range versions {
			s.selected.set(v.offset)
		}
	}
	for offset := range s.void {
		if !s.selected.has(offset) {
			delete(s.void, offset)
		}
	}
	for stream := range s.changes {
		if !s.streams[stream] {
			delete(s.changes, stream)
		}
	}
	for o := s.selected.next(0, s.size); o < s.size; o = s.selected.next(o+1, s.size) {
		if s.count == 0 {
			s.first = o
		}
		s.count++
		s.last = o
	}
}

// versionOf says what became of a message's version at an offset: the next valid
// edit, and the recall.
func (s *scan) versionOf(message, offset int64) (edit, recall *revision) {
	versions := s.revisions[message]
	for i := range versions {
		v := &versions[i]
		switch {
		case !v.valid || v.offset <= offset:
		case v.recall:
			recall = v
		case edit == nil:
			edit = v
		}
	}
	return edit, recall
}

// before counts the changes of a conversation before an offset.
func (s *scan) before(stream events.Stream, offset int64) int {
	n, _ := slices.BinarySearchFunc(s.changes[stream], offset, func(c change, o int64) int { return int(c.offset - o) })
	return n
}

// changeAt is the change that a record made.
func (s *scan) changeAt(stream events.Stream, offset int64) change {
	cs := s.changes[stream]
	if i := s.before(stream, offset); i < len(cs) && cs[i].offset == offset {
		return cs[i]
	}
	return change{offset: offset}
}
