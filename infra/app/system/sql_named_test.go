package system

import (
	"regexp"
	"strings"
	"testing"
)

// A build as of then is shown to SQL people beside the live one, with the same
// views for the same roles, until it is discarded.
func TestSQLOfANamedBuild(t *testing.T) {
	addr := freeAddr(t)
	s := withSQL(t, "--console", addr)
	must := func(args ...string) {
		t.Helper()
		if out, errs, code := run(t, nil, append(args, "--data", s.dir, "--console", addr)...); code != 0 {
			t.Fatalf("%v: %d %s %s", args, code, out, errs)
		}
	}
	_, first := s.ask(s.token("analyst"), nil, "SELECT position FROM messages WHERE sender = 'alice' AND kind = 'pair'")
	must("replay", "history", "--into", "before", "--to", first)
	for _, c := range []struct{ role, sql, want string }{
		{"analyst", "SELECT count(), any(content) FROM messages__before WHERE kind = 'pair'", "1\t你好"},
		{"analyst", "SELECT count() FROM messages WHERE kind = 'pair'", "2"},
		{"figures", "SELECT count() FROM message_versions__before WHERE kind = 'pair'", "1"},
		{"figures", "SELECT content FROM messages__before", "Code: 47."},
		{"groups", "SELECT count() FROM messages__before WHERE kind = 'pair'", "0"},
	} {
		if _, text := s.ask(s.token(c.role, "club"), nil, c.sql); text != c.want && !(strings.HasPrefix(c.want, "Code") && strings.Contains(text, c.want)) {
			t.Errorf("%s: %s\n%s", c.role, c.sql, text)
		}
	}
	out, _, _ := run(t, nil, "replay", "history", "--status", "--json", "--data", s.dir, "--console", addr)
	var number string
	if m := regexp.MustCompile(`"build":\s*(\d+)[^{}]*"named":\s*"before"`).FindStringSubmatch(out); m != nil {
		number = m[1]
	}
	must("replay", "history", "--discard", number)
	if _, text := s.ask(s.token("analyst"), nil, "SELECT 1 FROM messages__before"); !strings.Contains(text, "UNKNOWN_TABLE") {
		t.Error(text)
	}
}
