package commands

import (
	"fmt"
	"io"
	"strings"
	"time"

	"lishi/events"
	"lishi/events/ledger"
)

// The permission matrix: who may give which command, and why not. The deciders
// ask it, docs/permissions.md is written from it, and a test walks all of it.
//
// A column is what the actor is to the other person or to the group. A row holds
// under its condition; of the rows that hold, the first that refuses decides. A
// cell is "yes", the reason word of the refusal, or "-" where it can't come to
// that (then it would be forbidden). The last column is the
// sentence for people, where a reason has one of its own: "reason: sentence",
// several parted by " / ", or one sentence for all.

// pairMatrix: stranger (also who is a friend no longer), the one whose
// application waits (applied), the one asked by a waiting application (asked),
// friend.
const pairMatrix = `
command               | when                         | stranger   | applied    | asked      | friend     | why
/chat/sendMessage     | one has blocked the other    | blocked    | blocked    | blocked    | blocked    |
/chat/sendMessage     | friendship is needed         | not_friend | not_friend | not_friend | yes        |
/chat/sendMessage     | strangers are allowed        | yes        | yes        | yes        | yes        |
/chat/editMessage     | one has blocked the other    | blocked    | blocked    | blocked    | blocked    |
/chat/editMessage     | friendship is needed         | not_friend | not_friend | not_friend | yes        |
/chat/editMessage     | strangers are allowed        | yes        | yes        | yes        | yes        |
/chat/editMessage     | the message is another's     | forbidden  | forbidden  | forbidden  | forbidden  | only its sender may edit a message
/chat/editMessage     | the message was recalled     | conflict   | conflict   | conflict   | conflict   | this message has been recalled
/chat/recallMessage   | one has blocked the other    | blocked    | blocked    | blocked    | blocked    |
/chat/recallMessage   | friendship is needed         | not_friend | not_friend | not_friend | yes        |
/chat/recallMessage   | strangers are allowed        | yes        | yes        | yes        | yes        |
/chat/recallMessage   | the message is another's     | forbidden  | forbidden  | forbidden  | forbidden  | only its sender may recall this message
/chat/recallMessage   | the time to recall is over   | forbidden  | forbidden  | forbidden  | forbidden  | the time to recall this message is over
/chat/recallMessage   | the message was recalled     | conflict   | conflict   | conflict   | conflict   | this message has been recalled already
/chat/readMessage     | friendship is needed         | not_friend | not_friend | not_friend | yes        |
/chat/readMessage     | strangers are allowed        | yes        | yes        | yes        | yes        |
/friend/applyFriend   | one has blocked the other    | blocked    | blocked    | blocked    | blocked    |
/friend/applyFriend   | always                       | yes        | conflict   | yes        | conflict   | you are friends already
/friend/verifyFriend  | it is not to the actor       | forbidden  | forbidden  | forbidden  | forbidden  | only the one asked may verify this application
/friend/verifyFriend  | it waits no longer           | conflict   | conflict   | conflict   | conflict   | this application can't be verified any more
/friend/verifyFriend  | always                       | -          | -          | yes        | conflict   | you are friends already
/friend/verifyFriend  | agreeing while blocked       | -          | -          | blocked    | -          |
/friend/deleteFriend  | always                       | not_friend | not_friend | not_friend | yes        |
/friend/blockFriend   | the actor has blocked        | conflict   | conflict   | conflict   | conflict   | you have blocked that user already
/friend/blockFriend   | always                       | yes        | yes        | yes        | yes        |
/friend/unblockFriend | the actor has not blocked    | conflict   | conflict   | conflict   | conflict   | you have not blocked that user
/friend/unblockFriend | always                       | yes        | yes        | yes        | yes        |
/friend/updateFriend  | always                       | not_friend | not_friend | not_friend | yes        |
`

// groupMatrix: owner, admin, member, and who is no member or no longer one.
const groupMatrix = `
command                | when                          | owner      | admin      | member     | outsider   | why
/chat/sendGroupMessage | always                        | yes        | yes        | yes        | not_member |
/chat/sendGroupMessage | the actor is muted            | muted      | muted      | muted      | not_member |
/chat/editMessage      | always                        | yes        | yes        | yes        | not_member |
/chat/editMessage      | the actor is muted            | muted      | muted      | muted      | not_member |
/chat/editMessage      | the message is another's      | forbidden  | forbidden  | forbidden  | not_member | only its sender may edit a message
/chat/editMessage      | the message was recalled      | conflict   | conflict   | conflict   | not_member | this message has been recalled
/chat/recallMessage    | always                        | yes        | yes        | yes        | not_member |
/chat/recallMessage    | the actor is muted            | muted      | muted      | muted      | not_member |
/chat/recallMessage    | the message is another's      | yes        | yes        | forbidden  | not_member | only its sender, the group's owner and admins may recall this message
/chat/recallMessage    | the time to recall is over    | yes        | yes        | forbidden  | not_member | the time to recall this message is over
/chat/recallMessage    | the message was recalled      | conflict   | conflict   | conflict   | not_member | this message has been recalled already
/chat/readMessage      | always                        | yes        | yes        | yes        | not_member |
/group/updateGroup     | always                        | yes        | yes        | forbidden  | not_member | only the group's owner and admins may do this
/group/applyGroup      | the group is open             | conflict   | conflict   | conflict   | yes        | you are a member of this group already
/group/applyGroup      | by application                | conflict   | conflict   | conflict   | yes        | you are a member of this group already
/group/applyGroup      | by invitation only            | conflict   | conflict   | conflict   | forbidden  | conflict: you are a member of this group already / forbidden: people join this group by invitation only
/group/applyGroup      | the actor has applied         | conflict   | conflict   | conflict   | conflict   | you have applied already; the application waits to be verified
/group/applyGroup      | the actor is invited          | conflict   | conflict   | conflict   | conflict   | you are invited to this group; verify the invitation
/group/invitationGroup | always                        | yes        | yes        | forbidden  | not_member | only the group's owner and admins may do this
/group/invitationGroup | of a member                   | conflict   | conflict   | forbidden  | not_member | that user is a member of this group already
/group/invitationGroup | of somebody who has applied   | conflict   | conflict   | forbidden  | not_member | that user has applied to this group; verify the application
/group/invitationGroup | of somebody who is invited    | conflict   | conflict   | forbidden  | not_member | that user is invited already; the invitation waits to be verified
/group/groupVerify     | always                        | yes        | yes        | forbidden  | not_member | only the group's owner and admins may do this
/group/groupVerify     | it waits no longer            | conflict   | conflict   | forbidden  | not_member | this application can't be verified any more
/group/userVerify      | the invitation is another's   | forbidden  | forbidden  | forbidden  | forbidden  | only the invited user may verify this invitation
/group/userVerify      | it waits no longer            | conflict   | conflict   | conflict   | conflict   | this invitation can't be verified any more
/group/userVerify      | always                        | conflict   | conflict   | conflict   | yes        | you are a member of this group already
/group/removeUserGroup | always                        | yes        | yes        | forbidden  | not_member | only the group's owner and admins may do this
/group/removeUserGroup | of an outsider                | not_member | not_member | forbidden  | not_member | that user is not a member of this group
/group/removeUserGroup | of oneself                    | forbidden  | forbidden  | forbidden  | not_member | nobody can remove himself; a member quits, an owner deletes the group or transfers it
/group/removeUserGroup | of an admin                   | yes        | forbidden  | forbidden  | not_member | an admin can remove plain members only
/group/removeUserGroup | of the owner                  | forbidden  | forbidden  | forbidden  | not_member | an admin can remove plain members only
/group/quitGroup       | always                        | forbidden  | yes        | yes        | not_member | the owner can't quit: transfer the group first, or delete it
/group/transferGroup   | always                        | yes        | forbidden  | forbidden  | not_member | only the owner may transfer a group
/group/transferGroup   | of an outsider                | not_member | forbidden  | forbidden  | not_member | that user is not a member of this group
/group/transferGroup   | of oneself                    | conflict   | forbidden  | forbidden  | not_member | you own this group already
/group/setGroupRole    | always                        | yes        | forbidden  | forbidden  | not_member | only the owner may give roles
/group/setGroupRole    | of an outsider                | not_member | forbidden  | forbidden  | not_member | that user is not a member of this group
/group/setGroupRole    | of oneself                    | forbidden  | forbidden  | forbidden  | not_member | an owner stays the owner until the group is transferred
/group/setGroupRole    | the role is theirs already    | conflict   | forbidden  | forbidden  | not_member | that user has this role already
/group/muteMember      | always                        | yes        | yes        | forbidden  | not_member | only the group's owner and admins may do this
/group/muteMember      | of an outsider                | not_member | not_member | forbidden  | not_member | that user is not a member of this group
/group/muteMember      | of oneself                    | forbidden  | forbidden  | forbidden  | not_member | nobody can mute himself, nor lift it
/group/muteMember      | of an admin                   | yes        | forbidden  | forbidden  | not_member | an admin can mute plain members only
/group/muteMember      | of the owner                  | forbidden  | forbidden  | forbidden  | not_member | an admin can mute plain members only
/group/deleteGroup     | always                        | yes        | forbidden  | forbidden  | not_member | only the owner may delete a group
`

// The conditions of the rows.
const (
	always           = "always"
	blockedByOne     = "one has blocked the other"
	friendshipNeeded = "friendship is needed"
	strangersAllowed = "strangers are allowed"
	anothersMessage  = "the message is another's"
	recallOver       = "the time to recall is over"
	messageRecalled  = "the message was recalled"
	notAsked         = "it is not to the actor"
	waitsNoLonger    = "it waits no longer"
	agreeingBlocked  = "agreeing while blocked"
	hasBlocked       = "the actor has blocked"
	hasNotBlocked    = "the actor has not blocked"
	actorMuted       = "the actor is muted"
	openGroup        = "the group is open"
	byApplication    = "by application"
	byInvitation     = "by invitation only"
	hasApplied       = "the actor has applied"
	isInvited        = "the actor is invited"
	ofMember         = "of a member"
	ofApplicant      = "of somebody who has applied"
	ofInvited        = "of somebody who is invited"
	anothersInvite   = "the invitation is another's"
	ofOutsider       = "of an outsider"
	ofOneself        = "of oneself"
	ofAdmin          = "of an admin"
	ofOwner          = "of the owner"
	roleAlready      = "the role is theirs already"
)

// standing is what an actor is to whom or what a command is about: a column.
type standing byte

const (
	stranger standing = iota
	applied
	asked
	friend
	columns
)

const (
	owner standing = iota
	admin
	member
	outsider
)

// permission is one row, read.
type permission struct {
	url, when string
	cells     [columns]string
	may       [columns]*Refusal // nil: yes
	why       string
}

type condition struct{ url, when string }

// matrix is one of the two tables, read.
type matrix struct {
	standings [columns]string
	rows      []permission
	find      map[condition]*permission
}

var pairs, groups = readMatrix(pairMatrix), readMatrix(groupMatrix)

// readMatrix reads a table; a table that can't be read is a programming error.
func readMatrix(text string) *matrix {
	m := &matrix{find: map[condition]*permission{}}
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != int(columns)+3 {
			panic("commands: a row of the matrix has other cells: " + line)
		}
		for j := range cells {
			cells[j] = strings.TrimSpace(cells[j])
		}
		if i == 0 {
			copy(m.standings[:], cells[2:])
			continue
		}
		p := permission{url: cells[0], when: cells[1], why: cells[len(cells)-1]}
		for st := range columns {
			p.cells[st] = cells[2+st]
			p.may[st] = p.refusal(cells[2+st], m.standings[st])
		}
		m.rows = append(m.rows, p)
	}
	for i := range m.rows {
		p := &m.rows[i]
		key := condition{p.url, p.when}
		if m.find[key] != nil {
			panic(fmt.Sprintf("commands: the matrix has two rows %v", key))
		}
		m.find[key] = p
	}
	return m
}

// defaults are the sentences of the reasons that stand in the matrix.
var defaults = map[string]*Refusal{
	Forbidden: ErrForbidden, NotFriend: ErrNotFriend, NotMember: ErrNotMember, Blocked: ErrBlocked, Muted: ErrMuted, Conflict: ErrConflict,
}

// refusal is what a cell says to who has that standing.
func (p *permission) refusal(cell, to string) *Refusal {
	if cell == "yes" {
		return nil
	}
	if cell == "-" {
		return ErrForbidden
	}
	r := defaults[cell]
	if r == nil {
		panic("commands: the matrix says " + cell)
	}
	if p.why == "" || cell == NotMember && to == "outsider" {
		return r
	}
	for _, why := range strings.Split(p.why, " / ") {
		reason, sentence, ok := strings.Cut(why, ": ")
		if !ok || defaults[reason] == nil {
			return r.With(why)
		}
		if reason == cell {
			return r.With(sentence)
		}
	}
	return r
}

// permit looks the conditions up that hold, in this order, and refuses with the
// first that does. What the matrix does not name is forbidden.
func (m *matrix) permit(url string, who standing, holds ...string) error {
	for _, when := range holds {
		p := m.find[condition{url, when}]
		if p == nil {
			return ErrForbidden
		}
		if r := p.may[who]; r != nil {
			return r
		}
	}
	return nil
}

// because gives a refusal the closer sentence of another with the same reason.
func because(err, closer error) error {
	if err != nil && refusal(err).Is(closer) {
		return closer
	}
	return err
}

// friendship is what a user is to the pair's other one.
func friendship(p *ledger.Pair, user string, now time.Time) standing {
	if p.Friends {
		return friend
	}
	for _, w := range p.Waiting {
		switch {
		case !waits(w, now):
		case w.Actor == user:
			return applied
		default:
			return asked
		}
	}
	return stranger
}

// standing is what a user is to a group, as of now.
func (s State) standing(group events.Stream, user string) (standing, ledger.Membership) {
	m, ok := s.member(group, user)
	switch {
	case !ok:
		return outsider, m
	case m.Role == events.Owner:
		return owner, m
	case m.Role == events.Admin:
		return admin, m
	}
	return member, m
}

// of is the condition that names a group command's target.
func (s State) of(group events.Stream, a Actor, target string) string {
	if target == a.ID {
		return ofOneself
	}
	switch st, _ := s.standing(group, target); st {
	case owner:
		return ofOwner
	case admin:
		return ofAdmin
	case member:
		return always
	}
	return ofOutsider
}

const permissionsHead = `# Who may do what

<!-- written by scripts/docs from commands/matrix.go, which the program itself decides by -->

A column is what the acting user is to the other person or to the group; a row holds under its condition. Of the rows of a command
that hold, the first that refuses decides, with the reason word in the cell; a refusal changes nothing and pushes nothing. "-": it can't come to that.

Whatever the relation, what does not exist comes first: an unknown user, group, application, folder or message, a deleted group, another pair's
message and an actor who is not registered are ` + "`not_found`" + `; a command on oneself is a ` + "`bad_request`" + `. The commands
of a user alone (addGroup, updateUser, createFriendGroup, deleteFriendGroup) need no relation.

Two people: **stranger** (never a friend, or no longer one), **applied** (the actor's application waits), **asked** (the other one's waits),
**friend**. Groups: **owner**, **admin**, **member**, **outsider** (never a member, or no longer one).

`

// WritePermissions writes the matrix as it stands in the docs.
func WritePermissions(w io.Writer) error {
	if _, err := io.WriteString(w, permissionsHead); err != nil {
		return err
	}
	for _, t := range []struct {
		title string
		*matrix
	}{{"Two people", pairs}, {"Groups", groups}} {
		if _, err := fmt.Fprintf(w, "## %s\n\n| command | when | %s |\n| --- | --- |%s\n",
			t.title, strings.Join(t.standings[:], " | "), strings.Repeat(" --- |", int(columns))); err != nil {
			return err
		}
		for _, p := range t.rows {
			if _, err := fmt.Fprintf(w, "| %s | %s |", p.url, p.when); err != nil {
				return err
			}
			for _, cell := range p.cells {
				if defaults[cell] != nil {
					cell = "`" + cell + "`"
				}
				if _, err := fmt.Fprintf(w, " %s |", cell); err != nil {
					return err
				}
			}
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	return nil
}
