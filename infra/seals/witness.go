package seals

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"lishi/events"
	"lishi/events/merkle"
)

// Heartbeat is how often a witness is sent a checkpoint that it has already, so
// that it knows a log in which nothing happens from one that is gone.
const Heartbeat = time.Minute

// witness sends checkpoints to somebody outside who remembers them (C2SP
// tlog-witness: POST add-checkpoint). It goes at its own pace.
type witness struct {
	s      *Sealer
	url    string
	client *http.Client
	beat   time.Duration

	mu       sync.Mutex
	acks     map[string]Ack // by partition
	told     int            // changes of the key that were sent
	failures int64
	failed   string
}

// Ack is what a witness has acknowledged.
type Ack struct {
	Size int64     `json:"size"`
	When time.Time `json:"when"`
	// Cosignatures are the lines that it answered: signatures of its own under
	// the checkpoint (C2SP tlog-cosignature), if it makes any.
	Cosignatures string `json:"cosignatures,omitempty"`
}

func newWitness(s *Sealer, url string) *witness {
	w := &witness{s: s, url: strings.TrimSuffix(url, "/"), client: &http.Client{Timeout: 10 * time.Second}, beat: Heartbeat, acks: map[string]Ack{}}
	all := map[string]map[string]Ack{}
	if b, err := os.ReadFile(s.witnessFile()); err == nil && json.Unmarshal(b, &all) == nil && all[w.url] != nil {
		w.acks = all[w.url]
	}
	return w
}

func (s *Sealer) witnessFile() string { return filepath.Join(s.dir, "witnesses.json") }

func (w *witness) run(ctx context.Context) {
	pause := w.s.o.Look
	for {
		sent, err := w.send(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			w.mu.Lock()
			w.failures++
			if w.failed == "" {
				w.s.o.Logger.Warn("a witness does not take checkpoints", "witness", w.url, "error", err)
			}
			w.failed = err.Error()
			w.mu.Unlock()
			pause = min(2*pause, 30*time.Second)
		default:
			w.mu.Lock()
			if w.failed != "" {
				w.s.o.Logger.Info("a witness takes checkpoints again", "witness", w.url)
			}
			w.failed = ""
			w.mu.Unlock()
			pause = w.s.o.Look
		}
		if sent > 0 {
			w.s.keepWitnesses()
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// send brings the witness up to date.
func (w *witness) send(ctx context.Context) (sent int, err error) {
	if err := w.sendChanges(ctx); err != nil {
		return 0, err
	}
	var errs []error
	for _, p := range w.s.order {
		part := w.s.parts[p]
		part.mu.RLock()
		last := part.chain.last
		part.mu.RUnlock()
		w.mu.Lock()
		ack := w.acks[p.String()]
		w.mu.Unlock()
		if last.Size == 0 || !w.s.signs(p) || last.Size <= ack.Size && time.Since(ack.When) < w.beat {
			continue
		}
		cosigned, err := w.sendCheckpoint(ctx, part, last, min(ack.Size, last.Size))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p, err))
			continue
		}
		sent++
		w.mu.Lock()
		w.acks[p.String()] = Ack{last.Size, time.Now().UTC().Truncate(time.Millisecond), cosigned}
		w.mu.Unlock()
	}
	return sent, errors.Join(errs...)
}

// sendCheckpoint submits a checkpoint. A witness that has another size than we
// thought says so, and is sent the proof from there.
func (w *witness) sendCheckpoint(ctx context.Context, part *part, e Entry, old int64) (cosigned string, err error) {
	for range 2 {
		var path []events.Hash
		if path, err = merkle.ProveConsistency(e.Size, old, part.hashes); err != nil {
			return "", err
		}
		var b bytes.Buffer
		fmt.Fprintf(&b, "old %d\n", old)
		for i := range path {
			b.WriteString(base64.StdEncoding.EncodeToString(path[i][:]) + "\n")
		}
		b.WriteString("\n")
		b.Write(e.Signed)
		status, kind, answer, err := w.post(ctx, "add-checkpoint", b.Bytes())
		if err != nil {
			return "", err
		}
		switch {
		case status == http.StatusOK || status == http.StatusNoContent || status == http.StatusAccepted:
			return answer, nil
		case status == http.StatusConflict && strings.HasPrefix(kind, "text/x.tlog.size"):
			size, err := strconv.ParseInt(strings.TrimSpace(answer), 10, 64)
			if err != nil || size < 0 {
				return "", fmt.Errorf("the witness names a size that is none: %.60q", answer)
			}
			if size > e.Size { // another node may have sealed more by now
				ends, err := w.s.log.Ends(ctx)
				if err != nil {
					return "", err
				}
				if end := ends[part.p] + 1; size > end {
					w.s.contradicted(part.p, fmt.Sprintf("witness %s has a checkpoint of %d records, and the log has %d: it was rolled back", w.url, size, end))
				}
			}
			if size > e.Size {
				return "", fmt.Errorf("the witness has %d records already, this checkpoint %d", size, e.Size)
			}
			if size == old {
				return "", fmt.Errorf("the witness refuses to go on from %d records: %.200s", size, answer)
			}
			old = size
		case status == http.StatusUnprocessableEntity || status == http.StatusConflict:
			w.s.contradicted(part.p, fmt.Sprintf("witness %s has seen another history of this log: %.200s", w.url, answer))
			return "", fmt.Errorf("it has seen another history: %.200s", answer)
		default:
			return "", fmt.Errorf("it answers %d: %.200s", status, answer)
		}
	}
	return "", errors.New("the witness changes its mind about the size it has")
}

// sendChanges tells witnesses of changes of the key. Only lishi's take them; of
// others the keys are configured.
func (w *witness) sendChanges(ctx context.Context) error {
	changes, err := ReadChanges(KeysFile(w.s.dir))
	if err != nil {
		return err
	}
	for _, c := range changes[min(w.told, len(changes)):] {
		status, _, answer, err := w.post(ctx, "add-key", c)
		if err != nil {
			return err
		}
		if status == http.StatusForbidden || status == http.StatusUnprocessableEntity {
			return fmt.Errorf("it does not follow a change of the key: %d: %.200s", status, answer)
		}
		w.told++
	}
	return nil
}

func (w *witness) post(ctx context.Context, what string, body []byte) (status int, kind, answer string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/"+what, bytes.NewReader(body))
	if err != nil {
		return 0, "", "", err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	res, err := w.client.Do(req)
	if err != nil {
		return 0, "", "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 16<<10))
	return res.StatusCode, res.Header.Get("Content-Type"), string(b), err
}

// keepWitnesses remembers what was acknowledged, for the next start's status.
func (s *Sealer) keepWitnesses() {
	all := map[string]map[string]Ack{}
	for _, w := range s.witnesses {
		w.mu.Lock()
		all[w.url] = map[string]Ack{}
		for p, a := range w.acks {
			all[w.url][p] = a
		}
		w.mu.Unlock()
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err == nil {
		s.keep.Lock()
		err = replaceFile(s.witnessFile(), append(b, '\n'))
		s.keep.Unlock()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.o.Logger.Warn("what witnesses acknowledged is not kept", "error", err)
	}
}
