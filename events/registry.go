package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

var errRole = errors.New("not a role")

// kind is one row of the registry: an event type, the version that is written
// now, how it is ordered, and how older versions are lifted to it.
type kind struct {
	name     string
	version  int
	ordering Ordering
	body     reflect.Type
	// upcasters[i] turns the JSON of version i+1 into version i+2; pure, applied
	// once, when a record is decoded.
	upcasters []upcaster
	written   string // the type as it is written now: "lishi.message.sent.v1"
	streams   string // the kinds of stream it lives in
}

type upcaster = func(json.RawMessage) (json.RawMessage, error)

// livesIn tells whether an event of this type may stand in a stream of a kind.
func (k *kind) livesIn(s Kind) bool { return strings.IndexByte(k.streams, byte(s)) >= 0 }

// streamKinds says in which kinds of stream the events of a family live.
var streamKinds = map[string]string{
	"log": "l", "message": "pg", "friend": "p", "group": "g", "user": "u", "folder": "u", "conversation": "u",
	"checkpoint": "s", "key": "s", "look": "a",
}

// The registry: a new event type is one line here and one struct in types.go.
var registry = index(
	row[LogOpened](1, Unordered),
	row[MessageSent](1, ByBasis),
	row[MessageEdited](1, ByBasis),
	row[MessageRecalled](1, ByBasis),
	row[FriendApplied](1, ByRevision),
	row[FriendAgreed](1, ByRevision),
	row[FriendRefused](1, ByRevision),
	row[FriendRemoved](1, ByRevision),
	row[FriendBlocked](1, ByRevision),
	row[FriendUnblocked](1, ByRevision),
	row[FriendViewChanged](1, ByRevision),
	row[GroupCreated](1, ByRevision),
	row[GroupInfoChanged](1, ByRevision),
	row[GroupApplied](1, ByRevision),
	row[GroupJoined](1, ByRevision),
	row[GroupInvited](1, ByRevision),
	row[GroupApplicationVerified](1, ByRevision),
	row[GroupInvitationVerified](1, ByRevision),
	row[GroupMemberRemoved](1, ByRevision),
	row[GroupMemberQuit](1, ByRevision),
	row[GroupOwnerChanged](1, ByRevision),
	row[GroupRoleChanged](1, ByRevision),
	row[GroupMemberMuted](1, ByRevision),
	row[GroupDeleted](1, ByRevision),
	row[UserRegistered](1, ByRevision),
	row[UserProfileChanged](1, ByRevision),
	row[FolderCreated](1, ByRevision),
	row[FolderDeleted](1, ByRevision),
	row[ConversationRead](1, ByMark),
	row[CheckpointSigned](1, Unordered),
	row[KeyChanged](1, Unordered),
	row[LookTaken](1, Unordered),
)

func row[B Body](version int, o Ordering, up ...upcaster) kind {
	var b B
	if len(up) != version-1 {
		panic(fmt.Sprintf("events: %s has version %d and %d upcasters", b.Type(), version, len(up)))
	}
	family, _, _ := strings.Cut(b.Type(), ".")
	return kind{
		name: b.Type(), version: version, ordering: o, body: reflect.TypeFor[B](), upcasters: up,
		written: typePrefix + b.Type() + ".v" + strconv.Itoa(version), streams: streamKinds[family],
	}
}

func index(rows ...kind) map[string]*kind {
	m := make(map[string]*kind, len(rows))
	for i := range rows {
		m[rows[i].name] = &rows[i]
	}
	return m
}

// versioned is a type in one of its versions, as ce_type says it.
type versioned struct {
	*kind
	version int
}

var byWritten = versions(registry)

func versions(kinds map[string]*kind) map[string]versioned {
	m := map[string]versioned{}
	for _, k := range kinds {
		for v := 1; v <= k.version; v++ {
			m[typePrefix+k.name+".v"+strconv.Itoa(v)] = versioned{k, v}
		}
	}
	return m
}

// written finds the type and version that a record says it is.
func written(typ []byte) (*kind, int, error) {
	if v, ok := byWritten[string(typ)]; ok {
		return v.kind, v.version, nil
	}
	name, version, ok := cutLast(strings.TrimPrefix(string(typ), typePrefix), ".v")
	k := registry[name]
	switch n, err := strconv.Atoi(version); {
	case !ok:
		return nil, 0, errors.New("type has no version")
	case k == nil:
		return nil, 0, errors.New("unknown event type; a newer lishi may have written it")
	case err == nil && n > k.version && strconv.Itoa(n) == version:
		return nil, 0, fmt.Errorf("version %d is newer than this program's %d; a newer lishi wrote it", n, k.version)
	}
	return nil, 0, errors.New("not a version")
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// Types lists the names of all event types, sorted.
func Types() []string {
	names := make([]string, 0, len(registry))
	for n := range registry {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Version is the version in which a type is written now; 0 if there is no such type.
func Version(typ string) int {
	if k := registry[typ]; k != nil {
		return k.version
	}
	return 0
}

// New makes a pointer to an empty body of a type, for schemas and tests; nil if
// there is no such type.
func New(typ string) any {
	if k := registry[typ]; k != nil {
		return reflect.New(k.body).Interface()
	}
	return nil
}

// OrderingOf tells by which rule a body is judged.
func OrderingOf(b Body) Ordering {
	if k := registry[b.Type()]; k != nil {
		return k.ordering
	}
	return Unordered
}

// Each Type implements Body. The names never change: they stand in every log.

func (LogOpened) Type() string                { return "log.opened" }
func (Foreign) Type() string                  { return "foreign" }
func (MessageSent) Type() string              { return "message.sent" }
func (MessageEdited) Type() string            { return "message.edited" }
func (MessageRecalled) Type() string          { return "message.recalled" }
func (FriendApplied) Type() string            { return "friend.applied" }
func (FriendAgreed) Type() string             { return "friend.agreed" }
func (FriendRefused) Type() string            { return "friend.refused" }
func (FriendRemoved) Type() string            { return "friend.removed" }
func (FriendBlocked) Type() string            { return "friend.blocked" }
func (FriendUnblocked) Type() string          { return "friend.unblocked" }
func (FriendViewChanged) Type() string        { return "friend.viewChanged" }
func (GroupCreated) Type() string             { return "group.created" }
func (GroupInfoChanged) Type() string         { return "group.infoChanged" }
func (GroupApplied) Type() string             { return "group.applied" }
func (GroupJoined) Type() string              { return "group.joined" }
func (GroupInvited) Type() string             { return "group.invited" }
func (GroupApplicationVerified) Type() string { return "group.applicationVerified" }
func (GroupInvitationVerified) Type() string  { return "group.invitationVerified" }
func (GroupMemberRemoved) Type() string       { return "group.memberRemoved" }
func (GroupMemberQuit) Type() string          { return "group.memberQuit" }
func (GroupOwnerChanged) Type() string        { return "group.ownerChanged" }
func (GroupRoleChanged) Type() string         { return "group.roleChanged" }
func (GroupMemberMuted) Type() string         { return "group.memberMuted" }
func (GroupDeleted) Type() string             { return "group.deleted" }
func (UserRegistered) Type() string           { return "user.registered" }
func (UserProfileChanged) Type() string       { return "user.profileChanged" }
func (FolderCreated) Type() string            { return "folder.created" }
func (FolderDeleted) Type() string            { return "folder.deleted" }
func (ConversationRead) Type() string         { return "conversation.read" }
func (CheckpointSigned) Type() string         { return "checkpoint.signed" }
func (KeyChanged) Type() string               { return "key.changed" }
func (LookTaken) Type() string                { return "look.taken" }
