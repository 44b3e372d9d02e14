// Package witness remembers the last signed checkpoint that somebody saw of each
// tree, outside of the log's own machines, and finds out when a log shows another
// history than before: a fork, a rollback, a key that nobody handed over to, or
// nothing at all.
package witness

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"lishi/events"
	"lishi/events/merkle"
)

// Kind is what an alarm is about.
type Kind string

// What a witness finds.
const (
	Fork     Kind = "fork"     // two histories of one log
	Rollback Kind = "rollback" // fewer records than there were
	WrongKey Kind = "key"      // signed by a key that is not trusted
	Still    Kind = "still"    // no sign of life for too long
)

// Alarm is a contradiction, with the notes that prove it to others.
type Alarm struct {
	Kind   Kind      `json:"kind"`
	Origin string    `json:"origin"`
	Text   string    `json:"text"`
	Time   time.Time `json:"time"`
	Before string    `json:"before,omitempty"` // the signed note that was remembered
	Now    string    `json:"now,omitempty"`    // the signed note that contradicts it
}

func (a *Alarm) Error() string { return fmt.Sprintf("%s: %s: %s", a.Kind, a.Origin, a.Text) }

// Head is what is remembered of one tree.
type Head struct {
	Checkpoint string    `json:"checkpoint"` // the signed note
	Changed    time.Time `json:"changed"`    // when it was seen first
	Seen       time.Time `json:"seen"`       // when the log was last heard of
	// Behind is since when less is shown than this, by somebody who may only be
	// late.
	Behind time.Time `json:"behind,omitzero"`
}

// Memory is a witness's state in a file, which is written, and synced, before
// anything is believed. It is safe for concurrent use.
type Memory struct {
	path string
	now  func() time.Time

	mu    sync.Mutex
	keys  merkle.Keys
	state state
}

type state struct {
	Trusted []string        `json:"trusted"` // public keys
	Changes []string        `json:"changes"` // notes by which they handed over
	Heads   map[string]Head `json:"heads"`   // by origin
	// Followed is the offset of lishi.seals that was read last, by log.
	Followed map[string]int64 `json:"followed,omitempty"`
}

// Open reads a witness's file, or begins one that trusts these keys. Keys given
// for a file that is there are trusted beside those in it.
func Open(path string, trusted ...ed25519.PublicKey) (*Memory, error) {
	m := &Memory{path: path, now: time.Now, state: state{Heads: map[string]Head{}, Followed: map[string]int64{}}}
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil {
		if err := json.Unmarshal(b, &m.state); err != nil {
			return nil, fmt.Errorf("%s is not what a witness wrote: %w", path, err)
		}
	}
	for _, k := range trusted {
		if text := merkle.PublicText(k); !slices.Contains(m.state.Trusted, text) {
			m.state.Trusted = append(m.state.Trusted, text)
		}
	}
	if len(m.state.Trusted) == 0 {
		return nil, fmt.Errorf("%s is not there yet, and no key is given to trust", path)
	}
	var roots []ed25519.PublicKey
	for _, text := range m.state.Trusted {
		k, err := merkle.ParsePublic(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		roots = append(roots, k)
	}
	m.keys = merkle.Trust(roots...)
	var changes [][]byte
	for _, c := range m.state.Changes {
		changes = append(changes, []byte(c))
	}
	if m.keys, err = m.keys.FollowAll(changes); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, m.write()
}

func (m *Memory) write() error {
	b, err := json.MarshalIndent(m.state, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(m.path), 0o755); err != nil {
		return err
	}
	tmp := m.path + ".new"
	f, err := os.Create(tmp)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, m.path)
}

// Proof gives the hashes that show that the tree of an older checkpoint is the
// beginning of a newer one's.
type Proof func(old, now merkle.Checkpoint) ([]events.Hash, error)

// errUnproved is a Proof's answer where none can be had.
var errUnproved = errors.New("no proof can be had")

// Unproved is the Proof of who can have none, as of a file of checkpoints alone:
// what was changed under the newer of them is not noticed.
func Unproved(merkle.Checkpoint, merkle.Checkpoint) ([]events.Hash, error) { return nil, errUnproved }

// Behind means that a checkpoint shows less than is remembered.
type Behind struct{ Size int64 } // what is remembered

func (e *Behind) Error() string { return fmt.Sprintf("%d records were seen before", e.Size) }

// See takes a checkpoint: checks who signed it, and that it continues what is
// remembered of its tree. *Alarm: it contradicts that. *Behind: it shows less,
// which is the caller's to judge; see Late.
func (m *Memory) See(signed []byte, prove Proof) (merkle.Checkpoint, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, err := m.keys.Open(signed)
	if err != nil {
		return c, m.alarm(WrongKey, origin(signed), err.Error(), "", string(signed))
	}
	head, known := m.state.Heads[c.Origin]
	if !known {
		return c, m.remember(c, signed)
	}
	before, err := m.keys.Open([]byte(head.Checkpoint))
	if err != nil {
		return c, fmt.Errorf("%s: what is remembered of %s: %w", m.path, c.Origin, err)
	}
	switch {
	case c.Size < before.Size:
		return c, &Behind{before.Size}
	case c.Size == before.Size && c.Root != before.Root:
		return c, m.alarm(Fork, c.Origin, fmt.Sprintf("two roots of the same %d records", c.Size), head.Checkpoint, string(signed))
	case c.Size == before.Size:
		head.Seen, head.Behind = m.time(), time.Time{}
		m.state.Heads[c.Origin] = head
		return c, m.write()
	}
	path, err := prove(before, c)
	if err != nil && !errors.Is(err, errUnproved) {
		return c, err
	}
	if err == nil {
		if err := (&merkle.Consistency{Old: before.Size, Path: path}).Verify(before, c); err != nil {
			return c, m.alarm(Fork, c.Origin, fmt.Sprintf("the first %d of %d records are not those that were signed before", before.Size, c.Size), head.Checkpoint, string(signed))
		}
	}
	return c, m.remember(c, signed)
}

func (m *Memory) time() time.Time { return m.now().UTC().Truncate(time.Second) }

func (m *Memory) remember(c merkle.Checkpoint, signed []byte) error {
	m.state.Heads[c.Origin] = Head{Checkpoint: string(signed), Changed: m.time(), Seen: m.time()}
	return m.write()
}

// RolledBack is the alarm of a tree that shows fewer records than there were.
func (m *Memory) RolledBack(origin string, were, are int64, signed []byte) *Alarm {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.alarm(Rollback, origin, fmt.Sprintf("there were %d records, and now there are %d", were, are), m.state.Heads[origin].Checkpoint, string(signed))
}

// Late notes that less was shown of a tree than is remembered, by somebody who
// may only be late.
func (m *Memory) Late(origin string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	head, ok := m.state.Heads[origin]
	if !ok || !head.Behind.IsZero() {
		return nil
	}
	head.Behind = m.time()
	m.state.Heads[origin] = head
	return m.write()
}

// Overdue are the alarms of trees of which less is shown than is remembered for
// longer than grace, or of which nothing was heard for longer than still (0: that
// is no alarm). Each is told once until the tree shows something again.
func (m *Memory) Overdue(grace, still time.Duration) []*Alarm {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*Alarm
	for name, head := range m.state.Heads {
		switch {
		case !head.Behind.IsZero() && m.now().Sub(head.Behind) > grace:
			out = append(out, m.alarm(Rollback, name, "fewer records are shown than were signed before", head.Checkpoint, ""))
			head.Behind = m.now().Add(24 * time.Hour)
		case still > 0 && m.now().Sub(head.Seen) > still:
			out = append(out, m.alarm(Still, name, fmt.Sprintf("nothing was heard of it since %s", head.Seen.Format(time.RFC3339)), head.Checkpoint, ""))
			head.Seen = m.now().Add(24 * time.Hour)
		default:
			continue
		}
		m.state.Heads[name] = head
	}
	return out
}

// alarm makes an alarm, and keeps it beside the state: it is evidence.
func (m *Memory) alarm(kind Kind, origin, text, before, now string) *Alarm {
	a := &Alarm{kind, origin, text, m.time(), before, now}
	b, err := json.Marshal(a)
	if err == nil {
		var f *os.File
		if f, err = os.OpenFile(m.path+".alarms", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err == nil {
			_, err = f.Write(append(b, '\n'))
			err = errors.Join(err, f.Sync(), f.Close())
		}
	}
	if err != nil {
		a.Text += fmt.Sprintf(" (the alarm is not kept: %v)", err)
	}
	return a
}

// Follow takes changes of the key, in whatever order. *Alarm: nobody trusted
// hands over.
func (m *Memory) Follow(changes ...[]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	changes = slices.DeleteFunc(slices.Clone(changes), func(c []byte) bool { return slices.Contains(m.state.Changes, string(c)) })
	if len(changes) == 0 {
		return nil
	}
	keys, err := m.keys.FollowAll(changes)
	if err != nil {
		return m.alarm(WrongKey, origin(changes[0]), err.Error(), "", string(bytes.Join(changes, []byte("\n"))))
	}
	m.keys = keys
	for _, c := range changes {
		m.state.Changes = append(m.state.Changes, string(c))
	}
	return m.write()
}

// Heads are what is remembered, by origin.
func (m *Memory) Heads() map[string]Head {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]Head{}
	for k, v := range m.state.Heads {
		out[k] = v
	}
	return out
}

// Size is the size that is remembered of a tree, and whether one is.
func (m *Memory) Size(origin string) (int64, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	head, ok := m.state.Heads[origin]
	c, err := m.keys.Open([]byte(head.Checkpoint))
	return c.Size, ok && err == nil
}

// Opens checks who signed a checkpoint, and remembers nothing.
func (m *Memory) Opens(signed []byte) (merkle.Checkpoint, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keys.Open(signed)
}

// Followed is how far a log's lishi.seals was read.
func (m *Memory) Followed(logID string) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n, ok := m.state.Followed[logID]; ok {
		return n
	}
	return events.Start
}

// Passed notes how far a log's lishi.seals was read.
func (m *Memory) Passed(logID string, offset int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state.Followed == nil {
		m.state.Followed = map[string]int64{}
	}
	m.state.Followed[logID] = offset
	return m.write()
}

func origin(note []byte) string {
	for i, b := range note {
		if b == '\n' || i == 200 {
			return string(note[:i])
		}
	}
	return ""
}
