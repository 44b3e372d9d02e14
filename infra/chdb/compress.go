package chdb

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Clients ask for less traffic in two ways, and so does ClickHouse: compress=1
// in the URL means its own blocks (LZ4 with a CityHash), enable_http_compression=1
// with Accept-Encoding the usual encodings.
//
// Source: https://clickhouse.com/docs/interfaces/http#compression.

// compressed is the way an answer goes out; close it at the end.
func compressed(w http.ResponseWriter, r *http.Request) io.WriteCloser {
	q := r.URL.Query()
	if on(q.Get("compress")) {
		return &blocks{to: w, writer: compress.NewWriter(compress.LevelZero, compress.LZ4)}
	}
	if on(q.Get("enable_http_compression")) {
		for _, encoding := range []string{"zstd", "lz4", "gzip"} {
			if !accepts(r.Header.Get("Accept-Encoding"), encoding) {
				continue
			}
			w.Header().Set("Content-Encoding", encoding)
			w.Header().Add("Vary", "Accept-Encoding")
			switch encoding {
			case "zstd":
				z, _ := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20)) // fails on bad options only
				return z
			case "lz4":
				return lz4.NewWriter(w)
			}
			z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // fails on a bad level only
			return z
		}
	}
	return plain{w}
}

// Decompressed is what a request's body says, however it is packed.
func Decompressed(r *http.Request) (io.Reader, error) {
	if on(r.URL.Query().Get("decompress")) {
		return &unpacked{from: compress.NewReader(r.Body)}, nil
	}
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
		return r.Body, nil
	case "gzip":
		return gzip.NewReader(r.Body)
	case "zstd":
		return zstd.NewReader(r.Body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	case "lz4":
		return lz4.NewReader(r.Body), nil
	default:
		return nil, fmt.Errorf("Content-Encoding %s is not served here: gzip, zstd and lz4 are", encoding)
	}
}

func on(v string) bool { return v != "" && v != "0" && v != "false" }

func accepts(header, encoding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(part, ";")
		if strings.TrimSpace(name) == encoding && strings.ReplaceAll(params, " ", "") != "q=0" {
			return true
		}
	}
	return false
}

type plain struct{ io.Writer }

func (plain) Close() error { return nil }

// unpacked ends as readers do: the library wraps io.EOF, and begins its last
// block again when it is asked once more.
type unpacked struct {
	from io.Reader
	end  error
}

func (u *unpacked) Read(p []byte) (int, error) {
	if u.end != nil {
		return 0, u.end
	}
	n, err := u.from.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.EOF
	}
	u.end = err
	return n, err
}

// blocks writes ClickHouse's compressed blocks.
type blocks struct {
	to     io.Writer
	writer *compress.Writer
}

func (b *blocks) Write(p []byte) (int, error) {
	const most = 1 << 20 // of one block, which a reader unpacks as a whole
	for n := 0; n < len(p); {
		part := p[n:min(n+most, len(p))]
		if err := b.writer.Compress(part); err != nil {
			return n, err
		}
		if _, err := b.to.Write(b.writer.Data); err != nil {
			return n, err
		}
		n += len(part)
	}
	return len(p), nil
}

func (b *blocks) Close() error { return nil }
