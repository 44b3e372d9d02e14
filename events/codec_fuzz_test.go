package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// Whatever stands in the log, Decode ends in an event, in a foreign record or in
// ErrDamaged; and an event that was read can be written, and then reads the same
// for ever.
func FuzzDecode(f *testing.F) {
	for _, r := range recordings(f) {
		var lines []string
		for _, h := range r.record.Headers {
			lines = append(lines, h.Key+":"+string(h.Value))
		}
		f.Add(r.record.Key, strings.Join(lines, "\n"), r.record.Value)
	}
	f.Fuzz(func(t *testing.T, key []byte, headers string, value []byte) {
		r := Record{Key: key, Value: value}
		for line := range strings.SplitSeq(headers, "\n") {
			name, v, _ := strings.Cut(line, ":")
			r.Headers = append(r.Headers, Header{name, []byte(v)})
		}
		one, err := Decode(here, r)
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		if _, ok := one.Body.(Foreign); ok {
			return
		}
		written := recorded(t, one)
		two, err := Decode(here, written)
		if err != nil {
			t.Fatalf("%s\nis written\n%s\n%v", r.Value, written.Value, err)
		}
		if again := recorded(t, two); !bytes.Equal(AppendRecord(nil, again), AppendRecord(nil, written)) {
			t.Fatalf("%s\nis written again as\n%s", written.Value, again.Value)
		}
		if !reflect.DeepEqual(one.Event, two.Event) && !strings.Contains(string(r.Value), "[") { // an empty list is not written
			t.Fatalf("%+v\ncomes back as\n%+v", one, two)
		}
	})
}

// What is written by hand is what encoding/json writes, and reads back.
func FuzzMessageSent(f *testing.F) {
	f.Add("明天见", "", "", "", false)
	f.Add("\"\\/\b\f\n\r\t\x00\x1f\x7f<>&\u2028\u2029\u2027\u20ac\ufffd", "text", "c3-1", "an", true)
	f.Add("\xe2\x80", "\xe2", "\xed\xa0\x80", "\xff", false)
	f.Fuzz(func(t *testing.T, plain, contentType, replyTo, at string, strangers bool) {
		m := MessageSent{Content: Content{Plain: plain}, ContentType: contentType, ReplyTo: replyTo, Strangers: strangers}
		if at != "" {
			m.AtUserIDs = strings.Split(at, ",")
		}
		got, err := appendMessageSent(nil, &m)
		if !validText(reflect.ValueOf(m)) {
			if err == nil {
				t.Fatalf("%q was written", got)
			}
			return
		}
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		if err := e.Encode(m); err != nil {
			t.Fatal(err)
		}
		if err != nil || string(got) != strings.TrimSuffix(want.String(), "\n") {
			t.Fatalf("%s, %v\nwant\n%s", got, err, want.String())
		}
		back, err := decodeBody(registry["message.sent"], got)
		if err != nil || !reflect.DeepEqual(back, m) {
			t.Fatalf("%s\nis read as\n%+v, %v\nwant\n%+v", got, back, err, m)
		}
	})
}

// What is read by hand is read the same by encoding/json.
func FuzzParseMessageSent(f *testing.F) {
	for _, r := range recordings(f) {
		if r.typ == "message.sent" {
			f.Add([]byte(r.record.Value))
		}
	}
	for _, v := range []string{
		`{"content":{"plain":""}}`, `{"content":{"plain":"a"},"atUserIds":[]}`, `{"content":{"plain":"a"},"atUserIds":["a",]}`, `{"content":{"plain":"\u0041"}}`,
		`{"content":{"plain":"\/\""}}`, `{"content":{"plain":"a"},"strangersAllowed":true}`, `{"content":{"plain":"a"},"strangersAllowed":true,}`, `{"content":{"plain":"\`,
	} {
		f.Add([]byte(v))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if !utf8.Valid(value) {
			return
		}
		got, ok := parseMessageSent(value)
		if !ok {
			return
		}
		var want MessageSent
		if err := json.Unmarshal(value, &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\nis read as\n%+v\nby encoding/json as\n%+v, %v", value, got, want, err)
		}
	})
}

// The usual form must take the quick way, or its speed is gone unnoticed.
func TestTheUsualMessageIsReadByHand(t *testing.T) {
	for _, r := range recordings(t) {
		if r.typ != "message.sent" || r.name == "message.sent.v1-escapes" { // which has \u
			continue
		}
		if _, ok := parseMessageSent(r.record.Value); !ok {
			t.Errorf("%s is left to encoding/json", r.name)
		}
	}
}

func FuzzTime(f *testing.F) {
	for _, s := range []string{
		"2026-11-18T11:06:40.123Z", "2024-02-29T23:59:59.999Z", "2023-02-29T00:00:00.000Z", "0000-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z",
		"2026-11-18T11:06:40.123+08:00", "2026-11-18T24:00:00.000Z", "2026-11-18T11:06:60.000Z", "2026-13-01T00:00:00.000Z", "2026-00-01T00:00:00.000Z",
		"2026-01-00T00:00:00.000Z", "2026-01-31T00:00:00.000Z", "2026-11-18T11:06:40Z", "2026-11-18T11:06:40.123456789Z", "2026-11-18t11:06:40.123z", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseTime([]byte(s))
		want, wantErr := time.Parse(time.RFC3339Nano, s)
		want = want.UTC().Truncate(time.Millisecond)
		if wantErr == nil && !writable(want) {
			wantErr = errYear
		}
		if (err == nil) != (wantErr == nil) || err == nil && !got.Equal(want) {
			t.Fatalf("%q is %s, %v; want %s, %v", s, got, err, want, wantErr)
		}
		if err != nil {
			return
		}
		text := string(appendTime(nil, got))
		if text != got.Format("2006-01-02T15:04:05.000Z07:00") {
			t.Fatalf("%s is written %s", got, text)
		}
		if back, err := parseTime([]byte(text)); err != nil || !back.Equal(got) {
			t.Fatalf("%s comes back as %s, %v", text, back, err)
		}
	})
}
