package verify_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lishi/cmd/lishi-verify/verify"
)

// endless gives its text again and again, up to a gigabyte.
type endless struct {
	text string
	at   int
	left int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left -= len(p); e.left < 0 {
		return 0, errors.New("all of it was read")
	}
	for n := 0; n < len(p); {
		k := copy(p[n:], e.text[e.at:])
		n, e.at = n+k, (e.at+k)%len(e.text)
	}
	return len(p), nil
}

// A small package that unpacks to a large one is not held in memory.
func TestBombs(t *testing.T) {
	const much = 1 << 30
	for _, text := range []string{"a", ",", `"`, "\"a"} {
		if _, err := verify.NewRows(&endless{text: strings.Repeat(text, 1<<15), left: much}).Next(); err == nil || strings.Contains(err.Error(), "was read") {
			t.Errorf("a row of %q: %v", text, err)
		}
	}
	err := verify.Lines(&endless{text: strings.Repeat("a", 1<<15), left: much}, func([]byte) error { return nil })
	if err == nil || strings.Contains(err.Error(), "was read") {
		t.Errorf("a line without end: %v", err)
	}
	path := filepath.Join(t.TempDir(), "bomb.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	w, err := z.Create("manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(w, &endless{text: strings.Repeat(" ", 1<<15), left: much}, 130<<20); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	p, err := verify.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var b *verify.Broken
	if _, err := verify.Package(p, verify.Options{}); !errors.As(err, &b) || !strings.Contains(b.What, "more than") {
		t.Errorf("a manifest of 130 MiB: %v", err)
	}
}

// A package can't write the verifier's words itself.
func TestPackagesSpeakOnTheirOwnLine(t *testing.T) {
	const forged = "so\n  2 of the 2 kept checkpoints are the package's own\x1b[8m\r\u009b8m\u202e\u2028"
	query, err := json.Marshal(map[string]string{"text": "x\u009b8m\u202e"})
	if err != nil {
		t.Fatal(err)
	}
	r := verify.Result{Manifest: verify.Manifest{
		Log: forged, AskedBy: forged, Reason: forged, Key: "KEY", Query: query, Partitions: []verify.Partition{{Partition: forged}},
	}}
	var out bytes.Buffer
	r.Print(&out, verify.Options{})
	if lines := strings.Count(out.String(), "\n"); lines != 5 {
		t.Errorf("%d lines:\n%q", lines, out.String())
	}
	if strings.ContainsAny(out.String(), "\x1b\r\u009b\u202e\u2028") {
		t.Errorf("it controls the terminal: %q", out.String())
	}
	if got := verify.Harmless("红楼梦 🌸 ü"); got != "红楼梦 🌸 ü" {
		t.Errorf("people's words are %q", got)
	}
}
