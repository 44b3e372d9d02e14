package search_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"lishi/commands"
	"lishi/events"
	"lishi/projections/history"
	"lishi/projections/projectiontest"
	"lishi/projections/recents"
	"lishi/projections/search"
)

func TestMain(m *testing.M) { projectiontest.Main(m) }

func world(t testing.TB) *projectiontest.World {
	return projectiontest.New(t, search.Projection{}, history.Projection{}, recents.Projection{})
}

func texts(list any) []string {
	var ts []string
	for _, m := range list.([]history.Message) {
		ts = append(ts, m.TalkContent)
	}
	return ts
}

func found(w *projectiontest.World, caller string, q search.Messages) []string {
	w.T.Helper()
	return texts(w.Ask(caller, q).List)
}

func TestWords(t *testing.T) {
	w := world(t)
	w.Register("a", "b")
	w.Befriend("a", "b")
	all := []string{
		"已添加为好友", "我们是好朋友", "Hello, World", "hello 世界", "STRASSE", "Straße", "Ωμέγα ΣΊΣΥΦΟΣ", "Привет, Мир", "100% sure", "100 sure", "a_b", "axb",
		`c:\temp`, "c:/temp", `\\\\server\\share`, `50%_off\\`, "👍👍 great", "👩‍👩‍👧 family", "👩 single", "two  spaces", "line\nbreak", "tab\there", "nul\x00byte", "it's '' quoted", `{x:String} "?" $1`,
		"aaa", "好", "ab", "𠮷野家", "é composed", "e\u0301 apart",
	}
	for _, s := range all {
		w.Say("a", "b", s)
	}
	for _, c := range []struct {
		text string
		want []string // in the order they were said
	}{
		{"好友", []string{"已添加为好友"}},
		{"添加", []string{"已添加为好友"}},
		{"已添", []string{"已添加为好友"}},
		{"已添加为好友", []string{"已添加为好友"}},
		{"为好", []string{"已添加为好友"}},
		{"好朋友", []string{"我们是好朋友"}},
		{"hello", []string{"Hello, World", "hello 世界"}},
		{"HELLO", []string{"Hello, World", "hello 世界"}},
		{"o, w", []string{"Hello, World"}},
		{"llo 世", []string{"hello 世界"}},
		{"sse", []string{"STRASSE"}},
		{"straß", []string{"Straße"}},
		{"σίσυφος", []string{"Ωμέγα ΣΊΣΥΦΟΣ"}},
		{"ПРИВЕТ", []string{"Привет, Мир"}},
		{"0%", []string{"100% sure", `50%_off\\`}},
		{"100%", []string{"100% sure"}},
		{"%s", nil},
		{"%%", nil},
		{"__", nil},
		{"a_b", []string{"a_b"}},
		{"_b", []string{"a_b"}},
		{`:\`, []string{`c:\temp`}},
		{`\t`, []string{`c:\temp`}},
		{`\\`, []string{`\\\\server\\share`, `50%_off\\`}},
		{`\\\\`, []string{`\\\\server\\share`}},
		{`\\\\\`, nil},
		{`r\\s`, []string{`\\\\server\\share`}},
		{`r\s`, nil},
		{`\\serv`, []string{`\\\\server\\share`}},
		{`%_`, []string{`50%_off\\`}},
		{`%_off\`, []string{`50%_off\\`}},
		{`0%_O`, []string{`50%_off\\`}},
		{`f\\`, []string{`50%_off\\`}},
		{`\%`, nil},
		{":/", []string{"c:/temp"}},
		{"👍👍", []string{"👍👍 great"}},
		{"👍 ", []string{"👍👍 great"}},
		{"👩‍", []string{"👩‍👩‍👧 family"}},
		{"👩‍👩‍👧", []string{"👩‍👩‍👧 family"}},
		{"👩 ", []string{"👩 single"}},
		{"  ", []string{"two  spaces"}},
		{"e\nb", []string{"line\nbreak"}},
		{"b\th", []string{"tab\there"}},
		{"l\x00b", []string{"nul\x00byte"}},
		{"''", []string{"it's '' quoted"}},
		{"'s", []string{"it's '' quoted"}},
		{"{x:String}", []string{`{x:String} "?" $1`}},
		{`"?" $1`, []string{`{x:String} "?" $1`}},
		{"aa", []string{"aaa"}},
		{"aaaa", nil},
		{"ab", []string{"tab\there", "ab"}},
		{"𠮷野", []string{"𠮷野家"}},
		{"é c", []string{"é composed"}},
		{"e\u0301", []string{"e\u0301 apart"}},
		{"not there", nil},
	} {
		slices.Reverse(c.want)
		for _, q := range []search.Messages{{Text: c.text, UserID: "b"}, {Text: c.text}} {
			if got := found(w, "a", q); !slices.Equal(got, c.want) {
				t.Errorf("%q (%s): %q, want %q", c.text, q.UserID, got, c.want)
			}
		}
	}
}

func TestARowIsHistorys(t *testing.T) {
	w := world(t)
	w.Register("a", "b")
	g := w.Create("g", "a", "b")
	w.Do("b", g, events.MessageSent{Content: events.Content{Plain: "你好 all"}, ContentType: "text", ReplyTo: "c0-1", AtUserIDs: []string{"a"}})
	want := fmt.Sprintf("%+v", w.Ask("a", history.LoadGroup{GroupID: "g"}).List)
	for _, q := range []search.Messages{{Text: "你好"}, {Text: "你好", GroupID: "g"}} {
		page := w.Ask("a", q)
		if got := fmt.Sprintf("%+v", page.List); got != want || page.Next != "" {
			t.Errorf("found %s, history has %s; next is %q", got, want, page.Next)
		}
	}
	if page := w.Ask("a", search.Messages{Text: "nothing"}); fmt.Sprintf("%#v", page.List) != "[]history.Message{}" {
		t.Errorf("an empty page is %#v", page.List)
	}
}

func TestWhoFindsWhat(t *testing.T) {
	w := world(t)
	w.Register("a", "b", "c", "o", "x")
	w.Befriend("a", "b")
	w.Befriend("b", "c")
	w.Say("a", "b", "word of a")
	w.Say("b", "c", "word of b")
	g := w.Create("g", "o")
	w.Tell("o", g, "word before")
	w.Do("a", g, events.GroupJoined{})
	w.Tell("o", g, "word with a")
	w.Do("o", g, events.GroupMemberRemoved{UserID: "a"})
	w.Tell("o", g, "word without a")
	w.Do("a", g, events.GroupJoined{})
	w.Tell("o", g, "word again")
	w.Do("a", g, events.GroupMemberQuit{})
	w.Tell("o", g, "word after")
	w.Do("a", events.PairStream("a", "b"), events.FriendRemoved{})
	w.Do("a", events.PairStream("a", "x"), events.MessageSent{Content: events.Content{Plain: "word to a stranger"}, Strangers: true})
	for _, c := range []struct {
		caller string
		q      search.Messages
		want   []string
	}{
		{"a", search.Messages{Text: "word", UserID: "b"}, []string{"word of a"}},
		{"a", search.Messages{Text: "word", UserID: "c"}, nil},
		{"a", search.Messages{Text: "word", GroupID: "g"}, []string{"word again", "word with a"}},
		{"o", search.Messages{Text: "word", GroupID: "g"}, []string{"word after", "word again", "word without a", "word with a", "word before"}},
		{"o", search.Messages{Text: "word"}, []string{"word after", "word again", "word without a", "word with a", "word before"}},
		{"x", search.Messages{Text: "word"}, []string{"word to a stranger"}},
	} {
		if got := found(w, c.caller, c.q); !slices.Equal(got, c.want) {
			t.Errorf("%s with %+v finds %q, want %q", c.caller, c.q, got, c.want)
		}
	}
	got := found(w, "a", search.Messages{Text: "word"})
	slices.Sort(got) // of two partitions, in the same millisecond
	if want := []string{"word again", "word of a", "word to a stranger", "word with a"}; !slices.Equal(got, want) {
		t.Errorf("a finds %q, want %q", got, want)
	}
}

func TestReplacedAndRecalledTextsAreNotFound(t *testing.T) {
	w := world(t)
	w.Register("a", "b")
	w.Befriend("a", "b")
	pair := events.PairStream("a", "b")
	kept, edited, recalled := w.Say("a", "b", "old one"), w.Say("a", "b", "old two"), w.Say("a", "b", "old three")
	places := func(text string) []string {
		var both [2][]string
		for i, q := range []search.Messages{{Text: text, UserID: "a"}, {Text: text, Limit: 1}} {
			for {
				page := w.Ask("b", q)
				for _, m := range page.List.([]history.Message) {
					both[i] = append(both[i], m.Position)
				}
				if q.Before = page.Next; page.Next == "" {
					break
				}
			}
			slices.Sort(both[i])
		}
		if !slices.Equal(both[0], both[1]) {
			t.Errorf("%s is found at %v in the conversation, at %v in all", text, both[0], both[1])
		}
		return both[1]
	}
	if got := places("old"); len(got) != 3 {
		t.Fatalf("before: %v", got)
	}
	w.Do("a", pair, events.MessageEdited{Message: edited.Position, Content: events.Content{Plain: "new"}})
	w.Do("a", pair, events.MessageRecalled{Message: recalled.Position, Sender: "a"})
	w.Settle()
	check := func(when string) {
		t.Helper()
		if got := places("old"); !slices.Equal(got, []string{kept.Position.String()}) {
			t.Errorf("%s: old is found at %v", when, got)
		}
		if got := places("new"); !slices.Equal(got, []string{edited.Position.String()}) {
			t.Errorf("%s: new is found at %v", when, got)
		}
	}
	check("at once")
	projectiontest.Exec(t, w.DB, fmt.Sprintf("OPTIMIZE TABLE texts_b%d FINAL", w.Engine.Live(search.Name)))
	check("merged")
	w.Do("a", pair, events.MessageEdited{Message: edited.Position, Content: events.Content{Plain: "old again"}})
	if got := places("old"); len(got) != 2 {
		t.Errorf("the newest version counts: %v", got)
	}
	if got := places("new"); got != nil {
		t.Errorf("new is found at %v", got)
	}
	for i := range 7 { // more texts of one message than a page has rows
		w.Do("a", pair, events.MessageEdited{Message: edited.Position, Content: events.Content{Plain: fmt.Sprint("again and again ", i%2)}})
	}
	if got := places("again"); !slices.Equal(got, []string{edited.Position.String()}) {
		t.Errorf("again is found at %v", got)
	}
	if got := places("again 1"); got != nil {
		t.Errorf("a text between is found at %v", got)
	}
}

// Who has left finds what they see: texts as they were then.
func TestEditsAfterLeavingAreNotFound(t *testing.T) {
	w := world(t)
	w.Register("o", "m")
	g := w.Create("g", "o", "m")
	said := w.Tell("o", g, "first text")
	w.Do("m", g, events.GroupMemberQuit{})
	w.Do("o", g, events.MessageEdited{Message: said.Position, Content: events.Content{Plain: "second text"}})
	for _, q := range []search.Messages{{Text: "first"}, {Text: "first", GroupID: "g"}} {
		if got := found(w, "m", q); !slices.Equal(got, []string{"first text"}) {
			t.Errorf("who has left finds %q", got)
		}
		if got := found(w, "o", q); got != nil {
			t.Errorf("the owner finds %q", got)
		}
		q.Text = "second"
		if got := found(w, "m", q); got != nil {
			t.Errorf("who has left finds %q", got)
		}
		q.Text = " text"
		if got := found(w, "m", q); !slices.Equal(got, []string{"first text"}) {
			t.Errorf("who has left finds %q", got)
		}
	}
	w.Do("m", g, events.GroupJoined{})
	if got := found(w, "m", search.Messages{Text: " text"}); !slices.Equal(got, []string{"first text"}) {
		t.Errorf("who is back finds %q", got)
	}
}

func TestRefusals(t *testing.T) {
	w := world(t)
	w.Register("a", "b")
	w.Create("g", "b")
	other := "c0-1"
	if w.Tail.Book().Layout().Partition(events.PairStream("a", "b")).Number == 0 {
		other = "c1-1"
	}
	for _, c := range []struct {
		q    search.Messages
		want string
	}{
		{search.Messages{}, commands.BadRequest},
		{search.Messages{Text: "好"}, commands.BadRequest},
		{search.Messages{Text: "👍"}, commands.BadRequest},
		{search.Messages{Text: "ab", UserID: "b", GroupID: "g"}, commands.BadRequest},
		{search.Messages{Text: "ab", UserID: "a"}, commands.BadRequest},
		{search.Messages{Text: "ab", UserID: "nobody"}, commands.NotFound},
		{search.Messages{Text: "ab", GroupID: "nowhere"}, commands.NotFound},
		{search.Messages{Text: "ab", GroupID: "g"}, commands.NotMember},
		{search.Messages{Text: "ab", Limit: 201}, commands.BadRequest},
		{search.Messages{Text: "ab", Limit: -1}, commands.BadRequest},
		{search.Messages{Text: "ab", Before: "x"}, commands.BadRequest},
		{search.Messages{Text: "ab", Before: "c0-1"}, commands.BadRequest},
		{search.Messages{Text: "ab", Before: "MSwyLGMwLTE"}, commands.BadRequest},
		{search.Messages{Text: "ab", UserID: "b", Before: "MSxjMC0x"}, commands.BadRequest},
		{search.Messages{Text: "ab", UserID: "b", Before: other}, commands.BadRequest},
	} {
		_, err := w.Try("a", c.q)
		var r *commands.Refusal
		if !errors.As(err, &r) || r.Reason != c.want {
			t.Errorf("%+v gives %v, want %s", c.q, err, c.want)
		}
	}
	if got := found(w, "a", search.Messages{Text: "ab", Before: "MSxjMC0x"}); got != nil {
		t.Errorf("before everything: %q", got)
	}
}

func TestManyMemberships(t *testing.T) {
	w := world(t)
	w.Register("o", "m")
	g := w.Create("g", "o")
	var want []string
	for i := range 120 {
		w.Tell("o", g, "word hidden")
		w.Do("m", g, events.GroupJoined{})
		w.Tell("o", g, fmt.Sprint("word ", i))
		want = append([]string{fmt.Sprint("word ", i)}, want...)
		w.Do("m", g, events.GroupMemberQuit{})
	}
	for _, q := range []search.Messages{{Text: "word", Limit: 50}, {Text: "word", GroupID: "g", Limit: 50}} {
		var got []string
		for {
			page := w.Ask("m", q)
			got = append(got, texts(page.List)...)
			if q.Before = page.Next; page.Next == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("in %q m finds %q", q.GroupID, got)
		}
	}
}
