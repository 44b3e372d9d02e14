package ledger

import (
	"slices"

	"lishi/events"
)

// fold takes in what a valid record says. Whether it should have been said is
// the deciders' business; something that changes nothing (a member who joins
// again) is passed over.
func (st *state) fold(r *events.Recorded) {
	offset := r.Position.Offset
	switch b := r.Body.(type) {
	case events.MessageSent, events.MessageEdited, events.MessageRecalled:
		return // the ledger keeps what it needs of these
	case events.ConversationRead:
		st.stream(r.Stream).user.mark(b.Conversation, b.Read)
		return
	}
	s := st.stream(r.Stream)
	s.ids = append(s.ids, r.ID)
	switch {
	case s.pair != nil:
		st.foldPair(s, r, offset)
	case s.group != nil:
		known := len(s.members)
		st.foldGroup(s, r, offset)
		st.index(s, known)
	case s.user != nil:
		s.user.fold(r)
	}
}

func (st *state) foldPair(s *stream, r *events.Recorded, offset int64) {
	p := s.pair
	switch b := r.Body.(type) {
	case events.FriendApplied:
		st.ask(Application{
			Stream: s.key, ID: r.ID, Offset: offset, Kind: FriendApplication, Actor: r.Actor, User: s.key.Other(r.Actor),
			ExpiresAt: b.ExpiresAt, Note: b.Note, Remark: b.Remark, FriendGroupID: b.FriendGroupID,
		})
	case events.FriendAgreed:
		st.settle(b.Application, events.Agreed)
		if !p.friendsNow() {
			p.friends = append(p.friends, Interval{From: offset})
			p.views = [2]View{}
			if a := st.asked[b.Application]; a != nil && a.Stream == s.key { // the applicant's own came with the application
				p.see(s.key, a.Actor, View{a.Remark, a.FriendGroupID})
			}
			p.see(s.key, r.Actor, View{b.Remark, b.FriendGroupID})
		}
	case events.FriendRefused:
		st.settle(b.Application, events.Refused)
	case events.FriendRemoved:
		if p.friendsNow() {
			p.friends[len(p.friends)-1].To = offset
			p.views = [2]View{}
		}
	case events.FriendBlocked:
		p.block(s.key, r.Actor, true)
	case events.FriendUnblocked:
		p.block(s.key, r.Actor, false)
	case events.FriendViewChanged:
		if p.friendsNow() {
			p.see(s.key, r.Actor, View{b.Remark, b.FriendGroupID})
		}
	}
}

// see gives one of the pair another view of the other.
func (p *pair) see(key events.Stream, by string, v View) {
	switch by {
	case key.ID:
		p.views[0] = v
	case key.Peer:
		p.views[1] = v
	}
}

func (p *pair) block(key events.Stream, by string, on bool) {
	switch by {
	case key.ID:
		p.blocked[0] = on
	case key.Peer:
		p.blocked[1] = on
	}
}

func (st *state) foldGroup(s *stream, r *events.Recorded, offset int64) {
	g := s.group
	switch b := r.Body.(type) {
	case events.GroupDeleted:
		g.deleted, g.deletedAt = true, offset
		return
	case events.GroupCreated:
		if !g.exists {
			g.create(r, b)
			for _, inv := range b.Invitations {
				st.ask(Application{
					Stream: s.key, ID: inv.ID, Offset: offset, Kind: GroupInvitation, Actor: r.Actor, User: inv.UserID, ExpiresAt: inv.ExpiresAt,
				})
			}
		}
		return
	}
	if !g.exists {
		return // nobody is in a group before it is created
	}
	switch b := r.Body.(type) {
	case events.GroupInfoChanged:
		g.name, g.img, g.notice, g.joinMode = b.GroupName, b.GroupImg, b.Notice, b.JoinMode
	case events.GroupApplied:
		st.ask(Application{
			Stream: s.key, ID: r.ID, Offset: offset, Kind: GroupApplication, Actor: r.Actor, User: r.Actor, ExpiresAt: b.ExpiresAt, Note: b.Note,
		})
	case events.GroupInvited:
		st.ask(Application{
			Stream: s.key, ID: r.ID, Offset: offset, Kind: GroupInvitation, Actor: r.Actor, User: b.UserID, ExpiresAt: b.ExpiresAt, Note: b.Note,
		})
	case events.GroupJoined:
		g.join(offset, r.Actor, events.Member)
	case events.GroupApplicationVerified:
		st.settle(b.Application, b.State)
		if b.State == events.Agreed {
			g.join(offset, b.UserID, events.Member)
		}
	case events.GroupInvitationVerified:
		st.settle(b.Application, b.State)
		if b.State == events.Agreed {
			g.join(offset, r.Actor, events.Member)
		}
	case events.GroupMemberRemoved:
		g.leave(offset, b.UserID)
	case events.GroupMemberQuit:
		g.leave(offset, r.Actor)
	case events.GroupOwnerChanged:
		if g.role(b.UserID) != events.NoRole && b.UserID != g.owner {
			g.setRole(offset, g.owner, events.Admin)
			g.setRole(offset, b.UserID, events.Owner)
			g.owner = b.UserID
		}
	case events.GroupRoleChanged:
		if b.UserID != g.owner && (b.Role == events.Member || b.Role == events.Admin) {
			g.setRole(offset, b.UserID, b.Role)
		}
	case events.GroupMemberMuted:
		g.mute(offset, b.UserID, b.MutedUntil)
	}
}

func (g *group) create(r *events.Recorded, b events.GroupCreated) {
	g.exists, g.created, g.createdAt = true, r.Position.Offset, r.Time.UnixMilli()
	g.creator, g.owner = r.Actor, r.Actor
	g.name, g.img, g.joinMode = b.GroupName, b.GroupImg, b.JoinMode
	g.join(g.created, r.Actor, events.Owner)
}

func (u *user) mark(conversation string, read events.Position) {
	if u.marks == nil {
		u.marks = map[string]events.Position{}
	}
	u.marks[conversation] = read
}

func (u *user) fold(r *events.Recorded) {
	switch b := r.Body.(type) {
	case events.UserRegistered:
		u.nickName, u.tokenName = b.NickName, b.NickName
	case events.UserProfileChanged:
		u.avatar = b.Avatar
		if b.FromToken {
			u.tokenName = b.NickName
		}
		if !b.FromToken || !u.nameSet {
			u.nickName = b.NickName
		}
		u.nameSet = u.nameSet || !b.FromToken
	case events.FolderCreated:
		if !slices.ContainsFunc(u.folders, func(f Folder) bool { return f.ID == r.ID }) { // the same request again, after more than W
			u.folders = append(u.folders, Folder{ID: r.ID, Name: b.Name})
		}
	case events.FolderDeleted:
		u.folders = slices.DeleteFunc(u.folders, func(f Folder) bool { return f.ID == b.Folder })
	}
}

// ask enters an application or invitation as pending.
func (st *state) ask(a Application) {
	a.State = events.Pending
	if old := st.asked[a.ID]; old != nil { // the same request again, after more than W
		st.settle(a.ID, a.State) // which keeps it, if a snapshot is being made
		*old = a
	} else {
		old = &a
		st.asked[a.ID] = old
		st.asking = append(st.asking, old)
	}
	st.wait(&a)
}

func (st *state) wait(a *Application) {
	s := st.stream(a.Stream)
	switch {
	case s.pair != nil:
		s.pair.waiting = append(s.pair.waiting, a.ID)
	case s.group != nil:
		if s.group.waiting == nil {
			s.group.waiting = map[string][]events.ID{}
		}
		s.group.waiting[a.User] = append(s.group.waiting[a.User], a.ID)
	}
}

// settle gives an application its final state; it waits no longer.
func (st *state) settle(id events.ID, to string) {
	a := st.asked[id]
	if a == nil {
		return
	}
	if st.copying != nil {
		st.copying.keepAsking(a)
	}
	a.State = to
	is := func(other events.ID) bool { return other == id }
	s := st.stream(a.Stream)
	switch {
	case s.pair != nil:
		s.pair.waiting = slices.DeleteFunc(s.pair.waiting, is)
	case s.group != nil:
		if left := slices.DeleteFunc(s.group.waiting[a.User], is); len(left) > 0 {
			s.group.waiting[a.User] = left
		} else {
			delete(s.group.waiting, a.User)
		}
	}
}
