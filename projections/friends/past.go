package friends

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections"
)

// Profiles tells what users are called and look like: of the present the ledger
// knows, of the past the rows. Of the present users is not walked.
func Profiles(ctx context.Context, r projections.Reader, users iter.Seq[string]) (func(user string) (ledger.User, bool), error) {
	if !r.Past() {
		return r.Book.User, nil
	}
	found := map[string]ledger.User{}
	ids := unique(users)
	// A name that a user has chosen is not replaced by a token's.
	sql := fmt.Sprintf(`SELECT user, if(countIf(named) > 0, argMaxIf(nickname, offset, named), argMax(nickname, offset)), argMax(avatar, offset)
		FROM %s WHERE user IN {users:Array(String)}%s GROUP BY user SETTINGS max_threads = 1`, r.Table("users"), r.UpTo())
	err := lookUp(ctx, r, sql, "", ids, func(row projections.RowScanner) error {
		var id string
		var u ledger.User
		err := row.Scan(&id, &u.NickName, &u.Avatar)
		found[id] = u
		return err
	})
	return func(user string) (ledger.User, bool) { u, ok := found[user]; return u, ok }, err
}

// View is what a user keeps of another.
type View struct {
	ledger.View
	Blocked bool
}

// Views tells what the caller keeps of users, as Profiles does; nothing where
// there is no caller.
func Views(ctx context.Context, r projections.Reader, caller string, users iter.Seq[string]) (func(user string) View, error) {
	switch {
	case caller == "":
		return func(string) View { return View{} }, nil
	case !r.Past():
		return func(user string) View {
			s := events.PairStream(caller, user)
			pair := r.Book.Relations(s).Pair(s)
			return View{pair.View(caller), pair.Blocked(caller)}
		}, nil
	}
	found := map[string]View{}
	ids := unique(users)
	sql := fmt.Sprintf(`SELECT friend, argMax(remark, offset), argMax(folder, offset), false
			FROM %s WHERE user = {caller:String} AND friend IN {users:Array(String)}%s GROUP BY friend
		UNION ALL SELECT other, '', '', argMax(blocked, offset) AS now
			FROM %s WHERE user = {caller:String} AND other IN {users:Array(String)}%[2]s GROUP BY other HAVING now
		SETTINGS max_threads = 1`, r.Table("friend_views"), r.UpTo(), r.Table("blocks"))
	err := lookUp(ctx, r, sql, caller, ids, func(row projections.RowScanner) error {
		var id string
		var v View
		err := row.Scan(&id, &v.Remark, &v.FriendGroupID, &v.Blocked)
		if was, ok := found[id]; ok { // one row of each table
			v = View{ledger.View{Remark: was.Remark + v.Remark, FriendGroupID: was.FriendGroupID + v.FriendGroupID}, was.Blocked || v.Blocked}
		}
		found[id] = v
		return err
	})
	return func(user string) View { return found[user] }, err
}

// made are the folders that a user had made and not deleted, in the order of
// their making.
func made(ctx context.Context, r projections.Reader, user string) ([]ledger.Folder, error) {
	if !r.Past() {
		return r.Book.Relations(events.UserStream(user)).Folders(user), nil
	}
	var list []ledger.Folder
	sql := fmt.Sprintf(`SELECT folder, argMax(name, offset), argMax(deleted, offset) AS gone
		FROM %s WHERE user = {user:String}%s GROUP BY folder HAVING NOT gone ORDER BY min(offset) SETTINGS max_threads = 1`, r.Table("folders"), r.UpTo())
	err := r.Select(ctx, sql, []projections.Arg{{Name: "user", Value: user}}, func(row projections.RowScanner) error {
		var id string
		var f ledger.Folder
		var gone bool
		err := row.Scan(&id, &f.Name, &gone)
		if err == nil {
			f.ID, err = events.ParseID(id)
		}
		list = append(list, f)
		return err
	})
	return list, err
}

// lookUp runs a statement on users, unless there are none.
func lookUp(ctx context.Context, r projections.Reader, sql, caller string, users []string, row func(projections.RowScanner) error) error {
	args := []projections.Arg{{Name: "users", Value: users}, {Name: "caller", Value: caller}}
	for part := range slices.Chunk(users, 1000) { // a friend list has no end
		args[0].Value = part
		if err := r.Select(ctx, sql, args, row); err != nil {
			return err
		}
	}
	return nil
}

func unique(users iter.Seq[string]) []string {
	return slices.Compact(slices.Sorted(users))
}
