package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
)

// encodeBody writes the JSON value. HTML escaping is off: a log is read by
// people, and '<' is no danger in it.
func encodeBody(b Body) ([]byte, error) {
	if !validText(reflect.ValueOf(b)) {
		return nil, fmt.Errorf("events: %s holds text that is not UTF-8", b.Type())
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(b); err != nil {
		return nil, fmt.Errorf("events: %s: %w", b.Type(), err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

func decodeBody(k *kind, value []byte) (Body, error) {
	if len(value) == 0 || value[0] != '{' {
		return nil, fmt.Errorf("value is not a JSON object")
	}
	p := reflect.New(k.body)
	if err := json.Unmarshal(value, p.Interface()); err != nil {
		return nil, err
	}
	return p.Elem().Interface().(Body), nil
}
