package bench

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// little is a little chat: a group on two days far apart, and two pairs.
var little = []Line{
	{"2004-12-25 23:50:00", "ann", "", "g", "one"},
	{"2004-12-25 23:50:00", "bob", "", "g", "two"},
	{"2005-02-06 00:05:00", "cid", "", "g", "three"},
	{"2005-02-06 00:04:00", "ann", "", "g", "backwards"},
	{"2005-02-06 00:06:00", "ann", "", "g", ""},
	{"2020-07-01 08:00:00", "x-a", "x-b", "", "四"},
	{"2020-07-01 08:01:00", "x-b", "x-a", "", "五"},
	{"2020-07-01 08:00:30", "y-a", "y-b", "", "六"},
}

func retold(t *testing.T, n int) (lines []Line) {
	t.Helper()
	c, err := NewCopies(little)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Lines(n, func(l Line) error { lines = append(lines, l); return nil }); err != nil {
		t.Fatal(err)
	}
	return lines
}

// As many as are wanted, in order of time, every text from the files, and the
// same every time.
func TestCopiesAreTheFilesLines(t *testing.T) {
	const each = 7 // lines with a text
	lines := retold(t, 10*each)
	if again := retold(t, 10*each); !slices.Equal(lines, again) {
		t.Error("the same lines make other messages")
	}
	if !slices.IsSortedFunc(lines, func(a, b Line) int { return strings.Compare(a.Time, b.Time) }) {
		t.Error("not in order of time")
	}
	texts, groups, pairs := map[string]int{}, map[string]int{}, map[string]bool{}
	for _, l := range lines {
		texts[l.Text]++
		if l.From == l.To || (l.To == "") == (l.Group == "") {
			t.Errorf("%+v", l)
		}
		if groups[l.Group]++; l.To != "" {
			pairs[min(l.From, l.To)+" "+max(l.From, l.To)] = true
		}
	}
	for text, n := range texts {
		if n != 10 {
			t.Errorf("%s is said %d times in 10 copies", text, n)
		}
	}
	want := map[string]int{"g-0": 4, "g-1": 12, "g-2": 20, "g-3": 4, "club-0": 10, "club-1": 5, "": 15}
	if fmt.Sprint(groups) != fmt.Sprint(want) {
		t.Errorf("groups %v, want %v", groups, want)
	}
	if len(pairs) != 4 {
		t.Errorf("pairs %v", pairs)
	}
}

// A talk keeps its rhythm and the time of the day; silent days are left out, and
// its next copy begins on the next day.
func TestCopiesKeepTheRhythm(t *testing.T) {
	var at []time.Time
	for _, l := range retold(t, 70) {
		if l.Group == "g-1" {
			when, err := time.Parse(time.DateTime, l.Time)
			if err != nil {
				t.Fatal(err)
			}
			at = append(at, when)
		}
	}
	want := []string{"26 23:50", "26 23:50", "27 00:04", "27 00:05", "28 23:50", "28 23:50", "29 00:04", "29 00:05", "30 23:50", "30 23:50", "31 00:04", "31 00:05"}
	for i, when := range at {
		if got := when.Format("02 15:04"); got != want[i] {
			t.Errorf("line %d at %s, want %s", i, got, want[i])
		}
	}
	if len(at) != len(want) {
		t.Errorf("%d lines", len(at))
	}
}

func TestWordsOfCopies(t *testing.T) {
	c, err := NewCopies(append(slices.Clone(little), Line{"2020-07-02 08:00:00", "x-a", "x-b", "", "四五六"}))
	if err != nil {
		t.Fatal(err)
	}
	groups, pairs := c.Words()
	if got := groups[CommonWords]; len(got) != 4 || !slices.Contains(got, "three") {
		t.Errorf("words %v", groups)
	}
	if got := pairs[CommonWords]; len(got) != 2 || !slices.Contains(got, "五六") {
		t.Errorf("words %v", pairs)
	}
	if group, speaker := c.Group(); group != "g" || speaker != "ann" {
		t.Errorf("%s speaks most in %s", speaker, group)
	}
	if speaker, to := c.Pair(); speaker != "x-a" || to != "x-b" {
		t.Errorf("%s speaks most, to %s", speaker, to)
	}
}
