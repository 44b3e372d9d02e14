package chdb

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// ErrClosed means that the engine has been closed.
var ErrClosed = errors.New("the ClickHouse engine is closed")

// Error is the engine's answer to a statement that it refused or gave up on.
// Codes are those of ClickHouse's system.errors, e.g. 60 for UNKNOWN_TABLE.
type Error struct {
	Code    int    // 0 if the engine named none
	Name    string // "UNKNOWN_TABLE", "" if the engine named none
	Message string // the engine's text, whole
}

func (e *Error) Error() string { return e.Message }

var (
	codePattern = regexp.MustCompile(`^Code: (\d+)\. `)
	namePattern = regexp.MustCompile(`\(([A-Z][A-Z0-9_]+)\)`)
)

// parseError reads the engine's own text: "Code: 60. DB::Exception: Unknown
// table … (UNKNOWN_TABLE)".
func parseError(text string) *Error {
	e := &Error{Message: strings.TrimSpace(text)}
	if m := codePattern.FindStringSubmatch(e.Message); m != nil {
		e.Code, _ = strconv.Atoi(m[1])
	}
	if m := namePattern.FindAllStringSubmatch(e.Message, -1); m != nil {
		e.Name = m[len(m)-1][1]
	}
	return e
}
