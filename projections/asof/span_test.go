package asof_test

import (
	"fmt"
	"slices"
	"testing"

	"lishi/events"
	"lishi/projections/asof"
	"lishi/projections/projectiontest"
)

func reversed(s []string) []string {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}

// Whoever goes from event to event comes by every one, forwards and backwards,
// and by nothing of another conversation.
func TestSpan(t *testing.T) {
	w := projectiontest.New(t, models()...)
	w.Register("ann", "bob", "cyd")
	apply := w.Do("ann", events.PairStream("ann", "bob"), events.FriendApplied{ExpiresAt: 1 << 50})
	var pair, group []string
	happens := func(to *[]string, actor string, s events.Stream, body events.Body) events.Position {
		p := w.Do(actor, s, body).Position
		*to = append(*to, p.String())
		return p
	}
	two, g := events.PairStream("ann", "bob"), events.GroupStream("g")
	happens(&pair, "bob", two, events.FriendAgreed{Application: apply.ID, Applicant: "ann"})
	happens(&group, "ann", g, events.GroupCreated{GroupName: "G", JoinMode: events.JoinOpen})
	happens(&group, "cyd", g, events.GroupJoined{GroupName: "G"})
	text := events.MessageSent{Content: events.Content{Plain: "hello"}}
	said, told := happens(&pair, "ann", two, text), happens(&group, "cyd", g, text)
	happens(&group, "ann", g, events.GroupInfoChanged{GroupName: "H", JoinMode: events.JoinOpen})
	happens(&pair, "ann", two, events.MessageEdited{Message: said, Content: events.Content{Plain: "hallo"}})
	happens(&pair, "ann", two, text)
	happens(&group, "cyd", g, events.MessageRecalled{Message: told, Sender: "cyd"})
	happens(&group, "cyd", g, events.GroupMemberQuit{})
	happens(&pair, "bob", two, events.FriendBlocked{})
	happens(&pair, "ann", two, events.FriendRemoved{})
	w.Settle()
	r := w.Reader()
	past := &asof.Past{Tail: w.Tail, Reader: &r}
	span := func(s events.Stream, at string) asof.Span {
		t.Helper()
		m, err := past.Moment(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		found, err := past.Span(t.Context(), s.Key(), m)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for s, want := range map[events.Stream][]string{two: pair, g: group} {
		whole := span(s, "")
		if whole.First.Position != want[0] || whole.Last.Position != want[len(want)-1] || whole.At.Position != whole.Last.Position || whole.Next != nil {
			t.Errorf("%s: %v", s, whole)
		}
		for _, c := range []struct {
			name string
			from *asof.Step
			next func(asof.Span) *asof.Step
			want []string
		}{
			{"forwards", whole.First, func(s asof.Span) *asof.Step { return s.Next }, want},
			{"backwards", whole.Last, func(s asof.Span) *asof.Step { return s.Previous }, reversed(want)},
		} {
			var got []string
			for at := c.from; at != nil; at = c.next(span(s, at.Position)) {
				got = append(got, at.Position)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s %s: %v, want %v", s, c.name, got, c.want)
			}
		}
		if before := span(s, "1970-01-01T00:00:00Z"); before.At != nil || before.Previous != nil || before.Next == nil || before.Next.Position != want[0] {
			t.Errorf("%s before everything: %s", s, fmt.Sprint(before))
		}
	}
	if nobody := span(events.PairStream("bob", "cyd"), ""); nobody.First != nil || nobody.At != nil {
		t.Errorf("two who never met: %+v", nobody)
	}
}
