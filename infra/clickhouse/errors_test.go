package clickhouse

import (
	"errors"
	"testing"

	"lishi/infra/chdb"
	"lishi/projections"
)

// What the machine is short of passes, whatever ClickHouse was doing with it; a
// statement that is wrong does not.
func TestWhatTheMachineIsShortOfPasses(t *testing.T) {
	for text, passes := range map[string]bool{
		"Code: 573. DB::ErrnoException: Cannot open epoll descriptor: , errno: 24, strerror: Too many open files. (EPOLL_ERROR)":                                       true,
		"Code: 76. DB::ErrnoException: Cannot open file /data/store/a/data.bin: , errno: 23, strerror: Too many open files in system. (CANNOT_OPEN_FILE)":              true,
		"Code: 75. DB::ErrnoException: Cannot write to file /data/store/a/data.bin: , errno: 28, strerror: No space left on device. (CANNOT_WRITE_TO_FILE_DESCRIPTOR)": true,
		"Code: 76. DB::ErrnoException: Cannot open file /data/store/a/data.bin: , errno: 2, strerror: No such file or directory. (CANNOT_OPEN_FILE)":                   false,
		"Code: 76. DB::ErrnoException: Cannot open file /data/store/a/data.bin: , errno: 13, strerror: Permission denied. (CANNOT_OPEN_FILE)":                          false,
		"Code: 60. DB::Exception: Unknown table expression identifier 'errno_24' in scope SELECT 1. (UNKNOWN_TABLE)":                                                   false,
		"Code: 74. DB::ErrnoException: Cannot read from file /data/x: , errno: 99999999999999999999, strerror: ?. (CANNOT_READ_FROM_FILE_DESCRIPTOR)":                  false,
	} {
		err := classify(t.Context(), &chdb.Error{Code: 76, Message: text})
		if errors.Is(err, projections.ErrUnavailable) != passes {
			t.Errorf("%s: passes is not %t", text, passes)
		}
	}
}
