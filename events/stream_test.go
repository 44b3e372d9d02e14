package events

import (
	"strings"
	"testing"
)

func TestKeys(t *testing.T) {
	for key, s := range map[string]Stream{
		"l":             SystemStream(),
		"p|an|bo":       PairStream("bo", "an"),
		"p|an|an":       PairStream("an", "an"),
		"g|club":        GroupStream("club"),
		"u|林":           UserStream("林"),
		"u|a%7Cb":       UserStream("a|b"),
		"g|100%25":      GroupStream("100%"),
		"g|%257C":       GroupStream("%7C"),
		"p|a%7Cb|c%25d": PairStream("c%d", "a|b"),
		"u| ":           UserStream(" "),
	} {
		if got := s.Key(); got != key || s.String() != key {
			t.Errorf("%#v has key %q, want %q", s, got, key)
		}
		if got, err := ParseKey(key); err != nil || got != s {
			t.Errorf("ParseKey(%q) = %#v, %v", key, got, err)
		}
	}
	for _, key := range []string{
		"", "p", "g", "g|", "u|", "p|", "p|a", "p|a|", "p||a", "p|b|a", "p|a|b|c", "g|a|b", "u|a|b", "x|a", "l|", "l|a", "L", "G|a",
		"g|a%", "g|a%7c", "g|a%2525%", "g|%41", "g|\xff", "gg|a", " g|a",
	} {
		if s, err := ParseKey(key); err == nil {
			t.Errorf("ParseKey(%q) = %#v", key, s)
		}
	}
	if _, err := ParseKey("x|" + strings.Repeat("long", 1000)); err == nil || len(err.Error()) > 200 {
		t.Errorf("%v", err)
	}
}

func TestStreams(t *testing.T) {
	p := PairStream("bo", "an")
	if p != PairStream("an", "bo") || p.Other("an") != "bo" || p.Other("bo") != "an" || p.Other("eve") != "" || p.Other("") != "" {
		t.Errorf("%#v", p)
	}
	if GroupStream("an").Other("an") != "" {
		t.Error("a group has no other one")
	}
	for s, want := range map[Stream]Topic{p: Conversations, GroupStream("g"): Conversations, UserStream("u"): Users, SystemStream(): Conversations} {
		if s.Topic() != want {
			t.Errorf("%s is in %c", s, s.Topic())
		}
	}
	if Conversations.Name() != "lishi.conversations" || Users.Name() != "lishi.users" || Topic('x').Name() != "lishi.unknown-x" {
		t.Error("topics have other names")
	}
}

// Pinned: another id for the same request would break every repeat.
func TestIDsNeverChange(t *testing.T) {
	id := NewID("p|an|bo", "an", "1")
	if got := id.String(); got != "a80b27ae855230d51325360a3e90a9b1" {
		t.Errorf("NewID gives %s", got)
	}
	if got := id.Derive("bo").String(); got != "ce6b87a60f7e39f00e0edfbc91fa51d9" {
		t.Errorf("Derive gives %s", got)
	}
	if NewID("a", "bc", "d") == NewID("ab", "c", "d") || NewID("a", "b", "") == NewID("", "a", "b") || id.Derive("a") == id.Derive("b") {
		t.Error("parts run together")
	}
}

func TestParseID(t *testing.T) {
	id := NewID("a", "b", "c")
	if got, err := ParseID(id.String()); err != nil || got != id {
		t.Error(got, err)
	}
	if got, err := ParseID(""); err != nil || !got.IsZero() {
		t.Error(got, err)
	}
	for _, s := range []string{"0", strings.ToUpper(id.String()), id.String() + "0", id.String()[1:], " " + id.String()[1:], strings.Repeat("g", 32), strings.Repeat("0", 32), strings.Repeat(":", 32), strings.Repeat("`", 32)} {
		if got, err := ParseID(s); err == nil {
			t.Errorf("ParseID(%q) = %s", s, got)
		}
	}
	var back ID
	if text, _ := id.MarshalText(); back.UnmarshalText(text) != nil || back != id || back.UnmarshalText([]byte("x")) == nil {
		t.Error("text does not round trip")
	}
}

func TestRoles(t *testing.T) {
	for text, role := range map[string]Role{"": NoRole, "1": Member, "5": Admin, "9": Owner} {
		var back Role
		if role.String() != text || back.UnmarshalText([]byte(text)) != nil || back != role {
			t.Errorf("%q %q", text, role)
		}
	}
	for _, text := range []string{"0", "2", "10", "a"} {
		if new(Role).UnmarshalText([]byte(text)) == nil {
			t.Errorf("%q is a role", text)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	for _, key := range []string{"l", "p|an|bo", "p|a%7Cb|c%25d", "g|club", "u|林", "g|%257C", "p|b|a", "g|%41", ""} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		s, err := ParseKey(key)
		if err != nil {
			if s != (Stream{}) {
				t.Fatalf("an error and %#v", s)
			}
			return
		}
		if s.Key() != key {
			t.Fatalf("%q was read as %#v, whose key is %q", key, s, s.Key())
		}
	})
}

// Every pair of ids has a key of its own, whatever is in them.
func FuzzPairKey(f *testing.F) {
	f.Add("an", "bo", "an", "b|o")
	f.Add("a|b", "c", "a", "b|c")
	f.Add("%", "7C", "|", "%7C")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		one, two := PairStream(a, b), PairStream(c, d)
		if (one == two) != (one.Key() == two.Key()) {
			t.Fatalf("%#v and %#v share %q", one, two, one.Key())
		}
		if s, err := ParseKey(one.Key()); err == nil && s != one {
			t.Fatalf("%#v comes back as %#v", one, s)
		}
	})
}

// Topics beside the chat have one partition each, which the chat's layout does
// not count, so that no client's cursor can name it.
func TestTopicsBesideTheChat(t *testing.T) {
	l := Layout{Conversations: 4, Users: 2}
	for _, s := range []Stream{{Kind: Seal, ID: "c3"}, {Kind: Auditor, ID: "u|1"}} {
		p := l.Partition(s)
		back, err := ParseKey(s.Key())
		if p.Number != 0 || p.Topic != s.Topic() || l.Count(p.Topic) != 0 || err != nil || back != s {
			t.Errorf("%v lives in %v, of %d; %v %v", s, p, l.Count(p.Topic), back, err)
		}
		if at, err := ParsePosition(p.String() + "-7"); err != nil || at.Partition != p {
			t.Errorf("%v %v", at, err)
		}
	}
	if all := l.WithBeside(); len(all) != 8 || all[6].String() != "a0" || all[7].String() != "s0" {
		t.Errorf("%v", all)
	}
}
