package commands

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"lishi/events"
)

// Fingerprint is SHA-256, cut to 16 bytes, of the url and the decoded params
// sorted by name. A param at its zero value is left out, so that an optional
// param that a later release adds does not change the fingerprint of requests
// without it. Token, uniqueNo and resend are no fields of a command.
//
// cmd is a command or a pointer to one; anything without param tags has the
// fingerprint of its url alone.
func Fingerprint(url string, cmd any) events.Fingerprint {
	v := reflect.Indirect(reflect.ValueOf(cmd))
	b := make([]byte, 0, 512)
	b = appendText(b, url)
	if v.Kind() == reflect.Struct {
		for _, f := range fieldsOf(v.Type()) {
			if fv := v.Field(f.index); !fv.IsZero() {
				b = appendText(b, f.name)
				b = appendValue(b, fv)
			}
		}
	}
	sum := sha256.Sum256(b)
	return events.Fingerprint(sum[:16])
}

// appendText writes a text with its length first, so that no two lists of texts
// run together.
func appendText(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

func appendValue(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.String:
		return appendText(b, v.String())
	case reflect.Int, reflect.Int64:
		return binary.BigEndian.AppendUint64(b, uint64(v.Int()))
	case reflect.Bool:
		return append(b, 1)
	case reflect.Pointer: // given, be it empty
		return appendValue(b, v.Elem())
	case reflect.Slice:
		b = binary.BigEndian.AppendUint32(b, uint32(v.Len()))
		for i := range v.Len() {
			b = appendValue(b, v.Index(i))
		}
		return b
	}
	panic(fmt.Sprintf("commands: a param can't be a %s", v.Type()))
}

type field struct {
	name  string
	index int
}

var fieldCache sync.Map // reflect.Type → []field

// fieldsOf lists a command's params, sorted by their name on the wire.
func fieldsOf(t reflect.Type) []field {
	if fs, ok := fieldCache.Load(t); ok {
		return fs.([]field)
	}
	var fs []field
	for i := range t.NumField() {
		if tag, ok := t.Field(i).Tag.Lookup("param"); ok {
			name, _, _ := strings.Cut(tag, ",")
			fs = append(fs, field{name, i})
		}
	}
	slices.SortFunc(fs, func(a, b field) int { return strings.Compare(a.name, b.name) })
	fieldCache.Store(t, fs)
	return fs
}
