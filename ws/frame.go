package ws

import (
	"strconv"
	"time"

	"lishi/events"
	"lishi/projections/dates"
	"lishi/ws/wire"
)

// Frame is what one push says: a msgType and the fields of its data, in order. It
// does not change, so it is encoded once and shared by all who get it.
type Frame struct {
	MsgType string
	fields  []field
}

// field is one name and value of a push's data.
type field struct {
	name string
	kind fieldKind
	text string
	num  int64
	list []string
}

type fieldKind byte

const (
	fieldText fieldKind = iota
	fieldTexts
	fieldNumber
	fieldDate // num: Unix milliseconds
	fieldTrue
	fieldHole // the receiving user's id: the one thing that is each receiver's own
)

func text(name, s string) field { return field{name: name, text: s} }

func date(name string, t time.Time) field {
	return field{name: name, kind: fieldDate, num: t.UnixMilli()}
}

func hole(name string) field { return field{name: name, kind: fieldHole} }

// optional leaves out what is empty.
func optional(name, s string) field {
	if s == "" {
		return field{}
	}
	return text(name, s)
}

// push makes the frame of an event: its fields, then position and time.
func push(msgType string, e *events.Recorded, fields ...field) *Frame {
	return &Frame{msgType, append(fields,
		text("position", e.Position.String()),
		field{name: "time", kind: fieldNumber, num: e.Time.UnixMilli()})}
}

// encoded is a frame ready for the wire: whole, or with a hole.
type encoded struct {
	whole *wire.Frame
	hole  *wire.HoleFrame
	size  int
}

// encode writes a frame as JSON. A date setting is the deployment's, so it has no
// part in what a frame says.
func (f *Frame) encode(d dates.Format) encoded {
	prefix, suffix, hollow := f.json(make([]byte, 0, 512), d)
	if hollow {
		return encoded{hole: wire.NewHoleFrame(prefix, suffix), size: len(prefix) + len(suffix) + 64}
	}
	return encoded{whole: wire.NewFrame(prefix), size: len(prefix)}
}

// json appends the frame up to its hole to b, and gives the rest in suffix.
func (f *Frame) json(b []byte, d dates.Format) (prefix, suffix []byte, hollow bool) {
	b = append(b, `{"msgType":"`...)
	b = append(b, f.MsgType...)
	b = append(b, `","data":{`...)
	at, first := -1, true
	for i := range f.fields {
		x := &f.fields[i]
		if x.name == "" {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, '"')
		b = append(b, x.name...)
		b = append(b, '"', ':')
		switch x.kind {
		case fieldText:
			b = appendText(b, x.text)
		case fieldTexts:
			b = appendTexts(b, x.list)
		case fieldNumber:
			b = strconv.AppendInt(b, x.num, 10)
		case fieldDate:
			b = d.At(x.num).Append(b)
		case fieldTrue:
			b = append(b, "true"...)
		case fieldHole:
			at = len(b)
		}
	}
	b = append(b, '}', '}')
	if at < 0 {
		return b, nil, false
	}
	return b[:at], b[at:], true
}

func appendTexts(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, s)
	}
	return append(b, ']')
}
