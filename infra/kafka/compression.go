package kafka

import (
	"bytes"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go/compress"
)

// maxUncompressed bounds what a batch may grow to; lishi writes none compressed.
const maxUncompressed = 64 << 20

// decompress undoes what another producer, or a topic's compression.type, did to
// the records of a batch.
func decompress(records []byte, attributes uint16) ([]byte, error) {
	kind := compress.Compression(attributes & attrCompression)
	if kind == compress.None {
		return records, nil
	}
	codec := kind.Codec()
	if codec == nil {
		return nil, fmt.Errorf("compression %d is unknown", kind)
	}
	r := codec.NewReader(bytes.NewReader(records))
	defer r.Close()
	out, err := io.ReadAll(io.LimitReader(r, maxUncompressed+1))
	if err == nil && len(out) > maxUncompressed {
		err = fmt.Errorf("more than %d bytes", maxUncompressed)
	}
	if err != nil {
		return nil, fmt.Errorf("decompressing: %w", err)
	}
	return out, nil
}
