package witness

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"

	"lishi/events"
	"lishi/events/merkle"
)

// Server takes checkpoints over HTTP (C2SP tlog-witness): POST /add-checkpoint,
// and POST /add-key with the note by which one key hands over to another. GET /
// tells what is remembered.
type Server struct {
	memory *Memory
	signer *torchwood.CosignatureSigner
	alarm  func(*Alarm)
	mux    *http.ServeMux
}

// NewServer makes a server that signs under what it has seen (C2SP
// tlog-cosignature) with a key under a name, and tells alarm of contradictions.
func NewServer(m *Memory, name string, seed []byte, alarm func(*Alarm)) (*Server, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("witness: a key's seed has %d bytes, not %d", ed25519.SeedSize, len(seed))
	}
	signer, err := torchwood.NewCosignatureSigner(name, ed25519.NewKeyFromSeed(seed))
	if err != nil {
		return nil, fmt.Errorf("witness: name %q: %w", name, err)
	}
	s := &Server{memory: m, signer: signer, alarm: alarm, mux: http.NewServeMux()}
	s.mux.HandleFunc("POST /add-checkpoint", s.addCheckpoint)
	s.mux.HandleFunc("POST /add-key", s.addKey)
	s.mux.HandleFunc("GET /{$}", s.show)
	return s, nil
}

// Key is what others verify the cosignatures with (a note verifier key).
func (s *Server) Key() string { return s.signer.Verifier().String() }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	s.mux.ServeHTTP(w, r)
}

func (s *Server) addCheckpoint(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	old, path, signed, err := parseSubmission(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c, err := s.memory.Opens(signed)
	if err == nil && old > c.Size {
		http.Error(w, "old is more than the checkpoint's size", http.StatusBadRequest)
		return
	}
	if size, known := s.memory.Size(c.Origin); err == nil && size != old {
		if known && c.Size < size {
			if err := s.memory.Late(c.Origin); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		conflict(w, size)
		return
	}
	c, err = s.memory.See(signed, func(_, _ merkle.Checkpoint) ([]events.Hash, error) { return path, nil })
	var alarm *Alarm
	var behind *Behind
	switch {
	case errors.As(err, &alarm):
		s.alarm(alarm)
		status := http.StatusUnprocessableEntity
		if alarm.Kind == WrongKey {
			status = http.StatusForbidden
		}
		http.Error(w, alarm.Error(), status)
	case errors.As(err, &behind): // another submission was faster
		conflict(w, behind.Size)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		s.cosign(w, c)
	}
}

func conflict(w http.ResponseWriter, size int64) {
	w.Header().Set("Content-Type", "text/x.tlog.size")
	w.WriteHeader(http.StatusConflict)
	fmt.Fprintf(w, "%d\n", size)
}

// cosign answers with the signature line, and nothing else.
func (s *Server) cosign(w http.ResponseWriter, c merkle.Checkpoint) {
	signed, err := note.Sign(&note.Note{Text: c.String()}, s.signer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write(signed[len(c.String())+1:])
}

// parseSubmission reads "old N", the hashes of the proof, an empty line and the
// checkpoint.
func parseSubmission(body []byte) (old int64, path []events.Hash, signed []byte, err error) {
	head, signed, ok := bytes.Cut(body, []byte("\n\n"))
	if !ok {
		return 0, nil, nil, errors.New("no empty line before a checkpoint")
	}
	lines := bufio.NewScanner(bytes.NewReader(head))
	lines.Scan()
	text, ok := strings.CutPrefix(lines.Text(), "old ")
	if old, err = strconv.ParseInt(text, 10, 64); !ok || err != nil || old < 0 {
		return 0, nil, nil, errors.New("the first line is not old and a size")
	}
	for lines.Scan() {
		b, err := base64.StdEncoding.Strict().DecodeString(lines.Text())
		if err != nil || len(b) != len(events.Hash{}) || len(path) == 63 {
			return 0, nil, nil, errors.New("a line of the proof is not a hash, or there are too many")
		}
		path = append(path, events.Hash(b))
	}
	return old, path, signed, nil
}

func (s *Server) addKey(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = s.memory.Follow(body)
	}
	var alarm *Alarm
	switch {
	case errors.As(err, &alarm):
		s.alarm(alarm)
		http.Error(w, alarm.Error(), http.StatusForbidden)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (s *Server) show(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	e.Encode(map[string]any{"key": s.Key(), "heads": s.memory.Heads()})
}
