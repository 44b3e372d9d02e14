// Package ledger says which records of a partition count, and folds what they
// say about people and groups. It is pure: the verdict on a record is a function
// of the records before it, so every node, every rebuild and every auditor comes
// to the same one. Nobody else compares revisions, ids or bases.
package ledger

// Verdict says whether a record counts; if not, why.
type Verdict byte

const (
	// Valid: the record counts.
	Valid Verdict = iota
	// Repeat: the id occurred before within W; that first occurrence decides.
	Repeat
	// Stale: decided on a state that was no longer the stream's; decide again.
	Stale
	// Late: its writer was more than W offsets behind; decide and append again.
	Late
	// NotFriend: the pair were no friends at the record's offset.
	NotFriend
	// NotMember: the actor was not in the group at the record's offset.
	NotMember
	// Blocked: one of the pair had blocked the other.
	Blocked
	// Muted: the actor was silenced when the record was appended.
	Muted
	// Recalled: the message it changes had been recalled.
	Recalled
	// Forbidden: the actor may not do that to this message.
	Forbidden
	// Ended: the group had been deleted.
	Ended
	// NotGreater: the read mark does not move forward; answered as success.
	NotGreater
	// NotLishi: the record is somebody else's.
	NotLishi
	// Reopened: a log.opened after the first.
	Reopened

	verdicts // how many there are
)

var verdictNames = [verdicts]string{
	"valid", "repeat", "stale", "late", "not friend", "not member", "blocked", "muted", "recalled",
	"forbidden", "ended", "not greater", "not lishi's", "reopened",
}

// Void tells whether the record does not count.
func (v Verdict) Void() bool { return v != Valid }

func (v Verdict) String() string {
	if v < verdicts {
		return verdictNames[v]
	}
	return "unknown verdict"
}

// Reason is the protocol's word for a void record; empty where the answer is no
// refusal: Valid and NotGreater are successes, the first occurrence answers for
// a Repeat, what is Stale or Late is decided again, and nobody waits for the rest.
func (v Verdict) Reason() string {
	switch v {
	case NotFriend:
		return "not_friend"
	case NotMember:
		return "not_member"
	case Blocked:
		return "blocked"
	case Muted:
		return "muted"
	case Recalled:
		return "conflict"
	case Forbidden:
		return "forbidden"
	case Ended:
		return "not_found"
	}
	return ""
}
