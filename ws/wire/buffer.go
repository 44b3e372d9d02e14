package wire

import "sync"

// A buffer is pooled memory. Its owner hands it back with putBuffer and must
// not use it or a slice of it afterwards.
type buffer struct {
	b    []byte
	gone chan struct{} // of one that is not pooled, but awaited: closed when it was written or dropped
}

const (
	// readSize is how much one read may bring: some twenty small messages.
	readSize = 4 << 10
	// writeSize is the most that small frames are gathered to for one write.
	writeSize = 64 << 10
)

var bufferSizes = [...]int{256, 1 << 10, 4 << 10, 16 << 10, 64 << 10}

var buffers [len(bufferSizes)]sync.Pool

// getBuffer gives an empty buffer with room for at least size bytes.
// Larger than the largest class it is made and left to the collector.
func getBuffer(size int) *buffer {
	for i, n := range bufferSizes {
		if size > n {
			continue
		}
		if b, ok := buffers[i].Get().(*buffer); ok {
			return b
		}
		return &buffer{b: make([]byte, 0, n)}
	}
	return &buffer{b: make([]byte, 0, size)}
}

func putBuffer(b *buffer) {
	for i, n := range bufferSizes {
		if cap(b.b) == n {
			b.b = b.b[:0]
			buffers[i].Put(b)
			return
		}
	}
}

// grow gives a buffer with b's content and room for at least n bytes more,
// at least twice as large as b, so that a message of many pieces is copied
// only a few times. b may be nil; it is handed back where it was too small.
func grow(b *buffer, n int) *buffer {
	if b == nil {
		return getBuffer(n)
	}
	if len(b.b)+n <= cap(b.b) {
		return b
	}
	g := getBuffer(max(len(b.b)+n, 2*cap(b.b)))
	g.b = append(g.b, b.b...)
	putBuffer(b)
	return g
}
