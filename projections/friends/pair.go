package friends

import (
	"context"
	"slices"

	"lishi/events"
	"lishi/projections"
)

// Pair is two people as those see them who look after the chat.
type Pair struct{ Stream events.Stream }

// One is one of the two.
type One struct {
	UserID   string `json:"userId"`
	NickName string `json:"nickName"`
	Avatar   string `json:"avatar"`
	Friends  bool   `json:"friends"` // with the other
	Remarks  string `json:"remarks"` // what this one calls the other
	Blocked  bool   `json:"blocked"` // whether this one has blocked the other
}

// Needs implements projections.Query.
func (Pair) Needs() []string { return []string{Name} }

// Run implements projections.Query. It asks for no rights: who may ask is decided
// before.
func (q Pair) Run(ctx context.Context, r projections.Reader, _ string) (projections.Page, error) {
	both := []string{q.Stream.ID, q.Stream.Peer}
	profile, err := Profiles(ctx, r, slices.Values(both))
	if err != nil {
		return projections.Page{}, err
	}
	list := []One{}
	are := r.Book.Relations(q.Stream).FriendsAt(q.Stream, r.At(q.Stream))
	for i, user := range both {
		other := both[1-i]
		view, err := Views(ctx, r, user, slices.Values([]string{other}))
		if err != nil {
			return projections.Page{}, err
		}
		u, _ := profile(user)
		v := view(other)
		list = append(list, One{user, u.NickName, u.Avatar, are, v.Remark, v.Blocked})
	}
	return projections.Page{List: list}, nil
}
