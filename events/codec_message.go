package events

import (
	"errors"
	"unicode/utf8"
)

// Nine of ten records are message.sent, so its JSON is written and read by hand.
// Writing gives the bytes that encoding/json would; reading takes exactly the
// form that is written and leaves everything else to encoding/json.

var errNotUTF8 = errors.New("text is not UTF-8")

func appendMessageSent(dst []byte, m *MessageSent) ([]byte, error) {
	valid := utf8.ValidString(m.Content.Plain) && utf8.ValidString(m.ContentType) && utf8.ValidString(m.ReplyTo)
	for _, id := range m.AtUserIDs {
		valid = valid && utf8.ValidString(id)
	}
	if !valid {
		return nil, errNotUTF8
	}
	dst = append(dst, `{"content":{"plain":`...)
	dst = appendText(dst, m.Content.Plain)
	dst = append(dst, '}')
	if m.ContentType != "" {
		dst = append(dst, `,"contentType":`...)
		dst = appendText(dst, m.ContentType)
	}
	if m.ReplyTo != "" {
		dst = append(dst, `,"replyTo":`...)
		dst = appendText(dst, m.ReplyTo)
	}
	if len(m.AtUserIDs) > 0 {
		dst = append(dst, `,"atUserIds":`...)
		sep := byte('[')
		for _, id := range m.AtUserIDs {
			dst = appendText(append(dst, sep), id)
			sep = ','
		}
		dst = append(dst, ']')
	}
	if m.Strangers {
		dst = append(dst, `,"strangersAllowed":true`...)
	}
	return append(dst, '}'), nil
}

// appendText writes UTF-8 as a JSON string, with encoding/json's choice of
// escapes (U+2028 and U+2029 among them).
func appendText(dst []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	done := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c != 0xE2 {
			continue
		}
		if c == 0xE2 && (s[i+1] != 0x80 || s[i+2]&^1 != 0xA8) {
			continue
		}
		dst = append(dst, s[done:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case 0xE2:
			dst = append(dst, '\\', 'u', '2', '0', '2', hexDigits[s[i+2]&0xF])
			i += 2
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xF])
		}
		done = i + 1
	}
	return append(append(dst, s[done:]...), '"')
}

// parseMessageSent reads what appendMessageSent wrote; ok is false for every
// other form, which says nothing about whether it is right. The value is UTF-8.
func parseMessageSent(value []byte) (m MessageSent, ok bool) {
	p := textParser{rest: value}
	if !p.skip(`{"content":{"plain":`) || !p.text(&m.Content.Plain) || !p.skip(`}`) {
		return m, false
	}
	if p.skip(`,"contentType":`) && !p.text(&m.ContentType) {
		return m, false
	}
	if p.skip(`,"replyTo":`) && !p.text(&m.ReplyTo) {
		return m, false
	}
	if p.skip(`,"atUserIds":[`) {
		for more := true; more; more = p.skip(`,`) {
			var id string
			if !p.text(&id) {
				return m, false
			}
			m.AtUserIDs = append(m.AtUserIDs, id)
		}
		if !p.skip(`]`) {
			return m, false
		}
	}
	m.Strangers = p.skip(`,"strangersAllowed":true`)
	return m, p.skip(`}`) && len(p.rest) == 0
}

type textParser struct{ rest []byte }

func (p *textParser) skip(s string) bool {
	if len(p.rest) < len(s) || string(p.rest[:len(s)]) != s {
		return false
	}
	p.rest = p.rest[len(s):]
	return true
}

// text reads a JSON string without \u escapes.
func (p *textParser) text(to *string) bool {
	if !p.skip(`"`) {
		return false
	}
	escapes := 0
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			*to = unescape(p.rest[:i], escapes)
			p.rest = p.rest[i+1:]
			return true
		case c == '\\':
			i++
			if i == len(p.rest) || escaped[p.rest[i]] == 0 {
				return false
			}
			escapes++
		case c < 0x20:
			return false
		}
	}
	return false
}

// escaped is what the letter after a backslash stands for; 0: left to encoding/json.
var escaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func unescape(b []byte, escapes int) string {
	if escapes == 0 {
		return string(b)
	}
	out := make([]byte, 0, len(b)-escapes)
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '\\' {
			i++
			c = escaped[b[i]]
		}
		out = append(out, c)
	}
	return string(out)
}
