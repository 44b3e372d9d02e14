package events

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"sync"
)

// canonicalVersion is the first byte of a canonical record.
const canonicalVersion = 1

// AppendRecord appends the canonical encoding of a record to dst: the bytes that
// are hashed, and that a record is kept as outside of Kafka. They are
//
//	byte    1, the version of this encoding
//	uint32  length of the key, then the key
//	uint32  number of headers, then for each, in the record's order:
//	        uint32  length of the name, then the name
//	        uint32  length of the value, then the value
//	uint32  length of the value, then the value
//
// with all integers big-endian. A nil slice is written as an empty one. Nothing
// that a broker may change is in it (timestamp, epoch, compression). No two
// records have the same encoding, and none is a prefix of another's.
func AppendRecord(dst []byte, r Record) []byte {
	dst = append(dst, canonicalVersion)
	dst = appendBytes(dst, r.Key)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(r.Headers)))
	for i := range r.Headers {
		dst = appendBytes(dst, r.Headers[i].Key)
		dst = appendBytes(dst, r.Headers[i].Value)
	}
	return appendBytes(dst, r.Value)
}

func appendBytes[T string | []byte](dst []byte, b T) []byte {
	if uint64(len(b)) > math.MaxUint32 {
		panic("events: a record's part is over 4 GiB")
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(b)))
	return append(dst, b...)
}

// Hash is a SHA-256.
type Hash [sha256.Size]byte

// LeafHash is what a record is in its partition's Merkle tree: the SHA-256 of a
// zero byte and the canonical encoding (RFC 6962, section 2.1).
func LeafHash(r Record) Hash {
	b := leafBuffers.Get().(*[]byte)
	defer leafBuffers.Put(b)
	*b = AppendRecord(append((*b)[:0], 0), r)
	return sha256.Sum256(*b)
}

// Every record of the log is hashed once by every reader, so the encoding's
// buffer is used again.
var leafBuffers = sync.Pool{New: func() any { return new([]byte) }}

// ParseRecord reads exactly what AppendRecord wrote. The record's slices are
// parts of b; empty ones are nil.
func ParseRecord(b []byte) (Record, error) {
	p := recordParser{rest: b}
	if len(b) == 0 || b[0] != canonicalVersion {
		return Record{}, fmt.Errorf("events: not a canonical record of version %d", canonicalVersion)
	}
	p.rest = b[1:]
	r := Record{Key: p.bytes()}
	n := p.length()
	if uint64(n)*8 > uint64(len(p.rest)) { // a header takes 8 bytes at least
		p.short = true
	} else if n > 0 {
		r.Headers = make([]Header, n)
		for i := range r.Headers {
			r.Headers[i] = Header{Key: string(p.bytes()), Value: p.bytes()}
		}
	}
	r.Value = p.bytes()
	if p.short || len(p.rest) > 0 {
		return Record{}, fmt.Errorf("events: canonical record of %d bytes has another length than it says", len(b))
	}
	return r, nil
}

type recordParser struct {
	rest  []byte
	short bool
}

func (p *recordParser) length() uint32 {
	if p.short || len(p.rest) < 4 {
		p.short = true
		return 0
	}
	n := binary.BigEndian.Uint32(p.rest)
	p.rest = p.rest[4:]
	return n
}

func (p *recordParser) bytes() []byte {
	n := uint64(p.length())
	if p.short || n > uint64(len(p.rest)) {
		p.short = true
		return nil
	}
	b := p.rest[:n:n]
	p.rest = p.rest[n:]
	if n == 0 {
		return nil
	}
	return b
}
