// Package events says what happened: streams, positions, the envelope of an
// event, its types, and how they are written on the wire of the log. It is
// pure: it knows nothing of Kafka, ClickHouse or sockets.
package events

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Topic is the letter that stands for a topic in positions and cursors.
type Topic byte

const (
	// Conversations holds friendship and group events and messages.
	Conversations Topic = 'c'
	// Users holds registration, profile and read marks.
	Users Topic = 'u'
	// Audit holds what auditors looked at.
	Audit Topic = 'a'
	// Seals holds the signed checkpoints of the others, and changes of the key.
	Seals Topic = 's'
)

var (
	// Topics lists those of the chat, in the order cursors are written: what
	// the ledger folds.
	Topics = []Topic{Conversations, Users}
	// Beside lists the topics that stand beside the chat: one partition each,
	// which no ledger folds and no client is told of.
	Beside = []Topic{Audit, Seals}
)

// Name is the topic's name on Kafka, before any deployment prefix.
func (t Topic) Name() string {
	switch t {
	case Conversations:
		return "lishi.conversations"
	case Users:
		return "lishi.users"
	case Audit:
		return "lishi.audit"
	case Seals:
		return "lishi.seals"
	}
	return "lishi.unknown-" + string(rune(t))
}

func (t Topic) valid() bool { return t == Conversations || t == Users || t.beside() }

func (t Topic) beside() bool { return t == Audit || t == Seals }

// Kind says what a stream is about; it picks the topic.
type Kind byte

const (
	// Pair is the conversation of two people: friendship and messages.
	Pair Kind = 'p'
	// Group is the conversation of a group: membership and messages.
	Group Kind = 'g'
	// User is one person: registration, profile, folders, read marks.
	User Kind = 'u'
	// Auditor is what one auditor looked at.
	Auditor Kind = 'a'
	// Seal is what was signed of one partition ("c3"), or, under the id "keys",
	// the changes of the key.
	Seal Kind = 's'
	// System is the log itself: log.opened.
	System Kind = 'l'
)

// Stream is one conversation or one user: what must be ordered together. It is
// comparable. For a Pair, ID and Peer are the two user ids with ID <= Peer
// bytewise; for the others Peer is empty.
type Stream struct {
	Kind Kind
	ID   string
	Peer string
}

// PairStream is the stream of two users' conversation, the same for both orders.
func PairStream(a, b string) Stream {
	if b < a {
		a, b = b, a
	}
	return Stream{Kind: Pair, ID: a, Peer: b}
}

// GroupStream is the stream of a group.
func GroupStream(id string) Stream { return Stream{Kind: Group, ID: id} }

// UserStream is the stream of a user.
func UserStream(id string) Stream { return Stream{Kind: User, ID: id} }

// SystemStream is the stream of the log's own records.
func SystemStream() Stream { return Stream{Kind: System} }

// Topic is the topic that holds the stream. System records stand in every
// topic; their appender names the partition itself.
func (s Stream) Topic() Topic {
	switch s.Kind {
	case User:
		return Users
	case Auditor:
		return Audit
	case Seal:
		return Seals
	}
	return Conversations
}

// Other is the pair's other user, seen from user; empty if user is not in it.
func (s Stream) Other(user string) string {
	switch {
	case s.Kind != Pair:
		return ""
	case user == s.ID:
		return s.Peer
	case user == s.Peer:
		return s.ID
	}
	return ""
}

var unescaper = strings.NewReplacer("%25", "%", "%7C", "|")

// Key is the Kafka key: "p|a|b", "g|id", "u|id", "a|id", "s|c3" or "l", with '|' and '%' in ids
// percent-escaped.
func (s Stream) Key() string {
	var room [2*64 + 4]byte
	return string(s.AppendKey(room[:0]))
}

// AppendKey appends the Key to b.
func (s Stream) AppendKey(b []byte) []byte {
	if s.Kind == System {
		return append(b, 'l')
	}
	b = appendEscaped(append(b, byte(s.Kind), '|'), s.ID)
	if s.Kind == Pair {
		b = appendEscaped(append(b, '|'), s.Peer)
	}
	return b
}

func appendEscaped(b []byte, id string) []byte {
	for i := range len(id) {
		switch c := id[i]; c {
		case '%':
			b = append(b, "%25"...)
		case '|':
			b = append(b, "%7C"...)
		default:
			b = append(b, c)
		}
	}
	return b
}

func (s Stream) String() string { return s.Key() }

var errKey = errors.New("events: not a stream key")

// ParseKey reads what Key wrote, and nothing else: ParseKey(s.Key()) == s, and
// every accepted key is canonical.
func ParseKey(key string) (Stream, error) {
	if key == "l" {
		return SystemStream(), nil
	}
	bad := func() (Stream, error) { return Stream{}, fmt.Errorf("%w: %q", errKey, clip(key)) }
	if len(key) < 3 || key[1] != '|' || !utf8.ValidString(key) {
		return bad()
	}
	s := Stream{Kind: Kind(key[0]), ID: key[2:]}
	switch bar := strings.IndexByte(s.ID, '|'); {
	case s.Kind == Pair && bar > 0:
		s.ID, s.Peer = s.ID[:bar], s.ID[bar+1:]
	case s.Kind == Pair || s.Kind != Group && s.Kind != User && s.Kind != Auditor && s.Kind != Seal:
		return bad()
	}
	if strings.Contains(s.Peer, "|") || s.Kind != Pair && strings.Contains(s.ID, "|") {
		return bad()
	}
	if strings.Contains(key, "%") {
		s.ID, s.Peer = unescaper.Replace(s.ID), unescaper.Replace(s.Peer)
		if s.Key() != key {
			return bad()
		}
	}
	if s.Kind == Pair && (s.Peer == "" || s.ID > s.Peer) {
		return bad()
	}
	return s, nil
}
