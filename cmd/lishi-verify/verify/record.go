package verify

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Record is an event as the log holds it: the canonical encoding read.
type Record struct {
	Key     string
	Headers []Header
	Value   []byte
	raw     []byte
}

// Header is one header of a record.
type Header struct{ Name, Value string }

// ParseRecord reads the canonical encoding of a record (docs/audit.md, Leaves).
func ParseRecord(raw []byte) (Record, error) {
	rest, short := raw, len(raw) == 0 || raw[0] != 1
	number := func() uint32 {
		if short || len(rest) < 4 {
			short = true
			return 0
		}
		n := binary.BigEndian.Uint32(rest)
		rest = rest[4:]
		return n
	}
	field := func() []byte {
		n := uint64(number())
		if short || n > uint64(len(rest)) {
			short = true
			return nil
		}
		b := rest[:n]
		rest = rest[n:]
		return b
	}
	if !short {
		rest = rest[1:]
	}
	r := Record{raw: raw, Key: string(field())}
	for n := number(); n > 0 && !short; n-- {
		name := field()
		r.Headers = append(r.Headers, Header{string(name), string(field())})
	}
	r.Value = field()
	if short || len(rest) > 0 {
		return Record{}, errors.New("not a canonical record of version 1")
	}
	return r, nil
}

// header is the value of the first header with a name.
func (r *Record) header(name string) string {
	for _, h := range r.Headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

// Type is what happened, without prefix and version: "message.sent".
func (r *Record) Type() string {
	t := strings.TrimPrefix(r.header("ce_type"), "lishi.")
	if cut := strings.LastIndex(t, ".v"); cut >= 0 {
		t = t[:cut]
	}
	return t
}

// AppendLine appends a record's line of events.jsonl, without the newline: a
// CloudEvent in JSON. What is readable in it is made from the record alone, so
// that there is one line a record and nothing in it can say something else.
func AppendLine(dst []byte, position string, r Record) []byte {
	dst = append(dst, '{')
	for i, h := range r.Headers {
		name, ok := attribute(h)
		for _, earlier := range r.Headers[:i] {
			if before, _ := attribute(earlier); before == name {
				ok = false
			}
		}
		if ok {
			dst = append(appendString(dst, name), ':')
			dst = append(appendString(dst, h.Value), ',')
		}
	}
	dst = append(appendString(append(dst, `"lishiposition":`...), position), `,"lishirecord":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, r.raw)
	if plainJSON(r.Value) {
		return append(append(append(dst, `","data":`...), r.Value...), '}')
	}
	dst = append(dst, `","data_base64":"`...)
	return append(base64.StdEncoding.AppendEncode(dst, r.Value), '"', '}')
}

// attribute is the name that a header has in a CloudEvent; ok is false where it
// is none, or is not text.
func attribute(h Header) (name string, ok bool) {
	if name, ok = strings.CutPrefix(h.Name, "ce_"); !ok {
		if h.Name != "content-type" {
			return "", false
		}
		name = "datacontenttype"
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return "", false
		}
	}
	return name, name != "" && name != "data" && !strings.HasPrefix(name, "lishi") && utf8.ValidString(h.Value)
}

// plainJSON tells whether a value can stand in a line as it is.
func plainJSON(v []byte) bool {
	for _, c := range v {
		if c < 0x20 {
			return false
		}
	}
	return utf8.Valid(v) && json.Valid(v)
}

// appendString writes a JSON string as JavaScript's JSON.stringify does.
func appendString(dst []byte, s string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		c := s[i]
		if short := strings.IndexByte("\"\\\b\f\n\r\t", c); short >= 0 {
			dst = append(dst, '\\', `"\bfnrt`[short])
		} else if c < 0x20 {
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// MessageColumns are the first columns of messages.csv: those that say what the
// record of a message's version says, and are held against it.
var MessageColumns = []string{
	"position", "message", "version", "conversation", "actor", "actor_name", "said", "recorded", "imported",
	"text", "content_type", "reply_to", "at_users",
}

// versions are the types of events that are versions of a message.
var versions = map[string]string{"message.sent": "original", "message.edited": "edit", "message.recalled": "recall"}

// Row is what MessageColumns say of a record; nil if it is no version of a message.
func Row(position string, r Record) ([]string, error) {
	version := versions[r.Type()]
	if version == "" {
		return nil, nil
	}
	if !strings.HasSuffix(r.header("ce_type"), ".v1") {
		return nil, errors.New("a version of the event that this program does not know")
	}
	body := struct {
		Message     string
		Content     struct{ Plain string }
		ContentType string
		ReplyTo     string
		AtUserIDs   []string `json:"atUserIds"`
	}{}
	if err := json.Unmarshal(r.Value, &body); err != nil {
		return nil, err
	}
	at, err := strconv.ParseInt(r.header("ce_recordedtime"), 10, 64)
	if err != nil {
		return nil, err
	}
	if version == "original" {
		body.Message = position
	}
	users := ""
	if len(body.AtUserIDs) > 0 {
		b := []byte{'['}
		for i, id := range body.AtUserIDs {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, id)
		}
		users = string(append(b, ']'))
	}
	imported := strconv.FormatBool(r.header("ce_imported") == "true")
	return []string{
		position, body.Message, version, r.Key, r.header("ce_actor"), r.header("ce_actorname"), r.header("ce_time"),
		time.UnixMilli(at).UTC().Format("2006-01-02T15:04:05.000Z"), imported, body.Content.Plain, body.ContentType, body.ReplyTo, users,
	}, nil
}
