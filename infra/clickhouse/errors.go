package clickhouse

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"syscall"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"lishi/infra/chdb"
	"lishi/projections"
)

const (
	unknownDatabase     = 81
	memoryLimitExceeded = 241
)

// passing are ClickHouse's error codes that say nothing about the statement:
// the server is short of something, busy, going down, or lost its way to
// another. The same statement can work later.
//
// Source: ClickHouse src/Common/ErrorCodes.cpp.
var passing = map[int32]string{
	3:    "UNEXPECTED_END_OF_FILE",
	32:   "ATTEMPT_TO_READ_AFTER_EOF",
	159:  "TIMEOUT_EXCEEDED",
	192:  "UNKNOWN_USER", // an operator can mend these while lishi runs
	193:  "WRONG_PASSWORD",
	194:  "REQUIRED_PASSWORD",
	198:  "DNS_ERROR",
	201:  "QUOTA_EXCEEDED",
	202:  "TOO_MANY_SIMULTANEOUS_QUERIES",
	203:  "NO_FREE_CONNECTION",
	209:  "SOCKET_TIMEOUT",
	210:  "NETWORK_ERROR",
	236:  "ABORTED",
	242:  "TABLE_IS_READ_ONLY",
	243:  "NOT_ENOUGH_SPACE",
	252:  "TOO_MANY_PARTS",
	254:  "NO_ACTIVE_REPLICAS",
	279:  "ALL_CONNECTION_TRIES_FAILED",
	285:  "TOO_FEW_LIVE_REPLICAS",
	286:  "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE",
	319:  "UNKNOWN_STATUS_OF_INSERT",
	373:  "SESSION_IS_LOCKED",
	394:  "QUERY_WAS_CANCELLED",
	425:  "SYSTEM_ERROR",
	439:  "CANNOT_SCHEDULE_TASK",
	473:  "DEADLOCK_AVOIDED",
	516:  "AUTHENTICATION_FAILED",
	999:  "KEEPER_EXCEPTION",
	1000: "POCO_EXCEPTION",
}

// Unavailable tells if an error means that ClickHouse could not be asked, and
// that the same call can succeed later. It is errors.Is with
// projections.ErrUnavailable.
func Unavailable(err error) bool { return errors.Is(err, projections.ErrUnavailable) }

// Code is ClickHouse's error code of an answered error, e.g. 60 for a table that
// is not there; 0 if there is none.
func Code(err error) int32 {
	var exception *ch.Exception
	if errors.As(err, &exception) {
		return exception.Code
	}
	if refused, ok := errors.AsType[*chdb.Error](err); ok {
		return int32(refused.Code)
	}
	return 0
}

// classify sorts a driver's error: unavailable, the caller's own cancelling, or
// an answer.
func classify(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("clickhouse: %w", context.Cause(ctx))
	case Code(err) == memoryLimitExceeded:
		return fmt.Errorf("%w: %w", projections.ErrMemory, err)
	case unavailable(err) || ctx.Err() != nil:
		return fmt.Errorf("%w: %w", projections.ErrUnavailable, err)
	}
	return fmt.Errorf("clickhouse: %w", err)
}

// errno is the system call's error in an exception of ClickHouse's, whose own code
// says only what it was doing.
var errno = regexp.MustCompile(`errno: (\d+), strerror: `)

// short tells whether the machine was short of something: descriptors, memory or room.
func short(err error) bool {
	m := errno.FindStringSubmatch(err.Error())
	if m == nil {
		return false
	}
	n, _ := strconv.Atoi(m[1])
	switch syscall.Errno(n) {
	case syscall.EAGAIN, syscall.EDQUOT, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ENOSPC:
		return true
	}
	return false
}

func unavailable(err error) bool {
	if code := Code(err); code != 0 {
		return passing[code] != "" || short(err)
	}
	if answered, ok := errors.AsType[*ch.HTTPError](err); ok {
		return answered.StatusCode >= 500 // a proxy's, or a server's that is going down
	}
	for _, gone := range []error{
		chdb.ErrClosed, ch.ErrConnectionClosed, ch.ErrAcquireConnTimeout, driver.ErrBadConn,
		context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed,
	} {
		if errors.Is(err, gone) {
			return true
		}
	}
	if _, ok := errors.AsType[*url.Error](err); ok { // what http.Client could not send or receive
		return true
	}
	_, ok := errors.AsType[net.Error](err)
	return ok
}
