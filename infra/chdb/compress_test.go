package chdb_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

func TestCompressedAnswers(t *testing.T) {
	const sql = "SELECT number FROM numbers(300000)"
	var want strings.Builder
	for i := range 300000 {
		want.WriteString(strconv.Itoa(i) + "\n")
	}
	for _, c := range []struct {
		name     string
		values   url.Values
		accept   string
		encoding string
		reader   func(io.Reader) (io.Reader, error)
	}{
		{"not asked for", nil, "gzip", "", func(r io.Reader) (io.Reader, error) { return r, nil }},
		{"gzip", url.Values{"enable_http_compression": {"1"}}, "deflate, gzip;q=0.5", "gzip", func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
		{"zstd before gzip", url.Values{"enable_http_compression": {"1"}}, "gzip, zstd", "zstd", func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) }},
		{"lz4", url.Values{"enable_http_compression": {"true"}}, "lz4", "lz4", func(r io.Reader) (io.Reader, error) { return lz4.NewReader(r), nil }},
		{"what is not served", url.Values{"enable_http_compression": {"1"}}, "br, gzip;q=0", "", func(r io.Reader) (io.Reader, error) { return r, nil }},
		{"blocks", url.Values{"compress": {"1"}}, "", "", func(r io.Reader) (io.Reader, error) { return compress.NewReader(r), nil }},
	} {
		response, body := overHTTP(t, "POST", c.values, sql, "Accept-Encoding", c.accept)
		r, err := c.reader(strings.NewReader(body))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got, err := io.ReadAll(r)
		if c.name == "blocks" && errors.Is(err, io.EOF) { // the library's reader says so at the end
			err = nil
		}
		if string(got) != want.String() || err != nil || response.Header.Get("Content-Encoding") != c.encoding {
			t.Errorf("%s: %d bytes, %v, encoding %q", c.name, len(got), err, response.Header.Get("Content-Encoding"))
		}
	}
}

func TestCompressedStatements(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write([]byte("SELECT 1"))
	z.Close()
	blocks := compress.NewWriter(compress.LevelZero, compress.LZ4)
	if err := blocks.Compress([]byte("SELECT 1")); err != nil {
		t.Fatal(err)
	}
	if _, got := overHTTP(t, "POST", nil, zipped.String(), "Content-Encoding", "gzip"); got != "1\n" {
		t.Errorf("gzip: %q", got)
	}
	if response, got := overHTTP(t, "POST", url.Values{"decompress": {"1"}, "query_id": {"mine"}}, string(blocks.Data)); got != "1\n" || response.Header.Get("X-ClickHouse-Query-Id") != "mine" {
		t.Errorf("blocks: %q %v", got, response.Header)
	}
}
