package system

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const lines = `{"time":"2020-01-02 03:04:05","from":"小 [明]|1","to":"红","text":"第一句"}
{"time":"2020-01-02 03:04:05","from":"小 [明]|1","to":"红","text":"第一句"}
{"time":"2020-01-02 03:04:04","from":"红","to":"小 [明]|1","text":"earlier on the clock, later in the log"}
{"time":"2020-01-02 03:05:00","from":"a","group":"room","text":"hello \\ud83d \ud83d\ude00"}
{"time":"2020-01-02 03:06:00","from":"b","group":"room","text":"hi"}
`

func TestImport(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "chat.jsonl")
	if err := os.WriteFile(file, []byte("\ufeff"+lines), 0o600); err != nil {
		t.Fatal(err)
	}
	summary := func(args ...string) map[string]any {
		t.Helper()
		out, errs, code := run(t, nil, append([]string{"import", "--data", dir, "--json"}, args...)...)
		if code != 0 {
			t.Fatalf("exit %d\n%s%s", code, out, errs)
		}
		var s map[string]any
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return s
	}
	first := summary(file)
	for name, want := range map[string]float64{"lines": 5, "messages": 5, "users": 4, "groups": 1, "joined": 1, "friends": 1, "bad": 0, "known": 0} {
		if first[name] != want {
			t.Errorf("first import: %s is %v, want %v", name, first[name], want)
		}
	}
	second := summary(file)
	for name, want := range map[string]float64{"messages": 0, "users": 0, "groups": 0, "joined": 0, "friends": 0, "known": 5} {
		if second[name] != want {
			t.Errorf("second import: %s is %v, want %v", name, second[name], want)
		}
	}

	s := serve(t, dir)
	rows := s.history("红", "小 [明]|1")
	if len(rows) != 3 || rows[0]["talkContent"] != "第一句" || rows[1]["talkContent"] != "第一句" || rows[2]["talkDate"] != "2020-01-02 03:04:04" {
		t.Fatalf("history: %v", rows)
	}
	room := s.must("b", "/group/loadMoreMessage", object{"groupId": "room"}).list()
	if len(room) != 2 || room[0]["sendUserId"] != "a" || room[0]["talkContent"] != `hello \ud83d 😀` {
		t.Fatalf("room: %v", room)
	}
	// Imported messages count as read, and nobody is told of them.
	recents := s.must("b", "/friend/getRecentMessageList", object{}).list()
	if len(recents) != 1 || fmt.Sprint(recents[0]["total"]) != "0" {
		t.Fatalf("recents: %v", recents)
	}
	k, _ := s.login("b", object{"cursor": "c0-0,c1-0,c2-0,c3-0,u0-0"})
	for a := k.next(); a.MsgType != "15"; a = k.next() {
		if a.MsgType != "14" { // the token's name replaced the imported one
			t.Fatalf("an imported event was pushed: %s", a.Raw)
		}
	}
	// A data directory that is in use says by whom.
	_, errs, code := run(t, nil, "import", "--data", dir, file)
	if code != 1 || !strings.Contains(errs, fmt.Sprint(s.cmd.Process.Pid)) {
		t.Fatalf("import beside a running server: exit %d, %s", code, errs)
	}
	// Importing again brings nobody back.
	s.must("b", "/group/quitGroup", object{"groupId": "room", "uniqueNo": no()})
	s.must("红", "/friend/deleteFriend", object{"friendId": "小 [明]|1", "uniqueNo": no()})
	s.must("红", "/friend/blockFriend", object{"userId": "小 [明]|1", "uniqueNo": no()})
	s.terminate()
	again := summary(file)
	for name, want := range map[string]float64{"messages": 0, "users": 0, "joined": 0, "friends": 0, "known": 5} {
		if again[name] != want {
			t.Errorf("after the two had left: %s is %v, want %v", name, again[name], want)
		}
	}
	_, errs, code = run(t, strings.NewReader(strings.ReplaceAll(lines, "第一句", "第二句")), "import", "--data", dir, "-")
	if code != 1 || !strings.Contains(errs, "has blocked the other") {
		t.Errorf("into a conversation that is blocked: exit %d, %s", code, errs)
	}
}

func TestImportBadLines(t *testing.T) {
	for name, tc := range map[string]struct{ line, want string }{
		"not json":         {`{"time"`, "bad_request"},
		"no time":          {`{"from":"a","to":"b","text":"x"}`, "time is missing"},
		"bad time":         {`{"time":"yesterday","from":"a","to":"b","text":"x"}`, "yyyy-MM-dd"},
		"both":             {`{"time":"2020-01-01 00:00:00","from":"a","to":"b","group":"g","text":"x"}`, "exactly one"},
		"neither":          {`{"time":"2020-01-01 00:00:00","from":"a","text":"x"}`, "exactly one"},
		"self":             {`{"time":"2020-01-01 00:00:00","from":"a","to":"a","text":"x"}`, "the same"},
		"empty":            {`{"time":"2020-01-01 00:00:00","from":"a","to":"b","text":""}`, "text is empty"},
		"long id":          {`{"time":"2020-01-01 00:00:00","from":"` + strings.Repeat("a", 65) + `","to":"b","text":"x"}`, "too_long"},
		"long text":        {`{"time":"2020-01-01 00:00:00","from":"a","to":"b","text":"` + strings.Repeat("a", 16385) + `"}`, "too_long"},
		"control":          {`{"time":"2020-01-01 00:00:00","from":"a\u0001","to":"b","text":"x"}`, "control"},
		"half a surrogate": {`{"time":"2020-01-01 00:00:00","from":"a","to":"b","text":"\\\ud83d \ud83d\ude00 \ude00"}`, "half a surrogate pair"},
		"long line":        {`{"time":"2020-01-01 00:00:00","from":"a","to":"b","text":"` + strings.Repeat("a", 3<<20) + `"}`, "too_long"},
		"not utf-8":        {"{\"time\":\"2020-01-01 00:00:00\",\"from\":\"a\",\"to\":\"b\",\"text\":\"\xff\"}", "not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			in := lines + tc.line + "\n"
			_, errs, code := run(t, strings.NewReader(in), "import", "--data", dir, "-")
			if code != 1 || !strings.Contains(errs, tc.want) || !strings.Contains(errs, "line 6") {
				t.Fatalf("exit %d: %s", code, errs)
			}
			out, errs, code := run(t, strings.NewReader(in), "import", "--data", dir, "--skip-bad", "--json", "-")
			if code != 0 || !strings.Contains(out, `"bad": 1`) || !strings.Contains(out, `"messages": 5`) {
				t.Fatalf("exit %d: %s%s", code, out, errs)
			}
		})
	}
	if _, errs, code := run(t, nil, "import", "--data", t.TempDir(), "no-such-file"); code != 1 || !strings.Contains(errs, "no-such-file") {
		t.Fatalf("exit %d: %s", code, errs)
	}
	if _, _, code := run(t, nil, "import", "--data", t.TempDir()); code != 2 {
		t.Fatalf("no file at all: exit %d", code)
	}
}

// The real chat, if it is there: LISHI_SHARED, or ../shared beside the project.
func TestImportRealChatAndReadItBack(t *testing.T) {
	shared := os.Getenv("LISHI_SHARED")
	if shared == "" {
		shared = "../../../../shared"
	}
	files := []string{filepath.Join(shared, "data", "group-chat-en.jsonl.gz"), filepath.Join(shared, "data", "pair-chat-zh.jsonl.gz")}
	for _, f := range files {
		if _, err := os.Stat(f); errors.Is(err, os.ErrNotExist) {
			t.Skipf("the sample chat is not here: no %s (set LISHI_SHARED)", f)
		}
	}
	dir := t.TempDir()
	if _, errs, code := run(t, nil, append([]string{"import", "--data", dir}, files...)...); code != 1 || !strings.Contains(errs, "text is empty") {
		t.Fatalf("the bad lines were not named: exit %d, %s", code, errs)
	}
	out, errs, code := run(t, nil, append([]string{"import", "--data", dir, "--skip-bad", "--json"}, files...)...)
	if code != 0 || !strings.Contains(out, `"bad": 2`) || !strings.Contains(out, `"messages": 70780`) {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	out, _, _ = run(t, nil, append([]string{"import", "--data", dir, "--skip-bad", "--json"}, files...)...)
	if !strings.Contains(out, `"messages": 0`) || !strings.Contains(out, `"known": 70780`) {
		t.Fatalf("importing again: %s", out)
	}

	s := serve(t, dir)
	want := map[string][]string{} // texts by conversation, in the file's order
	members := map[string]string{}
	for _, f := range files {
		each(t, f, func(l map[string]string) {
			if l["text"] == "" {
				return
			}
			key := l["group"]
			if key == "" {
				a, b := min(l["from"], l["to"]), max(l["from"], l["to"])
				key = a + "\x00" + b
			}
			members[key] = l["from"]
			want[key] = append(want[key], l["text"])
		})
	}
	read := 0
	for key, texts := range want {
		var got []object
		if a, b, ok := strings.Cut(key, "\x00"); ok {
			got = s.history(a, b)
		} else {
			got = s.groupHistory("ubuntu", ownerOf(t, files[0]))
		}
		if len(got) != len(texts) {
			t.Fatalf("%q: %d messages read back, %d imported", key, len(got), len(texts))
		}
		for i := range texts {
			if got[i]["talkContent"] != texts[i] {
				t.Fatalf("%q, number %d: %q, imported %q", key, i, got[i]["talkContent"], texts[i])
			}
		}
		read += len(got)
	}
	if read != 70780 {
		t.Fatalf("%d messages read back", read)
	}
}

func each(t *testing.T, file string, line func(map[string]string)) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	sc := bufio.NewScanner(z)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var l map[string]string
		if err := json.Unmarshal(sc.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		line(l)
	}
}

// ownerOf is the first speaker, who sees everything.
func ownerOf(t *testing.T, file string) (first string) {
	each(t, file, func(l map[string]string) {
		if first == "" && l["text"] != "" {
			first = l["from"]
		}
	})
	return first
}

func (s *server) groupHistory(group, user string) []object {
	s.t.Helper()
	var pages [][]object
	params := object{"groupId": group, "limit": 200}
	for {
		page := s.must(user, "/group/loadMoreMessage", params).list()
		pages = append(pages, page)
		if len(page) < 200 {
			break
		}
		params["before"] = page[0]["position"]
	}
	var all []object
	for i := len(pages) - 1; i >= 0; i-- {
		all = append(all, pages[i]...)
	}
	return all
}
