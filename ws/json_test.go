package ws

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// read gives a checked value as encoding/json would, for comparison.
func read(v value) (any, error) {
	switch v.kind {
	case kindNull:
		return nil, nil
	case kindBool:
		return string(v.raw) == "true", nil
	case kindNumber:
		return json.Number(v.raw), nil
	case kindString:
		return v.text()
	case kindArray:
		list := []any{}
		for m := v.members(); m.next(); {
			e, err := read(m.val)
			if err != nil {
				return nil, err
			}
			list = append(list, e)
		}
		return list, nil
	}
	object := map[string]any{}
	for m := v.members(); m.next(); {
		name, err := m.name.text()
		if err != nil {
			return nil, err
		}
		if object[name], err = read(m.val); err != nil {
			return nil, err
		}
	}
	return object, nil
}

// agree compares with encoding/json: the same texts are JSON, and say the same.
func agree(t *testing.T, text []byte) {
	t.Helper()
	v, err := parse(text)
	if err == errDepth {
		return
	}
	if (err == nil) != json.Valid(text) {
		t.Fatalf("%q: parse says %v, encoding/json %v", text, err, json.Valid(text))
	}
	if err != nil {
		return
	}
	got, err := read(v)
	if err != nil {
		return // half a surrogate pair: the one thing where we are stricter
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	var want any
	if err := d.Decode(&want); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%q: read %#v, encoding/json %#v", text, got, want)
	}
}

var jsonSeeds = []string{
	`{"url":"/chat/sendMessage","params":{"token":"a.b.c","uniqueNo":"1","messageContent":"你好","receiveUserId":"bob"}}`,
	`{}`, `[]`, `""`, `null`, `true`, `false`, `0`, `-0`, `-1.5e+10`, `1E9`, `01`, `+1`, `.5`, `1.`, `1e`, `-`, ``, ` `, `nul`, `truefalse`,
	`{"a":1,}`, `{,}`, `[1,]`, `[,1]`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1 "b":2}`, `[1 2]`, `{"a":1}}`, `{"a":1} {"b":2}`, `{"a":1`, `["`, `"\`, `"\u12`, `"\x"`,
	`"\"\\\/\b\f\n\r\t\u00e9\u4f60\ud83d\ude00"`, `"\ud83d"`, `"\ude00"`, `"\ud83d\u0041"`, `"\ud83dA"`, "\"\x00\"", "\"\n\"", "\"\u2028\"", "\ufeff{}",
	`{"a":{"b":[{"c":[]},[[[]]]]},"a":2}`, " { \"a\" : [ 1 , 2 ] , \"b\" : { } } \r\n",
	strings.Repeat("[", 200), strings.Repeat(`{"a":`, 200), strings.Repeat("[", 20) + strings.Repeat("]", 20),
}

func TestJSONAgreesWithEncodingJSON(t *testing.T) {
	for _, s := range jsonSeeds {
		agree(t, []byte(s))
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range jsonSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if utf8.Valid(text) { // the wire closes with 1007, HTTP checks before parsing
			agree(t, text)
		}
	})
}

func TestHalfSurrogates(t *testing.T) {
	for text, whole := range map[string]bool{
		`"\ud83d\ude00"`: true, `"\ud83d"`: false, `"\ude00"`: false, `"\ude00\ud83d"`: false,
		`"\ud83dx"`: false, `"\ud83d\n"`: false, `"\ud83d\ud83d\ude00"`: false, `"\uD83D\uDE00"`: true,
	} {
		v, err := parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.text(); (err == nil) != whole {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzAppendText(f *testing.F) {
	f.Add("")
	f.Add("a\"b\\c\n\r\t\x00\x1f\x7f é 你好 😀 \u2028</script>")
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		b := appendText(nil, s)
		var back string
		if err := json.Unmarshal(b, &back); err != nil || back != s {
			t.Fatalf("%q came back as %q from %s: %v", s, back, b, err)
		}
		v, err := parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if own, err := v.text(); err != nil || own != s {
			t.Fatalf("%q came back as %q: %v", s, own, err)
		}
	})
}
