package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"lishi/commands"
	"lishi/events"
	"lishi/projections"
)

// The reason words of refusals: those of the chat protocol where it has one.
const (
	BadRequest    = commands.BadRequest
	Unauthorized  = commands.Unauthorized
	Forbidden     = commands.Forbidden
	NotFound      = commands.NotFound
	Conflict      = commands.Conflict
	TooLong       = commands.TooLong
	RateLimited   = commands.RateLimited
	Unavailable   = commands.Unavailable
	ReasonMissing = "reason_missing"
	NotAllowed    = "method_not_allowed"
	Timeout       = "timeout"
	Internal      = "internal"
)

// Reasons are all reason words, with the status and the meaning of each.
var Reasons = []struct {
	Word   string
	Status int
	Doc    string
}{
	{BadRequest, http.StatusBadRequest, "a parameter or the body can't be read; the message says which"},
	{ReasonMissing, http.StatusBadRequest, "an auditor must say why: header `Lishi-Reason`, percent-encoded UTF-8, at most 500 bytes"},
	{Unauthorized, http.StatusUnauthorized, "no token, or one that is refused"},
	{Forbidden, http.StatusForbidden, "the token's role may not do this; users without a role may do nothing here"},
	{NotFound, http.StatusNotFound, "there is no such url or thing"},
	{NotAllowed, http.StatusMethodNotAllowed, "the url is asked by another method; `Allow` says which"},
	{Conflict, http.StatusConflict, "it contradicts what is under way or has happened"},
	{TooLong, http.StatusRequestEntityTooLarge, "the body is too long"},
	{RateLimited, http.StatusTooManyRequests, "too many requests at once; `Retry-After` says when to try again"},
	{Unavailable, http.StatusServiceUnavailable, "the log or the read models can't answer now; nothing happened"},
	{Timeout, http.StatusGatewayTimeout, "it took too long and was given up"},
	{SQLRefused, http.StatusBadRequest, "ClickHouse refused the statement, or gave it up; the message is its own"},
	{Internal, http.StatusInternalServerError, "a fault of lishi's own; its log says more"},
}

// Error is a refusal: its reason word chooses the HTTP status.
type Error struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Reason + ": " + e.Message }

// Status is the HTTP status of the reason.
func (e *Error) Status() int {
	for _, r := range Reasons {
		if r.Word == e.Reason {
			return r.Status
		}
	}
	return http.StatusInternalServerError
}

// Refuse makes a refusal with a sentence for people.
func Refuse(reason, format string, args ...any) *Error {
	return &Error{reason, fmt.Sprintf(format, args...)}
}

// asError is what a caller is told of an error.
func asError(err error) *Error {
	var e *Error
	var refusal *commands.Refusal
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &refusal):
		return Refuse(refusal.Reason, "%s", refusal.Detail)
	case errors.As(err, &large):
		return Refuse(TooLong, "the body has more than %d bytes", large.Limit)
	case errors.Is(err, events.ErrUnavailable), errors.Is(err, projections.ErrUnavailable):
		return Refuse(Unavailable, "the log or the read models can't answer now; nothing happened")
	case errors.Is(err, context.DeadlineExceeded):
		return Refuse(Timeout, "it took too long and was given up")
	}
	return Refuse(Internal, "a fault of lishi's own; its log says more")
}

func writeError(w http.ResponseWriter, e *Error) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Del("Content-Disposition")
	switch e.Reason {
	case Unauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case RateLimited:
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(e.Status())
	json.NewEncoder(w).Encode(e)
}
