package system

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"testing"
)

// Real chat, imported: messages by day and who wrote them are what counting its
// lines gives.
func TestFiguresOfRealChat(t *testing.T) {
	const file = "../../../../shared/data/pair-chat-zh.jsonl.gz"
	f, err := os.Open(file)
	if err != nil {
		t.Skip("no real chat here: ", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	messages, users := map[string]int{}, map[string]map[string]bool{}
	for lines := json.NewDecoder(z); lines.More(); {
		var l struct{ Time, From, Text string }
		if err := lines.Decode(&l); err != nil {
			t.Fatal(err)
		}
		if l.Text == "" {
			continue // a bad line on purpose
		}
		day := l.Time[:10]
		if messages[day]++; users[day] == nil {
			users[day] = map[string]bool{}
		}
		users[day][l.From] = true
	}
	dir := t.TempDir()
	if out, err := lishi("import", file, "--data", dir, "--skip-bad").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, as := consoleOver(t, dir)
	asked := url.Values{"from": {"2020-01-01"}, "to": {"2021-01-01"}, "zone": {"Asia/Shanghai"}}
	var said, active struct{ Rows [][]any }
	for name, into := range map[string]any{"messages": &said, "active_users": &active} {
		if err := as("admin").Get(t.Context(), "/api/analytics/"+name, asked, into); err != nil {
			t.Fatal(err)
		}
	}
	if len(said.Rows) != 366 || len(active.Rows) != 366 || len(messages) == 0 {
		t.Fatalf("%d and %d days of 366; %d with messages", len(said.Rows), len(active.Rows), len(messages))
	}
	for i, row := range said.Rows {
		day := fmt.Sprint(row[0])
		if got, want := fmt.Sprint(row[1], active.Rows[i][1]), fmt.Sprint(messages[day], len(users[day])); got != want {
			t.Errorf("%s: messages and who wrote them are %s, want %s", day, got, want)
		}
		delete(messages, day)
	}
	if len(messages) > 0 {
		t.Errorf("no figure has the days %v", messages)
	}
}
