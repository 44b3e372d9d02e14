package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// What happened and what users may do know nothing of the rest.
func TestEventsAndCommandsImportNothingOfTheRest(t *testing.T) {
	out, err := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Standard", "lishi/events/...", "lishi/commands/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := map[string]bool{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Standard   bool
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen[p.ImportPath] = true
		if p.Standard {
			continue
		}
		if reason := foreignTo(p.ImportPath); reason != "" {
			t.Errorf("events or commands import %s: %s", p.ImportPath, reason)
		}
	}
	for _, p := range []string{"lishi/events", "lishi/events/ledger", "lishi/commands", "encoding/json"} {
		if !seen[p] {
			t.Errorf("go list did not look at %s", p)
		}
	}
}

// foreignTo says why the pure part may not import a package; empty if it may.
func foreignTo(path string) string {
	for _, room := range []string{"lishi/infra", "lishi/ws", "lishi/projections", "lishi/web"} {
		if path == room || strings.HasPrefix(path, room+"/") {
			return "it belongs to another room"
		}
	}
	for _, word := range []string{"kafka", "clickhouse", "gobwas", "watermill", "franz-go", "purego", "websocket"} {
		if strings.Contains(strings.ToLower(path), word) {
			return "it is other people's software"
		}
	}
	return ""
}

func TestForeignTo(t *testing.T) {
	for path, want := range map[string]bool{
		"lishi/infra": true, "lishi/infra/kafka": true, "lishi/ws": true, "lishi/ws/wire": true, "lishi/projections/feed": true,
		"github.com/segmentio/kafka-go": true, "github.com/ClickHouse/clickhouse-go/v2": true, "github.com/gobwas/ws": true,
		"lishi/events/ledger": false, "lishi/commands": false, "golang.org/x/sync/errgroup": false,
	} {
		if (foreignTo(path) != "") != want {
			t.Errorf("%s", path)
		}
	}
}
