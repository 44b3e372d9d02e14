package exports

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"lishi/cmd/lishi-verify/verify"
	"lishi/events"
	"lishi/events/merkle"
)

// forgery is a package in memory, to be broken.
type forgery map[string]string

// replace changes a text that stands in a file once, or the first time.
func (f forgery) replace(t *testing.T, name, old, with string) {
	t.Helper()
	if !strings.Contains(f[name], old) {
		t.Fatalf("%s does not have %q", name, old)
	}
	f[name] = strings.Replace(f[name], old, with, 1)
}

// flip changes one bit in the middle of a file.
func (f forgery) flip(name string) { f.flipAt(name, len(f[name])/2) }

func (f forgery) flipAt(name string, at int) {
	b := []byte(f[name])
	b[at] ^= 1
	f[name] = string(b)
}

// line changes a line of a file, counted from 0; nil removes it.
func (f forgery) line(name string, n int, change func(string) string) {
	lines := strings.SplitAfter(f[name], "\n")
	if change == nil {
		lines = slices.Delete(lines, n, n+1)
	} else {
		lines[n] = change(lines[n])
	}
	f[name] = strings.Join(lines, "")
}

// resign is what somebody can do who has the key: every hash fits, and the
// manifest says what change makes of it.
func (f forgery) resign(t *testing.T, key merkle.Key, change func(m *verify.Manifest)) {
	t.Helper()
	var m verify.Manifest
	if err := json.Unmarshal([]byte(f["manifest.json"]), &m); err != nil {
		t.Fatal(err)
	}
	m.Files = nil
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if name != "manifest.json" && name != "manifest.sig" {
			sum := sha256.Sum256([]byte(f[name]))
			m.Files = append(m.Files, verify.File{Name: name, Size: int64(len(f[name])), SHA256: hex.EncodeToString(sum[:])})
		}
	}
	m.Key = base64.RawURLEncoding.EncodeToString(key.Public())
	if change != nil {
		change(&m)
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	f.sign(t, key, m.Log, string(text)+"\n")
}

// write signs the manifest with a piece of its text replaced.
func (f forgery) write(t *testing.T, old, with string) {
	t.Helper()
	f.replace(t, "manifest.json", old, with)
	f.sign(t, testKey(7), "7c2f", f["manifest.json"])
}

// sign makes a text the manifest.
func (f forgery) sign(t *testing.T, key merkle.Key, log, text string) {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	signed, err := merkle.SignText("lishi.package/"+log, verify.Format+"\n"+log+"\n"+base64.StdEncoding.EncodeToString(sum[:])+"\n", key)
	if err != nil {
		t.Fatal(err)
	}
	f["manifest.json"], f["manifest.sig"] = text, string(signed)
}

// altered makes a record say something else, in every place where it stands.
func altered(t *testing.T, line, old, with string) string {
	t.Helper()
	var says struct{ LishiPosition, LishiRecord string }
	if err := json.Unmarshal([]byte(line), &says); err != nil {
		t.Fatal(err)
	}
	raw, _ := base64.StdEncoding.DecodeString(says.LishiRecord)
	if !bytes.Contains(raw, []byte(old)) || len(old) != len(with) {
		t.Fatalf("%s does not have %q", line, old)
	}
	r, err := verify.ParseRecord(bytes.ReplaceAll(raw, []byte(old), []byte(with)))
	if err != nil {
		t.Fatal(err)
	}
	return string(verify.AppendLine(nil, says.LishiPosition, r)) + "\n"
}

// rowOf is the row of messages.csv of an event.
func (f forgery) rowOf(t *testing.T, line string) string {
	t.Helper()
	var says struct{ LishiPosition string }
	if err := json.Unmarshal([]byte(line), &says); err != nil {
		t.Fatal(err)
	}
	for _, row := range strings.SplitAfter(f["messages.csv"], "\r\n") {
		if strings.HasPrefix(row, says.LishiPosition+",") {
			return row
		}
	}
	t.Fatalf("no row of %s", says.LishiPosition)
	return ""
}

func (f forgery) zip(t *testing.T, path string) {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, f[name])
	}
	if err := errors.Join(z.Close(), os.WriteFile(path, b.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func unzip(t *testing.T, path string) forgery {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatalf("%v (go test ./infra/exports -run TestCorpus -update makes it)", err)
	}
	defer z.Close()
	f := forgery{}
	for _, entry := range z.File {
		r, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		f[entry.Name] = string(b)
	}
	return f
}

// What the log holds and does not count, also a revision that nobody could
// decide on, hinders no export, and is not counted among those that follow one
// another.
func TestChainsOfWhatDoesNotCount(t *testing.T) {
	w := chat(t)
	valid := w.heads[group]
	late, far := valid, valid
	late.Revision, far.Revision = valid.Revision-1, valid.Revision+7
	w.heads[group] = late
	w.say(group, "dave", events.GroupJoined{GroupName: "研发"}) // revision of the last, which it names
	spoken := w.heads[group]
	w.say(group, "dave", events.GroupMemberQuit{GroupName: "研发"}) // on that
	w.heads[group] = far
	w.say(group, "dave", events.GroupJoined{GroupName: "研发"})
	w.heads[group] = valid
	w.say(group, "dave", events.GroupJoined{GroupName: "研发"})
	if spoken.Revision != valid.Revision {
		t.Fatal(spoken.Revision)
	}
	dir := w.export(t, Query{Conversations: []string{group.Key()}})
	f, err := verify.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if r, err := verify.Package(f, verify.Options{}); err != nil || r.Chained != 5 {
		t.Errorf("%d follow one another: %v", r.Chained, err)
	}
	if code := pageCodes(t, "", dir)[0]; code != "" {
		t.Error(code)
	}
}
