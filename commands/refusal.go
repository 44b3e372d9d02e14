package commands

import "lishi/events/ledger"

// The reason words of the protocol: every failure carries exactly one of them.
const (
	BadRequest   = "bad_request"
	TooLong      = "too_long"
	Unauthorized = "unauthorized"
	Forbidden    = "forbidden"
	NotFriend    = "not_friend"
	NotMember    = "not_member"
	Blocked      = "blocked"
	Muted        = "muted"
	UnknownURL   = "unknown_url"
	NotFound     = "not_found"
	Conflict     = "conflict"
	RateLimited  = "rate_limited"
	Unavailable  = "unavailable" // nothing happened
	Unknown      = "unknown"     // it may or may not have happened
)

// Refusal is why a request failed: a reason word for programs and a sentence for
// people. errors.Is compares reasons, so errors.Is(err, ErrNotFound) holds for
// every refusal with that word.
type Refusal struct{ Reason, Detail string }

func (r *Refusal) Error() string { return r.Reason + ": " + r.Detail }

// Is tells whether target is a refusal for the same reason.
func (r *Refusal) Is(target error) bool {
	t, ok := target.(*Refusal)
	return ok && t.Reason == r.Reason
}

// With is the same refusal with another detail.
func (r *Refusal) With(detail string) *Refusal { return &Refusal{r.Reason, detail} }

// The refusals of the deciders and of the handler.
var (
	ErrBadRequest  = &Refusal{BadRequest, "the request makes no sense"}
	ErrForbidden   = &Refusal{Forbidden, "your role does not allow this"}
	ErrNotFriend   = &Refusal{NotFriend, "you are not friends"}
	ErrNotMember   = &Refusal{NotMember, "you are not a member of this group"}
	ErrBlocked     = &Refusal{Blocked, "one of you has blocked the other"}
	ErrMuted       = &Refusal{Muted, "you are muted in this group"}
	ErrNotFound    = &Refusal{NotFound, "there is no such thing"}
	ErrConflict    = &Refusal{Conflict, "this has been done already"}
	ErrUnavailable = &Refusal{Unavailable, "the log can't be reached; nothing happened"}
	ErrUnknown     = &Refusal{Unknown, "the log's answer did not come in time; repeat with the same uniqueNo"}
)

var (
	errUnknownUser        = ErrNotFound.With("no such user")
	errUnknownGroup       = ErrNotFound.With("no such group")
	errUnknownApplication = ErrNotFound.With("no such application")
	errUnknownFolder      = ErrNotFound.With("you have no such folder of friends")
	errUnknownReply       = ErrNotFound.With("replyTo names no message of this conversation that you can see")
	errUnknownMessage     = ErrNotFound.With("no such message in this conversation")

	errReused = ErrConflict.With("this uniqueNo was used for another request")
	// Without the message the command's id is not known, so the ledger can't be
	// asked whether it came before.
	errUnreadable  = ErrUnknown.With("the message can't be read now, nor whether this came before; repeat with the same uniqueNo")
	errOverload    = ErrUnavailable.With("too many commands are under way; nothing happened")
	errClosing     = ErrUnavailable.With("the server is going away; nothing happened")
	errCompetition = ErrUnavailable.With("too many commands compete for this conversation; nothing happened")
)

// refusalOf is what the writer of a void record is told.
func refusalOf(v ledger.Verdict) *Refusal {
	if v == ledger.Recalled {
		return ErrConflict.With("this message has been recalled")
	}
	switch v.Reason() {
	case NotFriend:
		return ErrNotFriend
	case NotMember:
		return ErrNotMember
	case Blocked:
		return ErrBlocked
	case Muted:
		return ErrMuted
	case Forbidden:
		return ErrForbidden
	case NotFound:
		return ErrNotFound
	}
	return ErrConflict.With("the log judged this void: " + v.String())
}

// rests tells whether a refusal was decided on state, which another node may
// have moved meanwhile, and not on the request alone.
func (r *Refusal) rests() bool { return r.Reason != BadRequest && r.Reason != TooLong }
