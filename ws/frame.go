package ws

import (
	"encoding/binary"
	"encoding/hex"
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
	event   *events.Recorded // whose position and time come last; nil for 8 and 15
	fields  []field
}

// field is one name and value of a push's data. It is text only once somebody is
// there to be told.
type field struct {
	name string
	text string
	num  int64
	low  uint64
	kind fieldKind
}

type fieldKind byte

const (
	fieldText fieldKind = iota
	fieldJSON           // text as it stands: a list of strings
	fieldBool           // num: 0 or 1
	fieldID             // num and low
	fieldNumber
	fieldDate // num: Unix milliseconds
	fieldHole // the receiving user's id: the one thing that is each receiver's own
)

func text(name, s string) field { return field{name: name, text: s} }

func date(name string, t time.Time) field {
	return field{name: name, kind: fieldDate, num: t.UnixMilli()}
}

func ident(name string, id events.ID) field {
	return field{name: name, kind: fieldID, num: int64(binary.BigEndian.Uint64(id[:8])), low: binary.BigEndian.Uint64(id[8:])}
}

func number(name string, n int64) field { return field{name: name, kind: fieldNumber, num: n} }

func yes(name string) field { return field{name: name, kind: fieldBool, num: 1} }

func hole(name string) field { return field{name: name, kind: fieldHole} }

// optional leaves out what is empty.
func optional(name, s string) field {
	if s == "" {
		return field{}
	}
	return text(name, s)
}

func optionalTexts(name string, list []string) field {
	if len(list) == 0 {
		return field{}
	}
	return field{name: name, kind: fieldJSON, text: string(appendTexts(nil, list))}
}

// push makes the frame of an event: its fields, then position and time.
func push(msgType string, e *events.Recorded, fields ...field) *Frame {
	return &Frame{msgType, e, fields}
}

// encoded is a frame ready for the wire: whole, or with a hole.
type encoded struct {
	whole *wire.Frame
	hole  *wire.HoleFrame
	size  int
}

// encode writes a frame as JSON. How dates are written is the deployment's
// setting, so it has no part in what a frame says.
func (f *Frame) encode(d dates.Format) encoded {
	b := scratch.Get().(*[]byte)
	defer scratch.Put(b)
	prefix, suffix, hollow := f.json((*b)[:0], d)
	*b = prefix[:0]
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
	at := -1
	for i := range f.fields {
		x := &f.fields[i]
		if x.name == "" {
			continue
		}
		b = append(b, '"')
		b = append(b, x.name...)
		b = append(b, '"', ':')
		if x.kind == fieldHole {
			at = len(b)
		}
		b = append(x.value(b, d), ',')
	}
	if f.event != nil {
		b = append(b, `"position":"`...)
		b = appendPosition(b, f.event.Position)
		b = append(b, `","time":`...)
		b = strconv.AppendInt(b, f.event.Time.UnixMilli(), 10)
	} else {
		b = b[:len(b)-1] // the last comma
	}
	b = append(b, '}', '}')
	if at < 0 {
		return b, nil, false
	}
	return b[:at], b[at:], true
}

func (x *field) value(b []byte, d dates.Format) []byte {
	switch x.kind {
	case fieldText:
		return appendText(b, x.text)
	case fieldJSON:
		return append(b, x.text...)
	case fieldBool:
		return strconv.AppendBool(b, x.num != 0)
	case fieldNumber:
		return strconv.AppendInt(b, x.num, 10)
	case fieldDate:
		return d.At(x.num).Append(b)
	case fieldID:
		b = append(b, '"')
		if x.num != 0 || x.low != 0 { // the zero id names nothing
			var id [16]byte
			binary.BigEndian.PutUint64(id[:8], uint64(x.num))
			binary.BigEndian.PutUint64(id[8:], x.low)
			b = hex.AppendEncode(b, id[:])
		}
		return append(b, '"')
	}
	return b
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
