package system

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tree is the content of every file below a directory.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, dir)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// An export that is killed goes on where it was and makes the bytes of one that
// was not; what it makes is verified, what was changed in it is found, and
// nothing is overwritten.
func TestAuditExport(t *testing.T) {
	data, out := t.TempDir(), t.TempDir()
	var in strings.Builder
	const messages = 30_000
	for i := range messages {
		fmt.Fprintf(&in, `{"time":"2026-01-%02d 08:00:00","from":"u%d","group":"g%d","text":"句子 %d"}`+"\n", 1+i/2000, i%40, i%4, i)
	}
	if _, errs, status := run(t, strings.NewReader(in.String()), "import", "-", "--source", "test", "--data", data); status != 0 {
		t.Fatal(errs)
	}
	export := func(to string, more ...string) []string {
		return append([]string{"audit", "export", "--data", data, "--participant", "u1", "--from", "2026-01-03", "--reason", "case 17", "--as", "me", "--output", filepath.Join(out, to)}, more...)
	}
	var made struct {
		Until string
		Rows  map[string]int64
	}
	stdout, errs, status := run(t, nil, export("whole", "--json")...)
	if err := json.Unmarshal([]byte(stdout), &made); status != 0 || err != nil {
		t.Fatalf("status %d: %s%s %v", status, stdout, errs, err)
	}
	// u1 is in g1, as every fourth is; the first 4000 lines are of the two days before.
	if made.Rows["messages.csv"] != (messages-4000)/4 {
		t.Errorf("%v", made)
	}

	kills := 0
	for range 4 {
		cmd := lishi(export("killed")...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for began := time.Now(); ; time.Sleep(2 * time.Millisecond) {
			info, err := os.Stat(filepath.Join(out, "killed", "events.jsonl"))
			if err == nil && info.Size() > 100_000 || time.Since(began) > 30*time.Second {
				break
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if _, err := os.Stat(filepath.Join(out, "killed.unfinished")); err == nil {
			kills++
		}
	}
	if stdout, errs, status := run(t, nil, export("killed")...); status != 0 && !strings.Contains(errs, "nothing is overwritten") {
		t.Fatalf("status %d: %s%s", status, stdout, errs)
	}
	if kills == 0 {
		t.Error("every run was done before it could be killed")
	}
	if !maps.Equal(tree(t, filepath.Join(out, "killed")), tree(t, filepath.Join(out, "whole"))) {
		t.Error("after kill -9 it has other bytes")
	}

	key, _, _ := run(t, nil, "audit", "key", "--data", data)
	key = strings.TrimSpace(key)
	for _, name := range []string{"package.zip", "package.tar"} {
		if _, errs, status := run(t, nil, export(name, "--until", made.Until)...); status != 0 {
			t.Fatalf("%s: %s", name, errs)
		}
		if stdout, errs, status := run(t, nil, "audit", "verify", filepath.Join(out, name), "--key", key); status != 0 || !strings.Contains(stdout, "holds") {
			t.Errorf("%s: status %d: %s%s", name, status, stdout, errs)
		}
		if _, errs, status := run(t, nil, export(name)...); status != 1 || !strings.Contains(errs, "nothing is overwritten") {
			t.Errorf("over %s: status %d: %s", name, status, errs)
		}
	}

	// Compared with what was kept elsewhere: the same, and a fork.
	safe := t.TempDir()
	if _, errs, status := run(t, nil, "audit", "checkpoint", "--data", data, "--out", safe); status != 0 {
		t.Fatal(errs)
	}
	kept, _ := filepath.Glob(filepath.Join(safe, "c*.checkpoint"))
	verify := []string{"audit", "verify", filepath.Join(out, "whole"), "--key", key}
	for _, k := range kept {
		verify = append(verify, "--checkpoint", k)
	}
	if stdout, errs, status := run(t, nil, verify...); status != 0 || !strings.Contains(stdout, fmt.Sprintf("%d of the %d kept checkpoints are the package's own", len(kept), len(kept))) {
		t.Errorf("status %d: %s%s", status, stdout, errs)
	}

	table := filepath.Join(out, "whole", "messages.csv")
	b, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(table, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, status := run(t, nil, "audit", "verify", filepath.Join(out, "whole"), "--key", key); status != 3 || !strings.Contains(errs, "messages.csv: it has other bytes") {
		t.Errorf("a bit: status %d: %s", status, errs)
	}

	for name, args := range map[string][]string{
		"nothing is asked for": {"--reason", "r", "--output", "x"},
		"say why":              {"--all", "--output", "x"},
		"--output is missing":  {"--all", "--reason", "r"},
		"is no time":           {"--from", "soon", "--reason", "r", "--output", "x"},
		"is no conversation":   {"--conversation", "bob", "--reason", "r", "--output", "x"},
		"is no format":         {"--all", "--format", "doc", "--reason", "r", "--output", "x"},
		"--until":              {"--all", "--until", "now", "--reason", "r", "--output", "x"},
		"is not in the log":    {"--all", "--until", strings.Replace(made.Until, "u0-", "u0-9", 1), "--reason", "r", "--output", filepath.Join(out, "x")},
	} {
		if _, errs, status := run(t, nil, append([]string{"audit", "export", "--data", data}, args...)...); status != 2 || !strings.Contains(errs, name) {
			t.Errorf("%s: status %d: %s", name, status, errs)
		}
	}
}
