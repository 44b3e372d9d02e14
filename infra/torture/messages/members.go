package messages

import (
	"slices"

	"lishi/infra/torture/history"
	"lishi/infra/torture/model"
)

// members: a group's message is read by those, and only by those, who were members
// at its offset. Groups with a relation command in doubt are passed over: there
// nobody can say who was.
func (c *checker) members() {
	moves := map[string][]*history.Op{}
	doubt := map[string]bool{}
	for _, o := range c.h.Ops {
		if history.GroupID(o.Stream) == "" || sends(o) || changes(o) {
			continue
		}
		switch o.Fate() {
		case history.Maybe:
			doubt[o.Stream] = true
		case history.Done:
			moves[o.Stream] = append(moves[o.Stream], o)
		}
	}
	for stream, ops := range moves {
		if doubt[stream] {
			continue
		}
		slices.SortFunc(ops, func(a, b *history.Op) int { return int(offsetOf(a) - offsetOf(b)) })
		for _, u := range c.users() {
			rows, asked := c.at[key(u, stream)]
			if asked {
				c.belonged(stream, u, ops, rows)
			}
		}
	}
}

func (c *checker) users() []string {
	us := slices.Clone(c.h.Devices)
	slices.Sort(us)
	return slices.Compact(us)
}

func (c *checker) belonged(stream, user string, ops []*history.Op, rows map[string]history.Row) {
	var at []int64 // when the user came and went, by turns
	for _, o := range ops {
		in := len(at)%2 == 1
		if comes := joins(o, user); comes && !in || in && leaves(o, user) {
			at = append(at, offsetOf(o))
		}
	}
	member := func(offset int64) bool {
		n, _ := slices.BinarySearch(at, offset)
		return n%2 == 1
	}
	for position, r := range rows {
		if _, offset := history.Offset(position); !member(offset) {
			c.wrong("%s reads %q at %s in %s, from a time when %s was no member", user, r.Text, position, stream, user)
		}
	}
	for _, o := range c.h.Ops {
		if o.Stream != stream || !sends(o) || o.Fate() != history.Done || !member(offsetOf(o)) {
			continue
		}
		if _, ok := rows[o.Last().Position]; !ok {
			c.wrong("lost: %s was acknowledged at %s, %s was a member and does not find it", name(o), o.Last().Position, user)
		}
	}
}

func joins(o *history.Op, user string) bool {
	switch o.URL {
	case model.AddGroup:
		return o.User == user
	case model.ApplyGroup:
		return o.User == user && o.Last().State == model.Agreed
	case model.GroupVerify, model.UserVerify:
		return o.Applicant == user && o.State == model.Agreed
	}
	return false
}

func leaves(o *history.Op, user string) bool {
	switch o.URL {
	case model.QuitGroup:
		return o.User == user
	case model.RemoveUserGroup:
		return o.Target == user
	case model.DeleteGroup:
		return true
	}
	return false
}
