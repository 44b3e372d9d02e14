package ws

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"lishi/commands"
)

const sendMessage = `{"url":"/chat/sendMessage","params":{"token":"alice","uniqueNo":"c0ffee-1","messageContent":"你好，世界 \"quoted\"","receiveUserId":"bob"}}`

// seeds are all frames of the golden conversations.
func seeds(t testing.TB) (frames []string) {
	files, _ := filepath.Glob("testdata/golden/*.txt")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(b), "\n") {
			if _, frame, ok := strings.Cut(line, " > "); ok {
				frames = append(frames, frame)
			}
		}
	}
	if len(frames) < 100 {
		t.Fatalf("only %d seeds", len(frames))
	}
	return append(frames, sendMessage)
}

// What a frame says is what encoding/json reads of it; what is accepted keeps the
// limits.
func FuzzRequest(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add([]byte(s))
	}
	var q request
	f.Fuzz(func(t *testing.T, frame []byte) {
		if !utf8.Valid(frame) {
			return
		}
		if bad := q.read(bytes.Clone(frame), urls); bad != nil {
			if bad.Reason != commands.BadRequest && bad.Reason != commands.UnknownURL {
				t.Fatalf("%q: %v", frame, bad)
			}
			return
		}
		if q.url.plan == nil || q.url.Socket {
			return
		}
		d, bad := q.decode(commands.DefaultLimits)
		if bad != nil {
			if _, known := reasonTable[bad.Reason]; !known || bad.Detail == "" {
				t.Fatalf("%q: %v", frame, bad)
			}
			return
		}
		if len(d.uniqueNo) > 64 || q.url.command && d.uniqueNo == "" || !utf8.ValidString(d.uniqueNo) {
			t.Fatalf("%q: uniqueNo %q", frame, d.uniqueNo)
		}
		m, ok := d.command.(*commands.SendMessage)
		if !ok {
			return
		}
		var want struct {
			Params map[string]any `json:"params"`
		}
		if err := json.Unmarshal(frame, &want); err != nil {
			t.Fatalf("%q: %v", frame, err)
		}
		if m.Content != want.Params["messageContent"] || m.ReceiveUserID != want.Params["receiveUserId"] || d.uniqueNo != want.Params["uniqueNo"] {
			t.Fatalf("%q: %+v", frame, m)
		}
		if m.Content == "" || len(m.Content) > 16384 || m.ReceiveUserID == "" || len(m.ReceiveUserID) > 64 {
			t.Fatalf("%q: %+v", frame, m)
		}
	})
}

// Limits count bytes, and what is just within them passes.
func TestLimits(t *testing.T) {
	for _, c := range []struct{ url, name, value, reason string }{
		{"/chat/sendMessage", "messageContent", strings.Repeat("x", 16384), ""},
		{"/chat/sendMessage", "messageContent", strings.Repeat("x", 16385), "too_long"},
		{"/chat/sendMessage", "messageContent", strings.Repeat("你", 5461), ""},
		{"/chat/sendMessage", "messageContent", strings.Repeat("你", 5462), "too_long"},
		{"/chat/sendMessage", "messageContent", " ", ""},
		{"/chat/sendMessage", "receiveUserId", strings.Repeat("x", 64), ""},
		{"/chat/sendMessage", "receiveUserId", strings.Repeat("x", 65), "too_long"},
		{"/chat/sendMessage", "receiveUserId", "a\x7fb", "bad_request"},
		{"/chat/sendMessage", "receiveUserId", "a b|c%d", ""},
		{"/chat/sendMessage", "uniqueNo", strings.Repeat("x", 64), ""},
		{"/chat/sendMessage", "uniqueNo", strings.Repeat("x", 65), "too_long"},
		{"/friend/applyFriend", "note", strings.Repeat("x", 1000), ""},
		{"/friend/applyFriend", "note", strings.Repeat("x", 1001), "too_long"},
		{"/group/addGroup", "groupName", strings.Repeat("x", 200), ""},
		{"/group/addGroup", "groupName", strings.Repeat("x", 201), "too_long"},
	} {
		ps := map[string]string{"uniqueNo": "1", "messageContent": "x", "receiveUserId": "b", "userId": "b", "groupName": "g"}
		ps[c.name] = c.value
		frame, _ := json.Marshal(map[string]any{"url": c.url, "params": ps})
		var q request
		if bad := q.read(frame, urls); bad != nil {
			t.Fatal(bad)
		}
		_, bad := q.decode(commands.DefaultLimits)
		switch {
		case c.reason == "" && bad != nil:
			t.Errorf("%s of %d bytes: %v", c.name, len(c.value), bad)
		case c.reason != "" && (bad == nil || bad.Reason != c.reason || !strings.Contains(bad.Detail, c.name)):
			t.Errorf("%s of %d bytes: %v", c.name, len(c.value), bad)
		}
	}
}

// Every command of package commands and every query has a row, with texts.
func TestRegistry(t *testing.T) {
	for _, u := range urls.All() {
		if u.Action == "" || u.Success == "" || u.Failure == "" {
			t.Errorf("%s has no texts", u.Path)
		}
		for _, path := range []string{u.Path, u.Path + "/", strings.Trim(u.Path, "/"), "//" + u.Path} {
			if urls.Find(path) != u {
				t.Errorf("%s is not found as %s", u.Path, path)
			}
		}
	}
	if urls.Find("/chat/") != nil || urls.Find("") != nil || urls.Find("/chat/sendmessage") != nil {
		t.Error("found what is not there")
	}
	for path, texts := range map[string][2]string{
		"/chat/sendMessage":      {"发送消息成功", "发送消息失败"},
		"/chat/sendGroupMessage": {"发送群组消息成功", "发送群组消息失败"},
		"/chat/login":            {"登录成功", "登录失败"},
	} {
		u := urls.Find(path)
		if u == nil || !u.Seed || u.Success != texts[0] || u.Failure != texts[1] {
			t.Errorf("%s: %+v", path, u)
		}
	}
	var b bytes.Buffer
	if err := urls.Markdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"| /chat/login | cursor?, own? | 登录成功 | 登录失败 |",
		"| /chat/sendMessage | receiveUserId, messageContent, contentType?, replyTo? | 发送消息成功 | 发送消息失败 |",
		"| /group/removeUserGroup | groupId, removeUserId, note? | 移除群成员成功 | 移除群成员失败 |",
	} {
		if !strings.Contains(b.String(), line+"\n") {
			t.Errorf("no line %s in\n%s", line, &b)
		}
	}
}

// A tag that can't be followed is found when the program starts.
func TestBadTagsPanic(t *testing.T) {
	for _, typ := range []reflect.Type{
		reflect.TypeFor[struct {
			A string `param:"a"`
		}](), reflect.TypeFor[struct {
			A string `param:"a,colour"`
		}](), reflect.TypeFor[struct {
			A int64 `param:"a,id"`
		}](), reflect.TypeFor[struct {
			A string `param:"a,int"`
		}](), reflect.TypeFor[struct {
			A string `param:"a,id,required"`
		}](),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was taken", typ)
				}
			}()
			newPlan(typ)
		}()
	}
}

// The copy of the frame with the command, and a text that holds escapes.
func TestDecodingAMessageAllocates(t *testing.T) {
	var q request
	for frame, most := range map[string]float64{sendMessage: 2, strings.ReplaceAll(sendMessage, `\"`, ""): 1} {
		b := []byte(frame)
		if n := testing.AllocsPerRun(100, func() { q.read(b, urls); q.decode(commands.DefaultLimits) }); n > most {
			t.Errorf("%v allocations, not %v: %s", n, most, frame)
		}
	}
}

// What a request says stays what it was when the frame's memory is used again.
func TestARequestKeepsNothingOfTheFrame(t *testing.T) {
	var q request
	b := []byte(sendMessage)
	if bad := q.read(b, urls); bad != nil {
		t.Fatal(bad)
	}
	d, bad := q.decode(commands.DefaultLimits)
	if bad != nil {
		t.Fatal(bad)
	}
	for i := range b {
		b[i] = 'x'
	}
	if c := d.command.(*commands.SendMessage); c.ReceiveUserID != "bob" || c.Content != `你好，世界 "quoted"` || d.uniqueNo != "c0ffee-1" {
		t.Errorf("%+v, %s", c, d.uniqueNo)
	}
}

func BenchmarkDecodeSendMessage(b *testing.B) {
	frame := []byte(sendMessage)
	var q request
	b.ReportAllocs()
	for b.Loop() {
		if bad := q.read(frame, urls); bad != nil {
			b.Fatal(bad)
		}
		if _, bad := q.decode(commands.DefaultLimits); bad != nil {
			b.Fatal(bad)
		}
	}
}

func BenchmarkResultSendMessage(b *testing.B) {
	r := reply{url: urls.Find("/chat/sendMessage"), uniqueNo: "c0ffee-1", time: 1596081600000, ids: []made{{"messageId", strings.Repeat("a", 32)}}}
	r.position.Topic, r.position.Offset = 'c', 182736
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = r.appendTo(buf[:0])
	}
}
