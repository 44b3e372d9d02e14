package events

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// -update writes schemas anew, and recordings that are not there yet. A
// recording that exists is never written again: it is a record as some release
// wrote it, and must be readable for ever.
var update = flag.Bool("update", false, "write docs/events and missing recordings")

// recording is one file of testdata/v1: a record as it stands in the log.
type recording struct {
	name   string
	typ    string // "message.sent"
	record Record
}

type recordingFile struct {
	Key     string          `json:"key"`
	Headers [][2]string     `json:"headers"`
	Value   json.RawMessage `json:"value"` // its bytes count
}

func recordings(t testing.TB) []recording {
	t.Helper()
	files, err := filepath.Glob("testdata/v*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	var rs []recording
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var f recordingFile
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err := d.Decode(&f); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		r := Record{Key: []byte(f.Key), Value: f.Value}
		rec := recording{name: strings.TrimSuffix(filepath.Base(file), ".json")}
		for _, h := range f.Headers {
			r.Headers = append(r.Headers, Header{h[0], []byte(h[1])})
			if h[0] == "ce_type" {
				name, _, _ := cutLast(strings.TrimPrefix(h[1], typePrefix), ".v")
				rec.typ = name
			}
		}
		rec.record = r
		rs = append(rs, rec)
	}
	return rs
}

func (f recordingFile) String() string {
	var b strings.Builder
	quote := func(s string) string {
		var buf bytes.Buffer
		e := json.NewEncoder(&buf)
		e.SetEscapeHTML(false)
		if err := e.Encode(s); err != nil {
			panic(err)
		}
		return strings.TrimSuffix(buf.String(), "\n")
	}
	b.WriteString("{\n  \"key\": " + quote(f.Key) + ",\n  \"headers\": [\n")
	for i, h := range f.Headers {
		b.WriteString("    [" + quote(h[0]) + ", " + quote(h[1]) + "]" + map[bool]string{true: ","}[i < len(f.Headers)-1] + "\n")
	}
	b.WriteString("  ],\n  \"value\": " + string(f.Value) + "\n}\n")
	return b.String()
}

// recorded is the record of an event as the appender hands it to the log.
func recorded(t testing.TB, r Recorded) Record {
	t.Helper()
	rec, err := Encode(r.Event)
	if err != nil {
		t.Fatalf("%T: %v", r.Body, err)
	}
	rec.Headers = append(rec.Headers, Header{HeaderRecordedTime, []byte(strconv.FormatInt(r.At.UnixMilli(), 10))})
	return rec
}

// Every recording is read, and written again byte for byte; those in samples
// also mean what they meant.
func TestRecordings(t *testing.T) {
	written := samples()
	if *update {
		for name, s := range written {
			writeRecording(t, name, s)
		}
	}
	have := map[string]bool{}
	for _, r := range recordings(t) {
		have[r.name] = true
		p := Position{Partition{Conversations, 0}, 1}
		got, err := Decode(p, r.record)
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		if got.Body.Type() != r.typ {
			t.Errorf("%s: read as %s", r.name, got.Body.Type())
		}
		if s, ok := written[r.name]; ok {
			s.Position = p
			if !reflect.DeepEqual(got, s) {
				t.Errorf("%s: read as %+v, want %+v", r.name, got, s)
			}
		}
		if !strings.Contains(string(header(r.record, "ce_type")), ".v"+strconv.Itoa(Version(r.typ))) {
			continue // an older version is not written any more
		}
		if again := recorded(t, got); !bytes.Equal(AppendRecord(nil, again), AppendRecord(nil, r.record)) {
			t.Errorf("%s: written again as\n%s %q\nnot\n%s %q", r.name, again.Value, again.Headers, r.record.Value, r.record.Headers)
		}
	}
	for name := range written {
		if !have[name] {
			t.Errorf("no recording %s; make it with go test ./events -run TestRecordings -update", name)
		}
	}
	for _, typ := range Types() {
		if name := typ + ".v" + strconv.Itoa(Version(typ)); !have[name] {
			t.Errorf("no recording %s", name)
		}
	}
}

func header(r Record, key string) []byte {
	for _, h := range r.Headers {
		if h.Key == key {
			return h.Value
		}
	}
	return nil
}

func writeRecording(t *testing.T, name string, s Recorded) {
	file := filepath.Join("testdata", "v1", name+".json")
	if _, err := os.Stat(file); err == nil {
		return
	}
	r := recorded(t, s)
	f := recordingFile{Key: string(r.Key), Value: r.Value}
	for _, h := range r.Headers {
		f.Headers = append(f.Headers, [2]string{h.Key, string(h.Value)})
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(f.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// samples are what the recordings of this release mean.
func samples() map[string]Recorded {
	said, at := time.UnixMilli(1795000000123).UTC(), time.UnixMilli(1795000000456).UTC()
	pair, group, user := PairStream("u-lin", "u-chen"), GroupStream("9f86d081884c7d659a2feaa0c55ad015"), UserStream("u-lin")
	id := func(n int) ID { return NewID("sample", "u-lin", strconv.Itoa(n)) }
	m := map[string]Recorded{}
	add := func(suffix string, e Event) {
		name := e.Body.Type() + ".v1" + suffix
		e.ID, e.Time = NewID("sample", "u-lin", name), said
		if e.Actor == "" && e.Stream.Kind != System && e.Stream.Kind != Seal {
			e.Actor, e.ActorName, e.Request = "u-lin", "林泽锋", name
			e.Fingerprint = Fingerprint(e.ID.Derive("fingerprint"))
		}
		m[name] = Recorded{Event: e, At: at}
	}
	relation := func(suffix string, s Stream, revision uint64, b Body) {
		e := Event{Stream: s, Revision: revision, Body: b}
		if revision > 1 {
			e.Prev = id(1000)
		}
		add(suffix, e)
	}
	message := func(suffix string, s Stream, b Body) { add(suffix, Event{Stream: s, Basis: 182735, Body: b}) }
	where := Position{Partition{Conversations, 3}, 182736}

	add("", Event{Stream: SystemStream(), Body: LogOpened{LogID: "0b5e0c9a", Partitions: 4, Format: 1}})
	message("", pair, MessageSent{Content: Content{Plain: "明天下午三点在图书馆见 :)"}})
	message("-full", group, MessageSent{
		Content: Content{Plain: "@陈 看这个"}, ContentType: "text/markdown", ReplyTo: where.String(), AtUserIDs: []string{"u-chen", "u|wu%"}, Strangers: true,
	})
	message("-escapes", pair, MessageSent{Content: Content{Plain: "\"quoted\" back\\slash /\n\r\t\b\f\x00\x1f\x7f <b>&amp;</b> \u2028\u2029 👩‍👩‍👧 e\u0301 \ufeff"}})
	add("-imported", Event{
		Stream: pair, Basis: 7, Actor: "陈|1%", ActorName: "陈", Imported: true, Body: MessageSent{Content: Content{Plain: "old"}},
	})
	message("", pair, MessageEdited{Message: where, Content: Content{Plain: "四点"}})
	message("", group, MessageRecalled{Message: where, Sender: "u-chen"})
	relation("", pair, 1, FriendApplied{Note: "我是林", Remark: "同学", FriendGroupID: "f1", ExpiresAt: 1795604800123})
	relation("", pair, 2, FriendAgreed{Application: id(1001), Applicant: "u-chen", Note: "好", Remark: "陈", FriendGroupID: "f2"})
	relation("-crossed", pair, 2, FriendAgreed{Application: id(1001), Applicant: "u-chen", Crossed: true})
	add("-imported", Event{Stream: pair, Revision: 1, Actor: "u-lin", Imported: true, Body: FriendAgreed{}})
	relation("", pair, 2, FriendRefused{Application: id(1001), Applicant: "u-chen", Note: "不认识"})
	relation("", pair, 3, FriendRemoved{})
	relation("", pair, 4, FriendBlocked{})
	relation("", pair, 5, FriendUnblocked{})
	relation("", pair, 6, FriendViewChanged{Remark: "老陈", FriendGroupID: id(1005).String(), Avatar: "a.png"})
	relation("-default", pair, 7, FriendViewChanged{})
	relation("", group, 1, GroupCreated{GroupName: "读书会", GroupImg: "g.png", JoinMode: JoinByApplication, Invitations: []Invitation{{ID: id(1002), UserID: "u-chen", ExpiresAt: 1795604800123}}})
	relation("-alone", group, 1, GroupCreated{GroupName: "一个人", JoinMode: JoinOpen})
	relation("", group, 2, GroupInfoChanged{GroupName: "读书会", GroupImg: "h.png", Notice: "周五见", JoinMode: JoinByInvitation})
	relation("", group, 3, GroupApplied{GroupName: "读书会", Note: "想加入", ExpiresAt: 1795604800123})
	relation("", group, 4, GroupJoined{GroupName: "读书会"})
	relation("", group, 5, GroupInvited{GroupName: "读书会", UserID: "u-wu", Note: "来吧", ExpiresAt: 1795604800123})
	relation("", group, 6, GroupApplicationVerified{GroupName: "读书会", Application: id(1003), UserID: "u-wu", State: Agreed, Note: "欢迎"})
	relation("", group, 7, GroupInvitationVerified{GroupName: "读书会", Application: id(1004), Inviter: "u-chen", State: Refused})
	relation("", group, 8, GroupMemberRemoved{GroupName: "读书会", UserID: "u-wu", Note: "再见"})
	relation("", group, 9, GroupMemberQuit{GroupName: "读书会"})
	relation("", group, 10, GroupOwnerChanged{UserID: "u-chen"})
	relation("", group, 11, GroupRoleChanged{UserID: "u-wu", Role: Admin})
	relation("", group, 12, GroupMemberMuted{UserID: "u-wu", MutedUntil: 1795003600000})
	relation("", group, 13, GroupDeleted{GroupName: "读书会", Note: "散了"})
	relation("", user, 1, UserRegistered{NickName: "林泽锋"})
	relation("", user, 2, UserProfileChanged{NickName: "小林", Avatar: "a.png"})
	relation("-token", user, 3, UserProfileChanged{NickName: "林", FromToken: true})
	relation("", user, 4, FolderCreated{Name: "同学", Avatar: "a.png"})
	relation("", user, 5, FolderDeleted{Folder: id(1005), Avatar: "a.png"})
	add("", Event{Stream: user, Body: ConversationRead{Conversation: pair.Key(), Read: where}})
	add("", Event{Stream: Stream{Kind: Seal, ID: "c3"}, Actor: "", Body: CheckpointSigned{
		Checkpoint: "lishi.log/7c2f/c3\n3\nXOJ8sMkfctCmVQ+lMfHMMUUtIqVAFyt6LN6N7rroFH4=\n\n— lishi.log/7c2f/c3 bqmih5sbH7Cpp9ZXVV6wnGUxQoHGIsSd2oBXxQx3+86LvWBCzRZf+GxMhgnJc6RoEOEF6+JkKxybuUcdV9Z318l9SwQ=\n",
		Old:        2, Proof: []string{"LRkAw8X/JBp5z2SM/KC50cv87CNhQZ6oq8w0Ws8kh+w=", "2iYmRkP9EB8yUwN/8wmoldiTdZfWPIYUbdL93Ria1OU="},
	}})
	add("", Event{Stream: Stream{Kind: Seal, ID: "keys"}, Body: KeyChanged{Change: "lishi.log/7c2f/keys\n1\n6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw\nother\n\n— sig\n"}})
	looked := Event{Stream: Stream{Kind: Auditor, ID: "auditor-1"}, Actor: "auditor-1", ActorName: "王", Request: "4c7h"}
	looked.Body = LookTaken{Role: "auditor", Reason: "投诉 2026-17", Way: "console", What: "GET /api/events/c3-182736", From: "10.0.0.7:51344"}
	add("", looked)
	looked.Body = LookTaken{Role: "analyst", Way: "sql", What: "POST /", Text: "SELECT 1", TextSHA256: "e004ebd5b5532a4b85984a62f8ad48a81aa3460c1ca07701f386135d72cdecf5"}
	add("-text", looked)
	return m
}
