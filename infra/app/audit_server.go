package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"lishi/events"
	"lishi/events/merkle"
	"lishi/infra/broker"
	"lishi/infra/console"
	"lishi/infra/seals"
)

// orOfServer gives what was made of the log at rest or, where a server runs on it
// or --console names one, has that answer; the proof is written either way.
func (p *program) orOfServer(c *cobra.Command, out string, atRest func() error, ofServer func(ctx context.Context, client *console.Client) (proof string, err error)) error {
	return p.orAsk(c, atRest, func(ctx context.Context, client *console.Client) error {
		text, err := ofServer(ctx, client)
		if err != nil {
			return err
		}
		return p.proof(out, []byte(text))
	})
}

// orAsk works on the log at rest or, where a server runs on it or --console names
// one, with that.
func (p *program) orAsk(c *cobra.Command, atRest func() error, ask func(ctx context.Context, client *console.Client) error) error {
	var inUse error
	if !c.Flags().Changed("console") {
		if inUse = atRest(); !errors.Is(inUse, broker.ErrInUse) {
			return inUse
		}
	}
	cfg, _, err := load(c)
	if err != nil {
		return err
	}
	client, err := p.ask(c, cfg, console.Admin)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.err, "from the server at %s\n", client.Base)
	err = ask(c.Context(), client)
	if errors.Is(err, console.ErrSilent) && inUse != nil {
		return fmt.Errorf("%w, and %w", inUse, err)
	}
	return misused(err)
}

// publishedHeads are the newest checkpoints that a server has signed, of the
// partitions named or of all.
func publishedHeads(ctx context.Context, client *console.Client, named []string) ([]signedHead, error) {
	var answer struct{ Checkpoints []signedHead }
	if err := client.Get(ctx, "/api/audit/checkpoints", nil, &answer); err != nil || len(named) == 0 {
		return answer.Checkpoints, err
	}
	var heads []signedHead
	for _, name := range named {
		at := slices.IndexFunc(answer.Checkpoints, func(h signedHead) bool { return h.Partition == name })
		if at < 0 {
			return nil, usageError{fmt.Errorf("the log has no partition %q", name)}
		}
		heads = append(heads, answer.Checkpoints[at])
	}
	return heads, nil
}

func (p *program) proof(out string, text []byte) error {
	if out != "" {
		return os.WriteFile(out, text, 0o644)
	}
	_, err := p.out.Write(text)
	return err
}

// provedByServer is the proof that a server makes of an event.
func provedByServer(ctx context.Context, client *console.Client, at events.Position) (string, error) {
	var answer struct{ Proof string }
	err := client.Get(ctx, "/api/audit/prove/"+at.String(), nil, &answer)
	return answer.Proof, err
}

// continuedByServer is the proof that a server's log continues a checkpoint; size
// is that of the newer one, 0: the newest.
func continuedByServer(ctx context.Context, client *console.Client, path string, size int64) (string, error) {
	old, err := unopened(path)
	if err != nil {
		return "", err
	}
	_, part, err := merkle.ParseOrigin(old.Origin)
	if err != nil {
		return "", &Finding{fmt.Sprintf("%s: %v", path, err)}
	}
	var answer struct{ Proof string }
	err = client.Get(ctx, "/api/audit/consistency", url.Values{
		"partition": {part.String()}, "old": {strconv.FormatInt(old.Size, 10)}, "size": {strconv.FormatInt(size, 10)},
	}, &answer)
	if err != nil {
		return "", err
	}
	var co merkle.Consistency
	if err := co.UnmarshalText([]byte(answer.Proof)); err != nil {
		return "", err
	}
	for now := range seals.Notes(append(co.Checkpoint, '\n')) {
		if err := co.Verify(old, now.Checkpoint); err != nil {
			return "", &Finding{err.Error()}
		}
		return answer.Proof, nil
	}
	return "", fmt.Errorf("the server's proof ends with no checkpoint")
}

// unopened reads a checkpoint's file; who signed it is left to who verifies.
func unopened(path string) (merkle.Checkpoint, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return merkle.Checkpoint{}, err
	}
	for e := range seals.Notes(append(text, '\n')) {
		return e.Checkpoint, nil
	}
	return merkle.Checkpoint{}, &Finding{path + " is no checkpoint"}
}
