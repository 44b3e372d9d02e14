package ws

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	reflector "github.com/invopop/jsonschema"

	"lishi/projections/dates"
)

// The documents in docs/api are made from what serves the protocol: the registry of
// urls, the tags of commands and queries, the types of rows, the table of reasons,
// and the frames that Route makes of every event. What people read stands in
// words_test.go and in the comments of the types.

// describer makes schemas, and keeps those that are named.
type describer struct {
	t        *testing.T
	comments map[string]string
	schemas  map[string]node
	said     map[string]bool // words that were used
}

func newDescriber(t *testing.T) *describer {
	var r reflector.Reflector
	for _, dir := range []string{"commands", "projections"} {
		if err := r.AddGoComments("lishi/"+dir, "../"+dir, reflector.WithFullComment()); err != nil {
			t.Fatal(err)
		}
	}
	return &describer{t: t, comments: r.CommentMap, schemas: map[string]node{}, said: map[string]bool{}}
}

// comment is what stands above a type, without the part for developers.
func (d *describer) comment(typ reflect.Type) string {
	text := d.comments[typ.PkgPath()+"."+typ.Name()]
	if text == "" {
		d.t.Errorf("%s has no comment", typ)
	}
	text, _, _ = strings.Cut(text, "\n\n")
	return inOneLine(text)
}

func inOneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// word is what a field means.
func (d *describer) word(name string) string {
	d.said[name] = true
	if words[name] == "" {
		d.t.Errorf("words_test.go does not say what %s means", name)
	}
	return words[name]
}

// define names a schema.
func (d *describer) define(name string, schema node) {
	if d.schemas[name] != nil {
		d.t.Errorf("two schemas are named %s", name)
	}
	d.schemas[name] = schema
}

func (d *describer) components() node {
	all := mapping()
	for _, name := range slices.Sorted(maps.Keys(d.schemas)) {
		with(all, name, d.schemas[name])
	}
	return all
}

// fields is an object of fields that may be absent where their name ends with "?".
type fields struct {
	names   []any // and schemas
	require []string
}

func (f *fields) add(name string, schema node) {
	name, optional := strings.CutSuffix(name, "?")
	f.names = append(f.names, name, schema)
	if !optional {
		f.require = append(f.require, name)
	}
}

func (f *fields) object(description any) node {
	var required any
	if len(f.require) > 0 {
		required = flow(sequence(f.require...))
	}
	return mapping("type", "object", "description", description, "required", required, "properties", mapping(f.names...))
}

const (
	positionPattern = `^[cu](0|[1-9][0-9]*)-(0|[1-9][0-9]*)$`
	cursorPattern   = `^[cu](0|[1-9][0-9]*)-(0|[1-9][0-9]*)(,[cu](0|[1-9][0-9]*)-(0|[1-9][0-9]*))*$`
	idPattern       = `^([0-9a-f]{32})?$` // what is named may be nothing
	datePattern     = `^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$`
)

// text is the schema of a text in results and pushes.
func (d *describer) text(name string) node {
	s := mapping("type", "string", "description", d.word(name))
	switch name {
	case "position", "messagePosition", "replyTo", "peerReadPosition":
		with(s, "pattern", positionPattern)
	case "readPosition": // empty where nothing was read
		with(s, "pattern", `^(`+positionPattern[1:len(positionPattern)-1]+`)?$`)
	case "cursor":
		with(s, "pattern", cursorPattern)
	case "messageId", "chatMessageId", "applyFriendId", "applyGroupId":
		with(s, "pattern", idPattern)
	}
	if v := oneOf[name]; v != nil {
		with(s, "enum", flow(sequence(v...)))
	}
	return s
}

func (d *describer) number(name string) node {
	return mapping("type", "integer", "format", "int64", "description", d.word(name))
}

func (d *describer) date(name string) node {
	return mapping("type", "string", "pattern", datePattern, "description", d.word(name))
}

func (d *describer) texts(name string) node {
	return mapping("type", "array", "items", flow(mapping("type", "string")), "description", d.word(name))
}

func (d *describer) flag(name string) node {
	return mapping("type", "boolean", "description", d.word(name))
}

// row names the schema of a type of rows, and refers to it.
func (d *describer) row(typ reflect.Type) node {
	pkg := typ.PkgPath()[strings.LastIndex(typ.PkgPath(), "/")+1:]
	name := strings.ToUpper(pkg[:1]) + pkg[1:] + typ.Name()
	if d.schemas[name] == nil {
		var f fields
		d.collect(&f, typ)
		d.define(name, f.object(d.comment(typ)))
	}
	return ref("schemas", name)
}

func (d *describer) collect(f *fields, typ reflect.Type) {
	for i := range typ.NumField() {
		x := typ.Field(i)
		if x.Anonymous {
			d.collect(f, x.Type)
			continue
		}
		name, option, _ := strings.Cut(x.Tag.Get("json"), ",")
		if name == "-" || !x.IsExported() {
			continue
		}
		if option == "omitempty" {
			f.add(name+"?", d.value(name, x.Type))
		} else {
			f.add(name, d.value(name, x.Type))
		}
	}
}

func (d *describer) value(name string, typ reflect.Type) node {
	switch {
	case typ == reflect.TypeFor[dates.Date]():
		return d.date(name)
	case typ == reflect.TypeFor[[]string]():
		return d.texts(name)
	}
	switch typ.Kind() {
	case reflect.String:
		return d.text(name)
	case reflect.Bool:
		return d.flag(name)
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return d.number(name)
	case reflect.Slice:
		return mapping("type", "array", "items", d.row(typ.Elem()), "description", d.word(name))
	}
	d.t.Fatalf("no schema for %s: %s", name, typ)
	return nil
}
