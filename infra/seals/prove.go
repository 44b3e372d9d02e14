package seals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lishi/events"
	"lishi/events/merkle"
)

// ErrNotSealed means that no checkpoint vouches for a record yet; the next one
// will, in a moment.
var ErrNotSealed = errors.New("not sealed yet")

// ErrNoPartition means that a partition is not one that is sealed.
var ErrNoPartition = errors.New("no sealed partition")

func (s *Sealer) part(p events.Partition) (*part, error) {
	part := s.parts[p]
	if part == nil {
		return nil, fmt.Errorf("%w: %s", ErrNoPartition, p)
	}
	return part, nil
}

// Prove proves that a record stands in the log, under the newest checkpoint. It
// costs one record of the log and as many hashes as the tree is high.
func (s *Sealer) Prove(ctx context.Context, at events.Position) (merkle.Inclusion, error) {
	part, err := s.part(at.Partition)
	if err != nil {
		return merkle.Inclusion{}, err
	}
	part.mu.RLock()
	last := part.chain.last
	part.mu.RUnlock()
	if at.Offset >= last.Size {
		return merkle.Inclusion{}, fmt.Errorf("%w: %s: the newest checkpoint of %s has %d records", ErrNotSealed, at, at.Partition, last.Size)
	}
	in := merkle.Inclusion{Offset: at.Offset, Checkpoint: last.Signed}
	if in.Path, err = merkle.ProveInclusion(last.Size, at.Offset, part.hashes); err != nil {
		return in, err
	}
	err = s.log.Records(ctx, at.Partition, at.Offset, at.Offset+1, func(_ int64, r events.Record) error {
		in.Record = events.AppendRecord(nil, r)
		return nil
	})
	if err != nil {
		return in, err
	}
	_, err = in.Verify(last.Checkpoint)
	return in, err
}

// Consistency proves that the tree of a size is the beginning of the checkpoint
// of another, or of the first later one that was published; 0 stands for the
// newest.
func (s *Sealer) Consistency(p events.Partition, old, size int64) (merkle.Consistency, error) {
	part, err := s.part(p)
	if err != nil {
		return merkle.Consistency{}, err
	}
	part.mu.RLock()
	defer part.mu.RUnlock()
	e := part.chain.last
	if size > 0 {
		if e, _, err = part.chain.find(size); err != nil {
			return merkle.Consistency{}, err
		}
	}
	if e.Size == 0 || old > e.Size {
		return merkle.Consistency{}, fmt.Errorf("%w: no checkpoint of %s has %d records", ErrNotSealed, p, max(old, size))
	}
	co := merkle.Consistency{Old: old, Checkpoint: e.Signed}
	if co.Path, err = merkle.ProveConsistency(e.Size, old, part.hashes); err != nil || old == 0 {
		return co, err
	}
	root, err := merkle.Root(old, part.hashes)
	if err == nil {
		err = co.Verify(merkle.Checkpoint{Origin: e.Origin, Size: old, Root: root}, e.Checkpoint)
	}
	return co, err
}

// Checkpoints are at most n that were published of a partition, newest first; of
// fewer than before records if that is not 0.
func (s *Sealer) Checkpoints(p events.Partition, n int, before int64) ([]Entry, error) {
	part, err := s.part(p)
	if err != nil {
		return nil, err
	}
	part.mu.RLock()
	defer part.mu.RUnlock()
	if before <= 0 {
		before = part.chain.last.Size + 1
	}
	return part.chain.newest(n, before)
}

// Partitions lists what is sealed.
func (s *Sealer) Partitions() []events.Partition { return s.order }

// Keys are those that may sign.
func (s *Sealer) Keys() merkle.Keys {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys
}

// Changes are the notes by which keys handed over, oldest first.
func (s *Sealer) Changes() ([][]byte, error) { return ReadChanges(KeysFile(s.dir)) }

// Status is how the sealing stands.
type Status struct {
	LogID      string            `json:"logId"`
	Signing    bool              `json:"signing"`       // this node has a key that may sign
	Key        string            `json:"key,omitempty"` // the public half
	Partitions []PartitionStatus `json:"partitions"`
	Witnesses  []WitnessStatus   `json:"witnesses"`
	Wrong      []Wrong           `json:"wrong"`           // what was found to contradict
	Error      string            `json:"error,omitempty"` // why checkpoints wait
	Failures   int64             `json:"failures"`
	Verified   Verified          `json:"verified"`
}

// PartitionStatus is how one partition stands.
type PartitionStatus struct {
	Partition string     `json:"partition"`
	Records   int64      `json:"records"`          // in the log
	Size      int64      `json:"size"`             // of the newest checkpoint
	Sealed    *time.Time `json:"sealed,omitempty"` // when that was published, since the start
	Waiting   float64    `json:"waiting"`          // seconds that the oldest record without a checkpoint waits
	Mine      bool       `json:"mine"`             // this node signs it
	Wrong     bool       `json:"wrong"`
	Back      Skew       `json:"clockBack"` // recorded times, since the start
	Ahead     Skew       `json:"clockAhead"`
	Behind    Skew       `json:"clockBehind"`
}

// WitnessStatus is what a witness has.
type WitnessStatus struct {
	URL      string         `json:"url"`
	Acks     map[string]Ack `json:"acks"` // by partition
	Lag      int64          `json:"lag"`  // records that are sealed and not acknowledged
	Error    string         `json:"error,omitempty"`
	Failures int64          `json:"failures"`
}

// Status tells how the sealing stands now.
func (s *Sealer) Status() Status {
	st := Status{LogID: s.log.ID(), Partitions: []PartitionStatus{}, Witnesses: []WitnessStatus{}}
	sizes := map[string]int64{}
	for _, p := range s.order {
		part := s.parts[p]
		signs := s.signs(p)
		part.mu.RLock()
		ps := PartitionStatus{
			Partition: p.String(), Records: part.end, Size: part.chain.last.Size, Mine: signs, Wrong: part.wrong.Load(),
			Back: part.clock.Back, Ahead: part.clock.Ahead, Behind: part.clock.Behind,
		}
		if !part.sealed.IsZero() {
			at := part.sealed.UTC()
			ps.Sealed = &at
		}
		if !part.since.IsZero() {
			ps.Waiting = time.Since(part.since).Seconds()
		}
		part.mu.RUnlock()
		if signs {
			sizes[ps.Partition] = ps.Size
		}
		st.Partitions = append(st.Partitions, ps)
	}
	for _, w := range s.witnesses {
		w.mu.Lock()
		ws := WitnessStatus{URL: w.url, Acks: map[string]Ack{}, Error: w.failed, Failures: w.failures}
		for p, a := range w.acks {
			ws.Acks[p] = a
		}
		w.mu.Unlock()
		for p, size := range sizes {
			ws.Lag += max(0, size-ws.Acks[p].Size)
		}
		st.Witnesses = append(st.Witnesses, ws)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.o.Key != nil {
		st.Key = merkle.PublicText(s.o.Key.Public())
		st.Signing = s.keys.Signs(s.o.Key.Public())
	}
	st.Wrong = append([]Wrong{}, s.wrong...)
	st.Failures, st.Verified = s.failures, s.verified
	if s.failed != nil {
		st.Error = s.failed.Error()
	}
	return st
}
