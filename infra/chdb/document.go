package chdb

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// pieces are the formats whose answers are the sum of their pieces.
var pieces = map[string]bool{}

func init() {
	for name := range strings.FieldsSeq(`Native RowBinary TabSeparated TSV TabSeparatedRaw TSVRaw Raw CSV JSONEachRow JSONLines NDJSON JSONStringsEachRow
		JSONCompactEachRow JSONCompactStringsEachRow TSKV Values LineAsString RawBLOB Null`) {
		pieces[name] = true
	}
}

// splitFormat divides a SELECT at its FORMAT clause, if it has one: the
// statement before it, the format, and the SETTINGS behind. The statement is in
// the parser's own words unless it can stay as it is.
func (c *conn) splitFormat(sql, format string) (body, effective, tail string) {
	if pieces[format] && !strings.Contains(strings.ToUpper(sql), "FORMAT") {
		return sql, format, ""
	}
	text, err := c.canonical(sql)
	if err != nil {
		return sql, format, "" // the engine says it better when it is asked to run it
	}
	tokens := scan(text)
	for i := len(tokens) - 2; i >= 0; i-- {
		if !tokens[i].is("FORMAT") || text[tokens[i].begin] != 'F' || tokens[i+1].kind != word {
			continue
		}
		if i+2 == len(tokens) || tokens[i+2].is("SETTINGS") {
			return text[:tokens[i].begin], tokens[i+1].text, text[tokens[i+1].end:]
		}
	}
	return text, format, ""
}

// document runs a SELECT whose answer is one whole in its format. The engine
// writes it into a pipe, as it would into a file, so that memory stays flat.
func (c *conn) document(tag, body, format, tail string, params []Param, each func([]byte) error, kill func()) error {
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	defer write.Close()
	fd := write.Fd()
	if err := syscall.SetNonblock(int(fd), false); err != nil { // where opening /dev/fd is a dup
		return err
	}
	sql := fmt.Sprintf("%s%s INTO OUTFILE '/dev/fd/%d' TRUNCATE COMPRESSION 'none' FORMAT %s%s", tag, body, fd, quoteIdentifier(format), tail)
	passed := make(chan error, 1)
	go func() {
		passed <- pass(read, func(b []byte) error {
			err := each(b)
			if err != nil {
				kill()
			}
			return err
		})
	}()
	err = c.execute(sql, "Null", params, func([]byte) error { return nil })
	counted := c.read
	// The engine may hold its end of the pipe until the connection's next
	// statement; this lets it go.
	if free := c.execute("SELECT 1", "Null", nil, func([]byte) error { return nil }); err == nil {
		err = free
	}
	c.read = counted
	write.Close()
	if broken := <-passed; broken != nil {
		c.spoiled = true
		return broken
	}
	return err
}

// pass hands on what comes through the pipe until its end. After an error of
// each it goes on reading, or the engine would wait for ever.
func pass(read io.Reader, each func([]byte) error) error {
	pooled := buffers.Get().(*[]byte)
	defer buffers.Put(pooled)
	var broken error
	for {
		n, err := read.Read(*pooled)
		if n > 0 && broken == nil {
			broken = each((*pooled)[:n])
		}
		if errors.Is(err, io.EOF) {
			return broken
		}
		if err != nil {
			return errors.Join(broken, err)
		}
	}
}
