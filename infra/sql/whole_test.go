package sql

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// An exception in the middle of an answer is the reader's error, however the
// answer is cut into pieces, and data that looks like one is data.
func TestExceptionsInAnswers(t *testing.T) {
	const tag = "abcdefghijklmnop"
	const exception = "\r\n__exception__\r\n" + tag + "\r\nCode: 395. DB::Exception: it broke. (FUNCTION_THROW_IF_VALUE_IS_NON_ZERO)\n77 " + tag + "\r\n__exception__\r\n"
	long := strings.Repeat("row\n", 30_000)
	for name, c := range map[string]struct {
		answer, rows string
		code         int
	}{
		"whole":              {long, long, 0},
		"empty":              {"", "", 0},
		"broken":             {long + exception, long, 395},
		"broken at once":     {exception, "", 395},
		"another's tag":      {"\r\n__exception__\r\nponmlkjihgfedcba\r\nCode: 1.", "\r\n__exception__\r\nponmlkjihgfedcba\r\nCode: 1.", 0},
		"the mark's half":    {long + "\r\n__exception__\r\nabc", long + "\r\n__exception__\r\nabc", 0},
		"shorter than marks": {"x", "x", 0},
	} {
		for kind, reader := range map[string]io.Reader{"at once": strings.NewReader(c.answer), "byte by byte": iotest.OneByteReader(strings.NewReader(c.answer)), "with its end": iotest.DataErrReader(strings.NewReader(c.answer))} {
			body, err := Answered(&http.Response{StatusCode: 200, Header: http.Header{"X-Clickhouse-Exception-Tag": {tag}}, Body: io.NopCloser(reader)})
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(body)
			var its *Error
			code := 0
			if errors.As(err, &its) {
				code = its.Code
			}
			if string(got) != c.rows || code != c.code || (err != nil) != (c.code != 0) {
				t.Errorf("%s, %s: %d bytes of %d, %v", name, kind, len(got), len(c.rows), err)
			}
		}
	}
}
