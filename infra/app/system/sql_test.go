package system

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"lishi/infra/tokens"
)

// sqlServer is a running lishi with a chat and an SQL endpoint.
type sqlServer struct {
	*server
	t    *testing.T
	sql  string
	keys *tokens.Keys
}

func withSQL(t *testing.T, args ...string) *sqlServer {
	t.Helper()
	dir, addr := t.TempDir(), freeAddr(t)
	chat := filepath.Join(dir, "chat.jsonl")
	lines := `{"time":"2026-01-02 03:04:05","from":"alice","to":"bob","text":"你好"}
{"time":"2026-01-02 03:04:06","from":"bob","to":"alice","text":"hi"}
{"time":"2026-01-02 03:04:07","from":"alice","group":"club","text":"it's 'quoted'\n"}
`
	if err := os.WriteFile(chat, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	if out, err := lishi("import", "--data", data, chat).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	keys, err := tokens.New(tokens.Options{Secret: []byte(secret)})
	if err != nil {
		t.Fatal(err)
	}
	s := &sqlServer{t: t, sql: "http://" + addr + "/", keys: keys, server: serve(t, data, append([]string{"--sql", addr, "--sql-time", "20s"}, args...)...)}
	wait(t, "the views", time.Minute, func() bool {
		_, text := s.ask(s.token("analyst"), nil, "SELECT count() FROM messages, users, events, memberships, friendships")
		return !strings.Contains(text, "Exception")
	})
	return s
}

func (s *sqlServer) token(role string, groups ...string) string {
	s.t.Helper()
	token, err := s.keys.Sign(tokens.Claims{UserID: "somebody", Role: role, Groups: groups, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

func (s *sqlServer) ask(token string, values url.Values, sql string) (int, string) {
	s.t.Helper()
	r, _ := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.sql+"?"+values.Encode(), strings.NewReader(sql))
	r.SetBasicAuth("any", token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, strings.TrimSpace(string(text))
}

func TestSQLEndpoint(t *testing.T) {
	s := withSQL(t, "--sql-password", "a password")
	t.Run("roles", s.roles)
	t.Run("limits", s.limits)
	t.Run("examples", s.examples)
	t.Run("clickhouse-go", s.driver)
	t.Run("Grafana's data source", s.grafana)
	t.Run("clickhouse-connect", func(t *testing.T) {
		host, port, _ := net.SplitHostPort(strings.Trim(strings.TrimPrefix(s.sql, "http://"), "/"))
		clients(t, filepath.Join(sqlClients(t), "python", "bin", "python"), "testdata/sql/client.py", host, port, s.token("analyst"))
	})
	t.Run("@clickhouse/client", func(t *testing.T) {
		clients(t, "node", "testdata/sql/client.mjs", sqlClients(t), s.sql, s.token("analyst"))
	})
	t.Run("clickhouse-jdbc", func(t *testing.T) {
		jars := filepath.Join(sqlClients(t), "java", "*")
		clients(t, "java", "-XX:TieredStopAtLevel=1", "-cp", jars, "testdata/sql/Client.java", strings.Trim(strings.TrimPrefix(s.sql, "http://"), "/"), s.token("analyst"))
	})
	t.Run("lishi query", s.query)
}

// sqlClients is where scripts/sql-clients has put other people's clients.
func sqlClients(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("../../../scripts/sql-clients").Output()
	if err != nil {
		t.Fatal("scripts/sql-clients could not install the clients: ", err)
	}
	return strings.TrimSpace(string(out))
}

func clients(t *testing.T, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil || !strings.HasSuffix(string(out), "whole\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

func (s *sqlServer) roles(t *testing.T) {
	for _, c := range []struct{ name, token, sql, want string }{
		{"an analyst", s.token("analyst"), "SELECT count() FROM messages", "3"},
		{"an admin", s.token("admin"), "SELECT content FROM messages WHERE kind = 'group'", `it\'s \'quoted\'\n`},
		{"the password", "a password", "SELECT count() FROM events WHERE type = 'message.sent'", ""},
		{"nobody", "", "SELECT 1", "Code: 516."},
		{"a user of the chat", s.token(""), "SELECT 1", "Code: 516."},
		{"a forger", s.token("analyst") + "x", "SELECT 1", "Code: 516."},
		{"an auditor without a reason", s.token("auditor"), "SELECT 1", "must say why"},
		{"groups", s.token("groups", "other", "club"), "SELECT count(), any(group_id) FROM messages", "1\tclub"},
		{"other groups", s.token("groups", "other"), "SELECT count() FROM events", "0"},
		{"groups beyond theirs", s.token("groups", "club"), "SELECT count() FROM chat.messages", "Code: 497."},
		{"groups that set themselves", s.token("groups", "other"), "SELECT count() FROM messages SETTINGS log_comment = 'club'", "Code: 164."},
		{"figures", s.token("figures"), "SELECT sum(content_bytes) FROM messages", "22"},
		{"figures of content", s.token("figures"), "SELECT content FROM messages", "Code: 47."},
		{"figures of payloads", s.token("figures"), "SELECT payload FROM chat.events", "Code: 497."},
		{"tables", s.token("analyst"), "SELECT * FROM lishi.lishi_live", "Code: 497."},
		{"files", s.token("admin"), "SELECT file('/etc/hostname')", "Code: 497."},
		{"writing", s.token("admin"), "DROP VIEW messages", "Code: 497."},
	} {
		_, got := s.ask(c.token, nil, c.sql)
		if c.name == "the password" {
			r, _ := http.NewRequest(http.MethodGet, s.sql+"?user=lishi&password=a+password&query="+url.QueryEscape(c.sql), nil)
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(response.Body)
			response.Body.Close()
			if got = string(text); got != "3\n" {
				t.Errorf("%s: %s", c.name, got)
			}
			continue
		}
		if got != c.want && (!strings.HasPrefix(got, "Code: ") || !strings.Contains(got, c.want)) {
			t.Errorf("%s: %s = %q, want %q", c.name, c.sql, got, c.want)
		}
	}
	if _, got := s.ask(s.token("groups", "club"), url.Values{"log_comment": {"other"}}, "SELECT count() FROM messages"); !strings.HasPrefix(got, "Code: 164.") {
		t.Errorf("groups by parameter: %s", got)
	}
	for _, name := range []string{"role", "database"} {
		if _, got := s.ask(s.token("groups", "club"), url.Values{name: {"lishi"}}, "SELECT count() FROM messages"); name == "database" && !strings.HasPrefix(got, "Code: 497.") || name == "role" && got != "1" {
			t.Errorf("%s by parameter: %s", name, got)
		}
	}
	if code, got := s.ask(s.token("auditor"), url.Values{"lishi_reason": {"a case"}}, "SELECT 7"); code != 200 || got != "7" {
		t.Errorf("an auditor with a reason: %d %s", code, got)
	}
}

func (s *sqlServer) limits(t *testing.T) {
	token := s.token("analyst")
	for name, c := range map[string]struct {
		values url.Values
		sql    string
		want   string
	}{
		"time":                      {url.Values{"max_execution_time": {"1"}}, "SELECT count() FROM numbers(1000000000000000)", "Code: 159."},
		"memory":                    {nil, "SELECT length(groupArray(toString(number))) FROM numbers(1000000000)", "Code: 241."},
		"rows asked for":            {url.Values{"max_result_rows": {"10"}}, "SELECT number FROM numbers(100)", "Code: 396."},
		"time lifted":               {url.Values{"max_execution_time": {"0"}}, "SELECT getSetting('max_execution_time')", "20"},
		"time raised":               {url.Values{"max_execution_time": {"1000"}}, "SELECT getSetting('max_execution_time')", "20"},
		"time lowered":              {url.Values{"max_execution_time": {"7"}}, "SELECT getSetting('max_execution_time')", "7"},
		"memory lifted":             {url.Values{"max_memory_usage": {"0"}}, "SELECT getSetting('max_memory_usage')", "268435456"},
		"lifted in the statement":   {nil, "SELECT 1 SETTINGS max_execution_time = 0", "Code: 164."},
		"not read-only":             {url.Values{"readonly": {"0"}}, "SELECT 1", "Code: 164."},
		"a setting of other things": {url.Values{"format_schema": {"/etc/passwd:x"}}, "SELECT 1 FORMAT Protobuf", "Code: 164."},
		"two statements":            {nil, "SELECT 1; SELECT 2", "Code: 62."},
		"external tables":           {url.Values{"x_structure": {"a Int8"}}, "SELECT 1", "Code: 164."},
		"too long":                  {nil, "SELECT '" + strings.Repeat("x", 1<<20) + "'", "Code: 62."},
	} {
		if _, got := s.ask(token, c.values, c.sql); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %.300s, want %s", name, got, c.want)
		}
	}
	// A statement is ended by its id, by who began it.
	ended := make(chan string, 1)
	go func() {
		_, got := s.ask(token, url.Values{"query_id": {"long"}}, "SELECT count() FROM numbers(1000000000000000)")
		ended <- got
	}()
	wait(t, "the statement is killed", 30*time.Second, func() bool {
		_, got := s.ask(token, nil, "KILL QUERY WHERE query_id = 'long'")
		return strings.Contains(got, "long")
	})
	if got := <-ended; !strings.HasPrefix(got, "Code: 394.") {
		t.Error(got)
	}
}

// driver is clickhouse-go, as its users write it.
func (s *sqlServer) driver(t *testing.T) {
	for _, method := range []ch.CompressionMethod{ch.CompressionNone, ch.CompressionLZ4, ch.CompressionGZIP} {
		conn, err := ch.Open(&ch.Options{
			Protocol: ch.HTTP, Addr: []string{strings.Trim(strings.TrimPrefix(s.sql, "http://"), "/")},
			Auth: ch.Auth{Username: "any", Password: s.token("analyst")}, Compression: &ch.Compression{Method: method},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		var content string
		var said time.Time
		err = conn.QueryRow(ctx, "SELECT content, said FROM messages WHERE sender = {who:String} AND kind = 'pair'", ch.Named("who", "alice")).Scan(&content, &said)
		if err != nil || content != "你好" || said.IsZero() {
			t.Errorf("%s: %q %s, %v", method, content, said, err)
		}
		rows, err := conn.Query(ctx, "SELECT number, toString(number) FROM numbers(200000)")
		n := 0
		for err == nil && rows.Next() {
			n++
		}
		if err == nil {
			err = rows.Err()
		}
		if err != nil || n != 200_000 {
			t.Errorf("%s: %d rows, %v", method, n, err)
		}
		if err := conn.Exec(ctx, "INSERT INTO users SELECT 'x'"); err == nil {
			t.Errorf("%s: it writes", method)
		}
		cancel()
		conn.Close()
	}
}

func (s *sqlServer) query(t *testing.T) {
	run := func(args ...string) (string, string, int) {
		cmd := lishi(append([]string{"query"}, args...)...)
		var out, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		cmd.Run()
		return out.String(), errs.String(), cmd.ProcessState.ExitCode()
	}
	var document struct{ Data []map[string]any }
	out, errs, status := run("--sql", s.sql, "--json", "--param", "who=alice", "SELECT content FROM messages WHERE sender = {who:String} ORDER BY said")
	if err := json.Unmarshal([]byte(out), &document); err != nil || len(document.Data) != 2 || status != 0 || !strings.Contains(errs, "asking "+s.sql) {
		t.Errorf("json: %s %s %d", out, errs, status)
	}
	file := filepath.Join(t.TempDir(), "out.parquet")
	if _, errs, status := run("--sql", s.sql, "--format", "parquet", "--output", file, "SELECT number FROM numbers(200000)"); status != 0 {
		t.Error(errs)
	}
	if raw, _ := os.ReadFile(file); strings.Count(string(raw), "PAR1") != 2 {
		t.Errorf("parquet of %d bytes", len(raw))
	}
	for _, c := range []struct {
		status int
		says   string
		args   []string
	}{
		{1, "Unknown table", []string{"--sql", s.sql, "SELECT * FROM nowhere"}},
		{1, "non-zero", []string{"--sql", s.sql, "--output", file, "SELECT throwIf(number = 900000) FROM numbers(1000000)"}},
		{2, "one statement", nil},
		{2, "empty", []string{" "}},
		{1, "no SQL endpoint answers", []string{"--sql", "127.0.0.1:1", "SELECT 1"}},
	} {
		if out, errs, status := run(c.args...); status != c.status || !strings.Contains(errs, c.says) {
			t.Errorf("%v: %d %s %s", c.args, status, out, errs)
		}
	}
	// Interrupted, the statement ends here and there.
	cmd := lishi("query", "--sql", s.sql, "SELECT count() FROM numbers(1000000000000000)")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(500*time.Millisecond, func() { cmd.Process.Signal(os.Interrupt) })
	cmd.Wait()
	if cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("interrupted: %d", cmd.ProcessState.ExitCode())
	}
	// At rest the read models are opened themselves.
	if status := s.terminate(); status != 0 {
		t.Fatal(status)
	}
	if out, errs, status := run("--sql", "off", "--data", s.dir, "--format", "tsv", "SELECT count() AS n FROM messages"); out != "n\n3\n" || status != 0 || !strings.Contains(errs, "at rest") {
		t.Errorf("at rest: %s %s %d", out, errs, status)
	}
}

// examples are the statements that docs/sql.md shows.
func (s *sqlServer) examples(t *testing.T) {
	raw, err := os.ReadFile("../../../docs/sql.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(raw), "<!-- examples -->\n```sql\n")
	text, _, found := strings.Cut(text, "```")
	if !found {
		t.Fatal("docs/sql.md has lost its examples")
	}
	for _, sql := range strings.Split(strings.TrimSpace(text), ";\n") {
		if code, got := s.ask(s.token("analyst"), nil, strings.TrimSuffix(sql, ";")); code != http.StatusOK {
			t.Errorf("%s\n%s", sql, got)
		}
	}
}

// With a ClickHouse server behind, here an engine in a process of its own, the
// endpoint forwards with the role and the limits.
func TestSQLOnAServer(t *testing.T) {
	engine := freeAddr(t)
	cmd := lishi("engine", "--listen", engine, "--data", t.TempDir(), "--engine-databases", "lishi,shop")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	addr := freeAddr(t)
	s := withSQL(t, "--clickhouse", "http://"+engine+"/lishi", "--sql-password", "a password", "--console", addr)
	t.Run("roles", s.roles)
	t.Run("progress", func(t *testing.T) { s.progress(t, addr) })
	t.Run("an interrupted query", func(t *testing.T) { s.interrupted(t, engine) })
	t.Run("another deployment", func(t *testing.T) { s.beside(t, engine) })
	if code, got := s.ask(s.token("analyst"), url.Values{"default_format": {"JSONCompact"}, "enable_http_compression": {"1"}}, "SELECT count() FROM numbers(300000)"); code != 200 || !strings.Contains(got, "300000") {
		t.Errorf("%d %s", code, got)
	}
}

// beside: two deployments on one ClickHouse have builds, views and roles of their own.
func (s *sqlServer) beside(t *testing.T, engine string) {
	const facts = "SELECT currentDatabase(), count(), min(recorded), max(recorded) FROM messages"
	_, before := s.ask(s.token("analyst"), nil, facts)
	addr := freeAddr(t)
	shop := withSQL(t, "--clickhouse", "http://"+engine+"/shop", "--console", addr)
	if out, errs, code := run(t, nil, "replay", "history", "--into", "here", "--data", shop.dir, "--console", addr); code != 0 {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	_, ours := s.ask(s.token("analyst"), nil, facts)
	_, theirs := shop.ask(shop.token("analyst"), nil, facts)
	if ours != before || !strings.HasPrefix(ours, "chat\t3\t") || !strings.HasPrefix(theirs, "shop_chat\t3\t") || strings.TrimPrefix(theirs, "shop_") == ours {
		t.Errorf("before %s, then %s and %s", before, ours, theirs)
	}
	for _, c := range []struct {
		who             *sqlServer
		role, sql, want string
	}{
		{s, "analyst", "SELECT count() FROM shop_chat.messages", "Code: 497."},
		{s, "analyst", "SELECT count() FROM messages__here", "Code: 60."},
		{shop, "analyst", "SELECT count() FROM chat.messages", "Code: 497."},
		{shop, "analyst", "SELECT count() FROM shop_chat.messages__here", "3"},
		{shop, "analyst", "SELECT count() FROM shop.messages", "Code: 497."},
		{shop, "groups", "SELECT count() FROM messages", "1"},
		{shop, "figures", "SELECT content FROM messages", "Code: 47."},
	} {
		if _, got := c.who.ask(c.who.token(c.role, "club"), nil, c.sql); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s", c.sql, got, c.want)
		}
	}
}
