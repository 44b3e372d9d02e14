package verify_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"lishi/cmd/lishi-verify/verify"
	"lishi/events"
)

// The small program reads records as the program that wrote them does, and a
// record's line is JSON that has the whole record in it.
func FuzzRecord(f *testing.F) {
	for _, r := range []events.Record{
		{},
		{Key: []byte("g|x"), Value: []byte("{}")},
		{Key: []byte("p|a|b"), Headers: []events.Header{{Key: "content-type", Value: []byte("application/json")}, {Key: "ce_id", Value: []byte("7")},
			{Key: "ce_id", Value: []byte("8")}, {Key: "ce_data", Value: []byte("x")}, {Key: "ce_odd", Value: []byte("\xff")}, {Key: "traceparent"}},
			Value: []byte(`{"content":{"plain":"你好 \u0000 \\ \" </script>"}}`)},
		{Value: []byte("not JSON\n")},
	} {
		f.Add(events.AppendRecord(nil, r))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		theirs, err := events.ParseRecord(raw)
		ours, bad := verify.ParseRecord(raw)
		if (err == nil) != (bad == nil) {
			t.Fatalf("%v, %v", err, bad)
		}
		if err != nil {
			return
		}
		if ours.Key != string(theirs.Key) || !bytes.Equal(ours.Value, theirs.Value) || len(ours.Headers) != len(theirs.Headers) {
			t.Fatalf("%+v is not %+v", ours, theirs)
		}
		line := verify.AppendLine(nil, "c0-1", ours)
		var says struct {
			LishiRecord []byte
			Data        json.RawMessage
			DataBase64  []byte `json:"data_base64"`
		}
		if err := json.Unmarshal(line, &says); err != nil || bytes.ContainsRune(line, '\n') {
			t.Fatalf("%v: %q", err, line)
		}
		if !bytes.Equal(says.LishiRecord, raw) || string(says.Data)+string(says.DataBase64) != string(ours.Value) && !json.Valid(ours.Value) {
			t.Fatalf("%q", line)
		}
	})
}

// What is written as a row is read as the same row.
func FuzzRows(f *testing.F) {
	f.Add("a", "=1+1", "\"quoted\", with comma\r\nand lines\n")
	f.Add("", "", "")
	f.Add("\r", "\"", ",")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		want := []string{a, b, c}
		if !utf8.ValidString(a + "," + b + "," + c) {
			return // no table has it
		}
		rows := verify.NewRows(bytes.NewReader(verify.AppendRow(verify.AppendRow(nil, want...), want...)))
		for range 2 {
			if got, err := rows.Next(); err != nil || !slices.Equal(got, want) {
				t.Fatalf("%q %v, want %q", got, err, want)
			}
		}
		if _, err := rows.Next(); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	})
}

func TestRowsRefuseWhatTheyWouldNotWrite(t *testing.T) {
	for _, in := range []string{"a", "a\n", "a\r", "a\rb\r\n", `"a`, `"a"b` + "\r\n", `a"b` + "\r\n", "\xff\r\n", "a,\"b\r\n"} {
		if row, err := verify.NewRows(strings.NewReader(in)).Next(); err == nil {
			t.Errorf("%q was read as %q", in, row)
		}
	}
}
