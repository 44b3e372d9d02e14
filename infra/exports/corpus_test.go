package exports

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lishi/cmd/lishi-verify/verify"
	"lishi/events/merkle"
)

var update = flag.Bool("update", false, "write testdata anew")

// broken are packages that don't hold, with the word for what is wrong.
var broken = []struct {
	name, code string
	do         func(t *testing.T, f forgery)
}{
	{"bit-manifest", "signature", func(_ *testing.T, f forgery) { f.flipAt("manifest.json", strings.Index(f["manifest.json"], "case 17")) }},
	{"bit-manifest-form", "manifest", func(_ *testing.T, f forgery) { f.flipAt("manifest.json", 0) }},
	{"bit-signature", "signature", func(_ *testing.T, f forgery) { f.flip("manifest.sig") }},
	{"bit-signed-text", "signature", func(_ *testing.T, f forgery) { f.flipAt("manifest.sig", 3) }},
	{"bit-events", "altered", func(_ *testing.T, f forgery) { f.flip("events.jsonl") }},
	{"bit-messages", "altered", func(_ *testing.T, f forgery) { f.flip("messages.csv") }},
	{"bit-membership", "altered", func(_ *testing.T, f forgery) { f.flip("membership.csv") }},
	{"bit-access", "altered", func(_ *testing.T, f forgery) { f.flip("access.csv") }},
	{"bit-proof", "altered", func(_ *testing.T, f forgery) { f.flip("proofs/c1.proof") }},
	{"bit-checkpoint", "altered", func(_ *testing.T, f forgery) { f.flip("checkpoints/c1.checkpoint") }},
	{"bit-page", "altered", func(_ *testing.T, f forgery) { f.flip("index.html") }},
	{"bit-actiance", "altered", func(_ *testing.T, f forgery) { f.flip("actiance.xml") }},
	{"bit-parquet", "altered", func(_ *testing.T, f forgery) { f.flip("messages.parquet") }},
	{"bit-eml", "altered", func(_ *testing.T, f forgery) {
		names := slices.Sorted(maps.Keys(f))
		f.flip(names[slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(name, "eml/") })])
	}},
	{"cut", "altered", func(_ *testing.T, f forgery) { f["messages.csv"] = f["messages.csv"][:len(f["messages.csv"])-9] }},
	{"missing", "missing", func(_ *testing.T, f forgery) { delete(f, "membership.csv") }},
	{"missing-signature", "missing", func(_ *testing.T, f forgery) { delete(f, "manifest.sig") }},
	{"missing-manifest", "missing", func(_ *testing.T, f forgery) { delete(f, "manifest.json") }},
	{"extra", "extra", func(_ *testing.T, f forgery) { f["notes.txt"] = "by the way" }},
	// From here on somebody had the log's key.
	{"other-key", "signature", func(t *testing.T, f forgery) { f.resign(t, testKey(8), nil) }},
	{"listed-twice", "manifest", func(t *testing.T, f forgery) {
		f.resign(t, testKey(7), func(m *verify.Manifest) { m.Files = append(m.Files, m.Files[0]) })
	}},
	{"listed-outside", "manifest", func(t *testing.T, f forgery) {
		f.resign(t, testKey(7), func(m *verify.Manifest) { m.Files[0].Name = "../" + m.Files[0].Name })
	}},
	{"said-twice", "manifest", func(t *testing.T, f forgery) { f.write(t, `"reason": `, `"reason": "case 16",`+"\n  "+`"reason": `) }},
	{"other-letters", "manifest", func(t *testing.T, f forgery) { f.write(t, `"reason": `, `"Reason": "case 16",`+"\n  "+`"reason": `) }},
	{"unknown-name", "manifest", func(t *testing.T, f forgery) { f.write(t, `"reason": `, `"complete": true,`+"\n  "+`"reason": `) }},
	{"number-of-another-form", "manifest", func(t *testing.T, f forgery) { f.write(t, `"first": 0`, `"first": 0.0`) }},
	{"other-until", "manifest", func(t *testing.T, f forgery) {
		f.resign(t, testKey(7), func(m *verify.Manifest) { m.Until = strings.Replace(m.Until, "c0-", "c0-1", 1) })
	}},
	{"no-partitions", "manifest", func(t *testing.T, f forgery) {
		f.resign(t, testKey(7), func(m *verify.Manifest) { m.Partitions = nil })
	}},
	{"listed-without-name", "manifest", func(t *testing.T, f forgery) {
		f.resign(t, testKey(7), func(m *verify.Manifest) { m.Files[0].Name = "" })
	}},
	{"signature-not-utf8", "signature", func(_ *testing.T, f forgery) { f["manifest.sig"] += "— \xff AAAAAAAA\n" }},
	{"not-listed", "missing", func(t *testing.T, f forgery) { delete(f, "access.csv"); f.resign(t, testKey(7), nil) }},
	{"other-checkpoint", "checkpoint", func(t *testing.T, f forgery) {
		f["checkpoints/c1.checkpoint"] = f["checkpoints/c0.checkpoint"]
		f.resign(t, testKey(7), nil)
	}},
	{"checkpoint-of-another", "checkpoint", func(t *testing.T, f forgery) {
		text, _, _ := strings.Cut(f["checkpoints/c1.checkpoint"], "\n\n")
		c, err := merkle.ParseCheckpoint(text + "\n")
		if err != nil {
			t.Fatal(err)
		}
		signed, _ := merkle.Sign(c, testKey(9))
		f["checkpoints/c1.checkpoint"] = string(signed)
		f.resign(t, testKey(7), nil)
	}},
	{"other-size", "checkpoint", func(t *testing.T, f forgery) {
		f.resign(t, testKey(7), func(m *verify.Manifest) { m.Partitions[1].Size++; m.Partitions[1].Last++ })
	}},
	{"what-is-read", "event", func(t *testing.T, f forgery) {
		f.replace(t, "events.jsonl", `"data":{"content":{"plain":"tomorrow"}}`, `"data":{"content":{"plain":"tomorrov"}}`)
		f.resign(t, testKey(7), nil)
	}},
	{"no-record", "event", func(t *testing.T, f forgery) {
		f.line("events.jsonl", 0, func(string) string { return "{}\n" })
		f.resign(t, testKey(7), nil)
	}},
	{"last-line-cut", "event", func(t *testing.T, f forgery) {
		f["events.jsonl"] = strings.TrimSuffix(f["events.jsonl"], "\n")
		f.resign(t, testKey(7), nil)
	}},
	{"other-text", "proof", func(t *testing.T, f forgery) {
		for n, line := range strings.SplitAfter(f["events.jsonl"], "\n") {
			if strings.Contains(line, "tomorrow") {
				f.line("events.jsonl", n, func(s string) string { return altered(t, s, "tomorrow", "tomorrov") })
			}
		}
		f.replace(t, "messages.csv", "tomorrow", "tomorrov")
		f.resign(t, testKey(7), nil)
	}},
	{"other-time", "proof", func(t *testing.T, f forgery) {
		f.line("events.jsonl", 0, func(s string) string { return altered(t, s, "2026-01-30T", "2025-01-30T") })
		f.resign(t, testKey(7), nil)
	}},
	{"event-left-out", "proof", func(t *testing.T, f forgery) {
		lines := strings.SplitAfter(f["events.jsonl"], "\n")
		n := slices.IndexFunc(lines, func(s string) bool { return strings.Contains(s, "secret plan 2") })
		f.line("events.jsonl", n, nil)
		f["messages.csv"] = strings.Replace(f["messages.csv"], f.rowOf(t, lines[n]), "", 1)
		f.resign(t, testKey(7), func(m *verify.Manifest) {
			m.Events["message.sent"]--
			m.Rows["messages.csv"]--
			for i := range m.Partitions {
				if strings.Contains(lines[n], `"lishiposition":"`+m.Partitions[i].Partition+"-") {
					m.Partitions[i].Selected--
				}
			}
		})
	}},
	{"swapped", "proof", func(t *testing.T, f forgery) {
		lines := strings.SplitAfter(f["events.jsonl"], "\n")
		lines[1], lines[2] = lines[2], lines[1]
		f["events.jsonl"] = strings.Join(lines, "")
		f.resign(t, testKey(7), nil)
	}},
	// All proofs hold: what is left out is a subtree, as what nobody asked for.
	{"relation-left-out", "chain", func(t *testing.T, f forgery) {
		clear(f)
		maps.Copy(f, contents(t, chat(t).export(t, Query{Conversations: []string{group.Key()}, Users: []string{"alice", "carol"}})))
		f.resign(t, testKey(7), func(m *verify.Manifest) { m.Query = json.RawMessage(`{"conversations":["g|研发"]}`) })
	}},
	{"relation-left-out-of-everything", "chain", func(t *testing.T, f forgery) {
		clear(f)
		maps.Copy(f, contents(t, chat(t).export(t, Query{Users: []string{"alice", "carol"}})))
		f.resign(t, testKey(7), func(m *verify.Manifest) { m.Query = json.RawMessage(`{"users":[],"all":true}`) })
	}},
	{"other-hash", "proof", func(t *testing.T, f forgery) {
		f.line("proofs/c0.proof", 1, func(string) string { return base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n" })
		f.resign(t, testKey(7), nil)
	}},
	{"hash-less", "proof", func(t *testing.T, f forgery) { f.line("proofs/c0.proof", 1, nil); f.resign(t, testKey(7), nil) }},
	{"hash-more", "proof", func(t *testing.T, f forgery) {
		f["proofs/c1.proof"] += base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n"
		f.resign(t, testKey(7), nil)
	}},
	{"no-proof", "missing", func(t *testing.T, f forgery) { delete(f, "proofs/c1.proof"); f.resign(t, testKey(7), nil) }},
	{"proof-of-another-form", "proof", func(t *testing.T, f forgery) {
		f.replace(t, "proofs/c1.proof", "v1", "v2")
		f.resign(t, testKey(7), nil)
	}},
	{"other-count", "counts", func(t *testing.T, f forgery) {
		f.resign(t, testKey(7), func(m *verify.Manifest) { m.Events["message.sent"]++ })
	}},
	{"other-rows", "counts", func(t *testing.T, f forgery) {
		f.resign(t, testKey(7), func(m *verify.Manifest) { m.Rows["membership.csv"]++ })
	}},
	{"other-first", "counts", func(t *testing.T, f forgery) {
		f.resign(t, testKey(7), func(m *verify.Manifest) { m.Partitions[0].FirstFound++ })
	}},
	{"other-last", "counts", func(t *testing.T, f forgery) {
		f.resign(t, testKey(7), func(m *verify.Manifest) { m.Partitions[0].LastFound++ })
	}},
	{"row-of-another-text", "message", func(t *testing.T, f forgery) {
		f.replace(t, "messages.csv", "tomorrow", "tomorrov")
		f.resign(t, testKey(7), nil)
	}},
	{"row-less", "message", func(t *testing.T, f forgery) {
		f.line("messages.csv", 1, nil)
		f.resign(t, testKey(7), nil)
	}},
	{"row-more", "message", func(t *testing.T, f forgery) {
		lines := strings.SplitAfter(f["messages.csv"], "\r\n")
		f["messages.csv"] += lines[1]
		f.resign(t, testKey(7), nil)
	}},
	{"table-not-utf8", "message", func(t *testing.T, f forgery) {
		f.replace(t, "membership.csv", "alice", "alic\xff")
		f.resign(t, testKey(7), nil)
	}},
	{"table-of-another-form", "message", func(t *testing.T, f forgery) {
		f["membership.csv"] += "\"open\r\n"
		f.resign(t, testKey(7), nil)
	}},
}

const corpus = "testdata/corpus"

// The packages of testdata are what the program makes today, byte for byte, and
// all verifiers say the same of each: Go in the program, the small program, and
// the page.
func TestCorpus(t *testing.T) {
	w := chat(t)
	want := map[string]string{} // code by name
	made := map[string]forgery{}
	for name, q := range map[string]Query{
		"good-everything": {All: true, Formats: []string{"all"}, Zone: "Asia/Shanghai"},
		"good-group":      {Conversations: []string{group.Key()}},
		"good-text":       {Text: "secret plan 3"},
		"good-nothing":    {Users: []string{"zoe"}},
	} {
		made[name], want[name] = forgery(contents(t, w.export(t, q))), ""
	}
	for _, b := range broken {
		f := maps.Clone(made["good-everything"])
		b.do(t, f)
		made[b.name], want[b.name] = f, b.code
	}
	if *update {
		if err := errors.Join(os.RemoveAll(corpus), os.MkdirAll(corpus, 0o755)); err != nil {
			t.Fatal(err)
		}
		for name, f := range made {
			f.zip(t, filepath.Join(corpus, name+".zip"))
		}
	}
	var paths []string
	for _, name := range slices.Sorted(maps.Keys(made)) {
		path := filepath.Join(corpus, name+".zip")
		if !maps.Equal(unzip(t, path), made[name]) {
			t.Errorf("%s: the program makes other bytes than it did", path)
		}
		paths = append(paths, path)
	}
	if found, _ := filepath.Glob(corpus + "/*.zip"); len(found) != len(made) {
		t.Errorf("%d packages in %s, %d are made", len(found), corpus, len(made))
	}
	key := base64.RawURLEncoding.EncodeToString(testKey(7).Public())
	small := filepath.Join(t.TempDir(), "lishi-verify")
	if out, err := exec.Command("go", "build", "-o", small, "lishi/cmd/lishi-verify").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	inPage := pageCodes(t, key, paths...)
	for i, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".zip")
		inGo := codeOf(t, path, testKey(7).Public())
		out, err := exec.Command(small, "--key", key, path).CombinedOutput()
		status := 0
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			status = exit.ExitCode()
		}
		if inGo != want[name] || inPage[i] != want[name] {
			t.Errorf("%s: %q is wrong in Go, %q in the page, want %q", name, inGo, inPage[i], want[name])
		}
		if name == "good-group" && !bytes.Contains(out, []byte("4 relation events follow one another")) || name == "good-text" && bytes.Contains(out, []byte("follow one another")) {
			t.Errorf("%s: what was held against what is not told: %s", name, out)
		}
		if broken := want[name] != ""; broken != (status == 3) || broken && !bytes.Contains(out, []byte("("+want[name]+")")) || !broken && status != 0 {
			t.Errorf("%s: lishi-verify: status %d: %s", name, status, out)
		}
	}
}

func codeOf(t *testing.T, path string, keys ...ed25519.PublicKey) string {
	t.Helper()
	f, err := verify.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = verify.Package(f, verify.Options{Keys: keys})
	var b *verify.Broken
	if err != nil && !errors.As(err, &b) {
		t.Fatalf("%s: %v", path, err)
	}
	if b != nil {
		return b.Code
	}
	return ""
}

// pageCodes runs the page's scripts in node.
func pageCodes(t *testing.T, key string, paths ...string) (codes []string) {
	t.Helper()
	out, err := exec.Command("node", append([]string{"page/node_test.mjs", key}, paths...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var says struct{ Code, Message string }
		if err := d.Decode(&says); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if says.Code == "failed" {
			t.Logf("the page could not verify: %s", says.Message)
		}
		codes = append(codes, says.Code)
	}
	if len(codes) != len(paths) {
		t.Fatalf("%d verdicts on %d packages:\n%s", len(codes), len(paths), out)
	}
	return codes
}

// One bit, anywhere in a package: found.
func TestEveryBitCounts(t *testing.T) {
	whole := forgery(contents(t, chat(t).export(t, Query{Text: "secret plan 3"})))
	dir := t.TempDir()
	write := func(name string, content []byte) {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range whole {
		write(name, []byte(content))
	}
	if code := codeOf(t, dir, testKey(7).Public()); code != "" {
		t.Fatal(code)
	}
	for name, content := range whole {
		for at := 0; at < len(content); at += 1 + len(content)/400 {
			b := []byte(content)
			b[at] ^= 1 << (at % 8)
			write(name, b)
			if code := codeOf(t, dir, testKey(7).Public()); code == "" {
				t.Fatalf("%s with byte %d altered holds", name, at)
			}
		}
		write(name, []byte(content))
	}
}
