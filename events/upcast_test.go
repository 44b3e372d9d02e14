package events

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// noted is an event with a past: version 1 had {"text"}, version 2 {"words"},
// version 3 has {"words", "count"}.
type noted struct {
	Words []string `json:"words"`
	Count int      `json:"count"`
}

func (noted) Type() string { return "message.noted" }

func withNoted(t *testing.T, up ...upcaster) {
	t.Helper()
	k := row[noted](len(up)+1, ByBasis, up...)
	registry[k.name] = &k
	was := byWritten
	byWritten = versions(registry)
	t.Cleanup(func() {
		delete(registry, k.name)
		byWritten = was
	})
}

func toWords(v json.RawMessage) (json.RawMessage, error) {
	var old struct{ Text *string }
	if err := json.Unmarshal(v, &old); err != nil || old.Text == nil {
		return nil, errors.New("no text")
	}
	return json.Marshal(map[string]any{"words": strings.Fields(*old.Text)})
}

func toCounted(v json.RawMessage) (json.RawMessage, error) {
	var old struct{ Words []string }
	if err := json.Unmarshal(v, &old); err != nil || old.Words == nil {
		return nil, errors.New("no words")
	}
	return json.Marshal(map[string]any{"words": old.Words, "count": len(old.Words)})
}

func TestUpcasting(t *testing.T) {
	withNoted(t, toWords, toCounted)
	at := func(version, value string) (Body, error) {
		r := recorded(t, Recorded{Event: sampleMessage(), At: time.UnixMilli(5)})
		for i := range r.Headers {
			if r.Headers[i].Key == "ce_type" {
				r.Headers[i].Value = []byte("lishi.message.noted." + version)
			}
		}
		r.Value = []byte(value)
		before := string(r.Value)
		got, err := Decode(here, r)
		if string(r.Value) != before {
			t.Error("the record was changed")
		}
		return got.Body, err
	}
	want := noted{Words: []string{"see", "you"}, Count: 2}
	for version, value := range map[string]string{
		"v1": `{"text":"see  you"}`, "v2": `{"words":["see","you"]}`, "v3": `{"words":["see","you"],"count":2}`,
	} {
		if got, err := at(version, value); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", version, got, err)
		}
	}
	for version, value := range map[string]string{"v1": `{"words":["a"]}`, "v2": `{"text":"a"}`, "v3": `{"count":"2"}`, "v4": `{}`, "v0": `{}`} {
		if got, err := at(version, value); !errors.Is(err, ErrDamaged) || got != nil {
			t.Errorf("%s %s: %+v, %v", version, value, got, err)
		}
	}
	// It is written in the newest version only.
	e := sampleMessage()
	e.Body = want
	if r, err := Encode(e); err != nil || string(header(r, "ce_type")) != "lishi.message.noted.v3" || string(r.Value) != `{"words":["see","you"],"count":2}` {
		t.Errorf("%s %v", r.Value, err)
	}
}

func TestARowNeedsAnUpcasterForEachOldVersion(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a row without its upcaster was taken")
		}
	}()
	row[noted](3, ByBasis, toWords)
}
