package ws

import (
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// This is a reader of JSON for requests. encoding/json is not used for them,
// because it replaces half surrogates by U+FFFD silently, and content is handed
// on byte for byte; because it lets the last of two equal names win; and because
// it costs ten times as much on the hot path. A fuzz test holds the two together:
// what one accepts the other does, with the same values.

// kind is the type of a JSON value.
type kind byte

const (
	kindNone kind = iota
	kindNull
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
	kindForm // text of an HTTP form: a string, or a number or bool in its spelling
)

func (k kind) String() string {
	return [...]string{"nothing", "null", "a bool", "a number", "a string", "an array", "an object", "text"}[k]
}

// value is one JSON value where it lies in the message, its syntax checked.
type value struct {
	kind kind
	raw  []byte // as written; a string without its quotes
	esc  bool   // raw holds escapes
}

// said is what a string without escapes says. The string lies where the message
// does, whose memory nobody changes: a request that is kept copies it once, as a
// whole, which is one allocation for all its texts.
func (v value) said() string { return unsafe.String(unsafe.SliceData(v.raw), len(v.raw)) }

var (
	errSyntax    = errors.New("not JSON")
	errTrailing  = errors.New("more than one JSON value")
	errDepth     = errors.New("JSON nested too deep")
	errSurrogate = errors.New("half a surrogate pair")
)

// maxDepth is far more than any request needs and far less than a stack holds.
const maxDepth = 32

// parse checks that b is exactly one JSON value.
func parse(b []byte) (value, error) {
	s := scanner{b: b}
	s.space()
	v, err := s.value(0)
	if err != nil {
		return value{}, err
	}
	if s.space(); s.i != len(b) {
		return value{}, errTrailing
	}
	return v, nil
}

type scanner struct {
	b []byte
	i int
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

func (s *scanner) take(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *scanner) word(w string, k kind) (value, error) {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return value{}, errSyntax
	}
	s.i += len(w)
	return value{kind: k, raw: s.b[s.i-len(w) : s.i]}, nil
}

func (s *scanner) value(depth int) (value, error) {
	if s.i >= len(s.b) {
		return value{}, errSyntax
	}
	switch c := s.b[s.i]; c {
	case '"':
		return s.str()
	case '{', '[':
		return s.container(c, depth)
	case 't':
		return s.word("true", kindBool)
	case 'f':
		return s.word("false", kindBool)
	case 'n':
		return s.word("null", kindNull)
	}
	return s.number()
}

func (s *scanner) str() (value, error) {
	s.i++
	from, esc := s.i, false
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return value{kind: kindString, raw: s.b[from : s.i-1], esc: esc}, nil
		case c == '\\':
			esc = true
			if !s.escape() {
				return value{}, errSyntax
			}
		case c < 0x20:
			return value{}, errSyntax
		default:
			s.i++
		}
	}
	return value{}, errSyntax
}

func (s *scanner) escape() bool {
	if s.i+1 >= len(s.b) {
		return false
	}
	switch s.b[s.i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i += 2
		return true
	case 'u':
		if _, ok := hex4(s.b, s.i+2); ok {
			s.i += 6
			return true
		}
	}
	return false
}

func (s *scanner) digits() bool {
	from := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > from
}

func (s *scanner) number() (value, error) {
	from := s.i
	s.take('-')
	if !s.take('0') && !s.digits() {
		return value{}, errSyntax
	}
	if s.take('.') && !s.digits() {
		return value{}, errSyntax
	}
	if s.take('e') || s.take('E') {
		if !s.take('+') {
			s.take('-')
		}
		if !s.digits() {
			return value{}, errSyntax
		}
	}
	return value{kind: kindNumber, raw: s.b[from:s.i]}, nil
}

func (s *scanner) container(open byte, depth int) (value, error) {
	if depth == maxDepth {
		return value{}, errDepth
	}
	from := s.i
	k, last := kindArray, byte(']')
	if open == '{' {
		k, last = kindObject, '}'
	}
	s.i++
	s.space()
	for first := true; !s.take(last); first = false {
		if !first {
			if !s.take(',') {
				return value{}, errSyntax
			}
			s.space()
		}
		if k == kindObject {
			if s.i >= len(s.b) || s.b[s.i] != '"' {
				return value{}, errSyntax
			}
			if _, err := s.str(); err != nil {
				return value{}, err
			}
			if s.space(); !s.take(':') {
				return value{}, errSyntax
			}
			s.space()
		}
		if _, err := s.value(depth + 1); err != nil {
			return value{}, err
		}
		s.space()
	}
	return value{kind: k, raw: s.b[from:s.i]}, nil
}

// members walks over an object or array that parse has checked.
type members struct {
	s    scanner
	name value // of an object's member
	val  value
}

func (v value) members() members {
	m := members{s: scanner{b: v.raw, i: 1}}
	m.s.space()
	return m
}

func (m *members) next() bool {
	s := &m.s
	if s.i+1 >= len(s.b) { // the closing bracket is all that is left
		return false
	}
	if s.take(',') {
		s.space()
	}
	if s.b[0] == '{' {
		m.name, _ = s.str()
		s.space()
		s.take(':')
		s.space()
	}
	m.val, _ = s.value(0)
	s.space()
	return true
}

// is tells whether a string says w, without making one.
func (v value) is(w string) bool {
	if !v.esc {
		return string(v.raw) == w
	}
	t, err := v.text()
	return err == nil && t == w
}

// text is what a string says. Half a surrogate pair is an error: it has no UTF-8.
func (v value) text() (string, error) {
	if !v.esc {
		return v.said(), nil
	}
	out := make([]byte, 0, len(v.raw))
	for i := 0; i < len(v.raw); {
		c := v.raw[i]
		if c != '\\' {
			out = append(out, c)
			i++
			continue
		}
		i += 2
		switch c := v.raw[i-1]; c {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, _ := hex4(v.raw, i)
			i += 4
			if utf16.IsSurrogate(r) {
				if i+1 >= len(v.raw) || v.raw[i] != '\\' || v.raw[i+1] != 'u' {
					return "", errSurrogate
				}
				low, _ := hex4(v.raw, i+2)
				if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
					return "", errSurrogate
				}
				i += 6
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, c)
		}
	}
	return string(out), nil
}

func hex4(b []byte, i int) (rune, bool) {
	if i+4 > len(b) {
		return 0, false
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// integer is what a number without fraction and exponent says.
func (v value) integer() (int64, bool) {
	n, err := strconv.ParseInt(string(v.raw), 10, 64)
	return n, err == nil && len(v.raw) > 0 && v.raw[0] != '+'
}

// appendText writes s as a JSON string. Only what JSON demands is escaped.
func appendText(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}
