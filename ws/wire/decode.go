package wire

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// An event is what a piece of input completed.
type event uint8

const (
	evNothing event = iota // a part of a frame or of a message
	evText
	evBinary
	evPing
	evPong
	evClose
)

// A decoder turns the bytes that a client sends into events, however the
// network cuts them. It is fed by whoever has bytes and never reads itself, so
// it is the same for a goroutine and an event loop. Its zero value, with the
// limit set, is at the start of a connection.
type decoder struct {
	limit      int  // bytes of a message over all its fragments
	binary     bool // binary messages are taken
	inFrame    bool // frame is valid, its payload not complete
	inMessage  bool // fragments were read, the last one not
	have       uint8
	head       [ws.MaxHeaderSize]byte // have bytes of a header that came in pieces
	op         ws.OpCode              // of the message under way
	frame      ws.Header
	got        int64   // payload bytes of frame so far
	message    *buffer // the message so far, where it came in pieces
	checked    int     // bytes of it known to be UTF-8
	control    *buffer // a control frame's payload, where it came in pieces
	longLength bool    // frame's length was not in its shortest form
}

// idle reports whether nothing is half read.
func (d *decoder) idle() bool { return !d.inFrame && !d.inMessage && d.have == 0 }

// next takes bytes from p up to the first event and gives its payload and the
// rest of p. p is changed: payloads are unmasked where they lie, and an
// event's payload may be a part of p. It is valid until release.
func (d *decoder) next(p []byte) (ev event, payload, rest []byte, err *CloseError) {
	if !d.inFrame {
		var whole bool
		if p, whole = d.header(p); !whole {
			return evNothing, nil, nil, nil
		}
		if err := d.check(); err != nil {
			return evNothing, nil, nil, err
		}
		d.inFrame, d.got = true, 0
	}
	n := int(min(d.frame.Length-d.got, int64(len(p))))
	if n == 0 && d.frame.Length > 0 {
		return evNothing, nil, nil, nil
	}
	part, rest := p[:n:n], p[n:]
	ws.Cipher(part, d.frame.Mask, int(d.got&3))
	first := d.got == 0
	d.got += int64(n)
	complete := d.got == d.frame.Length
	d.inFrame = !complete
	if d.frame.OpCode.IsControl() {
		ev, payload = d.controlPart(part, first, complete)
		return ev, payload, rest, nil
	}
	ev, payload, err = d.dataPart(part, first, complete)
	return ev, payload, rest, err
}

// release hands back the memory of the last event's payload.
func (d *decoder) release() {
	if d.control != nil && !d.inControl() {
		putBuffer(d.control)
		d.control = nil
	}
	if d.message != nil && !d.inMessage && !d.inData() {
		putBuffer(d.message)
		d.message, d.checked = nil, 0
	}
}

// drop hands back all memory. The decoder is of no use afterwards.
func (d *decoder) drop() {
	d.inFrame, d.inMessage = false, false
	d.release()
}

func (d *decoder) inControl() bool { return d.inFrame && d.frame.OpCode.IsControl() }
func (d *decoder) inData() bool    { return d.inFrame && d.frame.OpCode.IsData() }

// header reads a frame's header (section 5.2) into d.frame, where p completes it.
func (d *decoder) header(p []byte) (rest []byte, whole bool) {
	if d.have == 0 && len(p) >= 2 {
		if n := headerSize(p[1]); len(p) >= n {
			d.parse(p[:n])
			return p[n:], true
		}
	}
	for {
		need := 2
		if d.have >= 2 {
			if need = headerSize(d.head[1]); int(d.have) == need {
				d.have = 0
				d.parse(d.head[:need])
				return p, true
			}
		}
		n := copy(d.head[d.have:need], p)
		if n == 0 {
			return nil, false
		}
		d.have += uint8(n)
		p = p[n:]
	}
}

func headerSize(second byte) int {
	n := 2
	switch second & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if second&0x80 != 0 {
		n += 4
	}
	return n
}

func (d *decoder) parse(b []byte) {
	d.frame = ws.Header{
		Fin:    b[0]&0x80 != 0,
		Rsv:    b[0] & 0x70 >> 4,
		OpCode: ws.OpCode(b[0] & 0x0f),
		Masked: b[1]&0x80 != 0,
	}
	d.longLength = false
	switch n := b[1] & 0x7f; n {
	case 126:
		d.frame.Length = int64(binary.BigEndian.Uint16(b[2:]))
		d.longLength = d.frame.Length < 126
	case 127:
		d.frame.Length = int64(binary.BigEndian.Uint64(b[2:]))
		d.longLength = d.frame.Length >= 0 && d.frame.Length <= 0xffff
	default:
		d.frame.Length = int64(n)
	}
	if d.frame.Masked {
		copy(d.frame.Mask[:], b[len(b)-4:])
	}
}

// check judges the header just read by what it says and where it stands.
func (d *decoder) check() *CloseError {
	h := &d.frame
	switch {
	case h.Rsv != 0:
		return errReservedBits
	case h.OpCode.IsReserved():
		return errReservedOpcode
	case !h.Masked:
		return errNotMasked
	case h.Length < 0:
		return errLengthSign
	case h.OpCode.IsControl() && !h.Fin:
		return errControlFragment
	case h.OpCode.IsControl() && h.Length > ws.MaxControlFramePayloadSize:
		return errControlLong
	case d.longLength:
		return errLengthNotMin
	case h.OpCode.IsControl():
		return nil
	case h.OpCode == ws.OpContinuation && !d.inMessage:
		return errNoMessage
	case h.OpCode != ws.OpContinuation && d.inMessage:
		return errInMessage
	case h.OpCode == ws.OpBinary && !d.binary:
		return errNotText
	}
	gathered := 0
	if d.message != nil {
		gathered = len(d.message.b)
	}
	if h.Length > int64(d.limit-gathered) {
		return errTooBig
	}
	if h.OpCode != ws.OpContinuation {
		d.op = h.OpCode
	}
	return nil
}

func (d *decoder) controlPart(part []byte, first, complete bool) (event, []byte) {
	if !first || !complete {
		d.control = grow(d.control, len(part))
		d.control.b = append(d.control.b, part...)
		part = d.control.b
	}
	if !complete {
		return evNothing, nil
	}
	switch d.frame.OpCode {
	case ws.OpPing:
		return evPing, part
	case ws.OpPong:
		return evPong, part
	}
	return evClose, part
}

func (d *decoder) dataPart(part []byte, first, complete bool) (event, []byte, *CloseError) {
	last := complete && d.frame.Fin
	if first && last && !d.inMessage {
		// The common case: a whole message in one frame in one read.
		if d.op == ws.OpBinary {
			return evBinary, part, nil
		}
		if !utf8.Valid(part) {
			return evNothing, nil, errNotUTF8
		}
		return evText, part, nil
	}
	d.inMessage = !last && (complete || d.inMessage)
	if len(part) > 0 || d.message == nil {
		d.message = grow(d.message, len(part))
		d.message.b = append(d.message.b, part...)
	}
	if d.op == ws.OpText {
		n, ok := validPrefix(d.message.b[d.checked:])
		if d.checked += n; !ok || last && d.checked != len(d.message.b) {
			return evNothing, nil, errNotUTF8
		}
	}
	switch {
	case !last:
		return evNothing, nil, nil
	case d.op == ws.OpBinary:
		return evBinary, d.message.b, nil
	}
	return evText, d.message.b, nil
}

// validPrefix reports whether b is the start of valid UTF-8, and how many of
// its bytes are whole characters. The up to three bytes left may become one.
func validPrefix(b []byte) (n int, ok bool) {
	n = len(b)
	for i := n - 1; i >= 0 && i >= n-3; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				n = i
			}
			break
		}
	}
	return n, utf8.Valid(b[:n])
}
