package system

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A missing or too old tool is named with the command that installs it.
func TestToolsAreNamed(t *testing.T) {
	const script = "../../../scripts/check-tools"
	bin := t.TempDir()
	for _, tool := range []string{"bash", "env", "sed", "sort", "head", "uname", "tr"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	fake := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/usr/bin/env bash\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	check := func(tool string, ok bool, want ...string) {
		t.Helper()
		cmd := exec.Command(filepath.Join(bin, "bash"), script, tool)
		cmd.Env = []string{"PATH=" + bin}
		out, err := cmd.CombinedOutput()
		if ok != (err == nil) {
			t.Fatalf("%s: %v\n%s", tool, err, out)
		}
		for _, w := range want {
			if !strings.Contains(string(out), w) {
				t.Errorf("%s: %q is not in\n%s", tool, w, out)
			}
		}
	}
	fake("apt-get", "exit 1")
	check("go", false, "go is missing", "https://go.dev/dl/go1.26")
	check("npm", false, "npm is missing", "sudo apt-get install -y npm")
	check("chromium", false, "chromium is missing", "sudo apt-get install -y chromium", "CHROMIUM=")
	fake("go", `[ "$1" = env ] && exit 2; echo "go version go1.19.8 linux/amd64"`) // Debian 12's
	check("go", false, "go is 1.19", "needs Go 1.26", "https://go.dev/dl/go1.26")
	fake("go", `[ "$2" = GOVERSION ] && echo go1.26.3 || echo auto`)
	check("go", true)
	fake("go", `[ "$2" = GOVERSION ] && echo go1.22.1 || echo auto`) // fetches the toolchain that go.mod names
	check("go", true)
	fake("go", `[ "$2" = GOVERSION ] && echo go1.22.1 || echo local`)
	check("go", false, "go is 1.22.1")
	fake("npm", "exit 0")
	fake("node", "echo v18.19.0")
	check("npm", true)
	check("node", false, "node is 18.19.0")
	fake("node", "echo v20.1.0")
	check("node", true)
}
