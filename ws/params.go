package ws

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"lishi/commands"
	"lishi/events"
)

// param is one member of a request's params, or one field of an HTTP form.
type param struct{ name, val value }

// params are all that came, in order, unknown ones among them.
type params []param

// find gives a param's value. null counts as absent. A name that came twice is
// refused: which one was meant, nobody can tell.
func (ps params) find(name string) (value, *commands.Refusal) {
	var found value
	for i := range ps {
		if !ps[i].name.is(name) {
			continue
		}
		if found.kind != kindNone {
			return value{}, refuse(commands.BadRequest, name+" came twice")
		}
		found = ps[i].val
	}
	if found.kind == kindNull {
		return value{}, nil
	}
	return found, nil
}

// str is a param that is a string.
func (ps params) str(name string) (string, *commands.Refusal) {
	v, bad := ps.find(name)
	if bad != nil || v.kind == kindNone {
		return "", bad
	}
	return v.str(name)
}

func (v value) str(name string) (string, *commands.Refusal) {
	if v.kind != kindString && v.kind != kindForm {
		return "", wrongType(name, "a string", v)
	}
	if v.kind == kindForm {
		return string(v.raw), nil
	}
	s, err := v.text()
	if err != nil {
		return "", refuse(commands.BadRequest, name+" holds "+err.Error())
	}
	return s, nil
}

func wrongType(name, want string, v value) *commands.Refusal {
	if v.kind == kindForm {
		return refuse(commands.BadRequest, name+" must be "+want)
	}
	return refuse(commands.BadRequest, name+" must be "+want+", not "+v.kind.String())
}

// id is a param that follows the rules for ids; empty where it is absent.
func (ps params) id(name string, limit int) (string, *commands.Refusal) {
	s, bad := ps.str(name)
	if bad == nil && s != "" {
		bad = checkID(name, s, limit)
	}
	return s, bad
}

func checkID(name, s string, limit int) *commands.Refusal {
	if len(s) > limit {
		return tooLong(name, len(s), limit)
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == 0x7f || c >= utf8.RuneSelf && strings.IndexFunc(s[i:], unicode.IsControl) >= 0 {
			return refuse(commands.BadRequest, name+" holds a control character")
		} else if c >= utf8.RuneSelf {
			break
		}
	}
	return nil
}

func tooLong(name string, is, limit int) *commands.Refusal {
	return refuse(commands.TooLong, fmt.Sprintf("%s has %d bytes, at most %d are allowed", name, is, limit))
}

// bool is a param that is a bool; false where it is absent.
func (ps params) bool(name string) (bool, *commands.Refusal) {
	v, bad := ps.find(name)
	switch {
	case bad != nil || v.kind == kindNone:
		return false, bad
	case v.kind == kindBool, v.kind == kindForm && (v.is("true") || v.is("false")):
		return v.is("true"), nil
	}
	return false, wrongType(name, "a bool", v)
}

// A plan decodes params into one type of command or query, as its fields' tags
// say: `param:"name,class"` or `param:"name,class,optional"`; beside it stand
// `values:"0,9"` for a text that is one of a few and `range:"0,200"` for a number.
// It is made once.
type plan struct {
	typ    reflect.Type
	fields []planned
}

type planned struct {
	name     string
	class    string
	optional bool
	index    int
	values   []string // the only ones there are, for the docs: deciders hold them
	min, max int64    // of an int; no bounds where both are 0
}

// newPlan reads the tags of a struct type. A tag that can't be followed is a
// programming error and panics when the registry is made.
func newPlan(t reflect.Type) *plan {
	p := &plan{typ: t}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("param")
		if !ok {
			continue
		}
		parts := strings.Split(tag, ",")
		if len(parts) < 2 || len(parts) > 3 || len(parts) == 3 && parts[2] != "optional" {
			panic(fmt.Sprintf("ws: %s.%s: bad tag %q", t, f.Name, tag))
		}
		pf := planned{name: parts[0], class: parts[1], optional: len(parts) == 3, index: i}
		if !pf.fits(f.Type) || !pf.bounds(f.Tag) {
			panic(fmt.Sprintf("ws: %s.%s: class %q does not fit %s", t, f.Name, pf.class, f.Type))
		}
		p.fields = append(p.fields, pf)
	}
	return p
}

func (f *planned) fits(t reflect.Type) bool {
	switch f.class {
	case "note", "name": // a pointer, where the empty text is not none
		return t.Kind() == reflect.String || t == reflect.TypeFor[*string]()
	case "id", "content", "state", "position", "next", "cursor":
		return t.Kind() == reflect.String
	case "int":
		return t.Kind() == reflect.Int || t.Kind() == reflect.Int64
	case "bool":
		return t.Kind() == reflect.Bool
	case "ids":
		return t == reflect.TypeFor[[]string]()
	}
	return false
}

// bounds reads the tags beside param; false if they make no sense.
func (f *planned) bounds(tag reflect.StructTag) bool {
	if values := tag.Get("values"); values != "" {
		f.values = strings.Split(values, ",")
		return f.class == "state"
	}
	bounds, ok := tag.Lookup("range")
	if !ok {
		return true
	}
	low, high, _ := strings.Cut(bounds, ",")
	var bad, worse error
	f.min, bad = strconv.ParseInt(low, 10, 64)
	f.max, worse = strconv.ParseInt(high, 10, 64)
	return f.class == "int" && bad == nil && worse == nil && f.min < f.max
}

// decode makes a new command or query of the params; into is a *T.
// A message's is put into room, where there is some.
func (p *plan) decode(ps params, l commands.Limits, room *commands.SendMessage) (into any, bad *commands.Refusal) {
	var ptr reflect.Value
	if room != nil {
		ptr = reflect.ValueOf(room)
	} else {
		ptr = reflect.New(p.typ)
	}
	target := ptr.Elem()
	for i := range p.fields {
		f := &p.fields[i]
		v, bad := ps.find(f.name)
		if bad != nil {
			return nil, bad
		}
		if v.kind == kindNone {
			if !f.optional {
				return nil, missing(f.name)
			}
			continue
		}
		if bad := f.set(target.Field(f.index), v, ps, l); bad != nil {
			return nil, bad
		}
	}
	return ptr.Interface(), nil
}

func missing(name string) *commands.Refusal {
	return refuse(commands.BadRequest, name+" is missing")
}

func (f *planned) set(field reflect.Value, v value, ps params, l commands.Limits) *commands.Refusal {
	switch f.class {
	case "int":
		n, ok := v.integer()
		if !ok || v.kind != kindNumber && v.kind != kindForm {
			return wrongType(f.name, "a whole number", v)
		}
		if field.OverflowInt(n) {
			return refuse(commands.BadRequest, f.name+" is out of range")
		}
		if f.min < f.max && (n < f.min || n > f.max) {
			return refuse(commands.BadRequest, fmt.Sprintf("%s must be from %d to %d", f.name, f.min, f.max))
		}
		field.SetInt(n)
		return nil
	case "bool":
		b, bad := ps.bool(f.name)
		field.SetBool(b)
		return bad
	case "ids":
		return f.setIDs(field, v, l)
	}
	s, bad := v.str(f.name)
	if bad != nil {
		return bad
	}
	if bad := f.check(s, l); bad != nil {
		return bad
	}
	if field.Kind() == reflect.Pointer {
		given := s // of its own, so that the others' texts stay off the heap
		field.Set(reflect.ValueOf(&given))
		return nil
	}
	field.SetString(s)
	return nil
}

// check holds a string against its class's limit; limits count bytes.
func (f *planned) check(s string, l commands.Limits) *commands.Refusal {
	if s == "" {
		if f.optional {
			return nil
		}
		return refuse(commands.BadRequest, f.name+" is empty")
	}
	switch f.class {
	case "id":
		return checkID(f.name, s, l.ID)
	case "state":
		if len(s) != 1 { // which there are, the decider says
			return refuse(commands.BadRequest, f.name+" must be one character")
		}
	case "cursor":
		if _, err := events.ParseCursor(s); err != nil {
			return refuse(commands.BadRequest, f.name+": "+err.Error())
		}
	case "position":
		if _, err := events.ParsePosition(s); err != nil {
			return refuse(commands.BadRequest, f.name+": "+err.Error())
		}
	default:
		if limit := l.Max(f.class); limit > 0 && len(s) > limit {
			return tooLong(f.name, len(s), limit)
		}
	}
	return nil
}

var errNotList = errors.New("not a list")

func (f *planned) setIDs(field reflect.Value, v value, l commands.Limits) *commands.Refusal {
	list, err := texts(v)
	switch {
	case err == errNotList:
		return wrongType(f.name, "a list of strings", v)
	case err != nil:
		return refuse(commands.BadRequest, f.name+" holds "+err.Error())
	case len(list) == 0 && !f.optional:
		return refuse(commands.BadRequest, f.name+" is empty")
	}
	for _, id := range list {
		if id == "" {
			return refuse(commands.BadRequest, f.name+" holds an empty id")
		}
		if bad := checkID(f.name, id, l.ID); bad != nil {
			return bad
		}
	}
	field.Set(reflect.ValueOf(list))
	return nil
}

// texts reads a list of strings. In a form the entries are joined by commas.
func texts(v value) ([]string, error) {
	if v.kind == kindForm {
		if len(v.raw) == 0 {
			return nil, nil
		}
		return strings.Split(string(v.raw), ","), nil
	}
	if v.kind != kindArray {
		return nil, errNotList
	}
	var list []string
	for m := v.members(); m.next(); {
		if m.val.kind != kindString {
			return nil, errNotList
		}
		s, err := m.val.text()
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}
