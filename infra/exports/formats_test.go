package exports

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lishi/infra/chdb"
)

func everyFormat(t *testing.T) string {
	t.Helper()
	return chat(t).export(t, Query{All: true, Formats: []string{"all"}, Zone: "Asia/Shanghai"})
}

// ClickHouse reads messages.csv and messages.parquet, and finds the same in both.
func TestOthersReadTheTables(t *testing.T) {
	dir := everyFormat(t)
	rows := rowsOf(t, dir, "messages.csv")
	engine, err := chdb.Open(chdb.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	ask := func(sql string) string {
		t.Helper()
		var b strings.Builder
		if err := engine.Query(t.Context(), chdb.Session{}, sql, "JSONCompactEachRow", nil, func(p []byte) error {
			b.Write(p)
			return nil
		}); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return b.String()
	}
	var types []string
	for _, name := range rows[0] {
		types = append(types, name+" String")
	}
	csv := fmt.Sprintf("file('%s/messages.csv', 'CSVWithNames', '%s')", dir, strings.Join(types, ", "))
	parquet := fmt.Sprintf("file('%s/messages.parquet', 'Parquet')", dir)

	// Every field of the CSV, byte for byte: line ends, quotes and formulas in texts.
	d := json.NewDecoder(strings.NewReader(ask("SELECT * FROM " + csv)))
	for _, want := range rows[1:] {
		var got []string
		if err := d.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("read %q, want %q", got, want)
		}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		t.Error("more rows than there are")
	}
	same := "position, message, version, conversation, actor, actor_name, text, content_type, reply_to, at_users, void, edited_by, edited_position, recalled_by, recalled_position, audience_ids"
	if a, b := ask("SELECT "+same+" FROM "+csv), ask("SELECT "+same+" FROM "+parquet); a != b {
		t.Errorf("CSV %s\nParquet %s", a, b)
	}
	typed := `SELECT formatDateTime(said, '%FT%T.', 'UTC'), toUnixTimestamp64Milli(recorded), imported, valid, toUnixTimestamp64Milli(edited_at), audience FROM ` + parquet + " WHERE text = '第一条'"
	got := ask(typed)
	if !strings.Contains(got, `"2026-01-30T22:06:59.`) || !strings.Contains(got, "false,true") && !strings.Contains(got, "false, true") {
		t.Errorf("%s", got)
	}
	if got := ask("SELECT count(), countIf(valid), sum(audience) FROM " + parquet); !strings.HasPrefix(got, "[") || !strings.Contains(got, fmt.Sprint(len(rows)-1)) {
		t.Errorf("%s of %d rows", got, len(rows)-1)
	}
}

// Python's email parser reads the mails: people, day, and every word.
func TestPythonReadsTheMails(t *testing.T) {
	dir := everyFormat(t)
	const script = `
import email, email.policy, glob, json, sys
mails = []
for path in sorted(glob.glob(sys.argv[1] + '/eml/*/*.eml')):
    m = email.message_from_binary_file(open(path, 'rb'), policy=email.policy.default)
    mails.append({
        'from': m['from'].addresses[0].display_name, 'to': [a.display_name for a in m['to'].addresses], 'subject': m['subject'],
        'date': m['date'].datetime.isoformat(), 'conversation': m['x-lishi-conversation'], 'type': m.get_content_type(), 'id': m['message-id'],
        'text': m.get_content(), 'defects': [str(d) for d in m.defects] + [str(d) for h in m.values() for d in getattr(h, 'defects', [])],
    })
print(json.dumps(mails))`
	out, err := exec.Command("python3", "-c", script, dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var mails []struct {
		From, Subject, Date, Conversation, Type, ID, Text string
		To, Defects                                       []string
	}
	if err := json.Unmarshal(out, &mails); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(mails) != 2 { // a group and a pair, both on one day of the zone
		t.Fatalf("%d mails: %s", len(mails), out)
	}
	for _, m := range mails {
		if len(m.Defects) > 0 || m.Type != "text/plain" || m.Date != "2026-01-31T00:00:00+08:00" || m.From != m.Conversation {
			t.Errorf("%+v", m)
		}
		switch m.Conversation {
		case group.Key():
			if !slices.Equal(m.To, []string{"alice", "bob", "carol"}) || m.Subject != group.Key()+" 2026-01-31" {
				t.Errorf("to %q, subject %q", m.To, m.Subject)
			}
			for _, has := range []string{"第一条", "=HYPERLINK(\"http://x\",\"两行\n一格\")", "改过 Straße", "recalled by alice", "void: not member", "edits c", "recalls c"} {
				if !strings.Contains(m.Text, has) {
					t.Errorf("the mail lacks %q:\n%s", has, m.Text)
				}
			}
		case pair.Key():
			if !slices.Equal(m.To, []string{"alice", "bob"}) || !strings.Contains(m.Text, "secret plan 4") || !strings.Contains(m.Text, "tomorrow") {
				t.Errorf("%+v", m)
			}
		default:
			t.Errorf("%+v", m)
		}
	}
}

// The published structure: the elements that Mattermost's export writes, in its
// order (server/enterprise/message_export/actiance_export/actiance_export.go of
// github.com/mattermost/mattermost). A star: any number; a question mark: optional.
var published = map[string][]string{
	"FileDump":           {"Conversation*"},
	"Conversation":       {"RoomID", "StartTimeUTC", "ParticipantEntered*", "Message*", "FileTransferStarted*", "FileTransferEnded*", "ParticipantLeft*", "EndTimeUTC"},
	"ParticipantEntered": {"LoginName", "UserType", "DateTimeUTC", "CorporateEmailID"},
	"ParticipantLeft":    {"LoginName", "UserType", "DateTimeUTC", "CorporateEmailID"},
	"Message":            {"MessageId", "LoginName", "UserType", "DateTimeUTC", "UpdatedType?", "UpdatedDateTimeUTC?", "EditedNewMsgId?", "Content", "PreviewsPost?"},
}

type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Children []element  `xml:",any"`
	Text     string     `xml:",chardata"`
}

func (e element) child(name string) string {
	for _, c := range e.Children {
		if c.XMLName.Local == name {
			return c.Text
		}
	}
	return ""
}

func fits(t *testing.T, e element) {
	t.Helper()
	order, rest := published[e.XMLName.Local], e.Children
	for _, want := range order {
		name := strings.TrimRight(want, "*?")
		n := 0
		for len(rest) > 0 && rest[0].XMLName.Local == name {
			fits(t, rest[0])
			rest = rest[1:]
			n++
		}
		if !strings.HasSuffix(want, "*") && (n > 1 || n == 0 && !strings.HasSuffix(want, "?")) {
			t.Errorf("%s has %d of %s", e.XMLName.Local, n, name)
		}
	}
	if len(order) > 0 && len(rest) > 0 {
		t.Errorf("%s has %s where it can't be", e.XMLName.Local, rest[0].XMLName.Local)
	}
}

func TestActianceHasThePublishedStructure(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(everyFormat(t), "actiance.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var root element
	if err := xml.Unmarshal(raw, &root); err != nil {
		t.Fatal(err)
	}
	if root.XMLName.Local != "FileDump" || len(root.Children) != 2 || !bytes.Contains(raw, []byte(`xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`)) {
		t.Fatalf("%s with %d conversations", root.XMLName.Local, len(root.Children))
	}
	fits(t, root)
	room := root.Children[slices.IndexFunc(root.Children, func(c element) bool { return c.child("RoomID") == group.Key() })]
	var said []string
	stays := map[string]int{}
	for _, c := range room.Children {
		if c.XMLName.Local == "Message" {
			said = append(said, c.child("LoginName")+" "+c.child("UpdatedType")+" "+c.child("Content"))
		}
		if strings.HasPrefix(c.XMLName.Local, "Participant") {
			stays[c.child("LoginName")+c.XMLName.Local[len("Participant"):]]++
		}
	}
	want := []string{
		"alice EditedOriginalMsg 第一条", "bob  =HYPERLINK(\"http://x\",\"两行\r\n一格\")", "carol  at the same time",
		"alice EditedOriginalMsg 第一条，改过 Straße", "alice EditedNewMsg \u2028 odd \ufffd \\ \"signs\" \x7f", "alice Deleted ",
	}
	if !slices.Equal(said, want) {
		t.Errorf("%q", said)
	}
	if len(stays) != 6 || stays["carolLeft"] != 1 {
		t.Errorf("%v", stays)
	}
	if room.Children[1].Text != "1769788800" { // the day's beginning in the zone, seconds
		t.Errorf("begins %s", room.Children[1].Text)
	}
}
