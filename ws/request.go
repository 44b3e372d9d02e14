package ws

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"lishi/commands"
	"lishi/events"
	"lishi/projections"
)

// request is one frame, or one HTTP request, on its way through the checks:
// frame, JSON, url, token, rate, params, state.
type request struct {
	url      *URL
	params   params
	uniqueNo string // as far as it could be read; empty otherwise
	arrival  *arrival
}

// arrival is what is kept of a message's frame, in one piece: the command, whose
// texts lie in the copy behind it.
type arrival struct {
	message commands.SendMessage
	text    [arrivalText]byte
}

// arrivalText is how long a frame may be that is kept with its command: a kilobyte
// with it, which is a size that memory comes in.
const arrivalText = 1024 - int(unsafe.Sizeof(commands.SendMessage{}))

// keep copies a frame.
func (q *request) keep(frame []byte) []byte {
	if len(frame) > arrivalText {
		return slices.Clone(frame)
	}
	q.arrival = new(arrival)
	return q.arrival.text[:copy(q.arrival.text[:], frame)]
}

// room is where a message's command goes; nil for all others, which make their own.
func (q *request) room() *commands.SendMessage {
	if q.arrival == nil || q.url.plan.typ != reflect.TypeFor[commands.SendMessage]() {
		return nil
	}
	return &q.arrival.message
}

// read takes a frame's bytes: {"url":…,"params":{…}}. A refusal of BadRequest
// means that it is no request at all. The frame's bytes are copied: what is made
// of the request refers to the copy.
func (q *request) read(frame []byte, registry *Registry) *commands.Refusal {
	q.url, q.params, q.uniqueNo, q.arrival = nil, q.params[:0], "", nil
	v, err := parse(q.keep(frame))
	if err != nil {
		return refuse(commands.BadRequest, err.Error())
	}
	if v.kind != kindObject {
		return refuse(commands.BadRequest, "a request must be an object, not "+v.kind.String())
	}
	var url, ps value
	for m := v.members(); m.next(); {
		var into *value
		switch {
		case m.name.is("url"):
			into = &url
		case m.name.is("params"):
			into = &ps
		default:
			continue
		}
		if into.kind != kindNone {
			return refuse(commands.BadRequest, string(m.name.raw)+" came twice")
		}
		*into = m.val
	}
	switch {
	case url.kind == kindNone:
		return refuse(commands.BadRequest, "url is missing")
	case url.kind != kindString:
		return wrongType("url", "a string", url)
	case ps.kind != kindNone && ps.kind != kindNull && ps.kind != kindObject:
		return wrongType("params", "an object", ps)
	}
	if ps.kind == kindObject {
		q.readParams(ps)
	}
	return q.findURL(url, registry)
}

// readParams takes a params object.
func (q *request) readParams(object value) {
	for m := object.members(); m.next(); {
		q.params = append(q.params, param{m.name, m.val})
	}
	q.echo()
}

// echo finds out what uniqueNo the answer carries, whatever else is wrong.
func (q *request) echo() { q.uniqueNo, _ = q.params.str("uniqueNo") }

func (q *request) findURL(url value, registry *Registry) *commands.Refusal {
	if !url.esc {
		q.url = registry.urls[string(trimSlashes(url.raw))]
	} else if path, err := url.text(); err == nil {
		q.url = registry.Find(path)
	}
	if q.url == nil {
		return refuse(commands.UnknownURL, "no such url")
	}
	return nil
}

func trimSlashes(b []byte) []byte {
	for len(b) > 0 && b[0] == '/' {
		b = b[1:]
	}
	for len(b) > 0 && b[len(b)-1] == '/' {
		b = b[:len(b)-1]
	}
	return b
}

// decoded is what a request says once its params are in order.
type decoded struct {
	command  commands.Command
	query    projections.Query
	uniqueNo string
	resend   bool
	seen     events.Cursor
}

// id is the uniqueNo that was echoed, if it follows the rules.
func (q *request) id(limit int) (string, *commands.Refusal) {
	if q.uniqueNo == "" {
		return q.params.id("uniqueNo", limit) // absent, or why it could not be read
	}
	return q.uniqueNo, checkID("uniqueNo", q.uniqueNo, limit)
}

// requests are used again: a connection that is silent holds none.
var requests = sync.Pool{New: func() any { return new(request) }}

// maxKept is how many params a request keeps room for.
const maxKept = 32

// done gives the request back.
func (q *request) done() {
	if cap(q.params) > maxKept {
		q.params = nil
	}
	clear(q.params)
	*q = request{params: q.params[:0]}
	requests.Put(q)
}

// decode checks the params against the url's plan.
func (q *request) decode(l commands.Limits) (d decoded, bad *commands.Refusal) {
	if d.uniqueNo, bad = q.id(l.ID); bad != nil {
		return d, bad
	}
	if d.uniqueNo == "" && q.url.command {
		return d, missing("uniqueNo")
	}
	if d.resend, bad = q.params.bool("resend"); bad != nil {
		return d, bad
	}
	into, bad := q.url.plan.decode(q.params, l, q.room())
	if bad != nil {
		return d, bad
	}
	if q.url.command {
		d.command = into.(commands.Command)
		return d, nil
	}
	d.query = into.(projections.Query)
	seen, bad := q.params.str("seen")
	if bad != nil {
		return d, bad
	}
	d.seen, bad = parseSeen(seen)
	return d, bad
}

// parseSeen reads positions joined by commas. Unlike in a cursor, a partition
// may stand there several times: the greatest counts.
func parseSeen(s string) (events.Cursor, *commands.Refusal) {
	if s == "" {
		return nil, nil
	}
	c := events.Cursor{}
	for n, part := range strings.Split(s, ",") {
		p, err := events.ParsePosition(part)
		if err != nil {
			return nil, refuse(commands.BadRequest, "seen: "+err.Error())
		}
		if n == 1024 {
			return nil, refuse(commands.TooLong, "seen holds more than 1024 positions")
		}
		c.Advance(p)
	}
	return c, nil
}
