package events

// Content is a text of a message. Plain is the text byte for byte; key, nonce
// and box will take its place where content is encrypted for erasure by key.
type Content struct {
	Plain string `json:"plain"`
}

// LogOpened is the record at offset 0 of each partition. The first one wins.
type LogOpened struct {
	LogID      string `json:"logId"`
	Partitions int32  `json:"partitions"` // of this topic
	Format     int    `json:"format"`
}

// CheckpointSigned publishes the signed head of a partition's Merkle tree, in
// that partition's stream of lishi.seals.
type CheckpointSigned struct {
	// Checkpoint is the signed note (C2SP tlog-checkpoint).
	Checkpoint string `json:"checkpoint"`
	// Old is the size of a checkpoint published before, 0 if there was none.
	Old int64 `json:"old"`
	// Proof are the hashes, in base64, that show that the tree of Old is the
	// beginning of this one (RFC 6962, section 2.1.2).
	Proof []string `json:"proof,omitempty"`
}

// KeyChanged says that another key signs checkpoints from now on.
type KeyChanged struct {
	// Change is a note with both keys and the sizes up to which the old one
	// signed, signed by both.
	Change string `json:"change"`
}

// LookTaken says that somebody with a role was about to be shown other people's
// words or doings. It is in the log before anything is shown. The event's actor
// is who looked, its stream theirs in lishi.audit.
type LookTaken struct {
	Role   string `json:"role"`             // auditor, analyst or admin, as the token said
	Reason string `json:"reason,omitempty"` // why; auditors must say
	// Way is how the look was taken: console, sql or export.
	Way string `json:"way"`
	// What is what was asked for: a route of the console with its parameters, an
	// export's query as JSON.
	What string `json:"what"`
	// Text is what was sent with it: SQL, a body. Longer ones are cut to 65536
	// bytes, and TextSHA256 is then the whole one's hash in hexadecimal.
	Text       string `json:"text,omitempty"`
	TextSHA256 string `json:"textSha256,omitempty"`
	From       string `json:"from,omitempty"` // the address it was asked from
}

// Foreign stands for a record that is not lishi's. It is always void.
type Foreign struct {
	Reason string `json:"-"`
}

// MessageSent is a message in a pair's or a group's stream.
type MessageSent struct {
	Content     Content  `json:"content"`
	ContentType string   `json:"contentType,omitempty"`
	ReplyTo     string   `json:"replyTo,omitempty"`
	AtUserIDs   []string `json:"atUserIds,omitempty"`
	// Strangers: the deployment allowed messages without friendship when this
	// was decided. A fold reads no configuration, so the fact stands here.
	Strangers bool `json:"strangersAllowed,omitempty"`
}

// MessageEdited gives a message a new text; every version stays in the log.
type MessageEdited struct {
	Message   Position `json:"message"`
	Content   Content  `json:"content"`
	Strangers bool     `json:"strangersAllowed,omitempty"` // as in MessageSent
}

// MessageRecalled takes a message back. Sender is who had sent it.
type MessageRecalled struct {
	Message   Position `json:"message"`
	Sender    string   `json:"sender"`
	Strangers bool     `json:"strangersAllowed,omitempty"` // as in MessageSent
}

// FriendApplied asks the pair's other user for friendship. The application's id
// is the event's.
type FriendApplied struct {
	Note          string `json:"note,omitempty"`
	Remark        string `json:"remark,omitempty"`
	FriendGroupID string `json:"friendGroupId,omitempty"`
	ExpiresAt     int64  `json:"expiresAt"` // Unix milliseconds
}

// FriendAgreed makes the pair friends: by verification, or because the other one
// applied while an application was waiting (then Crossed). Imported friendships
// have no application.
type FriendAgreed struct {
	Application   ID     `json:"applyFriendId,omitzero"`
	Applicant     string `json:"applicant,omitempty"`
	Note          string `json:"note,omitempty"`
	Remark        string `json:"remark,omitempty"` // the actor's remark for the applicant
	FriendGroupID string `json:"friendGroupId,omitempty"`
	Crossed       bool   `json:"crossed,omitempty"`
}

// FriendRefused says no to an application.
type FriendRefused struct {
	Application ID     `json:"applyFriendId"`
	Applicant   string `json:"applicant"`
	Note        string `json:"note,omitempty"`
}

// FriendRemoved ends a friendship for both.
type FriendRemoved struct{}

// FriendBlocked means that the actor wants nothing from the other one.
type FriendBlocked struct{}

// FriendUnblocked takes FriendBlocked back.
type FriendUnblocked struct{}

// DefaultFolder is the id of the folder of friends that everybody has and nobody
// made. A friend whose folder is empty or was deleted is in it.
const DefaultFolder = "0"

// FriendViewChanged gives the actor's own view of the pair's other user as it is
// from now on. The other one is told nothing of it.
type FriendViewChanged struct {
	Remark        string `json:"remark,omitempty"`
	FriendGroupID string `json:"friendGroupId,omitempty"`
	Avatar        string `json:"avatar,omitempty"` // the actor's own then, as pushes tell it
}

// FolderCreated makes a folder for the actor's friends. The folder's id is the
// event's.
type FolderCreated struct {
	Name   string `json:"friendGroupName"`
	Avatar string `json:"avatar,omitempty"` // as in FriendViewChanged
}

// FolderDeleted ends a folder; the friends in it are in the default one from now
// on.
type FolderDeleted struct {
	Folder ID     `json:"friendGroupId"`
	Avatar string `json:"avatar,omitempty"` // as in FriendViewChanged
}

// Role is a member's role in a group, as it stands on the wire.
type Role byte

const (
	NoRole Role = 0   // not in the group
	Member Role = '1' // speaks
	Admin  Role = '5' // verifies, invites, removes and mutes members
	Owner  Role = '9' // may do everything; there is one
)

// MarshalText writes the one-character string of the protocol.
func (r Role) MarshalText() ([]byte, error) {
	switch r {
	case NoRole:
		return nil, nil
	case Member, Admin, Owner:
		return []byte{byte(r)}, nil
	}
	return nil, errRole
}

// UnmarshalText reads "1", "5" or "9".
func (r *Role) UnmarshalText(b []byte) error {
	switch string(b) {
	case "":
		*r = NoRole
	case "1", "5", "9":
		*r = Role(b[0])
	default:
		return errRole
	}
	return nil
}

func (r Role) String() string { b, _ := r.MarshalText(); return string(b) }

// Values of joinMode.
const (
	JoinByInvitation  = "0"
	JoinByApplication = "1"
	JoinOpen          = "9"
)

// Values of applyState.
const (
	Refused = "0"
	Pending = "1"
	Expired = "2"
	Agreed  = "9"
)

// Invitation is one of those that a new group begins with.
type Invitation struct {
	ID        ID     `json:"applyGroupId"`
	UserID    string `json:"userId"`
	ExpiresAt int64  `json:"expiresAt"`
}

// GroupCreated begins a group; the actor owns it.
type GroupCreated struct {
	GroupName   string       `json:"groupName"`
	GroupImg    string       `json:"groupImg,omitempty"`
	JoinMode    string       `json:"joinMode"`
	Invitations []Invitation `json:"invitations,omitempty"`
}

// GroupInfoChanged gives the group's facts as they are from now on.
type GroupInfoChanged struct {
	GroupName string `json:"groupName"`
	GroupImg  string `json:"groupImg,omitempty"`
	Notice    string `json:"notice,omitempty"`
	JoinMode  string `json:"joinMode"`
}

// GroupApplied asks to become a member. The application's id is the event's.
type GroupApplied struct {
	GroupName string `json:"groupName"`
	Note      string `json:"note,omitempty"`
	ExpiresAt int64  `json:"expiresAt"`
}

// GroupJoined makes the actor a member at once: an open group, or an import.
type GroupJoined struct {
	GroupName string `json:"groupName"`
}

// GroupInvited asks a user to become a member. The invitation's id is the event's.
type GroupInvited struct {
	GroupName string `json:"groupName"`
	UserID    string `json:"userId"`
	Note      string `json:"note,omitempty"`
	ExpiresAt int64  `json:"expiresAt"`
}

// GroupApplicationVerified is the answer to an application.
type GroupApplicationVerified struct {
	GroupName   string `json:"groupName"`
	Application ID     `json:"applyGroupId"`
	UserID      string `json:"userId"`     // the applicant
	State       string `json:"applyState"` // Agreed or Refused
	Note        string `json:"note,omitempty"`
}

// GroupInvitationVerified is the invited user's answer.
type GroupInvitationVerified struct {
	GroupName   string `json:"groupName"`
	Application ID     `json:"applyGroupId"`
	Inviter     string `json:"inviter"`
	State       string `json:"applyState"`
	Note        string `json:"note,omitempty"`
}

// GroupMemberRemoved ends another one's membership.
type GroupMemberRemoved struct {
	GroupName string `json:"groupName"`
	UserID    string `json:"userId"`
	Note      string `json:"note,omitempty"`
}

// GroupMemberQuit ends the actor's membership.
type GroupMemberQuit struct {
	GroupName string `json:"groupName"`
}

// GroupOwnerChanged hands the group to a member; the old owner becomes an admin.
type GroupOwnerChanged struct {
	UserID string `json:"userId"`
}

// GroupRoleChanged makes a member an admin, or an admin a member.
type GroupRoleChanged struct {
	UserID string `json:"userId"`
	Role   Role   `json:"role"`
}

// GroupMemberMuted silences a member until a time; 0 lifts it.
type GroupMemberMuted struct {
	UserID     string `json:"userId"`
	MutedUntil int64  `json:"mutedUntil"` // Unix milliseconds, compared with recorded time
}

// GroupDeleted ends the group; later records of its stream are void.
type GroupDeleted struct {
	GroupName string `json:"groupName"`
	Note      string `json:"note,omitempty"`
}

// UserRegistered is a user's first event.
type UserRegistered struct {
	NickName string `json:"nickName,omitempty"`
}

// UserProfileChanged gives nickname and avatar as they are from now on.
type UserProfileChanged struct {
	NickName string `json:"nickName,omitempty"`
	Avatar   string `json:"avatar,omitempty"`
	// FromToken: the name came with a token. A name that updateUser set is never
	// replaced by a token's.
	FromToken bool `json:"fromToken,omitempty"`
}

// ConversationRead moves the actor's read mark of a conversation forward.
type ConversationRead struct {
	Conversation string   `json:"conversation"` // the key of its stream
	Read         Position `json:"read"`
}
