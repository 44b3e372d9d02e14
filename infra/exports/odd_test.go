package exports

import (
	"encoding/base64"
	"strings"
	"testing"

	"lishi/events"
)

// Records that lishi reads and did not write itself are packed and verified like
// others: headers of others, JSON of another form.
func TestOddRecords(t *testing.T) {
	w := chat(t)
	p := w.layout.Partition(pair)
	odd := func(headers []events.Header, value string) {
		w.say(pair, "alice", sent("odd"))
		r := &w.records[p][len(w.records[p])-1]
		r.Headers = append(r.Headers, headers...)
		if value != "" {
			r.Value = []byte(value)
		}
	}
	for _, h := range []events.Header{
		{Key: "traceparent", Value: []byte("00-1")}, {Key: "ce_extra", Value: []byte("\xff")}, {Key: "ce_extra", Value: []byte("second \u2028 \x7f \b \v")},
		{Key: "ce_constructor", Value: []byte("x")}, {Key: "ce___proto__", Value: []byte("x")}, {Key: "ce_Upper", Value: []byte("x")}, {Key: "ce_", Value: []byte("x")},
		{Key: "ce_data", Value: []byte("x")}, {Key: "ce_lishirecord", Value: []byte("x")}, {Key: "content-type", Value: []byte("x")}, {Key: "\xfe"}, {},
	} {
		odd([]events.Header{h, h}, "")
	}
	for _, v := range []string{
		`{ "content" : { "plain" : "spaces" } }`, "{\n\"content\":{\"plain\":\"lines\"}}", "{\"content\":{\"plain\":\"\u2028\u2029\ufeff\ufffd\"}}",
		`{"content":{"plain":"\u0000\ud83d\ude00\/"}}`, `{"content":{"plain":"half \ud83d"},"replyTo":"\udead"}`, `{"content":{"plain":"x"},"other":[1e400,-0,1.50,null,{"a":1,"a":2}]}`,
		`{"content":{"plain":"deep"},"other":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`, `{"content":{},"atUserIds":[]}`, `{"content":{"plain":null},"atUserIds":null}`,
		`{"contentType":"t","atUserIds":["\ud800","a\"b"],"content":{"plain":""}}`, `{}`,
		`{"atUserIds":[null,"x"]}`, `{"content":{"plain":"x"},"replyTo":null}`,
	} {
		odd(nil, v)
	}
	dir := w.export(t, Query{All: true})
	key := testKey(7).Public()
	if inGo, inPage := codeOf(t, dir, key), pageCodes(t, base64.RawURLEncoding.EncodeToString(key), dir)[0]; inGo+inPage != "" {
		t.Errorf("%q in Go, %q in the page", inGo, inPage)
	}
}
