package ws

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lishi/commands"
	"lishi/events"
	"lishi/events/ledger"
)

// param is the schema of a param: its class says what is taken.
func (d *describer) param(f *planned) node {
	about := d.word(f.name)
	limit := commands.DefaultLimits.Max(f.class)
	bytes := func(s node) node {
		if !f.optional {
			with(s, "minLength", 1)
		}
		if limit > 0 { // a text has no more characters than bytes
			with(s, "maxLength", limit, "x-maxBytes", limit)
		}
		return s
	}
	switch f.class {
	case "int":
		s := mapping("type", "integer", "format", "int64", "description", about)
		if f.min < f.max {
			with(s, "minimum", f.min, "maximum", f.max)
		}
		return s
	case "bool":
		return mapping("type", "boolean", "description", about)
	case "ids":
		return mapping("type", "array", "description", about, "items", flow(mapping("type", "string", "minLength", 1, "maxLength", limit, "x-maxBytes", limit)))
	case "state":
		values := f.values
		if f.optional {
			values = append([]string{""}, values...)
		}
		return mapping("type", "string", "description", about, "enum", flow(sequence(values...)))
	case "position", "cursor":
		pattern := map[string]string{"position": positionPattern, "cursor": cursorPattern}[f.class]
		if f.optional {
			pattern = "^$|" + pattern
		}
		return mapping("type", "string", "description", about, "pattern", pattern)
	}
	return bytes(mapping("type", "string", "description", about))
}

// params is what a url takes.
func (d *describer) params(u *URL) node {
	var f fields
	limit := commands.DefaultLimits.ID
	id := mapping("type", "string", "description", d.word("uniqueNo"), "maxLength", limit, "x-maxBytes", limit)
	if u.Path != pathPing {
		f.add("token?", mapping("type", "string", "description", d.word("token")))
	}
	if u.command {
		f.add("uniqueNo", with(id, "minLength", 1))
		f.add("resend?", mapping("type", "boolean", "description", d.word("resend")))
	} else {
		f.add("uniqueNo?", id)
	}
	if u.row != nil {
		f.add("seen?", mapping("type", "string", "description", d.word("seen"), "pattern", "^$|"+cursorPattern))
	}
	if u.plan != nil {
		for i := range u.plan.fields {
			x := &u.plan.fields[i]
			if x.optional {
				f.add(x.name+"?", d.param(x))
			} else {
				f.add(x.name, d.param(x))
			}
		}
	}
	return f.object(nil)
}

// result is what a success says.
func (d *describer) result(u *URL) node {
	var obj fields
	obj.add("uniqueNo", d.text("uniqueNo"))
	if u.command {
		may := ""
		if o, ok := reflect.New(u.plan.typ).Interface().(commands.Ordered); ok && o.Ordering() == events.ByMark {
			may = "?" // there may be nothing to do
		}
		obj.add("position"+may, d.text("position"))
		obj.add("time"+may, d.number("time"))
	}
	for _, name := range u.makes {
		obj.add(name, d.text(strings.TrimSuffix(name, "?")))
	}
	if u.row != nil {
		obj.add("list", mapping("type", "array", "description", d.word("list"), "items", d.row(u.row)))
		if u.pages() {
			obj.add("next?", d.text("next"))
		}
	}
	return answer("code", flow(mapping("const", 200)), "msg", flow(mapping("const", u.Success)), "obj", obj.object(nil))
}

// pages tells whether a query's rows may go on at obj.next.
func (u *URL) pages() bool {
	return slices.ContainsFunc(u.plan.fields, func(f planned) bool { return f.class == "next" })
}

func answer(kv ...any) node {
	return mapping("type", "object", "required", flow(sequence("code", "msg", "obj")), "properties", mapping(kv...))
}

// failure is what a refusal says.
func (d *describer) failure(u *URL) node {
	codes := []int{400}
	if !u.Seed {
		for _, r := range reasonRows {
			if !slices.Contains(codes, r.code) {
				codes = append(codes, r.code)
			}
		}
	}
	return answer("code", flow(mapping("enum", flow(sequence(codes...)))), "msg", flow(mapping("const", u.Failure)), "obj", ref("schemas", "Refusal"))
}

// common defines what all urls share.
func (d *describer) common() {
	var reasons []string
	for _, r := range reasonRows {
		reasons = append(reasons, r.reason)
	}
	var f fields
	f.add("uniqueNo", d.text("uniqueNo"))
	f.add("reason", mapping("type", "string", "description", d.word("reason"), "enum", flow(sequence(reasons...))))
	f.add("detail", d.text("detail"))
	f.add("retryAfterMs?", d.number("retryAfterMs"))
	d.define("Refusal", f.object("Why a request failed."))
	d.define("Malformed", answer("code", flow(mapping("const", 400)), "msg", flow(mapping("const", msgMalformed)), "obj", ref("schemas", "Refusal")))
	d.define("UnknownURL", answer("code", flow(mapping("const", 404)), "msg", flow(mapping("const", msgUnknownURL)), "obj", ref("schemas", "Refusal")))
	for _, u := range urls.All() {
		d.define(u.schema("Params"), d.params(u))
		d.define(u.schema("Failure"), d.failure(u)) // of login over HTTP
		if !u.Socket {
			d.define(u.schema("Result"), d.result(u))
		}
	}
}

// name is chatSendMessage for /chat/sendMessage.
func (u *URL) name() string {
	folder, last, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	return folder + strings.ToUpper(last[:1]) + last[1:]
}

func (u *URL) schema(of string) string {
	name := u.name()
	return strings.ToUpper(name[:1]) + name[1:] + of
}

// about is what people read of a url.
func (d *describer) about(u *URL) string {
	if u.plan == nil || u.Socket {
		return d.word(u.Path)
	}
	text := d.comment(u.plan.typ)
	if _, rest, ok := strings.Cut(text, u.Path+": "); ok { // "Find is /friend/queryFriend: people by …"
		text = strings.ToUpper(rest[:1]) + rest[1:]
	} else if _, rest, ok := strings.Cut(text, " "); ok { // "SendMessage sends …"
		text = strings.ToUpper(rest[:1]) + rest[1:]
	}
	return text
}

// What a table of the registry says must be so elsewhere too.
func TestDeclarationsHold(t *testing.T) {
	if commands.MaxMute != 5270400 {
		t.Error("muteMember's tag has another bound than the decider")
	}
	said := map[string]bool{}
	for _, u := range urls.All() {
		for _, name := range u.makes {
			said[strings.TrimSuffix(name, "?")] = true
		}
		if u.plan == nil {
			continue
		}
		for _, f := range u.plan.fields {
			if f.class == "int" && f.min == f.max {
				t.Errorf("%s: %s has no range", u.Path, f.name)
			}
			if taken := u.taken(&f); f.class == "state" && !slices.Equal(taken, f.values) {
				t.Errorf("%s takes %s in %q, its tag says %q", u.Path, f.name, taken, f.values)
			}
		}
	}
	made := map[string]bool{}
	for _, typ := range events.Types() {
		for _, filled := range []bool{true, false} {
			v := reflect.ValueOf(events.New(typ)).Elem()
			if filled {
				fill(v, "x")
			}
			for _, m := range madeBy(&events.Recorded{Event: events.Event{Body: v.Interface().(events.Body)}}) {
				made[m.name] = true
			}
		}
	}
	if a, b := fmt.Sprint(slices.Sorted(maps.Keys(said))), fmt.Sprint(slices.Sorted(maps.Keys(made))); a != b {
		t.Errorf("the registry says that results have %s, events make %s", a, b)
	}
}

// taken lists the values of a state that the decider does not call bad.
func (u *URL) taken(f *planned) (values []string) {
	for c := '0'; c <= '9'; c++ {
		command := reflect.New(u.plan.typ)
		if command.Elem().Field(f.index).Kind() == reflect.String {
			command.Elem().Field(f.index).SetString(string(c))
		}
		if u.command {
			_, err := command.Interface().(commands.Command).Stream(nothing{}, commands.Actor{ID: "alice"})
			var bad *commands.Refusal
			if errors.As(err, &bad) && bad.Reason == commands.BadRequest && strings.HasPrefix(bad.Detail, f.name) {
				continue
			}
		}
		values = append(values, string(c))
	}
	return values
}

// nothing is a Lookup that finds nothing.
type nothing struct{}

func (nothing) Application(events.ID) (ledger.Application, bool) { return ledger.Application{}, false }
func (nothing) EventID(events.Stream) events.ID                  { return events.ID{} }
func (nothing) Record() (events.Recorded, bool)                  { return events.Recorded{}, false }
