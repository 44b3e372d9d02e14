package system

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"lishi/infra/console"
)

// An edit and a recall are undone by looking at the time before; the looks
// themselves are recorded, ordinary users get nothing, and times and positions
// say the same.
func TestThePast(t *testing.T) {
	s, as := withConsole(t)
	s.register("alice", "bob")
	s.befriend("alice", "bob")
	say := func(text string) string {
		return s.must("alice", "/chat/sendMessage", object{"receiveUserId": "bob", "messageContent": text, "uniqueNo": no()}).str("position")
	}
	first, second := say("一"), say("二")
	time.Sleep(5 * time.Millisecond) // recorded times have milliseconds
	before := time.Now()
	time.Sleep(5 * time.Millisecond)
	edited := s.must("alice", "/chat/editMessage", object{"position": first, "messageContent": "一一", "uniqueNo": no()}).str("position")
	s.must("alice", "/chat/recallMessage", object{"position": second, "uniqueNo": no()})
	s.must("alice", "/user/updateUser", object{"nickName": "Alicia", "avatar": "", "uniqueNo": no()})

	type text struct{ Change, Content string }
	var got struct {
		AsOf struct{ Time, Positions string }
		List []struct {
			Position, TalkContent, SendNickName string
			Recalled, Edited                    bool
			Texts                               []text
		}
	}
	ask := func(values url.Values) {
		t.Helper()
		values.Set("conversation", "p|alice|bob")
		got.List = nil
		if err := as("auditor").Get(t.Context(), "/api/asof/history", values, &got); err != nil {
			t.Fatalf("%v: %v", values, err)
		}
		if len(got.List) != 2 || got.AsOf.Positions == "" {
			t.Fatalf("%v: %+v", values, got)
		}
	}
	ask(url.Values{})
	if a, b := got.List[0], got.List[1]; a.TalkContent != "一一" || !b.Recalled || b.TalkContent != "" || len(b.Texts) != 2 || b.Texts[0] != (text{"sent", "二"}) ||
		b.Texts[1] != (text{"recalled", ""}) || a.Texts[0].Content != "一" || a.SendNickName != "Alicia" {
		t.Errorf("now: %+v", got.List)
	}
	then := url.Values{"at": {console.Time(before)}}
	for _, user := range []string{"", "bob"} {
		then.Set("user", user)
		ask(then)
		if a, b := got.List[0], got.List[1]; a.TalkContent != "一" || a.Edited || b.Recalled || b.TalkContent != "二" || a.SendNickName == "Alicia" {
			t.Errorf("before, to %q: %+v", user, got.List)
		}
		then.Set("at", got.AsOf.Positions) // the positions of an answer are the same moment
	}
	ask(url.Values{"at": {edited}, "user": {"bob"}})
	if a, b := got.List[0], got.List[1]; a.TalkContent != "一一" || !a.Edited || b.Recalled {
		t.Errorf("at %s: %+v", edited, got.List)
	}

	data := func(args ...string) []string {
		return append([]string{"history", "p|alice|bob", "--console", as("").Base, "--token", as("auditor").Token, "--reason", "ticket 7"}, args...)
	}
	out, errs, code := run(t, nil, data()...)
	if code != 0 || !strings.Contains(out, "was ("+first+"): 一\n") || !strings.Contains(out, "[recalled by alice ") || !strings.Contains(out, "was ("+second+"): 二") ||
		!strings.Contains(errs, "as of") {
		t.Errorf("lishi history: %d\n%s%s", code, out, errs)
	}
	if out, errs, code = run(t, nil, data("--as-of", second)...); code != 0 || strings.Contains(out, "was") || !strings.Contains(out, "alice: 二\n") {
		t.Errorf("lishi history --as-of %s: %d\n%s%s", second, code, out, errs)
	}
	if _, errs, code = run(t, nil, data("--as-of", "yesterday")...); code != 2 || !strings.Contains(errs, "a moment is") {
		t.Errorf("lishi history --as-of yesterday: %d, %s", code, errs)
	}

	type step struct{ Position, Time string }
	var span struct{ First, Last, At, Previous, Next *step }
	if err := as("auditor").Get(t.Context(), "/api/asof/span", url.Values{"conversation": {"p|alice|bob"}, "at": {edited}}, &span); err != nil {
		t.Fatal(err)
	}
	if span.First == nil || span.At.Position != edited || span.Previous.Position != second || span.Next.Position != span.Last.Position || span.Next.Time == "" {
		t.Errorf("the span is %+v", span)
	}
	for path, values := range map[string]url.Values{
		"friends": {"user": {"bob"}}, "groups": {"user": {"bob"}}, "members": {"conversation": {"p|alice|bob"}}, "search": {"user": {"bob"}, "text": {"一一"}},
	} {
		var any struct{ List []object }
		if err := as("admin").Get(t.Context(), "/api/asof/"+path, values, &any); err != nil || len(any.List) == 0 != (path == "groups") {
			t.Errorf("%s: %v, %v", path, any.List, err)
		}
		if err := as("analyst").Get(t.Context(), "/api/asof/"+path, values, nil); err == nil {
			t.Errorf("an analyst may ask for %s", path)
		}
	}
	for _, bad := range []url.Values{
		{}, {"conversation": {"bob"}}, {"conversation": {"g|none"}}, {"conversation": {"p|alice|bob"}, "user": {"eve"}},
		{"conversation": {"p|alice|bob"}, "at": {"c9-1"}}, {"conversation": {"p|alice|bob"}, "at": {"2999-01-01T00:00:00Z"}}, {"conversation": {"p|alice|bob"}, "limit": {"201"}},
	} {
		if err := as("auditor").Get(t.Context(), "/api/asof/history", bad, nil); err == nil {
			t.Errorf("%v is answered", bad)
		}
	}
	var looks struct{ Looks []object }
	if err := as("auditor").Get(t.Context(), "/api/audit/looks", url.Values{"text": {"asof"}}, &looks); err != nil || len(looks.Looks) < 10 {
		t.Errorf("%d looks, %v", len(looks.Looks), err)
	}
}
