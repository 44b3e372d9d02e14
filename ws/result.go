package ws

import (
	"encoding/json"
	"strconv"

	"lishi/commands"
	"lishi/events"
)

// reply is the answer to one request: {"code":…,"msg":…,"obj":{…}}. It is
// written once and never kept.
type reply struct {
	url      *URL // nil for a frame that is no request, or an unknown url
	uniqueNo string
	position events.Position
	time     int64 // Unix milliseconds, beside position
	ids      []made
	list     any // of a query; nil means no rows
	next     string
	query    bool

	refusal    *commands.Refusal
	retryAfter int64 // milliseconds, with rate_limited
}

// made is a thing that a request made, or found made: its name and value in obj.
type made struct{ name, value string }

const (
	msgMalformed  = "请求格式错误"
	msgUnknownURL = "请求地址不存在"
	msgPong       = "pong"
	msgLoggedIn   = "登录成功"
)

// code is the number on the wire: a failure's is 400, and outside the seed's
// urls also 401, 403 and 404.
func (r *reply) code() int {
	switch {
	case r.refusal == nil:
		return 200
	case r.url != nil && r.url.Seed:
		return 400
	}
	return r.row().code
}

// status is the same over HTTP.
func (r *reply) status() int {
	if r.refusal == nil {
		return 200
	}
	return r.row().status
}

func (r *reply) row() reasonRow {
	if row, ok := reasonTable[r.refusal.Reason]; ok {
		return row
	}
	return reasonTable[commands.Unknown]
}

func (r *reply) msg() string {
	switch {
	case r.url == nil && r.refusal != nil && r.refusal.Reason == commands.UnknownURL:
		return msgUnknownURL
	case r.url == nil:
		return msgMalformed
	case r.refusal == nil:
		return r.url.Success
	}
	return r.url.Failure
}

// appendTo writes the result. It fails only where a query's rows can't be
// written as JSON, and then writes nothing.
func (r *reply) appendTo(b []byte) ([]byte, error) {
	start := len(b)
	b = append(b, `{"code":`...)
	b = strconv.AppendInt(b, int64(r.code()), 10)
	b = append(b, `,"msg":`...)
	b = appendText(b, r.msg())
	b = append(b, `,"obj":{"uniqueNo":`...)
	b = appendText(b, r.uniqueNo)
	if r.refusal != nil {
		b = append(b, `,"reason":`...)
		b = appendText(b, r.refusal.Reason)
		b = append(b, `,"detail":`...)
		b = appendText(b, r.refusal.Detail)
		if r.retryAfter > 0 {
			b = append(b, `,"retryAfterMs":`...)
			b = strconv.AppendInt(b, r.retryAfter, 10)
		}
		return append(b, "}}"...), nil
	}
	if r.position != (events.Position{}) {
		b = append(b, `,"position":"`...)
		b = appendPosition(b, r.position)
		b = append(b, `","time":`...)
		b = strconv.AppendInt(b, r.time, 10)
	}
	for _, m := range r.ids {
		b = appendName(b, m.name)
		b = appendText(b, m.value)
	}
	if r.query {
		b = append(b, `,"list":`...)
		if r.list == nil {
			b = append(b, "[]"...)
		} else {
			rows, err := marshal(r.list)
			if err != nil {
				return b[:start], err
			}
			b = append(b, rows...)
		}
		if r.next != "" {
			b = append(b, `,"next":`...)
			b = appendText(b, r.next)
		}
	}
	return append(b, "}}"...), nil
}

// marshal writes a query's rows as encoding/json does, without escaping HTML; a
// nil slice is an empty list.
func marshal(rows any) ([]byte, error) {
	var w unescaped
	enc := json.NewEncoder(&w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(rows); err != nil {
		return nil, err
	}
	out := w[:len(w)-1] // without the encoder's newline
	if string(out) == "null" {
		return []byte("[]"), nil
	}
	return out, nil
}

type unescaped []byte

func (w *unescaped) Write(p []byte) (int, error) {
	*w = append(*w, p...)
	return len(p), nil
}

func appendName(b []byte, name string) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

func appendPosition(b []byte, p events.Position) []byte {
	b = append(b, byte(p.Topic))
	b = strconv.AppendInt(b, int64(p.Number), 10)
	b = append(b, '-')
	return strconv.AppendInt(b, p.Offset, 10)
}

// madeBy lists the ids that an event made, as its result carries them.
func madeBy(e *events.Recorded) []made {
	id := func(name string) []made { return []made{{name, e.ID.String()}} }
	switch b := e.Body.(type) {
	case events.MessageSent:
		return id("messageId")
	case events.FriendApplied:
		return id("applyFriendId")
	case events.FriendAgreed:
		if b.Crossed {
			return []made{{"applyFriendId", b.Application.String()}, {"applyState", events.Agreed}}
		}
	case events.FolderCreated:
		return id("friendGroupId")
	case events.GroupCreated:
		return []made{{"groupId", e.Stream.ID}}
	case events.GroupApplied, events.GroupInvited:
		return id("applyGroupId")
	case events.GroupJoined:
		return append(id("applyGroupId"), made{"applyState", events.Agreed})
	}
	return nil
}
