package seals

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"lishi/events"
	"lishi/events/merkle"
)

// publish signs the heads of the partitions that are due, all that have
// something new if so told, and appends them to lishi.seals.
func (s *Sealer) publish(ctx context.Context, all bool) (published bool, err error) {
	var errs []error
	for _, p := range s.order {
		part := s.parts[p]
		if part.wrong.Load() || !s.signs(p) || !part.due(s.o, all) {
			continue
		}
		if err := s.seal(ctx, part); err != nil {
			errs = append(errs, err)
			if ctx.Err() != nil {
				break
			}
			continue
		}
		published = true
	}
	return published, errors.Join(errs...)
}

func (part *part) due(o Options, all bool) bool {
	gained := part.end - part.chain.last.Size
	return gained > 0 && (all || gained >= o.Events || time.Since(part.since) >= o.Interval)
}

// seal publishes the head of one partition.
func (s *Sealer) seal(ctx context.Context, part *part) error {
	if err := s.grow(ctx, part, part.end); err != nil {
		return err
	}
	last, tree := part.chain.last, &part.hashes.tree
	head := merkle.Checkpoint{Origin: part.origin, Size: tree.Size(), Root: tree.Root()}
	signed, err := merkle.Sign(head, *s.o.Key)
	if err != nil {
		return err
	}
	path, err := merkle.ProveConsistency(head.Size, last.Size, part.hashes)
	if err != nil {
		return err
	}
	old := last.Checkpoint
	if old.Size == 0 {
		old = merkle.Checkpoint{Origin: part.origin, Root: (&merkle.Tree{}).Root()}
	}
	if err := (&merkle.Consistency{Old: old.Size, Path: path}).Verify(old, head); err != nil {
		// Nothing is signed that contradicts what was before. Either the log or
		// the file with the tree is damaged: it is made again, which tells.
		part.ready = false
		return fmt.Errorf("%s: the tree does not continue its last checkpoint: %w", part.p, err)
	}
	body := events.CheckpointSigned{Checkpoint: string(signed), Old: old.Size}
	for i := range path {
		body.Proof = append(body.Proof, base64.StdEncoding.EncodeToString(path[i][:]))
	}
	stream := events.Stream{Kind: events.Seal, ID: part.p.String()}
	_, err = s.log.Append(ctx, events.Event{
		ID: events.NewID(stream.Key(), "", string(signed)), Stream: stream, Time: time.Now().UTC().Truncate(time.Millisecond), Body: body,
	})
	return err
}
