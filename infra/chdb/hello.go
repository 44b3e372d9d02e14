package chdb

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// helloSQL is what clickhouse-go asks first over HTTP, to learn the revision of
// the blocks that follow.
const helloSQL = "SELECT displayName(), version(), revision(), timezone()"

// sayHello answers clickhouse-go's first question. That one answer is expected
// in the revision that the client offers; by naming revision 0 in it, all later
// blocks are agreed to be plain Native ones, which is what the library prints.
func (e *Engine) sayHello(w http.ResponseWriter, r *http.Request) bool {
	// The statement is short and alone in the body; anything else is not read here.
	revision, err := strconv.ParseUint(r.URL.Query().Get("client_protocol_version"), 10, 32)
	if err != nil || revision == 0 || r.ContentLength != int64(len(helloSQL)) || r.URL.Query().Get("query") != "" {
		return false
	}
	head := make([]byte, len(helloSQL))
	n, _ := io.ReadFull(r.Body, head)
	if string(head[:n]) != helloSQL {
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(head[:n]), r.Body), r.Body}
		return false
	}
	var facts strings.Builder
	err = e.Query(r.Context(), Session{}, "SELECT displayName(), version(), timezone()", "TabSeparated", nil, func(b []byte) error {
		facts.Write(b)
		return nil
	})
	fields := strings.Split(strings.TrimSuffix(facts.String(), "\n"), "\t")
	if err == nil && len(fields) != 3 {
		err = fmt.Errorf("the engine introduces itself with %q", facts.String())
	}
	if err != nil {
		refuse(w, err)
		return true
	}
	block := proto.NewBlock()
	for _, c := range []struct{ name, kind string }{
		{"displayName()", "String"}, {"version()", "String"}, {"revision()", "UInt32"}, {"timezone()", "String"},
	} {
		if err := block.AddColumn(c.name, column.Type(c.kind)); err != nil {
			refuse(w, err)
			return true
		}
	}
	buffer := new(chproto.Buffer)
	err = block.Append(fields[0], fields[1], uint32(0), fields[2])
	if err == nil {
		err = block.Encode(buffer, revision)
	}
	if err != nil {
		refuse(w, err)
		return true
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	out := compressed(w, r)
	out.Write(buffer.Buf)
	out.Close()
	return true
}
