package bench

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Chat makes as many real-looking messages as are wanted of the clauses of real
// ones. The same clauses make the same messages.
//
// Searcher speaks with 100 people and in 20 groups, which together have a third
// of all messages; half of that third is said in ten of the conversations. Two
// thousand other people have the rest.
type Chat struct{ Clauses []string }

// Searcher is the user whose conversations are searched.
const Searcher = "me"

// Rare stands in every thousandth message, Unique in one.
const (
	Rare   = "鸑鷟"
	Unique = "螣蛇"
)

// Line is one message, as `lishi import` reads it.
type Line struct {
	Time  string `json:"time"`
	From  string `json:"from"`
	To    string `json:"to,omitempty"`
	Group string `json:"group,omitempty"`
	Text  string `json:"text"`
}

// ReadChat takes the clauses of files of such lines, gzipped or not.
func ReadChat(files ...string) (Chat, error) {
	var c Chat
	lines, err := ReadLines(files...)
	for _, l := range lines {
		c.Clauses = append(c.Clauses, strings.FieldsFunc(l.Text, func(r rune) bool { return strings.ContainsRune("，。？！", r) })...)
	}
	if err == nil && len(c.Clauses) == 0 {
		err = errors.New("no text in any of the files")
	}
	return c, err
}

// ReadLines reads files of JSON lines, gzipped or not.
func ReadLines(files ...string) (lines []Line, err error) {
	for _, name := range files {
		if lines, err = readFile(lines, name); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return lines, nil
}

func readFile(lines []Line, name string) ([]Line, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, err
		}
	}
	each := bufio.NewScanner(r)
	each.Buffer(nil, 1<<20)
	for each.Scan() {
		var l Line
		if err := json.Unmarshal(each.Bytes(), &l); err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	return lines, each.Err()
}

// place is a conversation and who speaks in it.
type place struct {
	group  string
	people [2]string
}

func (p place) say(r *rand.Rand) Line {
	if p.group != "" {
		return Line{From: p.people[r.IntN(2)], Group: p.group}
	}
	n := r.IntN(2)
	return Line{From: p.people[n], To: p.people[1-n]}
}

// Lines gives n messages in order, a second apart; before them one of Searcher
// in each group, so that Searcher is a member of it.
func (c Chat) Lines(n int, each func(Line) error) error {
	var mine, others []place
	for i := range 100 {
		mine = append(mine, place{people: [2]string{fmt.Sprint("friend", i), Searcher}})
	}
	for i := range 20 {
		mine = append(mine, place{group: fmt.Sprint("group", i), people: [2]string{fmt.Sprint("owner", i), Searcher}})
	}
	for i := range 1000 {
		others = append(others, place{people: [2]string{fmt.Sprint("u", i), fmt.Sprint("v", i)}})
	}
	at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	tell := func(l Line) error {
		l.Time = at.Format(time.DateTime)
		at = at.Add(time.Second)
		return each(l)
	}
	for _, p := range mine {
		if p.group != "" {
			if err := tell(Line{From: Searcher, Group: p.group, Text: "大家好"}); err != nil {
				return err
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		var p place
		switch r.IntN(6) {
		case 0:
			p = mine[r.IntN(10)]
		case 1:
			p = mine[r.IntN(len(mine))]
		default:
			p = others[r.IntN(len(others))]
		}
		text := c.Clauses[r.IntN(len(c.Clauses))]
		for range r.IntN(3) {
			text += "，" + c.Clauses[r.IntN(len(c.Clauses))]
		}
		if r.IntN(1000) == 0 {
			text += Rare
		}
		if i == n/2 {
			p, text = mine[3], text+Unique
		}
		l := p.say(r)
		l.Text = text
		if err := tell(l); err != nil {
			return err
		}
	}
	return nil
}

// Words are the pairs of Chinese characters that stand beside each other in the
// clauses, by how much of the messages that are made of them has them.
func (c Chat) Words() map[Class][]string {
	return classify(c.Clauses, 2, chinese) // a message has two clauses
}

// chinese gives the pairs of Chinese characters of a text.
func chinese(text string, each func(string)) {
	runes := []rune(text)
	for i := range len(runes) - 1 {
		if unicode.Is(unicode.Han, runes[i]) && unicode.Is(unicode.Han, runes[i+1]) {
			each(string(runes[i : i+2]))
		}
	}
}

// spelled gives the words of letters of a text, from three on.
func spelled(text string, each func(string)) {
	for w := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLower(r) }) {
		if len(w) > 2 {
			each(w)
		}
	}
}

// classify puts the words of texts into classes, each class in a random order that
// is always the same. So many texts make a message.
func classify(texts []string, together float64, split func(text string, each func(string))) map[Class][]string {
	in := map[string]int{}
	for _, text := range texts {
		seen := map[string]bool{}
		split(text, func(w string) { seen[w] = true })
		for w := range seen {
			in[w]++
		}
	}
	words := map[Class][]string{}
	for w, n := range in {
		class := classOf(together * float64(n) / float64(len(texts)))
		words[class] = append(words[class], w)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for _, class := range Classes {
		list := words[class]
		slices.Sort(list)
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	return words
}

// Class says how common a word is.
type Class string

// The classes, by how many messages have the word.
const (
	RareWords   Class = "rare"   // fewer than 1 of 10,000
	MiddleWords Class = "middle" // up to 1 of 500
	CommonWords Class = "common" // more
)

// Classes are all of them, from the rarest.
var Classes = []Class{RareWords, MiddleWords, CommonWords}

func classOf(share float64) Class {
	switch {
	case share < 1.0/10000:
		return RareWords
	case share < 1.0/500:
		return MiddleWords
	}
	return CommonWords
}
