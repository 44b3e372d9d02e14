package bench

import (
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Copies tells the conversations of real chat again and again, whole and with
// their own rhythm, until there are as many messages as are wanted. The same
// lines make the same messages.
//
// The copies of a group's talk are spread over groups of the same people in other
// roles: the first has one copy, the next three one after the other, then five.
// Every second copy of the pairs' talk is said in Clubs, the others to other
// partners, so each person comes to have many. Days on which nothing was said are
// left out; all groups end together.
type Copies struct {
	groups  []talkOf
	pairs   talkOf
	couples [][2]string
	lines   int
}

// talkOf is what was said in one group, or by all pairs, in order of time.
type talkOf struct {
	group  string
	people []string // of a group
	lines  []told
}

// told is a line of the files.
type told struct {
	at     time.Duration // since the talk's first day began
	who    int           // of the group's people; of pairs: which couple
	first  bool          // of a couple, the one whose id is smaller
	text   string
	person string
}

// Clubs is in how many groups the pairs' talk is said.
const Clubs = 4

// GroupOf names one of the groups that a group's talk is spread over; the higher
// the number, the longer.
func GroupOf(group string, number int) string { return fmt.Sprint(group, "-", number) }

// turn is by how many people the roles of a group differ from those of the last.
const turn = 487

const oneDay = 24 * time.Hour

// NewCopies takes lines that ReadLines has read. Those without a text are left out.
func NewCopies(lines []Line) (*Copies, error) {
	c := &Copies{}
	groups := map[string]*talkOf{}
	people, couples := map[string]map[string]int{}, map[[2]string]int{}
	for _, l := range lines {
		at, err := time.Parse(time.DateTime, l.Time)
		if err != nil {
			return nil, err
		}
		if l.Text == "" {
			continue
		}
		c.lines++
		t := told{at: time.Duration(at.Unix()) * time.Second, text: l.Text, person: l.From}
		if l.Group == "" {
			couple := [2]string{min(l.From, l.To), max(l.From, l.To)}
			t.first = l.From == couple[0]
			if t.who = number(couples, couple); t.who == len(c.couples) {
				c.couples = append(c.couples, couple)
			}
			c.pairs.lines = append(c.pairs.lines, t)
			continue
		}
		g := entry(groups, l.Group)
		if g.group = l.Group; people[l.Group] == nil {
			people[l.Group] = map[string]int{}
		}
		if t.who = number(people[l.Group], l.From); t.who == len(g.people) {
			g.people = append(g.people, l.From)
		}
		g.lines = append(g.lines, t)
	}
	if c.lines == 0 {
		return nil, errors.New("no text in any of the files")
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		c.groups = append(c.groups, *groups[name])
	}
	for i := range c.groups {
		c.groups[i].press()
	}
	c.pairs.press()
	return c, nil
}

// number counts keys in the order in which they come.
func number[K comparable](known map[K]int, key K) int {
	n, ok := known[key]
	if !ok {
		n = len(known)
		known[key] = n
	}
	return n
}

// press brings the lines into order, from midnight on, and takes out the days on
// which nothing was said.
func (t *talkOf) press() {
	slices.SortStableFunc(t.lines, func(a, b told) int { return cmp.Compare(a.at, b.at) })
	var before, clock time.Duration
	for i := range t.lines {
		l := &t.lines[i]
		if i == 0 {
			before = l.at.Truncate(oneDay)
		}
		clock, before = clock+(l.at-before)%oneDay, l.at
		l.at = clock
	}
}

// length is how long the talk takes, in whole days.
func (t *talkOf) length() time.Duration {
	return t.lines[len(t.lines)-1].at.Truncate(oneDay) + oneDay
}

// copiesEnd is when the groups end.
var copiesEnd = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Lines gives n messages in order of time.
func (c *Copies) Lines(n int, each func(Line) error) error {
	all := c.strands((n + c.lines - 1) / c.lines)
	heap.Init(&all)
	for range n {
		s := all[0]
		t := s.talk.lines[s.next]
		l := s.line(t)
		l.Time, l.Text = s.at().Format(time.DateTime), t.text
		if err := each(l); err != nil {
			return err
		}
		if s.next++; s.next == len(s.talk.lines) {
			s.times--
			s.next, s.start = 0, s.start.Add(s.talk.length())
		}
		if s.times > 0 {
			heap.Fix(&all, 0)
		} else {
			heap.Pop(&all)
		}
	}
	return nil
}

// strands are so many copies of everything.
func (c *Copies) strands(copies int) (all strands) {
	longest := oneDay
	for i := range c.groups {
		g := &c.groups[i]
		for left, nth := copies, 0; left > 0; nth++ {
			times := min(left, 2*nth+1)
			left -= times
			takes := time.Duration(times) * g.length()
			longest = max(longest, takes)
			all = append(all, &strand{talk: g, start: copiesEnd.Add(-takes), times: times, line: func(t told) Line {
				return Line{From: g.people[(t.who+turn*nth)%len(g.people)], Group: GroupOf(g.group, nth)}
			}})
		}
	}
	for nth := range copies {
		if len(c.couples) == 0 {
			break
		}
		start := copiesEnd.Add(-longest).Add(longest / time.Duration(copies) * time.Duration(nth)).Truncate(time.Hour)
		all = append(all, &strand{talk: &c.pairs, start: start, times: 1, line: func(t told) Line { return c.pair(t, nth) }})
	}
	return all
}

// pair is who says a line of a couple's in the nth copy, and to whom: the partner
// of the couple so many further on.
func (c *Copies) pair(t told, nth int) Line {
	if nth%2 == 1 {
		return Line{From: t.person, Group: GroupOf("club", t.who%Clubs)}
	}
	one, other := c.couples[t.who][0], c.couples[(t.who+nth/2)%len(c.couples)][1]
	if one == other {
		other = c.couples[t.who][1]
	}
	if t.first {
		return Line{From: one, To: other}
	}
	return Line{From: other, To: one}
}

// strand is a talk that is told so many times, one after the other.
type strand struct {
	talk  *talkOf
	start time.Time
	times int
	next  int
	line  func(told) Line
}

func (s *strand) at() time.Time { return s.start.Add(s.talk.lines[s.next].at) }

// strands are told side by side: a heap by the time of the next line.
type strands []*strand

func (s strands) Len() int           { return len(s) }
func (s strands) Less(i, j int) bool { return s[i].at().Before(s[j].at()) }
func (s strands) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *strands) Push(x any)        { *s = append(*s, x.(*strand)) }

func (s *strands) Pop() any {
	old := *s
	last := old[len(old)-1]
	*s = old[:len(old)-1]
	return last
}

// Group is who speaks most in the groups of the files, and the name of the first.
func (c *Copies) Group() (group, speaker string) {
	if len(c.groups) == 0 {
		return "", ""
	}
	g := c.groups[0]
	return g.group, g.people[busiest(g.lines)]
}

// Pair is who speaks most in a pair of the files, and to whom.
func (c *Copies) Pair() (speaker, to string) {
	if len(c.couples) == 0 {
		return "", ""
	}
	couple := c.couples[busiest(c.pairs.lines)]
	return couple[0], couple[1]
}

func busiest(lines []told) int {
	said := map[int]int{}
	for _, l := range lines {
		said[l.who]++
	}
	most := lines[0].who
	for _, l := range lines {
		if said[l.who] > said[most] {
			most = l.who
		}
	}
	return most
}

// Words are the words of what is said in groups, and the pairs of Chinese
// characters of what is said by pairs, by how much of all messages has them.
func (c *Copies) Words() (groups, pairs map[Class][]string) {
	all := make([][]string, 2)
	for _, g := range c.groups {
		for _, t := range g.lines {
			all[0] = append(all[0], t.text)
		}
	}
	for _, t := range c.pairs.lines {
		all[1] = append(all[1], t.text)
	}
	share := func(texts []string) float64 { return float64(len(texts)) / float64(c.lines) }
	return classify(all[0], share(all[0]), spelled), classify(all[1], share(all[1]), chinese)
}
