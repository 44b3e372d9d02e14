package system

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// lishi bench soak in short: connections are cut and the server is killed under
// it, and what it reports is whole.
func TestSoak(t *testing.T) {
	chat := filepath.Join(t.TempDir(), "chat.jsonl")
	var lines bytes.Buffer
	for i := range 40 {
		fmt.Fprintf(&lines, `{"time":"2020-01-01 00:00:%02d","from":"a","to":"b","text":"%0*d"}`+"\n", i, 1+i*5, i)
		fmt.Fprintf(&lines, `{"time":"2020-01-01 00:00:%02d","from":"a","group":"g","text":"%0*d"}`+"\n", i, 1+i*5, i)
	}
	if err := os.WriteFile(chat, lines.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, t.TempDir())
	var out, said bytes.Buffer
	load := lishi("bench", "soak", chat, "--listen", s.addr, "--data", s.dir, "--json",
		"--pairs", "4", "--groups", "1", "--members", "4", "--offered", "300", "--cut", "500ms", "--seconds", "6")
	load.Stdout, load.Stderr = &out, &said
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		time.Sleep(1500 * time.Millisecond) // how long the load runs, not a condition
		s.kill()
		s.start()
	}
	if err := load.Wait(); err != nil {
		t.Fatalf("%v\n%s%s", err, &out, &said)
	}
	var r struct{ People, Messages, Deliveries, Connections, Resent int }
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.People != 13 || r.Messages < 100 || r.Deliveries <= r.Messages || r.Connections < 2*r.People || r.Resent < 1 {
		t.Errorf("%+v\n%s", r, &said)
	}
}
