package seals

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"lishi/events"
)

// Verified is the last verification of the whole log by this node, and the one
// under way.
type Verified struct {
	// Running tells that one is under way, with Done of Total records read.
	Running bool  `json:"running"`
	Done    int64 `json:"done"`
	Total   int64 `json:"total"`
	// Began, Ended, By, Partitions and Error are of the last one that ended.
	Began      *time.Time `json:"began,omitempty"`
	Ended      *time.Time `json:"ended,omitempty"`
	By         string     `json:"by,omitempty"`
	Holds      bool       `json:"holds"`
	Partitions []Checked  `json:"partitions,omitempty"`
	Problems   []string   `json:"problems,omitempty"`
	Error      string     `json:"error,omitempty"` // why it could not be done
}

// ErrRunning means that a verification is under way.
var ErrRunning = errors.New("a verification is under way")

// Verify reads the whole log and holds it against everything that was signed of
// it: what stands in lishi.seals, and what this node has kept. It returns when it
// has begun, and goes on until it is done or the sealer is
// closed.
func (s *Sealer) Verify(by string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.verified.Running {
		return ErrRunning
	}
	s.verified.Running, s.verified.Done, s.verified.Total = true, 0, 0
	s.working.Go(func() { s.verify(s.base, by, time.Now().UTC().Truncate(time.Millisecond)) })
	return nil
}

func (s *Sealer) verify(ctx context.Context, by string, began time.Time) {
	v := Verified{Began: &began, By: by}
	err := s.verifyAll(ctx, &v)
	ended := time.Now().UTC().Truncate(time.Millisecond)
	v.Ended, v.Holds = &ended, err == nil && len(v.Problems) == 0
	if err != nil {
		v.Error = err.Error()
	}
	for _, c := range v.Partitions {
		if c.Problem != "" {
			s.note(c.Partition, c.Problem)
		}
	}
	s.mu.Lock()
	v.Done, v.Total = s.verified.Done, s.verified.Total
	s.verified = v
	s.mu.Unlock()
	b, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		s.keep.Lock()
		err = replaceFile(filepath.Join(s.dir, "verified.json"), append(b, '\n'))
		s.keep.Unlock()
	}
	if err != nil {
		s.o.Logger.Warn("the verification is not kept", "error", err)
	}
}

func (s *Sealer) verifyAll(ctx context.Context, v *Verified) error {
	seals, err := s.log.Ends(ctx) // before the ends of what they speak of
	if err != nil {
		return err
	}
	ends, err := s.log.Ends(ctx)
	if err != nil {
		return err
	}
	total := int64(0)
	for _, p := range s.order {
		total += ends[p] + 1
	}
	s.mu.Lock()
	keys := s.keys
	s.verified.Total = total
	s.mu.Unlock()
	published, keys, problem, err := Published(ctx, s.log.ID(), keys, seals[sealsPartition]+1, s.reader(sealsPartition))
	if err != nil {
		return err
	}
	if problem != "" {
		v.Problems = append(v.Problems, problem)
	}
	before := int64(0)
	for _, p := range s.order {
		c := Check{Partition: p, Records: ends[p] + 1, Kept: published[p], Now: Now()}
		own, err := os.ReadFile(CheckpointsFile(s.dir, p))
		if err != nil {
			return err
		}
		part := s.parts[p]
		part.mu.RLock()
		own = own[:min(int64(len(own)), part.chain.end)] // what is being written is whole next time
		part.mu.RUnlock()
		kept, err := KeptIn(CheckpointsFile(s.dir, p), own, keys)
		if err != nil {
			v.Problems = append(v.Problems, err.Error())
		}
		for _, k := range kept {
			if k.Size <= c.Records { // sealed since the ends were asked for
				c.Kept = append(c.Kept, k)
			} else if ends, err := s.log.Ends(ctx); err == nil && k.Size > ends[p]+1 {
				c.Kept = append(c.Kept, k)
			}
		}
		if c.Leaves, err = OpenLeaves(s.dir, p); err != nil {
			return err
		}
		res, err := c.Run(ctx, s.reader(p), func(done int64) {
			s.mu.Lock()
			s.verified.Done = before + done
			s.mu.Unlock()
		})
		if c.Leaves != nil {
			err = errors.Join(err, c.Leaves.Close())
		}
		if err != nil {
			return err
		}
		before += c.Records
		if v.Partitions = append(v.Partitions, res); res.Problem != "" {
			v.Problems = append(v.Problems, res.Problem)
		}
	}
	return nil
}

func (s *Sealer) reader(p events.Partition) func(ctx context.Context, from, end int64, each func(offset int64, r events.Record) error) error {
	return func(ctx context.Context, from, end int64, each func(offset int64, r events.Record) error) error {
		return s.log.Records(ctx, p, from, end, each)
	}
}

// note is contradicted for who only reads.
func (s *Sealer) note(partition, problem string) {
	at, err := events.ParsePosition(partition + "-0")
	if err == nil {
		s.contradicted(at.Partition, problem)
	}
}

func readVerified(dir string) (v Verified) {
	b, err := os.ReadFile(filepath.Join(dir, "verified.json"))
	if err == nil {
		_ = json.Unmarshal(b, &v) // none is known then
	}
	v.Running = false
	return v
}
