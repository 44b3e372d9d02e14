package commands

import (
	"errors"
	"testing"
	"unicode/utf8"

	"lishi/events"
)

// Whatever the params say, a command ends in an event that can be written, or in
// a refusal with a reason and a detail.
func FuzzCommands(f *testing.F) {
	f.Add(byte(0), "b", "hi", "c0-3")
	f.Add(byte(2), "b", "", "c0-1")
	f.Add(byte(3), "c", "note", "remark")
	f.Add(byte(4), "5d41402abc4b2a76b9719d911017c592", "9", "")
	f.Add(byte(6), "名字", "9", "b")
	f.Add(byte(11), "g", "b", "\xff")
	f.Add(byte(14), "", "|%", "")
	f.Fuzz(func(t *testing.T, kind byte, x, y, z string) {
		w := newWorld(t, "a", "b", "c")
		w.befriend("a", "b")
		w.group("a", "1", "b")
		w.applied("one", "c", "a")
		said := w.say("b", ab, events.MessageSent{Content: events.Content{Plain: "x"}})
		cs := []Command{
			SendMessage{x, y, z, z}, SendGroupMessage{x, y, z, z, []string{y, z}}, ReadMessage{UserID: x, GroupID: y, Position: z},
			ApplyFriend{x, y, z, z}, VerifyFriend{x, y, z, z}, DeleteFriend{x}, AddGroup{x, y, y, []string{z, z, "b"}},
			ApplyGroup{x, y}, InvitationGroup{x, y, z}, GroupVerify{x, y, z}, UserVerify{x, y, z}, RemoveUserGroup{x, y, z},
			QuitGroup{x}, DeleteGroup{x, y}, UpdateUser{x, &y}, VerifyFriend{w.id("one"), x, y, z},
		}
		c := cs[int(kind)%len(cs)]
		Fingerprint("/fuzz", c)
		body, err := w.decide(Policy{}, "a", c, &said)
		if err != nil {
			var r *Refusal
			if !errors.As(err, &r) || r.Reason == "" || r.Detail == "" || body != nil {
				t.Fatalf("%T: %v, %v", c, body, err)
			}
			return
		}
		if body == nil || !utf8.ValidString(x) || !utf8.ValidString(y) || !utf8.ValidString(z) {
			return
		}
		s := NewState(w.book, Policy{}, "a", "1")
		stream, err := c.Stream(&s, Actor{ID: "a"})
		if err != nil {
			t.Fatal(err)
		}
		e := events.Event{ID: events.NewID("x", "y", "z"), Stream: stream, Actor: "a", Time: noon, Body: body}
		if events.OrderingOf(body) == events.ByRevision {
			e.Revision = 1
		}
		if e.Revision == 1 && body.Type() != "group.created" && body.Type() != "user.registered" {
			e.Revision, e.Prev = 2, events.NewID("p", "", "")
		}
		if _, err := events.Encode(e); err != nil {
			t.Fatalf("%T %+v: %v", c, c, err)
		}
	})
}
