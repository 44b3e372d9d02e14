package friends

import (
	"context"
	"fmt"
	"slices"

	"lishi/events"
	"lishi/projections"
)

// List is /friend/myFriendList: the caller's friends by folder, in the order in
// which they became friends.
type List struct{}

// Folders is /friend/getFriendGroupList: the caller's folders alone, the default
// one first, then in the order of their making.
type Folders struct{}

// Folder is one of a user's own folders of friends.
type Folder struct {
	FriendGroupID    string `json:"friendGroupId"`
	FriendGroupName  string `json:"friendGroupName"`
	FriendGroupOrder int    `json:"friendGroupOrder"`
	AllowDeletion    bool   `json:"allowDeletion"`
}

// Filled is a folder with the friends in it.
type Filled struct {
	Folder
	FriendLists []Friend `json:"friendLists"`
}

// Friend is one friend in a folder.
type Friend struct {
	FriendID    string `json:"friendId"`
	FriendState string `json:"friendState"`
	NickName    string `json:"nickName"`
	Remarks     string `json:"remarks"`
	Avatar      string `json:"avatar"`
	Blocked     bool   `json:"blocked,omitempty"` // by the caller
}

// defaultFolderName is what the folder is called that nobody made.
const defaultFolderName = "我的好友"

// Needs implements projections.Query.
func (List) Needs() []string { return []string{Name} }

// Needs implements projections.Query. What the rows show the ledger has folded.
func (Folders) Needs() []string { return []string{Name} }

// Run implements projections.Query.
func (Folders) Run(ctx context.Context, r projections.Reader, caller string) (projections.Page, error) {
	list, err := folders(ctx, r, caller)
	return projections.Page{List: list}, err
}

func folders(ctx context.Context, r projections.Reader, caller string) ([]Folder, error) {
	list := []Folder{{FriendGroupID: events.DefaultFolder, FriendGroupName: defaultFolderName}}
	own, err := made(ctx, r, caller)
	for i, f := range own {
		list = append(list, Folder{f.ID.String(), f.Name, i + 1, true})
	}
	return list, err
}

// Run implements projections.Query. Friends whose folder does not exist stand in
// the default one.
func (List) Run(ctx context.Context, r projections.Reader, caller string) (projections.Page, error) {
	var list []Filled
	var ids []string
	places := map[string]int{}
	own, err := folders(ctx, r, caller)
	if err != nil {
		return projections.Page{}, err
	}
	for i, f := range own {
		list, places[f.FriendGroupID] = append(list, Filled{f, []Friend{}}), i
	}
	sql := fmt.Sprintf(`SELECT friend, argMax(friends, offset) AS now, argMax(recorded, offset) AS since FROM %s
		WHERE user = {user:String}%s GROUP BY friend HAVING now ORDER BY since, friend`, r.Table("friends"), r.UpTo())
	err = r.Select(ctx, sql, []projections.Arg{{Name: "user", Value: caller}}, func(row projections.RowScanner) error {
		var id string
		var now bool
		var since int64
		if err := row.Scan(&id, &now, &since); err != nil {
			return err
		}
		ids = append(ids, id)
		return nil
	})
	if err != nil {
		return projections.Page{}, err
	}
	user, err := Profiles(ctx, r, slices.Values(ids))
	if err != nil {
		return projections.Page{}, err
	}
	kept, err := Views(ctx, r, caller, slices.Values(ids))
	if err != nil {
		return projections.Page{}, err
	}
	states := r.FriendStates(ctx, ids)
	for _, id := range ids {
		user, _ := user(id)
		view := kept(id)
		folder := &list[places[view.FriendGroupID]] // the first, where there is none
		folder.FriendLists = append(folder.FriendLists, Friend{
			FriendID: id, FriendState: states[id], NickName: user.NickName, Remarks: view.Remark, Avatar: user.Avatar,
			Blocked: view.Blocked,
		})
	}
	return projections.Page{List: list}, nil
}

// Remark is the caller's own name for a friend; empty for others.
func Remark(r projections.Reader, caller, user string) string {
	s := events.PairStream(caller, user)
	return r.Book.Relations(s).Pair(s).View(caller).Remark
}
