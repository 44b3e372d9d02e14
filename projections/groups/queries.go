package groups

import (
	"context"
	"fmt"

	"lishi/commands"
	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections"
	"lishi/projections/dates"
	"lishi/projections/friends"
)

// List is /group/getGroupList: the groups that the caller is a member of.
type List struct {
	GroupID string `param:"groupId,id,optional"`
}

// Get is /group/getGroup: one group, also for those who are no members yet.
type Get struct {
	GroupID string `param:"groupId,id"`
}

// Group is one group as the caller sees it. Role is empty, and the notice is not
// shown, where the caller is no member.
type Group struct {
	GroupID     string     `json:"groupId"`
	GroupName   string     `json:"groupName"`
	GroupImg    string     `json:"groupImg"`
	CrtUserID   string     `json:"crtUserId"`
	CrtDate     dates.Date `json:"crtDate"`
	Time        int64      `json:"time"`
	Notice      string     `json:"notice"`
	JoinMode    string     `json:"joinMode"`
	Role        string     `json:"role"`
	MemberCount int        `json:"memberCount"`
	MutedUntil  int64      `json:"mutedUntil,omitempty"` // the caller, in Unix milliseconds
}

// muted tells until when the caller is silenced there.
func (g *Group) muted(r projections.Reader, m ledger.Membership) {
	if m.MutedUntil > r.Clock().UnixMilli() {
		g.MutedUntil = m.MutedUntil
	}
}

// Needs implements projections.Query.
func (List) Needs() []string { return []string{Name} }

// Needs implements projections.Query.
func (Get) Needs() []string { return []string{Name} }

// memberships are the caller's roles by group, in the order of joining.
func memberships(ctx context.Context, r projections.Reader, caller string) (ids []string, roles map[string]string, err error) {
	roles = map[string]string{}
	sql := fmt.Sprintf(`SELECT group_id, toString(argMax(role, offset)) AS now, argMax(joined, offset) AS since, any(toString(partition)) AS p
		FROM %s WHERE user = {user:String}%s GROUP BY group_id HAVING now != ''
		ORDER BY argMaxIf(recorded, offset, toInt64(offset) = joined), p, since`, r.Table("user_groups"), r.UpTo())
	err = r.Select(ctx, sql, []projections.Arg{{Name: "user", Value: caller}}, func(row projections.RowScanner) error {
		var id, role, p string
		var since int64
		if err := row.Scan(&id, &role, &since, &p); err != nil {
			return err
		}
		ids, roles[id] = append(ids, id), role
		return nil
	})
	return ids, roles, err
}

// load reads the facts of groups that exist.
func load(ctx context.Context, r projections.Reader, ids []string) (map[string]Group, error) {
	found := map[string]Group{}
	if len(ids) == 0 {
		return found, nil
	}
	sql := fmt.Sprintf(`SELECT group_id, argMax(name, offset), argMax(img, offset), argMax(notice, offset), toString(argMax(join_mode, offset)),
			any(creator), any(created)
		FROM %s WHERE group_id IN {ids:Array(String)}%s GROUP BY group_id HAVING NOT argMax(deleted, offset)`, r.Table("groups"), r.UpTo())
	err := r.Select(ctx, sql, []projections.Arg{{Name: "ids", Value: ids}}, func(row projections.RowScanner) error {
		var g Group
		if err := row.Scan(&g.GroupID, &g.GroupName, &g.GroupImg, &g.Notice, &g.JoinMode, &g.CrtUserID, &g.Time); err != nil {
			return err
		}
		s := events.GroupStream(g.GroupID)
		g.CrtDate, g.MemberCount = r.Dates.At(g.Time), r.Book.Relations(s).Count(s, r.At(s))
		found[g.GroupID] = g
		return nil
	})
	return found, err
}

// Run implements projections.Query.
func (q List) Run(ctx context.Context, r projections.Reader, caller string) (projections.Page, error) {
	ids, roles, err := memberships(ctx, r, caller)
	if err != nil {
		return projections.Page{}, err
	}
	found, err := load(ctx, r, ids)
	if err != nil {
		return projections.Page{}, err
	}
	list := []Group{}
	for _, id := range ids {
		if g, ok := found[id]; ok && (q.GroupID == "" || q.GroupID == id) {
			g.Role = roles[id]
			s := events.GroupStream(id)
			if m, ok := r.Book.Relations(s).Member(s, caller, r.At(s)); ok {
				g.muted(r, m)
			}
			list = append(list, g)
		}
	}
	return projections.Page{List: list}, nil
}

// Run implements projections.Query.
func (q Get) Run(ctx context.Context, r projections.Reader, caller string) (projections.Page, error) {
	s := events.GroupStream(q.GroupID)
	found, err := load(ctx, r, []string{q.GroupID})
	if err != nil {
		return projections.Page{}, err
	}
	g, ok := found[q.GroupID]
	if !ok {
		return projections.Page{}, commands.ErrNotFound.With("no such group")
	}
	if m, ok := r.Book.Relations(s).Member(s, caller, r.At(s)); ok {
		g.Role = m.Role.String()
		g.muted(r, m)
	} else {
		g.Notice = ""
	}
	return projections.Page{List: []Group{g}}, nil
}

// Users is /group/getGroupUsers: the members, by user id.
type Users struct {
	GroupID string `param:"groupId,id"`
	After   string `param:"after,id,optional"`
	Limit   int64  `param:"limit,int,optional" range:"0,200"`
}

// User is one member.
type User struct {
	UserID     string `json:"userId"`
	NickName   string `json:"nickName"`
	Remarks    string `json:"remarks"` // the caller's own name for a friend
	Avatar     string `json:"avatar"`
	Role       string `json:"role"`
	Muted      bool   `json:"muted"`
	MutedUntil int64  `json:"mutedUntil,omitempty"`
}

// Needs implements projections.Query.
func (Users) Needs() []string { return []string{Name} }

// Run implements projections.Query.
func (q Users) Run(ctx context.Context, r projections.Reader, caller string) (projections.Page, error) {
	limit, err := projections.Limit("limit", q.Limit)
	if err != nil {
		return projections.Page{}, err
	}
	s := events.GroupStream(q.GroupID)
	if deleted, ok := r.Group(s); !ok || deleted {
		return projections.Page{}, commands.ErrNotFound.With("no such group")
	}
	if _, ok := r.Book.Relations(s).Member(s, caller, r.At(s)); !ok {
		return projections.Page{}, commands.ErrNotMember
	}
	list, err := q.page(ctx, r, limit)
	if err != nil {
		return projections.Page{}, err
	}
	return projections.Page{List: list}, dress(ctx, r, caller, list)
}

// page is some of the members, whoever asks.
func (q Users) page(ctx context.Context, r projections.Reader, limit int64) ([]User, error) {
	list := []User{}
	// In the order of the key, so that a page is a page in a group of any size.
	sql := fmt.Sprintf(`SELECT user, role, muted_until FROM (
			SELECT user, toString(role) AS role, muted_until FROM %s WHERE group_id = {group:String} AND user > {after:String}%s
			ORDER BY group_id, user, offset DESC LIMIT 1 BY user)
		WHERE role != '' LIMIT {limit:UInt32} %s`, r.Table("group_members"), r.UpTo(), projections.Nearby)
	args := []projections.Arg{{Name: "group", Value: q.GroupID}, {Name: "after", Value: q.After}, {Name: "limit", Value: uint32(limit)}}
	now := r.Clock().UnixMilli()
	err := r.Select(ctx, sql, args, func(row projections.RowScanner) error {
		var u User
		if err := row.Scan(&u.UserID, &u.Role, &u.MutedUntil); err != nil {
			return err
		}
		if u.Muted = u.MutedUntil > now; !u.Muted {
			u.MutedUntil = 0
		}
		list = append(list, u)
		return nil
	})
	return list, err
}

// dress adds what the members are called, by themselves and by the caller.
func dress(ctx context.Context, r projections.Reader, caller string, list []User) error {
	ids := func(yield func(string) bool) {
		for i := range list {
			if !yield(list[i].UserID) {
				return
			}
		}
	}
	profile, err := friends.Profiles(ctx, r, ids)
	if err != nil {
		return err
	}
	view, err := friends.Views(ctx, r, caller, ids)
	if err != nil {
		return err
	}
	for i := range list {
		u := &list[i]
		known, _ := profile(u.UserID)
		u.NickName, u.Avatar, u.Remarks = known.NickName, known.Avatar, view(u.UserID).Remark
	}
	return nil
}

// Applications is /group/getApplyGroupList: the applications and invitations
// that the caller made or got, and those of the groups that the caller owns or
// administers.
type Applications struct{}

// Application is one application or invitation.
type Application struct {
	ApplyGroupID  string     `json:"applyGroupId"`
	ApplyUserID   string     `json:"applyUserId"` // who applied or invited
	ApplyNickName string     `json:"applyNickName"`
	TargetUserID  string     `json:"targetUserId"` // who is to become a member
	Note          string     `json:"note"`
	ApplyDate     dates.Date `json:"applyDate"`
	Time          int64      `json:"time"`
	ApplyState    string     `json:"applyState"`
	GroupID       string     `json:"groupId"`
	GroupName     string     `json:"groupName"`
	ApplyType     string     `json:"applyType"`
	Position      string     `json:"position"`
}

// maxApplications is how many applications are listed: the latest.
const maxApplications = 1000

// Needs implements projections.Query.
func (Applications) Needs() []string { return []string{Name} }

// Run implements projections.Query. The list is in log order, the oldest first.
func (Applications) Run(ctx context.Context, r projections.Reader, caller string) (projections.Page, error) {
	_, roles, err := memberships(ctx, r, caller)
	if err != nil {
		return projections.Page{}, err
	}
	audiences := []string{"u|" + caller}
	for id, role := range roles {
		if role == events.Owner.String() || role == events.Admin.String() {
			audiences = append(audiences, "g|"+id)
		}
	}
	list := []Application{}
	mine := fmt.Sprintf(`SELECT * FROM %s WHERE audience IN {audiences:Array(String)} ORDER BY recorded DESC, partition, offset DESC
		LIMIT 1 BY application LIMIT {limit:UInt32}`, r.Table("group_applications"))
	sql := fmt.Sprintf(`SELECT a.application, a.actor, a.actor_name, a.target, a.note, a.said, a.group_id, a.group_name, toString(a.type), a.expires,
			toString(a.partition), a.offset, if(v.offset > a.offset, v.state, '')
		FROM (%s) AS a
		LEFT JOIN (SELECT application, max(offset) AS offset, toString(argMax(state, group_verdicts.offset)) AS state FROM %s AS group_verdicts
			WHERE application IN (SELECT application FROM (%s)) GROUP BY application) AS v USING (application)
		ORDER BY a.recorded, a.partition, a.offset`, mine, r.Table("group_verdicts"), mine)
	args := []projections.Arg{{Name: "audiences", Value: audiences}, {Name: "limit", Value: uint32(maxApplications)}}
	err = r.Select(ctx, sql, args, func(row projections.RowScanner) error {
		var a Application
		var expires int64
		var partition string
		var offset uint64
		err := row.Scan(&a.ApplyGroupID, &a.ApplyUserID, &a.ApplyNickName, &a.TargetUserID, &a.Note, &a.Time, &a.GroupID, &a.GroupName,
			&a.ApplyType, &expires, &partition, &offset, &a.ApplyState)
		if err != nil {
			return err
		}
		if a.ApplyNickName == "" {
			u, _ := r.Book.User(a.ApplyUserID)
			a.ApplyNickName = u.NickName
		}
		a.ApplyDate, a.ApplyState = r.Dates.At(a.Time), friends.State(a.ApplyState, expires, r.Clock().UnixMilli())
		a.Position = fmt.Sprintf("%s-%d", partition, offset)
		list = append(list, a)
		return nil
	})
	return projections.Page{List: list}, err
}
