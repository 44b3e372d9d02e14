// Package imports brings chat history from elsewhere into the log: JSON lines
// become events that keep the time they were said at beside the recorded time.
package imports

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"lishi/events"
)

// Line is one message to import.
type Line struct {
	Time  time.Time
	From  string
	To    string // one to one; empty in a group
	Group string
	Text  string
	id    events.ID
}

// stream is the conversation that the line belongs to.
func (l *Line) stream() events.Stream {
	if l.Group != "" {
		return events.GroupStream(l.Group)
	}
	return events.PairStream(l.From, l.To)
}

// BadLine is a line that can't be imported, with the protocol's reason word.
type BadLine struct {
	File   string
	Number int // from 1
	Reason string
	Detail string
}

func (b *BadLine) Error() string {
	return fmt.Sprintf("%s: line %d: %s: %s", b.File, b.Number, b.Reason, b.Detail)
}

// Limits of a line, in bytes; the protocol's.
const (
	maxID      = 64
	maxContent = 16384
	maxLine    = 1 << 20
)

const lineTime = "2006-01-02 15:04:05"

// Source is one input that can be read twice. Standard input is spooled to a
// temporary file first.
type Source struct {
	Name  string // what a line's identity rests on
	path  string
	spool bool
}

// Open looks at a path ("-" is stdin) and names its source: name if given, else
// the file's base name without .gz.
func Open(path, name string, stdin io.Reader) (*Source, error) {
	s := &Source{Name: name, path: path}
	if s.Name == "" {
		s.Name = strings.TrimSuffix(filepath.Base(path), ".gz")
	}
	if path == "-" {
		if name == "" {
			s.Name = "stdin"
		}
		f, err := os.CreateTemp("", "lishi-import-*")
		if err != nil {
			return nil, err
		}
		s.path, s.spool = f.Name(), true
		_, err = io.Copy(f, stdin)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		return s, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s is a directory", path)
	}
	return s, nil
}

// Close removes what was spooled.
func (s *Source) Close() error {
	if s.spool {
		return os.Remove(s.path)
	}
	return nil
}

// read hands on every line, good or bad, with its number; the same each time. Lines
// get their ids with the memory of those before, unless that is nil.
func (s *Source) read(zone *time.Location, before *identities, each func(number int, l Line, bad *BadLine) error) error {
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<16)
	var r io.Reader = in
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		defer z.Close()
		r = z
	}
	lines := bufio.NewReaderSize(r, 1<<16)
	var raw []byte
	for n := 1; ; n++ {
		var long, end bool
		if raw, long, end, err = readLine(lines, raw[:0]); err != nil {
			return fmt.Errorf("%s: after line %d: %w", s.Name, n-1, err)
		}
		if n == 1 {
			raw = bytes.TrimPrefix(raw, []byte("\ufeff")) // as some programs begin a file of UTF-8
		}
		if long || len(bytes.TrimSpace(raw)) > 0 {
			l, bad := parse(raw, zone)
			if long {
				bad = &BadLine{Reason: "too_long", Detail: fmt.Sprintf("the line has more than %d bytes", maxLine)}
			}
			if bad != nil {
				bad.File, bad.Number = s.Name, n
			} else if before != nil {
				s.identify(&l, before)
			}
			if err := each(n, l, bad); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
	}
}

// readLine appends the next line, without its end, to b; of one with more than
// maxLine bytes the beginning. end: it is the last.
func readLine(in *bufio.Reader, b []byte) (line []byte, long, end bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if b = append(b, part...); len(b) > maxLine {
			b, long = b[:maxLine], true
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return b, long, true, nil
		default:
			return bytes.TrimSuffix(b, []byte{'\n'}), long, false, err
		}
	}
}

// identify gives the line its id: source, time, from, to, text, and which of
// several identical lines it is. Reading the same source again gives the same.
func (s *Source) identify(l *Line, before *identities) {
	scope := l.stream().Key()
	what := events.NewID("import|"+s.Name+"|"+scope, l.From, l.Time.UTC().Format(time.RFC3339)+"|"+l.Text)
	l.id = what.Derive(fmt.Sprint(before.next(what)))
}

// identities counts identical lines. Nearly all lines come once, and there may be
// many millions, so those take as little as they can.
type identities struct {
	once  map[events.ID]struct{}
	again map[events.ID]int
}

func newIdentities() *identities {
	return &identities{once: map[events.ID]struct{}{}, again: map[events.ID]int{}}
}

// next is how often the line has come before.
func (i *identities) next(what events.ID) int {
	if _, known := i.once[what]; !known {
		i.once[what] = struct{}{}
		return 0
	}
	i.again[what]++
	return i.again[what]
}

// halfSurrogate finds \uD800 to \uDFFF without the other half in JSON:
// encoding/json would put U+FFFD in its place, which is another text.
func halfSurrogate(raw []byte) bool {
	unit := func(i int) rune {
		if i+6 > len(raw) || raw[i] != '\\' || raw[i+1] != 'u' {
			return 0
		}
		n, _ := strconv.ParseUint(string(raw[i+2:i+6]), 16, 16)
		return rune(n)
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		if r := unit(i); utf16.IsSurrogate(r) {
			if utf16.DecodeRune(r, unit(i+6)) == utf8.RuneError {
				return true
			}
			i += 6
		}
		i++ // what is escaped
	}
	return false
}

func parse(raw []byte, zone *time.Location) (Line, *BadLine) {
	bad := func(reason, format string, args ...any) (Line, *BadLine) {
		return Line{}, &BadLine{Reason: reason, Detail: fmt.Sprintf(format, args...)}
	}
	if !utf8.Valid(raw) {
		return bad("bad_request", "not UTF-8")
	}
	var in struct {
		Time  *string `json:"time"`
		From  *string `json:"from"`
		To    *string `json:"to"`
		Group *string `json:"group"`
		Text  *string `json:"text"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return bad("bad_request", "%v", err)
	}
	if halfSurrogate(raw) {
		return bad("bad_request", "half a surrogate pair")
	}
	for name, v := range map[string]*string{"time": in.Time, "from": in.From, "text": in.Text} {
		if v == nil {
			return bad("bad_request", "%s is missing", name)
		}
	}
	if (in.To == nil) == (in.Group == nil) {
		return bad("bad_request", "exactly one of to and group is needed")
	}
	at, err := time.ParseInLocation(lineTime, *in.Time, zone)
	if err != nil {
		return bad("bad_request", "time %q is not yyyy-MM-dd HH:mm:ss", *in.Time)
	}
	l := Line{Time: at, From: *in.From, Text: *in.Text}
	if in.To != nil {
		l.To = *in.To
	} else {
		l.Group = *in.Group
	}
	for _, f := range []struct{ name, id string }{{"from", l.From}, {"to", l.To}, {"group", l.Group}} {
		if f.name != "from" && (f.name == "to") != (in.To != nil) {
			continue
		}
		switch {
		case f.id == "":
			return bad("bad_request", "%s is empty", f.name)
		case len(f.id) > maxID:
			return bad("too_long", "%s has %d bytes, the limit is %d", f.name, len(f.id), maxID)
		case strings.ContainsFunc(f.id, unicode.IsControl):
			return bad("bad_request", "%s has control characters", f.name)
		}
	}
	switch {
	case l.From == l.To:
		return bad("bad_request", "from and to are the same")
	case l.Text == "":
		return bad("bad_request", "text is empty")
	case len(l.Text) > maxContent:
		return bad("too_long", "text has %d bytes, the limit is %d", len(l.Text), maxContent)
	}
	return l, nil
}
