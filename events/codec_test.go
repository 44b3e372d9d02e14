package events

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

var here = Position{Partition{Conversations, 3}, 182736}

func TestEncodeRefusesWhatCouldNotBeRead(t *testing.T) {
	relation := sampleMessage()
	relation.Body, relation.Revision, relation.Prev, relation.Basis = FriendRemoved{}, 2, NewID("a", "b", "c"), 0
	if _, err := Encode(relation); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(message, relation *Event){
		"no body":                      func(m, _ *Event) { m.Body = nil },
		"a pointer":                    func(m, _ *Event) { m.Body = &MessageSent{} },
		"a foreign body":               func(m, _ *Event) { m.Body = Foreign{} },
		"no id":                        func(m, _ *Event) { m.ID = ID{} },
		"a message with revision":      func(m, _ *Event) { m.Revision = 1 },
		"a message with prev":          func(m, _ *Event) { m.Prev = m.ID },
		"a relation without revision":  func(_, r *Event) { r.Revision, r.Prev = 0, ID{} },
		"a first revision with prev":   func(_, r *Event) { r.Revision = 1 },
		"a second without prev":        func(_, r *Event) { r.Prev = ID{} },
		"a message in a user's stream": func(m, _ *Event) { m.Stream = UserStream("an") },
		"a friendship in a group":      func(_, r *Event) { r.Stream = GroupStream("club") },
		"no stream":                    func(m, _ *Event) { m.Stream = Stream{} },
		"a stream without id":          func(m, _ *Event) { m.Stream = GroupStream("") },
		"a pair in the wrong order":    func(m, _ *Event) { m.Stream.ID, m.Stream.Peer = m.Stream.Peer, m.Stream.ID },
		"a pair of one":                func(m, _ *Event) { m.Stream.Peer = "" },
		"a group with a peer":          func(m, _ *Event) { m.Stream = Stream{Kind: Group, ID: "a", Peer: "b"} },
		"a stream's id not in UTF-8":   func(m, _ *Event) { m.Stream = GroupStream("\xff") },
		"an actor not in UTF-8":        func(m, _ *Event) { m.Actor = "a\xc3" },
		"a name not in UTF-8":          func(m, _ *Event) { m.ActorName = "\xed\xa0\x80" },
		"a request not in UTF-8":       func(m, _ *Event) { m.Request = "\x80" },
		"content not in UTF-8":         func(m, _ *Event) { m.Body = MessageSent{Content: Content{Plain: "a\xff"}} },
		"a mention not in UTF-8":       func(m, _ *Event) { m.Body = MessageSent{AtUserIDs: []string{"a", "\xff"}} },
		"another text not in UTF-8":    func(m, _ *Event) { m.Body = MessageEdited{Content: Content{Plain: "\xff"}} },
		"an invitation not in UTF-8": func(_, r *Event) {
			r.Stream, r.Body = GroupStream("g"), GroupCreated{Invitations: []Invitation{{UserID: "\xff"}}}
		},
		"the year 10000": func(m, _ *Event) { m.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"the year -1":    func(m, _ *Event) { m.Time = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) },
		"a role of none": func(_, r *Event) { r.Stream, r.Body = GroupStream("g"), GroupRoleChanged{UserID: "a", Role: 'x'} },
	} {
		m, r := sampleMessage(), relation
		change(&m, &r)
		changed := m
		if reflect.DeepEqual(m, sampleMessage()) {
			changed = r
		}
		if rec, err := Encode(changed); err == nil {
			t.Errorf("%s is written: %s", name, rec.Value)
		}
	}
}

func TestDecodeRefusals(t *testing.T) {
	set := func(key, value string) func(*Record) {
		return func(r *Record) {
			for i := range r.Headers {
				if r.Headers[i].Key == key {
					r.Headers[i].Value = []byte(value)
					return
				}
			}
			r.Headers = append(r.Headers, Header{key, []byte(value)})
		}
	}
	drop := func(key string) func(*Record) {
		return func(r *Record) {
			for i := range r.Headers {
				if r.Headers[i].Key == key {
					r.Headers = append(r.Headers[:i:i], r.Headers[i+1:]...)
					return
				}
			}
		}
	}
	value := func(v string) func(*Record) { return func(r *Record) { r.Value = []byte(v) } }
	key := func(k string) func(*Record) { return func(r *Record) { r.Key = []byte(k) } }
	for name, test := range map[string]struct {
		change func(*Record)
		says   string
	}{
		"no version":            {set("ce_type", "lishi.message.sent"), "no version"},
		"no such version":       {set("ce_type", "lishi.message.sent.v0"), "not a version"},
		"a version with zero":   {set("ce_type", "lishi.message.sent.v01"), "not a version"},
		"a newer version":       {set("ce_type", "lishi.message.sent.v2"), "newer"},
		"an unknown type":       {set("ce_type", "lishi.message.sung.v1"), "unknown event type"},
		"a type too long":       {set("ce_type", "lishi."+strings.Repeat("x", 9999)+".v1"), "unknown event type"},
		"no key":                {key(""), "stream key"},
		"another key":           {key("p|b|a"), "stream key"},
		"the wrong stream":      {key("u|an"), "does not belong"},
		"no id":                 {drop("ce_id"), "no ce_id"},
		"a short id":            {set("ce_id", "abc"), "ce_id"},
		"an id in upper case":   {set("ce_id", strings.Repeat("A", 32)), "ce_id"},
		"the zero id":           {set("ce_id", strings.Repeat("0", 32)), "ce_id"},
		"an empty id":           {set("ce_id", ""), "ce_id"},
		"a revision":            {set("ce_revision", "1"), "revision"},
		"a negative revision":   {set("ce_revision", "-1"), "ce_revision"},
		"a prev":                {set("ce_prev", strings.Repeat("a", 32)), "prev"},
		"a basis of words":      {set("ce_basis", "ten"), "ce_basis"},
		"a basis too great":     {set("ce_basis", "9223372036854775808"), "ce_basis"},
		"a bad fingerprint":     {set("ce_fingerprint", "00"), "ce_fingerprint"},
		"imported perhaps":      {set("ce_imported", "perhaps"), "ce_imported"},
		"a time of words":       {set("ce_time", "yesterday"), "ce_time"},
		"the 30th of February":  {set("ce_time", "2026-02-30T00:00:00.000Z"), "ce_time"},
		"a year out of reach":   {set("ce_time", "9999-12-31T23:59:59.999-01:00"), "ce_time"},
		"no recorded time":      {drop(HeaderRecordedTime), HeaderRecordedTime},
		"a recorded time empty": {set(HeaderRecordedTime, ""), HeaderRecordedTime},
		"an actor not in UTF-8": {set("ce_actor", "\xff"), "ce_actor"},
		"two actors":            {func(r *Record) { r.Headers = append(r.Headers, Header{"ce_actor", []byte("eve")}) }, "twice"},
		"two types":             {func(r *Record) { r.Headers = append(r.Headers, Header{"ce_type", []byte("x")}) }, "twice"},
		"no value":              {value(""), "JSON object"},
		"null":                  {value("null"), "JSON object"},
		"an array":              {value("[]"), "JSON object"},
		"half a value":          {value(`{"content":{"plain":"a`), "unexpected end"},
		"more than a value":     {value(`{"content":{"plain":"a"}}}`), "after top-level value"},
		"a number for a text":   {value(`{"content":{"plain":1}}`), "cannot unmarshal"},
		"not UTF-8":             {value("{\"content\":{\"plain\":\"\xff\"}}"), "UTF-8"},
		"a raw newline":         {value("{\"content\":{\"plain\":\"\n\"}}"), "invalid character"},
	} {
		t.Run(name, func(t *testing.T) {
			r := recorded(t, Recorded{Event: sampleMessage(), At: time.UnixMilli(5)})
			test.change(&r)
			got, err := Decode(here, r)
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), here.String()) || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("%+v, %v", got, err)
			}
			if len(err.Error()) > 400 || got.Body != nil || got.Position != here {
				t.Fatalf("%+v, %v", got, err)
			}
		})
	}
}

func TestForeignRecords(t *testing.T) {
	for _, r := range []Record{
		{}, {Key: []byte("x"), Value: []byte("y")}, {Headers: []Header{{"ce_type", []byte("com.example.made.v1")}}}, {Headers: []Header{{"ce_type", []byte("lishi")}}},
		{Headers: []Header{{"ce_type", []byte("com.example")}, {"ce_type", []byte("lishi.message.sent.v1")}}},
	} {
		got, err := Decode(here, r)
		if _, ok := got.Body.(Foreign); !ok || err != nil || got.Position != here {
			t.Errorf("%+v: %+v %v", r, got, err)
		}
	}
}

func TestHeadersOfOthersMayStandBeside(t *testing.T) {
	r := recorded(t, Recorded{Event: sampleMessage(), At: time.UnixMilli(5)})
	want, err := Decode(here, r)
	if err != nil {
		t.Fatal(err)
	}
	trace := Header{"traceparent", []byte("00-\xff")}
	r.Headers = append([]Header{trace, trace}, append(r.Headers, trace)...)
	if got, err := Decode(here, r); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v %v", got, err)
	}
}

func TestTheHeadersOfARecord(t *testing.T) {
	r, err := Encode(sampleMessage())
	if err != nil {
		t.Fatal(err)
	}
	e := sampleMessage()
	want := fmt.Sprint([][2]string{
		{"content-type", "application/json"}, {"ce_specversion", "1.0"}, {"ce_id", e.ID.String()}, {"ce_type", "lishi.message.sent.v1"}, {"ce_source", "/lishi"},
		{"ce_subject", "p|user-chen|user-lin"}, {"ce_time", "2026-11-18T11:06:40.123Z"}, {"ce_basis", "182735"}, {"ce_actor", "user-lin"},
		{"ce_actorname", "林泽锋"}, {"ce_request", "c-000123"}, {"ce_fingerprint", "01020300000000000000000000000000"},
	})
	var got [][2]string
	for _, h := range r.Headers {
		got = append(got, [2]string{h.Key, string(h.Value)})
	}
	if fmt.Sprint(got) != want || string(r.Key) != "p|user-chen|user-lin" {
		t.Errorf("%s\nwant\n%s", fmt.Sprint(got), want)
	}
	// The parts share a buffer; who appends to one must not write into the next.
	for i, h := range r.Headers {
		_ = append(h.Value, "XXXXXXXX"...)
		if fmt.Sprint(got[i]) != fmt.Sprint([2]string{h.Key, string(h.Value)}) {
			t.Fatal(h.Key)
		}
	}
	_ = append(r.Key, "XXXXXXXX"...)
	if again, _ := Encode(sampleMessage()); !reflect.DeepEqual(again, r) {
		t.Fatal("parts overlap")
	}
}

func TestTheHotPathStaysCheap(t *testing.T) {
	e := sampleMessage()
	r := recorded(t, Recorded{Event: e, At: time.UnixMilli(5)})
	if n := testing.AllocsPerRun(100, func() { _, _ = Encode(e) }); n > 3 {
		t.Errorf("Encode makes %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = Decode(here, r) }); n > 6 {
		t.Errorf("Decode makes %v allocations", n)
	}
}

func TestTheRegistry(t *testing.T) {
	for _, typ := range Types() {
		k := registry[typ]
		b, ok := reflect.ValueOf(New(typ)).Elem().Interface().(Body)
		if !ok || b.Type() != typ || Version(typ) != k.version || OrderingOf(b) != k.ordering || k.streams == "" {
			t.Errorf("%s: %+v", typ, k)
		}
	}
	if New("no.such") != nil || Version("no.such") != 0 || OrderingOf(Foreign{}) != Unordered {
		t.Error("there is no such type")
	}
}
