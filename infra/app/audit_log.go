package app

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"strings"

	"lishi/events"
	"lishi/events/merkle"
	"lishi/infra/broker"
	"lishi/infra/config"
	"lishi/infra/kafka"
	"lishi/infra/seals"
)

// verifyLog reads the log once and holds it against checkpoints that were kept
// elsewhere, and against what was signed while it grew.
func (p *program) verifyLog(ctx context.Context, cfg config.Config, files []string, trust []ed25519.PublicKey) (err error) {
	a, open, err := p.archive(ctx, cfg)
	var damage *broker.Damage // found while opening, before any tree is built
	if errors.As(err, &damage) {
		return &Finding{err.Error()}
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open.close()) }()
	known, err := p.signed(ctx, cfg, a, trust)
	if err != nil {
		return err
	}
	for _, path := range files {
		if err := known.file(path, a.LogID); err != nil {
			return err
		}
	}
	return p.holdAgainst(ctx, a, known)
}

// signed is what is known to have been signed of a log.
type signed struct {
	keys     merkle.Keys
	dir      string // of the seals, where there are any
	kept     map[events.Partition][]seals.Kept
	problems []string
}

// signed collects what stands in lishi.seals and in the data directory.
func (p *program) signed(ctx context.Context, cfg config.Config, a *kafka.Archive, trust []ed25519.PublicKey) (*signed, error) {
	s := &signed{keys: merkle.Trust(trust...), dir: seals.Directory(cfg.Data, a.LogID), kept: map[events.Partition][]seals.Kept{}}
	changes, err := seals.ReadChanges(seals.KeysFile(s.dir))
	if err == nil {
		s.keys, err = s.keys.FollowAll(changes)
	}
	if errors.Is(err, merkle.ErrKey) {
		s.problems = append(s.problems, fmt.Sprintf("%s: %v", seals.KeysFile(s.dir), err))
	} else if err != nil {
		return nil, err
	}
	topic := events.Partition{Topic: events.Seals}
	end := a.Records[topic] // 0 if it is not there
	followed, err := seals.Followed(s.dir)
	if err != nil {
		return nil, err
	}
	if followed >= end && followed != events.Start {
		s.problems = append(s.problems, fmt.Sprintf("%s ends at offset %d, and was read up to %d: it was rolled back", topic, end-1, followed))
	}
	if end > 0 {
		var problem string
		s.kept, s.keys, problem, err = seals.Published(ctx, a.LogID, s.keys, end, func(ctx context.Context, from, end int64, each func(int64, events.Record) error) error {
			return a.Read(ctx, topic, from, end, each)
		})
		if err != nil && !errors.Is(err, events.ErrDamaged) {
			return nil, err
		}
		if err != nil {
			problem = err.Error()
		}
		if problem != "" {
			s.problems = append(s.problems, problem)
		}
	}
	for _, part := range a.Partitions() {
		path := seals.CheckpointsFile(s.dir, part)
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		kept, err := seals.KeptIn(path, text, s.keys)
		if err != nil {
			s.problems = append(s.problems, err.Error())
		}
		s.kept[part] = append(s.kept[part], kept...)
	}
	return s, nil
}

// file adds a file that was kept elsewhere: one checkpoint, or many one after
// the other.
func (s *signed) file(path, logID string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	kept, err := seals.KeptIn(path, text, s.keys)
	if err != nil && len(kept) == 0 { // a single note has no empty line behind it
		var c merkle.Checkpoint
		if c, err = s.keys.Open(text); err == nil {
			kept = []seals.Kept{{Name: path, Checkpoint: c}}
		} else {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	if err == nil && len(kept) == 0 {
		err = fmt.Errorf("%s is empty: there is no checkpoint in it", path)
	}
	if err != nil {
		return &Finding{err.Error()}
	}
	for _, k := range kept {
		id, part, err := merkle.ParseOrigin(k.Origin)
		if err != nil {
			return &Finding{fmt.Sprintf("%s: %v", path, err)}
		}
		if id != logID {
			return &Finding{fmt.Sprintf("%s is of log %s, this is log %s", path, id, logID)}
		}
		s.kept[part] = append(s.kept[part], k)
	}
	return nil
}

// holdAgainst reads every partition of which something was signed.
func (p *program) holdAgainst(ctx context.Context, a *kafka.Archive, s *signed) error {
	show, finish := p.progress("records")
	defer finish()
	problems := []string{}
	checked := 0
	for _, part := range a.Partitions() {
		if len(s.kept[part]) == 0 {
			continue
		}
		checked++
		leaves, err := seals.OpenLeaves(s.dir, part)
		if err != nil {
			return err
		}
		c := seals.Check{Partition: part, Records: a.Records[part], Kept: s.kept[part], Leaves: leaves, Now: seals.Now()}
		res, err := c.Run(ctx, func(ctx context.Context, from, end int64, each func(int64, events.Record) error) error {
			return a.Read(ctx, part, from, end, each)
		}, func(done int64) { show("reading "+part.String(), done, c.Records) })
		if leaves != nil {
			err = errors.Join(err, leaves.Close())
		}
		if err != nil {
			return err
		}
		if res.Problem != "" {
			problems = append(problems, fmt.Sprintf("%s (log %s)", res.Problem, a.LogID))
		}
		if err := p.heldAgainst(res); err != nil {
			return err
		}
	}
	for part, kept := range s.kept { // of partitions that the log does not have
		if _, there := a.Records[part]; !there {
			problems = append(problems, fmt.Sprintf("%s of log %s is gone: %s says that it had %d records", part, a.LogID, kept[0].Name, kept[0].Size))
		}
	}
	if problems = append(problems, s.problems...); len(problems) > 0 {
		return &Finding{strings.Join(problems, "\n")}
	}
	if checked == 0 {
		return usageError{errors.New("nothing was ever signed of this log that is known here: give checkpoints that were kept elsewhere")}
	}
	return nil
}

// heldAgainst tells of one partition.
func (p *program) heldAgainst(res seals.Checked) error {
	if p.asJSON {
		return p.json(struct {
			seals.Checked
			Holds bool `json:"holds"`
		}{res, res.Problem == ""})
	}
	if res.Problem == "" {
		fmt.Fprintf(p.out, "%s holds: %d records, of which checkpoints vouch for the first %d\n", res.Partition, res.Records, res.Vouched)
	}
	for what, s := range map[string]seals.Skew{"run back": res.Back, "are ahead of when they were sealed, or of this clock": res.Ahead} {
		if s.Records > 0 {
			fmt.Fprintf(p.out, "  clocks: %d recorded times %s, by up to %d ms, the first at %s-%d\n", s.Records, what, s.Most, res.Partition, s.First)
		}
	}
	return nil
}
