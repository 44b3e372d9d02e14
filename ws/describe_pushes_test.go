package ws

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lishi/events"
)

// fixed are the fields whose texts are the server's own.
var fixed = regexp.MustCompile(`^(change|code|msg)$`)

// pushes makes the schema of each msgType from the frames that the server makes:
// a field that is missing in one of them may be missing.
func (d *describer) pushes() (msgTypes []string) {
	type seen struct {
		first  field
		times  int
		values []string
	}
	frames, order, came := map[string]int{}, map[string][]string{}, map[string]map[string]*seen{}
	for _, f := range everyFrame(d.t) {
		if came[f.MsgType] == nil {
			came[f.MsgType] = map[string]*seen{}
			msgTypes = append(msgTypes, f.MsgType)
		}
		frames[f.MsgType]++
		for _, x := range f.fields {
			if x.name == "" {
				continue
			}
			s := came[f.MsgType][x.name]
			if s == nil {
				s = &seen{first: x}
				came[f.MsgType][x.name] = s
				order[f.MsgType] = append(order[f.MsgType], x.name)
			}
			switch {
			case s.first.kind == x.kind:
			case textual(s.first.kind) && textual(x.kind):
				s.first.kind = fieldText // an id among other texts
			default:
				d.t.Errorf("%s of %s is of two kinds", x.name, f.MsgType)
			}
			if s.times++; fixed.MatchString(x.name) && !slices.Contains(s.values, x.text) {
				s.values = append(s.values, x.text)
			}
		}
	}
	slices.SortFunc(msgTypes, func(a, b string) int { return len(a)*100 - len(b)*100 + strings.Compare(a, b) })
	for _, typ := range msgTypes {
		var data fields
		for _, name := range order[typ] {
			s := came[typ][name]
			var schema node
			switch s.first.kind {
			case fieldText, fieldHole:
				if schema = d.text(name); len(s.values) > 0 {
					with(schema, "enum", flow(sequence(s.values...)))
				}
			case fieldID:
				schema = d.text(name)
			case fieldNumber:
				schema = d.number(name)
			case fieldDate:
				schema = d.date(name)
			case fieldJSON:
				schema = d.texts(name)
			case fieldBool:
				schema = d.flag(name)
			}
			if s.times < frames[typ] {
				name += "?"
			}
			data.add(name, schema)
		}
		if typ != "8" && typ != "15" {
			data.add("position", d.text("position"))
			data.add("time", d.number("time"))
		}
		d.define("Push"+typ, mapping("type", "object", "required", flow(sequence("msgType", "data")), "properties",
			mapping("msgType", flow(mapping("const", typ)), "data", data.object(nil))))
	}
	return msgTypes
}

func textual(k fieldKind) bool { return k == fieldText || k == fieldHole || k == fieldID }

// everyFrame is what Route makes of every type of event with all and with none of
// what may be left out, and the frames that no event makes.
func everyFrame(t *testing.T) (all []*Frame) {
	h := newChronicle(t)
	pair, group, user := events.PairStream("alice", "bob"), events.GroupStream("g"), events.UserStream("alice")
	h.say(group, "alice", events.GroupCreated{GroupName: "g", JoinMode: events.JoinOpen})
	at := h.next[h.book.Layout().Partition(group)] - 1
	route := func(s events.Stream, b events.Body) {
		e := events.Recorded{Event: events.Event{Stream: s, Actor: "alice", ActorName: "A", Body: b, Time: time.UnixMilli(1)}}
		e.Position.Offset = at + 1
		for _, f := range Route(&e, h.book) {
			all = append(all, f)
		}
	}
	for _, typ := range events.Types() {
		for _, filled := range []bool{true, false} {
			for _, s := range []events.Stream{pair, group, user} {
				for _, key := range []string{pair.Key(), group.Key()} {
					v := reflect.ValueOf(events.New(typ)).Elem()
					if filled {
						fill(v, key)
					}
					if b, ok := v.Interface().(events.ConversationRead); ok {
						b.Conversation = key
						v.Set(reflect.ValueOf(b))
					}
					route(s, v.Interface().(events.Body))
				}
			}
		}
	}
	for _, no := range []string{"", "no"} {
		all = append(all, loggedIn(no, "alice", events.Cursor{}, time.Now(), time.Minute))
		for _, r := range reasonRows {
			all = append(all, notLoggedIn(no, refuse(r.reason, "why"), 0), notLoggedIn(no, refuse(r.reason, "why"), time.Second))
		}
	}
	return append(all, backlogDelivered(events.Cursor{}))
}

// fill gives every field of a body a value; states agree.
func fill(v reflect.Value, text string) {
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(text)
			if v.Type().Field(i).Name == "State" {
				f.SetString(events.Agreed)
			}
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
			if e := f.Index(0); e.Kind() == reflect.Struct {
				fill(e, text)
			} else {
				e.SetString(text)
			}
		case reflect.Struct:
			fill(f, text)
		case reflect.Bool:
			f.SetBool(true)
		}
	}
}
