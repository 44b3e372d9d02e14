package witness

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"lishi/events"
	"lishi/events/merkle"
)

const origin1 = "lishi.log/7c2f/c3"

func key(b byte) merkle.Key {
	k, err := merkle.NewKey(bytes.Repeat([]byte{b}, ed25519.SeedSize))
	if err != nil {
		panic(err)
	}
	return k
}

// history is a tree with the head of each size; another with another salt from
// some record on.
type history struct {
	hashes []events.Hash
	heads  []merkle.Checkpoint
}

func newHistory(n, from int) *history {
	h := &history{}
	var tree merkle.Tree
	h.heads = append(h.heads, merkle.Checkpoint{Origin: origin1, Root: tree.Root()})
	for i := range n {
		salt := ""
		if i >= from {
			salt = "x"
		}
		h.hashes = tree.Append(h.hashes, events.LeafHash(events.Record{Value: fmt.Append(nil, i, salt)}))
		h.heads = append(h.heads, merkle.Checkpoint{Origin: origin1, Size: tree.Size(), Root: tree.Root()})
	}
	return h
}

func (h *history) ReadHashes(at []int64) (out []tlog.Hash, err error) {
	for _, i := range at {
		out = append(out, tlog.Hash(h.hashes[i]))
	}
	return out, nil
}

func (h *history) prove(old, now merkle.Checkpoint) ([]events.Hash, error) {
	return merkle.ProveConsistency(now.Size, old.Size, h)
}

func (h *history) sign(t *testing.T, size int, k merkle.Key) []byte {
	t.Helper()
	signed, err := merkle.Sign(h.heads[size], k)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func open(t *testing.T, path string) *Memory {
	t.Helper()
	m, err := Open(path, key(1).Public())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func alarmOf(err error) Kind {
	var a *Alarm
	if errors.As(err, &a) {
		return a.Kind
	}
	return ""
}

// What contradicts the last checkpoint seen is an alarm, also after a restart.
func TestAWitnessRemembers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	h, forked := newHistory(40, 99), newHistory(40, 5)
	m := open(t, path)
	for _, size := range []int{3, 3, 17, 20} {
		if _, err := m.See(h.sign(t, size, key(1)), h.prove); err != nil {
			t.Fatal(err)
		}
	}
	m = open(t, path)
	for name, tc := range map[string]struct {
		signed []byte
		prove  Proof
		kind   Kind
	}{
		"another root of the same size": {forked.sign(t, 20, key(1)), forked.prove, Fork},
		"a longer fork":                 {forked.sign(t, 30, key(1)), forked.prove, Fork},
		"a fork with the true proof":    {forked.sign(t, 30, key(1)), h.prove, Fork},
		"another's key":                 {h.sign(t, 30, key(2)), h.prove, WrongKey},
		"a re-signed tree":              {forked.sign(t, 30, key(2)), forked.prove, WrongKey},
		"nothing":                       {nil, h.prove, WrongKey},
	} {
		if _, err := m.See(tc.signed, tc.prove); alarmOf(err) != tc.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	var behind *Behind
	c, err := m.See(h.sign(t, 19, key(1)), h.prove)
	if !errors.As(err, &behind) || behind.Size != 20 {
		t.Errorf("fewer records: %v", err)
	}
	if a := m.RolledBack(origin1, behind.Size, c.Size, nil); a.Kind != Rollback || !strings.Contains(a.Text, "were 20 records, and now there are 19") {
		t.Error(a)
	}
	// Nothing of that was believed, and all of it is kept as evidence.
	if size, _ := m.Size(origin1); size != 20 {
		t.Errorf("it remembers %d", size)
	}
	if b, err := os.ReadFile(path + ".alarms"); err != nil || bytes.Count(b, []byte("\n")) != 7 {
		t.Errorf("%s %v", b, err)
	}
	if _, err := m.See(h.sign(t, 40, key(1)), h.prove); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, key(1).Public()); err == nil {
		t.Error("a file that can't be read is passed over")
	}
	if _, err := Open(path + "2"); err == nil {
		t.Error("it trusts nobody")
	}
}

func TestStandingStill(t *testing.T) {
	h := newHistory(20, 99)
	m := open(t, filepath.Join(t.TempDir(), "state"))
	now := time.Now()
	m.now = func() time.Time { return now }
	if _, err := m.See(h.sign(t, 10, key(1)), h.prove); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	if as := m.Overdue(time.Second, time.Hour); len(as) != 0 {
		t.Errorf("%v", as)
	}
	if err := m.Late(origin1); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	if as := m.Overdue(30*time.Second, 0); len(as) != 1 || as[0].Kind != Rollback {
		t.Errorf("%v", as)
	}
	now = now.Add(2 * time.Hour)
	if as := m.Overdue(time.Minute, time.Hour); len(as) != 1 || as[0].Kind != Still {
		t.Errorf("%v", as)
	}
	if as := m.Overdue(time.Minute, time.Hour); len(as) != 0 {
		t.Errorf("told again: %v", as)
	}
	if _, err := m.See(h.sign(t, 20, key(1)), h.prove); err != nil || len(m.Overdue(time.Minute, time.Hour)) != 0 {
		t.Errorf("%v", err)
	}
}

func TestAWitnessFollowsKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	h := newHistory(20, 99)
	m := open(t, path)
	change, err := merkle.SignChange(merkle.Change{LogID: "7c2f", Number: 1, Sizes: map[events.Partition]int64{{Topic: events.Conversations, Number: 3}: 10}}, key(1), key(2))
	if err != nil {
		t.Fatal(err)
	}
	stranger, _ := merkle.SignChange(merkle.Change{LogID: "7c2f", Number: 1}, key(7), key(8))
	if err := m.Follow(stranger); alarmOf(err) != WrongKey {
		t.Errorf("%v", err)
	}
	for range 2 {
		if err := m.Follow(change); err != nil {
			t.Fatal(err)
		}
	}
	m = open(t, path)
	if _, err := m.See(h.sign(t, 12, key(2)), h.prove); err != nil {
		t.Error(err)
	}
	if _, err := m.See(h.sign(t, 13, key(1)), h.prove); alarmOf(err) != WrongKey {
		t.Errorf("a key that handed over still signs: %v", err)
	}
}

// The HTTP side is C2SP's tlog-witness, and its signature other people's tools read.
func TestAddCheckpoint(t *testing.T) {
	h, forked := newHistory(40, 99), newHistory(40, 5)
	var alarms []*Alarm
	s, err := NewServer(open(t, filepath.Join(t.TempDir(), "state")), "witness.example/w1", bytes.Repeat([]byte{9}, 32), func(a *Alarm) { alarms = append(alarms, a) })
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	defer web.Close()
	post := func(old int64, path []events.Hash, signed []byte) (int, string, string) {
		t.Helper()
		var b bytes.Buffer
		fmt.Fprintf(&b, "old %d\n", old)
		for _, x := range path {
			b.WriteString(base64.StdEncoding.EncodeToString(x[:]) + "\n")
		}
		b.WriteString("\n")
		b.Write(signed)
		res, err := http.Post(web.URL+"/add-checkpoint", "", &b)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return res.StatusCode, res.Header.Get("Content-Type"), string(text)
	}
	path := func(h *history, old, size int) []events.Hash {
		p, err := merkle.ProveConsistency(int64(size), int64(old), h)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	verifier, err := torchwood.NewCosignatureVerifier(s.Key())
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{7, 7, 25} {
		old, _ := s.memory.Size(origin1)
		status, _, answer := post(old, path(h, int(old), size), h.sign(t, size, key(1)))
		if status != 200 {
			t.Fatalf("%d: %d %s", size, status, answer)
		}
		signed := append(h.sign(t, size, key(1)), answer...)
		if n, err := note.Open(signed, note.VerifierList(verifier)); err != nil || len(n.Sigs) != 1 {
			t.Errorf("the cosignature: %v", err)
		}
	}
	for name, tc := range map[string]struct {
		old    int64
		path   []events.Hash
		signed []byte
		status int
		kind   string
		answer string
	}{
		"from another size": {7, path(h, 7, 30), h.sign(t, 30, key(1)), 409, "text/x.tlog.size", "25\n"},
		"rolled back":       {7, path(h, 7, 20), h.sign(t, 20, key(1)), 409, "text/x.tlog.size", "25\n"},
		"old too great":     {35, nil, h.sign(t, 30, key(1)), 400, "", ""},
		"a fork":            {25, path(forked, 25, 30), forked.sign(t, 30, key(1)), 422, "", ""},
		"same size":         {25, nil, forked.sign(t, 25, key(1)), 422, "", ""},
		"no proof":          {25, nil, h.sign(t, 30, key(1)), 422, "", ""},
		"wrong key":         {25, path(h, 25, 30), h.sign(t, 30, key(2)), 403, "", ""},
		"nothing":           {25, nil, nil, 403, "", ""},
	} {
		status, kind, answer := post(tc.old, tc.path, tc.signed)
		if status != tc.status || !strings.HasPrefix(kind, tc.kind) || tc.answer != "" && answer != tc.answer {
			t.Errorf("%s: %d %s %s", name, status, kind, answer)
		}
	}
	if len(alarms) != 5 {
		t.Errorf("%v", alarms)
	}
	if res, err := http.Post(web.URL+"/add-checkpoint", "", strings.NewReader("new 7\n\nx")); err != nil || res.StatusCode != 400 {
		t.Errorf("%v %v", res, err)
	}
	res, err := http.Get(web.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := io.ReadAll(res.Body); !strings.Contains(string(text), origin1) || !strings.Contains(string(text), s.Key()) {
		t.Errorf("%s", text)
	}
	if size, _ := s.memory.Size(origin1); size != 25 {
		t.Errorf("it remembers %d", size)
	}
}

func FuzzSubmission(f *testing.F) {
	f.Add([]byte("old 3\nXOJ8sMkfctCmVQ+lMfHMMUUtIqVAFyt6LN6N7rroFH4=\n\nx\n3\n"))
	f.Add([]byte("old 0\n\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		old, path, signed, err := parseSubmission(body)
		if err == nil && (old < 0 || len(path) > 63 || !bytes.HasSuffix(body, signed)) {
			t.Fatal(old, path, signed)
		}
	})
}
