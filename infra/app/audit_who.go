package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lishi/events"
	"lishi/events/merkle"
	"lishi/infra/config"
	"lishi/infra/console"
	"lishi/infra/kafka"
	"lishi/infra/visible"
)

func (p *program) auditWho() *cobra.Command {
	proofs, skip, limit := "", 0, 0
	c := settings(&cobra.Command{
		Use:   "who POSITION [--proofs DIR] [--limit 100] [--skip N]",
		Short: "Say who could see a message, and why",
		Long: `Say who could see a message, edit or recall: the two of the conversation, or the
members of the group at its offset. With each stands the event that let them see
(how and by whom they became a member), the one that ended it, and whether their
read mark has reached the message.

--proofs DIR writes a proof for the message and for each of those events, which
"lishi audit verify" checks with neither log nor server.

The log is read itself: on Kafka at any time, embedded while no server runs on the
data directory; where one does, or --console names one, its console is asked.`,
		Args: cobra.ExactArgs(1),
	}, config.Log, config.Audit, config.Console, config.Tokens)
	askFlags(c)
	c.Flags().StringVar(&proofs, "proofs", "", "directory for the proofs")
	c.Flags().IntVar(&limit, "limit", 100, fmt.Sprintf("viewers at most, up to %d", visible.MostViewers))
	c.Flags().IntVar(&skip, "skip", 0, "viewers to pass over, in the order they first became members")
	c.RunE = func(c *cobra.Command, args []string) error {
		at, err := events.ParsePosition(args[0])
		if err != nil {
			return usageError{err}
		}
		return p.read(c, func(ctx context.Context, p *program, a kafka.AtRest) (shown, error) {
			x, err := p.judged(ctx, a, append(usersOf(a), at.Partition)...)
			if err != nil {
				return nil, err
			}
			v, err := (&visible.Reader{Reader: x}).Who(ctx, at, skip, limit)
			if err == nil && proofs != "" {
				err = p.proveAll(c, a, proofs, stepsOf(v))
			}
			return viewers{v}, err
		}, func(ctx context.Context, client *console.Client) (shown, error) {
			v := &visible.Viewers{}
			err := client.Get(ctx, "/api/audit/who/"+at.String(), url.Values{"skip": {strconv.Itoa(skip)}, "limit": {strconv.Itoa(limit)}}, v)
			if err == nil && proofs != "" {
				err = askProofs(ctx, client, proofs, stepsOf(v))
			}
			return viewers{v}, err
		})
	}
	return c
}

// usersOf are the partitions that tell of names and read marks.
func usersOf(a kafka.AtRest) []events.Partition {
	return slices.DeleteFunc(a.Layout().Partitions(), func(p events.Partition) bool { return p.Topic != events.Users })
}

// stepsOf are the positions of all events that an answer rests on.
func stepsOf(v *visible.Viewers) []events.Position {
	ps := []events.Position{v.Event.Position}
	for _, one := range v.Viewers {
		ps = append(ps, one.Since.Position)
		if one.Until != nil {
			ps = append(ps, one.Until.Position)
		}
	}
	return ps
}

// proveAll writes a proof of each event to a directory, POSITION.tlog-proof.
func (p *program) proveAll(c *cobra.Command, a kafka.AtRest, dir string, at []events.Position) error {
	cfg, _, err := load(c)
	if err != nil {
		return err
	}
	key, err := auditorsKey(cfg)
	if err != nil {
		return err
	}
	offsets := map[events.Partition][]int64{}
	for _, at := range at {
		if !slices.Contains(offsets[at.Partition], at.Offset) {
			offsets[at.Partition] = append(offsets[at.Partition], at.Offset)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for part, offsets := range offsets {
		if err := p.provePart(c.Context(), a, key, part, offsets, dir); err != nil {
			return err
		}
	}
	return nil
}

// provePart reads a partition once and writes the proofs of some of its records.
func (p *program) provePart(ctx context.Context, a kafka.AtRest, key merkle.Key, part events.Partition, offsets []int64, dir string) error {
	size := a.Archive.Records[part]
	prover, err := merkle.NewProver(size, offsets, nil)
	if err != nil {
		return err
	}
	records := map[int64][]byte{}
	err = p.leaves(ctx, a.Archive, part, size, func(offset int64, r events.Record) {
		prover.Append(events.LeafHash(r))
		if slices.Contains(offsets, offset) {
			records[offset] = events.AppendRecord(nil, r)
		}
	})
	if err != nil {
		return err
	}
	signed, err := merkle.Sign(merkle.Checkpoint{Origin: merkle.Origin(a.LogID, part), Size: size, Root: prover.Root()}, key)
	if err != nil {
		return err
	}
	for _, o := range offsets {
		path, err := prover.Inclusion(o)
		if err != nil {
			return err
		}
		text, err := (&merkle.Inclusion{Record: records[o], Offset: o, Path: path, Checkpoint: signed}).MarshalText()
		if err != nil {
			return err
		}
		name := events.Position{Partition: part, Offset: o}.String() + ".tlog-proof"
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// sealPatience is how long a proof is waited for, while what it is of is sealed.
const sealPatience = time.Minute

// askProofs has the running server prove each event.
func askProofs(ctx context.Context, client *console.Client, dir string, at []events.Position) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	slices.SortFunc(at, func(a, b events.Position) int { return strings.Compare(a.String(), b.String()) })
	began := time.Now()
	for _, at := range slices.Compact(at) {
		var made struct{ Proof string }
		for {
			err := client.Get(ctx, "/api/audit/prove/"+at.String(), nil, &made)
			var refused *console.Error
			if err == nil {
				break
			}
			if !errors.As(err, &refused) || refused.Reason != console.Conflict || time.Since(began) > sealPatience {
				return err
			}
			select {
			case <-time.After(time.Second / 2):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := os.WriteFile(filepath.Join(dir, at.String()+".tlog-proof"), []byte(made.Proof), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// viewers is who could see, as it is printed.
type viewers struct{ *visible.Viewers }

func (v viewers) show(to io.Writer) error {
	line(to, v.Event)
	if v.Nobody != "" {
		_, err := fmt.Fprintf(to, "nobody could see it: %s\n", v.Nobody)
		return err
	}
	fmt.Fprintf(to, "%d could see it\n", v.Total)
	for _, one := range v.Viewers.Viewers {
		read := ""
		switch {
		case one.Sender:
			read = "  sent it"
		case one.Read != nil && *one.Read:
			read = "  read up to " + one.Mark.String()
		case one.Read != nil:
			read = "  not read"
		}
		fmt.Fprintf(to, "%s  since %s%s%s\n", named(one.User, one.Name), one.Since, until(one.Until), read)
	}
	if left := v.Total - v.Skipped - len(v.Viewers.Viewers); left > 0 {
		fmt.Fprintf(to, "%d more: --skip %d\n", left, v.Skipped+len(v.Viewers.Viewers))
	}
	return nil
}

func named(user, name string) string {
	if name == "" || name == user {
		return user
	}
	return user + " (" + strings.ReplaceAll(name, "\n", " ") + ")"
}

func until(s *visible.Step) string {
	if s == nil {
		return ""
	}
	return ", until " + s.String()
}
