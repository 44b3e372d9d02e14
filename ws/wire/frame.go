package wire

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// A Frame is a whole message, compiled to the bytes that go out. It never
// changes and may be sent to any number of connections.
type Frame struct{ b []byte }

// NewFrame compiles a text message. payload, valid UTF-8, is copied.
func NewFrame(payload []byte) *Frame { return compile(ws.OpText, payload) }

// NewBinaryFrame compiles a binary message. payload is copied.
func NewBinaryFrame(payload []byte) *Frame { return compile(ws.OpBinary, payload) }

func compile(op ws.OpCode, payload []byte) *Frame {
	b := make([]byte, 0, outHeaderSize(len(payload))+len(payload))
	return &Frame{append(appendHeader(b, op, len(payload)), payload...)}
}

// Len is the bytes that the frame takes on the wire.
func (f *Frame) Len() int { return len(f.b) }

// A HoleFrame is a text message that is the same for all its receivers but in
// one place, where each connection puts its own. It never changes.
type HoleFrame struct{ prefix, suffix []byte }

// NewHoleFrame makes a text message of prefix, what is given with each
// sending, and suffix. Both are copied.
func NewHoleFrame(prefix, suffix []byte) *HoleFrame {
	b := make([]byte, 0, len(prefix)+len(suffix))
	b = append(append(b, prefix...), suffix...)
	return &HoleFrame{prefix: b[:len(prefix):len(prefix)], suffix: b[len(prefix):]}
}

func (f *HoleFrame) size(fill string) int {
	n := len(f.prefix) + len(fill) + len(f.suffix)
	return outHeaderSize(n) + n
}

func (f *HoleFrame) appendTo(b []byte, fill string) []byte {
	b = appendHeader(b, ws.OpText, len(f.prefix)+len(fill)+len(f.suffix))
	b = append(b, f.prefix...)
	b = append(b, fill...)
	return append(b, f.suffix...)
}

func outHeaderSize(payload int) int {
	return ws.HeaderSize(ws.Header{Length: int64(payload)})
}

// appendHeader writes the header of an unfragmented, unmasked frame.
func appendHeader(b []byte, op ws.OpCode, payload int) []byte {
	b = append(b, 0x80|byte(op))
	switch {
	case payload < 126:
		return append(b, byte(payload))
	case payload <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(payload))
	}
	return binary.BigEndian.AppendUint64(append(b, 127), uint64(payload))
}

var pingFrame = compile(ws.OpPing, nil)

// closePayload is a close frame's payload; CloseNoStatus makes it empty.
func closePayload(code uint16, text string) []byte {
	if code == CloseNoStatus {
		return nil
	}
	return append(binary.BigEndian.AppendUint16(nil, code), cutText(text)...)
}
