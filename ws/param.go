package ws

import "slices"

// Param is one param of a url, for tests and tools that go through them all.
type Param struct {
	Name     string
	Class    string // id, content, note, name, state, position, int, bool, ids, next or cursor
	Optional bool
	Values   []string // of a state
	Min, Max int64    // of an int
}

// Params lists what a url takes beside token, uniqueNo, resend and seen.
func (u *URL) Params() (all []Param) {
	if u.plan == nil {
		return nil
	}
	for _, f := range u.plan.fields {
		all = append(all, Param{f.name, f.class, f.optional, slices.Clone(f.values), f.min, f.max})
	}
	return all
}

// Command tells whether a url is a command; else it is a query, login or ping.
func (u *URL) Command() bool { return u.command }
