package history

import (
	"path/filepath"
	"reflect"
	"testing"
)

func TestFate(t *testing.T) {
	for _, c := range []struct {
		reasons []string
		fate    Fate
		settled bool
	}{
		{nil, Not, true},
		{[]string{""}, Done, true},
		{[]string{Lost, ""}, Done, true},
		{[]string{Unknown, Unavailable, ""}, Done, true},
		{[]string{"blocked"}, Refused, true},
		{[]string{Unavailable, "blocked"}, Refused, true},
		{[]string{Unavailable}, Not, true},
		{[]string{Lost}, Maybe, false},
		{[]string{Unknown, Unavailable}, Maybe, false},
		{[]string{Unknown, "blocked"}, Maybe, true},
	} {
		o := &Op{}
		for _, r := range c.reasons {
			o.Attempts = append(o.Attempts, Attempt{Reason: r})
		}
		if o.Fate() != c.fate || o.Settled() != c.settled {
			t.Errorf("%q: fate %d, settled %t", c.reasons, o.Fate(), o.Settled())
		}
	}
}

func TestCursor(t *testing.T) {
	c := Cursor{}
	for _, p := range []string{"c0-5,u0-1", "c0-3", "c1-9", "", "u0-2"} {
		c.Merge(p)
	}
	if got := c.String(); got != "c0-5,c1-9,u0-2" {
		t.Error(got)
	}
}

// What is kept is what was there.
func TestSaveAndLoad(t *testing.T) {
	h := New(7, "A")
	h.Devices = []string{"ann", "卡尔"}
	h.Begin(&Op{User: "ann", URL: "/chat/sendMessage", Stream: Pair("卡尔", "ann"), Text: "<\u2028>", Attempts: []Attempt{{Call: 1, Return: 2, Reason: Lost}}})
	h.Saw(Frame{At: 3, Device: 1, Type: "1", Position: "c0-1"})
	h.Read(Page{User: "ann", Rows: []Row{{Position: "c0-1", Edited: true}}})
	h.Related(Relations{User: "ann", Members: map[string]string{"ann": "9"}})
	h.Faulted(Fault{At: 1, Until: 2, Kind: "kill node", Target: "0"})
	h.Notef("it %s", "fell over")
	file := filepath.Join(t.TempDir(), "history.jsonl")
	if err := h.Save(file); err != nil {
		t.Fatal(err)
	}
	got, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	got.begun = h.begun
	if !reflect.DeepEqual(got, h) {
		t.Errorf("%+v\n%+v", got, h)
	}
}
