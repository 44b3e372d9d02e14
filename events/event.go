package events

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// ID names an event, and with it everything the event made (a message, an
// application, a group). The zero ID names none.
type ID [16]byte

// NewID is hash(scope, actor, uniqueNo): a repeated request makes the same id,
// on any node, at any time. Scope is the key of the conversation's stream, or of
// the actor's where a command belongs to no conversation.
func NewID(scope, actor, uniqueNo string) ID { return hashID("request", scope, actor, uniqueNo) }

// Derive is the id of a further thing made by the same event, such as one of the
// invitations of group.created.
func (id ID) Derive(label string) ID { return hashID("derived", string(id[:]), label) }

// RequestID is NewID of the stream as the scope; its key is not made a string.
func (s Stream) RequestID(actor, uniqueNo string) ID {
	var room [hashRoom]byte
	b := appendPart(room[:0], "request")
	at := len(b)
	b = s.AppendKey(append(b, 0, 0, 0, 0))
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return cut(appendPart(appendPart(b, actor), uniqueNo))
}

// hashRoom is what most ids are hashes of fits into.
const hashRoom = 384

func hashID(parts ...string) ID {
	var room [hashRoom]byte
	b := room[:0]
	for _, p := range parts {
		b = appendPart(b, p)
	}
	return cut(b)
}

// appendPart writes the length first, so that no two lists of parts run together.
func appendPart(b []byte, part string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(part))), part...)
}

func cut(b []byte) ID {
	sum := sha256.Sum256(b)
	return ID(sum[:len(ID{})])
}

// IsZero tells whether id names nothing.
func (id ID) IsZero() bool { return id == ID{} }

func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	return hex.EncodeToString(id[:])
}

// ParseID reads 32 lower-case hexadecimal digits; the empty string is the zero ID.
func ParseID(s string) (ID, error) {
	var id ID
	if s == "" {
		return id, nil
	}
	id, ok := parseHex(s)
	if !ok || id.IsZero() { // the zero ID is written as nothing
		return ID{}, fmt.Errorf("not an id: %q", clip(s))
	}
	return id, nil
}

// parseHex reads 16 bytes from lower-case hexadecimal digits, and nothing else.
func parseHex[T string | []byte](s T) (out [16]byte, ok bool) {
	if len(s) != 32 {
		return out, false
	}
	for i := range out {
		hi, lo := nibble(s[2*i]), nibble(s[2*i+1])
		if hi|lo > 15 {
			return [16]byte{}, false
		}
		out[i] = hi<<4 | lo
	}
	return out, true
}

func nibble(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case c-'a' <= 5:
		return c - 'a' + 10
	}
	return 0xFF
}

// MarshalText writes the id in hexadecimal.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}

// Fingerprint tells what a request asked for, so that one identity with two
// contents is found out.
type Fingerprint [16]byte

// Event is one immutable fact, as a command made it.
type Event struct {
	ID          ID
	Prev        ID          // the stream's relation event this one was decided on; zero for the first and for those without revision
	Stream      Stream      // the Kafka key
	Revision    uint64      // 1, 2, 3 … within the stream; 0 for messages and read marks
	Basis       int64       // the offset of the partition up to which the writer had folded
	Actor       string      // user id
	ActorName   string      // the actor's nickname then
	Request     string      // uniqueNo as it was sent
	Fingerprint Fingerprint // of the request
	Imported    bool
	Time        time.Time // when it was said; milliseconds, UTC
	Body        Body
}

// Recorded is an event that is in the log.
type Recorded struct {
	Event
	Position Position
	At       time.Time // the recorded time: written by the appender when it made the batch
}

// Body is what an event says. Every type is registered in registry.go.
type Body interface {
	// Type is the name in the log without version: "message.sent".
	Type() string
}

// Ordering says by which of the ledger's rules an event is judged.
type Ordering byte

const (
	ByRevision Ordering = iota // relation and user events: revision and prev
	ByBasis                    // messages, edits, recalls: basis and id
	ByMark                     // read marks: the greatest wins
	Unordered                  // log.opened and foreign records
)
