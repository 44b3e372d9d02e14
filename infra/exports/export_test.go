package exports

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lishi/cmd/lishi-verify/verify"
	"lishi/events"
)

// texts are position, version and text of the rows of messages.csv.
func texts(t *testing.T, dir string) (out []string) {
	t.Helper()
	for _, row := range rowsOf(t, dir, "messages.csv")[1:] {
		out = append(out, row[2]+" "+row[9])
	}
	return out
}

func rowsOf(t *testing.T, dir, name string) (rows [][]string) {
	t.Helper()
	if err := eachRow(t.Context(), filepath.Join(dir, name), 0, func(row []string) error {
		rows = append(rows, slices.Clone(row))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return rows
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestQueriesFindWhatTheyAskFor(t *testing.T) {
	w := chat(t)
	everyVersion := []string{"original 第一条", "edit 第一条，改过 Straße", "edit \u2028 odd \u0001 \\ \"signs\" \x7f", "recall "}
	day := began.Truncate(24 * 60 * 60 * 1e9).Add(24 * 60 * 60 * 1e9)
	for name, tc := range map[string]struct {
		q     Query
		texts []string // nil: not looked at
		n     int      // events
	}{
		"text of the original":     {Query{Text: "第一条"}, everyVersion, 4},
		"text of an edit":          {Query{Text: "STRASSE"}, nil, 0}, // ß folds to itself, as in the search
		"text of an edit, folded":  {Query{Text: "STRAßE"}, everyVersion, 4},
		"text of a void message":   {Query{Text: "Nobody"}, []string{"original nobody is shown this"}, 1},
		"a user's":                 {Query{Users: []string{"carol"}}, []string{"original nobody is shown this", "original at the same time"}, 4},
		"a user in a conversation": {Query{Users: []string{"bob"}, Conversations: []string{group.Key()}}, []string{"original =HYPERLINK(\"http://x\",\"两行\r\n一格\")"}, 2},
		"where somebody was": {Query{Participants: []string{"carol"}, Conversations: []string{group.Key()}}, []string{
			everyVersion[0], "original nobody is shown this", "original =HYPERLINK(\"http://x\",\"两行\r\n一格\")", "original at the same time",
			everyVersion[1], everyVersion[2], everyVersion[3],
		}, 9},
		"a pair":         {Query{Conversations: []string{pair.Key()}}, nil, 10},
		"a day":          {Query{From: day, Conversations: []string{pair.Key()}}, []string{"original tomorrow", "original "}, 2},
		"before":         {Query{To: day, Conversations: []string{pair.Key()}}, nil, 8},
		"everything":     {Query{All: true}, nil, 4 + 3 + 11 + 10},
		"what is nobody": {Query{Users: []string{"zoe"}}, []string{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := w.export(t, tc.q)
			got := texts(t, dir)
			if tc.texts != nil && !slices.Equal(got, tc.texts) {
				t.Errorf("messages %q, want %q", got, tc.texts)
			}
			if n := strings.Count(contents(t, dir)["events.jsonl"], "\n"); n != tc.n {
				t.Errorf("%d events, want %d", n, tc.n)
			}
		})
	}
}

func TestTablesSayWhatTheLogSays(t *testing.T) {
	dir := chat(t).export(t, Query{Conversations: []string{group.Key()}})
	at := map[string]int{}
	rows := rowsOf(t, dir, "messages.csv")
	for i, name := range rows[0] {
		at[name] = i
	}
	col := func(row int, names ...string) (out []string) {
		for _, n := range names {
			out = append(out, rows[row][at[n]])
		}
		return out
	}
	same := func(what string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	first := rows[1][0]
	same("original", col(1, "actor", "actor_name", "valid", "edited_by", "recalled_by", "audience", "audience_ids"), "alice", "<alice>", "true", "alice", "alice", "2", `["alice","bob"]`)
	same("its edit", col(1, "edited_position", "recalled_position"), rows[5][0], rows[7][0])
	same("void", col(2, "valid", "void", "audience", "audience_ids"), "false", "not member", "0", "[]")
	same("with carol", col(3, "audience", "audience_ids", "text"), "3", `["alice","bob","carol"]`, "=HYPERLINK(\"http://x\",\"两行\r\n一格\")")
	// carol, who came after the message, is told of no edit of it.
	same("first edit", col(5, "message", "version", "edited_position", "audience", "audience_ids"), first, "edit", rows[6][0], "2", `["alice","bob"]`)
	same("recall", col(7, "message", "version", "text", "edited_by", "recalled_by", "audience"), first, "recall", "", "", "", "2")

	looks := rowsOf(t, dir, "access.csv")
	same("looks", append([]string{looks[1][0]}, looks[1][3:]...), "a0-1", "auditor", "case 3, \"old\"", "console", "GET /api/audit/looks", "")

	members := rowsOf(t, dir, "membership.csv")
	same("members", []string{members[1][1], members[2][1], members[3][1]}, "alice", "bob", "carol")
	same("carol", append(slices.Clone(members[3][2:4]), members[3][8:]...), "group.joined", "carol", "group.memberRemoved", "alice")
	if members[3][4] == "" || members[3][6] == "" || members[1][6] != "" {
		t.Errorf("positions: %q", members)
	}
}

// The same query over the same range makes the same bytes, also when the log has
// grown meanwhile.
func TestTheSameBytes(t *testing.T) {
	w := chat(t)
	q := Query{Participants: []string{"bob", "carol"}, Formats: []string{"all"}, Zone: "Asia/Shanghai"}
	first := w.export(t, q)
	var m verify.Manifest
	if err := json.Unmarshal([]byte(contents(t, first)["manifest.json"]), &m); err != nil {
		t.Fatal(err)
	}
	w.say(pair, "alice", sent("later"))
	until, err := events.ParseCursor(m.Until)
	if err != nil {
		t.Fatal(err)
	}
	second := t.TempDir() + "/again"
	q.Participants = []string{"carol", "bob", "bob"}
	if _, err := Export(t.Context(), w.source(), Request{Query: q, AskedBy: "auditor", Reason: "case 17", Until: until}, second, testOptions); err != nil {
		t.Fatal(err)
	}
	if a, b := contents(t, first), contents(t, second); !maps.Equal(a, b) {
		for name := range a {
			if a[name] != b[name] {
				t.Errorf("%s differs", name)
			}
		}
		t.Fatal("other bytes")
	}
}

func TestExportRefuses(t *testing.T) {
	w := chat(t)
	for name, r := range map[string]Request{
		"nothing asked":   {Query: Query{}, AskedBy: "a", Reason: "r"},
		"all and more":    {Query: Query{All: true, Text: "x"}, AskedBy: "a", Reason: "r"},
		"no reason":       {Query: Query{All: true}, AskedBy: "a", Reason: " "},
		"nobody":          {Query: Query{All: true}, Reason: "r"},
		"no conversation": {Query: Query{Conversations: []string{"p|b|a"}}, AskedBy: "a", Reason: "r"},
		"a user's stream": {Query: Query{Conversations: []string{"u|a"}}, AskedBy: "a", Reason: "r"},
		"no time":         {Query: Query{From: began, To: began}, AskedBy: "a", Reason: "r"},
		"no format":       {Query: Query{All: true, Formats: []string{"doc"}}, AskedBy: "a", Reason: "r"},
		"no partition":    {Query: Query{All: true}, AskedBy: "a", Reason: "r", Until: events.Cursor{{Topic: 'c', Number: 9}: 1}},
		"half a range":    {Query: Query{All: true}, AskedBy: "a", Reason: "r", Until: events.Cursor{{Topic: 'c', Number: 0}: 1}},
		"beyond":          {Query: Query{All: true}, AskedBy: "a", Reason: "r", Until: events.Cursor{{Topic: 'c'}: 1, {Topic: 'c', Number: 1}: 1, {Topic: 'u'}: 99, {Topic: 'a'}: 0}},
	} {
		dir := t.TempDir() + "/p"
		_, err := Export(t.Context(), w.source(), r, dir, testOptions)
		var bad *QueryError
		if !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: a directory was made", name)
		}
	}
	dir := w.export(t, Query{All: true})
	if _, err := Export(t.Context(), w.source(), Request{Query: Query{All: true}, AskedBy: "a", Reason: "r"}, dir, testOptions); !errors.Is(err, ErrExists) {
		t.Errorf("over a package: %v", err)
	}
}

// cut is a log whose reading ends with an error after some records, as if the
// process had been killed there.
type cut struct {
	*world
	left *int
}

var errKilled = errors.New("killed")

func (c cut) Records(ctx context.Context, p events.Partition, from, end int64, each func(int64, events.Record) error) error {
	return c.world.Records(ctx, p, from, end, func(o int64, r events.Record) error {
		if *c.left--; *c.left < 0 {
			return errKilled
		}
		return each(o, r)
	})
}

// Wherever it was killed, the same request goes on, and makes the bytes of one
// that never was.
func TestResumeMakesTheSameBytes(t *testing.T) {
	saveEvery = 2
	defer func() { saveEvery = 20_000 }()
	w := chat(t)
	r := Request{Query: Query{Participants: []string{"alice"}, Formats: []string{"eml"}}, AskedBy: "auditor", Reason: "case 17"}
	whole := contents(t, w.export(t, r.Query))
	dir := t.TempDir() + "/package"
	for left, done := 1, false; !done; left += 3 {
		source, budget := w.source(), left
		source.Log = cut{w, &budget}
		_, err := Export(t.Context(), source, r, dir, testOptions)
		if err != nil && !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		if done = err == nil; !done {
			if _, err := os.Stat(dir + unfinished); err != nil {
				t.Fatal(err)
			}
			// What was written after the last save is not believed.
			f, err := os.OpenFile(filepath.Join(dir, "events.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = f.WriteString(strings.Repeat("half a li", 20_000))
			f.Close()
			other := r
			other.Reason = "another"
			if _, err := Export(t.Context(), w.source(), other, dir, testOptions); err == nil || !strings.Contains(err.Error(), "another export") {
				t.Fatalf("another request went on: %v", err)
			}
		}
		if left > 200 {
			t.Fatal("it never ends")
		}
	}
	if got := contents(t, dir); !maps.Equal(got, whole) {
		t.Error("other bytes than without interruption")
	}
	if _, err := os.Stat(dir + unfinished); err == nil {
		t.Error("a finished package is marked unfinished")
	}
}
