package system

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"lishi/events"
)

func TestProtocolSearch(t *testing.T) {
	s := serve(t, t.TempDir()).on(t)
	const url = "/chat/searchMessage"
	u := ids(4)
	a, b, c, outside := u[0], u[1], u[2], u[3]
	s.befriend(a, b)
	s.befriend(a, c)
	s.register(outside)
	group := s.group(a, b, c)
	send := func(to, text string) string {
		return s.must(a, "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": to, "messageContent": text}).str("position")
	}
	tell := func(text string) string {
		return s.must(a, "/chat/sendGroupMessage", object{"uniqueNo": no(), "groupId": group, "messageContent": text}).str("position")
	}
	first := send(b, "已添加为好友")
	second := send(c, "好友 Hello 100%")
	third := tell("好友们 hello 👍👍")
	s.must(c, "/group/quitGroup", object{"uniqueNo": no(), "groupId": group})
	fourth := tell("好友 after")

	row := func(text, to, position string) object {
		o := object{"chatMessageId": anID, "sendUserId": a, "sendNickName": nick(a), "receiveUserId": to, "talkDate": aDate, "time": aTime,
			"talkContent": text, "avatar": "", "talkSide": false, "position": position}
		if to == group {
			o["groupId"] = group
		}
		return o
	}
	d := s.device(b, nil)
	s.lists(d, url, object{"text": "添加"}, row("已添加为好友", b, first))
	s.lists(d, url, object{"text": "好友", "userId": a}, row("已添加为好友", b, first))
	s.lists(d, url, object{"text": "HELLO", "groupId": group}, row("好友们 hello 👍👍", group, third))
	s.lists(d, url, object{"text": "0%"})
	s.lists(s.device(c, nil), url, object{"text": "0%"}, row("好友 Hello 100%", c, second))
	s.lists(s.device(outside, nil), url, object{"text": "好友"})

	// All pages of everybody, over HTTP as well.
	for user, want := range map[string][]string{a: {first, second, third, fourth}, b: {first, third, fourth}, c: {second, third}} {
		var found []string
		params := object{"text": "好友", "limit": 1}
		for {
			page := s.must(user, url, params)
			for _, m := range page.list() {
				found = append(found, m["position"].(string))
			}
			if params["before"] = page.Obj["next"]; params["before"] == nil || params["before"] == "" {
				break
			}
		}
		slices.Sort(found)
		slices.Sort(want)
		if !slices.Equal(found, want) {
			t.Errorf("%s finds %v, want %v", user, found, want)
		}
	}

	for _, bad := range []struct {
		reason string
		params object
	}{
		{"bad_request", object{}},
		{"bad_request", object{"text": ""}},
		{"bad_request", object{"text": "好"}},
		{"bad_request", object{"text": 12}},
		{"too_long", object{"text": strings.Repeat("好", 67)}},
		{"bad_request", object{"text": "好友", "limit": 201}},
		{"bad_request", object{"text": "好友", "before": first}},
		{"bad_request", object{"text": "好友", "before": "x"}},
		{"bad_request", object{"text": "好友", "userId": a, "groupId": group}},
		{"bad_request", object{"text": "好友", "userId": b}},
		{"not_found", object{"text": "好友", "userId": "nobody"}},
		{"not_found", object{"text": "好友", "groupId": "nowhere"}},
	} {
		d.refused(url, bad.reason, bad.params)
	}
	s.device(outside, nil).refused(url, "not_member", object{"text": "好友", "groupId": group})

	// What was edited or recalled is not found by its old words.
	edit := s.must(a, "/chat/editMessage", object{"uniqueNo": no(), "position": first, "messageContent": "改过了"})
	recall := s.must(a, "/chat/recallMessage", object{"uniqueNo": no(), "position": third})
	seen := events.Cursor{}
	for _, r := range []answer{edit, recall} {
		p, err := events.ParsePosition(r.str("position"))
		if err != nil {
			t.Fatal(err)
		}
		seen.Advance(p)
	}
	at := func(text string) (found []string) {
		for _, m := range s.must(b, url, object{"text": text, "seen": seen.String()}).list() {
			found = append(found, m["position"].(string))
		}
		return found
	}
	if old, edited, recalled := at("添加"), at("改过"), at("👍👍"); old != nil || !slices.Equal(edited, []string{first}) || recalled != nil {
		t.Errorf("old words at %v, new ones at %v, recalled at %v", old, edited, recalled)
	}
}

// Real chat, if it is there: what is found is what a scan of the file finds, for
// 200 words taken from it.
func TestSearchOfRealChatIsAScan(t *testing.T) {
	group, pairs := realChat(t)
	files := []string{group, pairs}
	dir := t.TempDir()
	if out, errs, code := run(t, nil, append([]string{"import", "--data", dir, "--skip-bad"}, files...)...); code != 0 {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	s := serve(t, dir)
	owner := ownerOf(t, files[0])
	rnd := rand.New(rand.NewPCG(1, 2))
	for i, f := range files {
		var all []map[string]string
		each(t, f, func(l map[string]string) { all = append(all, l) })
		for range 100 {
			m := all[rnd.IntN(len(all))]
			word := wordOf(rnd, m["text"])
			if word == "" {
				continue
			}
			caller, params := owner, object{"text": word, "limit": 200, "groupId": m["group"]}
			if i == 1 {
				caller, params = m["from"], object{"text": word, "limit": 200}
			}
			var want []string // the newest 400
			for j := len(all) - 1; j >= 0 && len(want) < 400; j-- {
				l := all[j]
				if (i == 0 || l["from"] == caller || l["to"] == caller) && strings.Contains(strings.ToLower(l["text"]), strings.ToLower(word)) {
					want = append(want, l["text"])
				}
			}
			got := s.search(caller, params, 400)
			if i == 1 { // of several conversations, imported in the same millisecond
				slices.Sort(got)
				slices.Sort(want)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s looks for %q: %d messages, a scan finds %d", caller, word, len(got), len(want))
			}
		}
	}
}

// wordOf takes some characters out of a text, two to six; empty if it has no two.
func wordOf(rnd *rand.Rand, text string) string {
	runes := []rune(text)
	if len(runes) < 2 {
		return ""
	}
	at, n := rnd.IntN(len(runes)-1), 2+rnd.IntN(5)
	return string(runes[at:min(len(runes), at+n)])
}

// search gives the texts that are found, page by page, the newest first.
func (s *server) search(caller string, params object, most int) (texts []string) {
	s.t.Helper()
	for len(texts) < most {
		page := s.must(caller, "/chat/searchMessage", params)
		for _, row := range page.list() {
			texts = append(texts, row["talkContent"].(string))
		}
		if params["before"] = page.Obj["next"]; params["before"] == nil || params["before"] == "" {
			break
		}
	}
	return texts
}
