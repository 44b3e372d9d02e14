package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
)

// appendBody writes the JSON value. HTML escaping is off: a log is read by
// people, and '<' is no danger in it.
func appendBody(dst []byte, b Body) ([]byte, error) {
	if m, ok := b.(MessageSent); ok {
		return appendMessageSent(dst, &m)
	}
	if !validText(reflect.ValueOf(b)) {
		return nil, errNotUTF8
	}
	buf := bytes.NewBuffer(dst)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(b); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// decodeBody reads a JSON value, which is UTF-8.
func decodeBody(k *kind, value []byte) (Body, error) {
	if len(value) == 0 || value[0] != '{' {
		return nil, errors.New("value is not a JSON object")
	}
	if k.body == messageSent {
		if m, ok := parseMessageSent(value); ok {
			return m, nil
		}
	}
	p := reflect.New(k.body)
	if err := json.Unmarshal(value, p.Interface()); err != nil {
		return nil, err
	}
	return p.Elem().Interface().(Body), nil
}

var messageSent = reflect.TypeFor[MessageSent]()
