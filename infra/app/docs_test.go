package app

import (
	"bytes"
	"flag"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"lishi/infra/config"
	"lishi/infra/console"
	"lishi/infra/telemetry"
	"lishi/ws"
)

var update = flag.Bool("update", false, "write the generated parts of docs/ anew")

// The table of urls in docs/protocol.md is the registry's.
func TestDocsListTheUrls(t *testing.T) { documented(t, "docs/protocol.md", "urls", ws.Markdown) }

// That of docs/console.md is the console's.
func TestDocsListTheConsolesUrls(t *testing.T) {
	s := console.New(console.Options{}, consoleRoutes(&node{})...)
	documented(t, "docs/console.md", "urls", s.Markdown)
}

// documented holds the part of a document between two marks to what writes it.
func documented(t *testing.T, name, mark string, write func(io.Writer) error) {
	t.Helper()
	file := "../../" + name
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	if err := write(&table); err != nil {
		t.Fatal(err)
	}
	begin, end := []byte("<!-- "+mark+": written by scripts/docs -->\n"), []byte("<!-- /"+mark+" -->")
	i, j := bytes.Index(raw, begin), bytes.Index(raw, end)
	if i < 0 || j < i {
		t.Fatal(name + " has lost its marks")
	}
	want := append(append(append([]byte(nil), raw[:i+len(begin)]...), table.Bytes()...), raw[j:]...)
	if bytes.Equal(raw, want) {
		return
	}
	if !*update {
		t.Fatal(name + " lists others than there are; scripts/docs writes it anew")
	}
	if err := os.WriteFile(file, want, 0o644); err != nil {
		t.Fatal(err)
	}
}

// What the docs name must exist: commands, settings, metrics, files.
func TestDocsNameRealThings(t *testing.T) {
	root := (&program{in: os.Stdin, out: os.Stdout, err: os.Stderr}).root()
	known := map[string]bool{}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		known[c.Name()] = true
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	settings := map[string]bool{}
	for _, s := range config.Settings() {
		settings[s.Name] = true
	}
	m := telemetry.NewMetrics()
	m.Connected(1)
	m.Closed("1000")
	m.Refused("all")
	m.Requested("/x", "ok", 1)
	m.Pushed("1", 1)
	m.Asked("analyst", "answered", 1)
	figures := metricNames(t, m)
	figures["lishi_reason"] = true // a parameter of the SQL endpoint
	for _, file := range []string{"README.md", "docs/operations.md", "docs/architecture.md", "docs/protocol.md", "docs/permissions.md", "docs/console.md", "docs/replay.md", "docs/sql.md", "CHANGELOG.md"} {
		raw, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		text := string(raw)
		for _, hit := range regexp.MustCompile("(?:bin/|`)lishi ([a-z]+)").FindAllStringSubmatch(text, -1) {
			if !known[hit[1]] {
				t.Errorf("%s names lishi %s, which is no command", file, hit[1])
			}
		}
		for _, name := range regexp.MustCompile(`lishi_[a-z_]+`).FindAllString(sqlFence.ReplaceAllString(text, ""), -1) {
			if !figures[name] {
				t.Errorf("%s names the metric %s, which is not there", file, name)
			}
		}
		for _, link := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(text, -1) {
			dir := "../../"
			if strings.HasPrefix(file, "docs/") {
				dir += "docs/"
			}
			if _, err := os.Stat(dir + link[1]); err != nil {
				t.Errorf("%s links to %s: %v", file, link[1], err)
			}
		}
		for _, path := range regexp.MustCompile("`((?:commands|events|infra|projections|scripts|ws)/[A-Za-z0-9_./*-]+)`").FindAllStringSubmatch(text, -1) {
			if found, err := filepath.Glob("../../" + path[1]); len(found) == 0 || err != nil {
				t.Errorf("%s names %s, which is not there", file, path[1])
			}
		}
		for _, name := range regexp.MustCompile("`([a-z]+(?:-[a-z]+)+)`").FindAllStringSubmatch(text, -1) {
			if !settings[name[1]] {
				t.Errorf("%s names the setting %s, which is not there", file, name[1])
			}
		}
	}
}

// sqlFence is an example of SQL, whose names are not the program's.
var sqlFence = regexp.MustCompile("(?s)```sql.*?```")

// metricNames are the names at /metrics, and those that a node adds.
func metricNames(t *testing.T, m *telemetry.Metrics) map[string]bool {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	names := map[string]bool{}
	for _, hit := range regexp.MustCompile(`(?m)^# TYPE (lishi_[a-z_]+)`).FindAllStringSubmatch(w.Body.String(), -1) {
		names[hit[1]] = true
	}
	for _, d := range figures {
		names[regexp.MustCompile(`fqName: "([a-z_]+)"`).FindStringSubmatch(d.String())[1]] = true
	}
	return names
}
