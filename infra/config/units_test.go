package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The units pass systemd's own check, where there is a systemd-analyze, and give
// lishi the time that shutdown-grace asks for.
func TestUnits(t *testing.T) {
	units, err := filepath.Glob("../../scripts/lishi*.*")
	if err != nil || len(units) != 3 {
		t.Fatal(units, err)
	}
	dir, args := t.TempDir(), []string{"verify"}
	for _, u := range units {
		raw, err := os.ReadFile(u)
		if err != nil {
			t.Fatal(err)
		}
		// It looks for the program too, which need not be installed here.
		text := strings.ReplaceAll(string(raw), "/usr/local/bin/lishi", "/bin/true")
		path := filepath.Join(dir, filepath.Base(u))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
		if filepath.Base(u) == "lishi.service" && (!strings.Contains(text, "\nTimeoutStopSec=20\n") || !strings.Contains(text, "\nRestartPreventExitStatus=2\n")) {
			t.Errorf("%s kills what is under way, or starts again what can't start", u)
		}
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Logf("not checked by systemd: %v", err)
		return
	}
	if out, err := exec.Command(analyze, args...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}
