package wire

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Close codes of RFC 6455 section 7.4.1 that this package sends or reports.
const (
	CloseNormal       uint16 = 1000
	CloseGoingAway    uint16 = 1001
	CloseProtocol     uint16 = 1002
	CloseUnsupported  uint16 = 1003 // a binary message to a handler of text
	CloseNoStatus     uint16 = 1005 // never sent: the peer's close frame was empty
	CloseAbnormal     uint16 = 1006 // never sent: the connection ended without a close frame
	CloseInvalidText  uint16 = 1007 // a text message that is not UTF-8
	ClosePolicy       uint16 = 1008 // silent for two pings, or a message that takes too long
	CloseTooBig       uint16 = 1009
	CloseInternal     uint16 = 1011 // the handler failed
	CloseSlowConsumer uint16 = 4008 // the outbound queue is full
)

// maxCloseText is what a close frame can hold beside its code (section 5.5).
const maxCloseText = 123

// A CloseError is why a connection is to be closed. A Handler returns one to
// choose the code and the text that the peer is told.
type CloseError struct {
	Code uint16
	Text string // at most 123 bytes of UTF-8; what is longer is cut
}

func (e *CloseError) Error() string { return fmt.Sprintf("close %d: %s", e.Code, e.Text) }

// A CloseReason is how a connection came to its end.
type CloseReason struct {
	Code uint16 // as sent, or as received where ByPeer
	Text string
	// ByPeer: the peer closed first, or its end of the connection is gone.
	ByPeer bool
	// Err is the error of the network, or of the handler, where that was it.
	Err error
}

func (r CloseReason) String() string {
	who := "closed"
	if r.ByPeer {
		who = "closed by peer"
	}
	s := fmt.Sprintf("%s with %d", who, r.Code)
	if r.Text != "" {
		s += " " + r.Text
	}
	if r.Err != nil {
		s += ": " + r.Err.Error()
	}
	return s
}

// What a peer can do wrong, made once: answering a violation costs nothing.
var (
	errReservedBits    = &CloseError{CloseProtocol, "reserved bits set without an extension"}
	errReservedOpcode  = &CloseError{CloseProtocol, "reserved opcode"}
	errNotMasked       = &CloseError{CloseProtocol, "frame from a client is not masked"}
	errLengthSign      = &CloseError{CloseProtocol, "payload length has its highest bit set"}
	errLengthNotMin    = &CloseError{CloseProtocol, "payload length is not in its shortest form"}
	errControlLong     = &CloseError{CloseProtocol, "control frame over 125 bytes"}
	errControlFragment = &CloseError{CloseProtocol, "control frame in fragments"}
	errNoMessage       = &CloseError{CloseProtocol, "continuation without a message to continue"}
	errInMessage       = &CloseError{CloseProtocol, "new message before the last one's end"}
	errCloseLength     = &CloseError{CloseProtocol, "close frame of one byte"}
	errCloseCode       = &CloseError{CloseProtocol, "invalid close code"}
	errCloseText       = &CloseError{CloseInvalidText, "close reason is not UTF-8"}
	errNotText         = &CloseError{CloseUnsupported, "binary messages are not taken"}
	errNotUTF8         = &CloseError{CloseInvalidText, "text message is not UTF-8"}
	errTooBig          = &CloseError{CloseTooBig, "message over the limit"}
	errSilent          = &CloseError{ClosePolicy, "no sign of life for two pings"}
	errTooSlow         = &CloseError{ClosePolicy, "message takes too long"}
	errOverflow        = &CloseError{CloseSlowConsumer, "too slow to read"}
	errGoingAway       = &CloseError{CloseGoingAway, "server going away"}
)

// validCloseCode reports whether an endpoint may send code: those that RFC
// 6455 section 7.4 and IANA's registry define for the wire, and the ranges for
// frameworks and applications.
func validCloseCode(code uint16) bool {
	switch {
	case code >= 3000 && code <= 4999:
		return true
	case code >= 1000 && code <= 1014:
		return code != 1004 && code != CloseNoStatus && code != CloseAbnormal
	}
	return false
}

// parseClose reads a close frame's payload (section 5.5.1).
func parseClose(payload []byte) (code uint16, text string, err *CloseError) {
	switch {
	case len(payload) == 0:
		return CloseNoStatus, "", nil
	case len(payload) == 1:
		return 0, "", errCloseLength
	}
	code = binary.BigEndian.Uint16(payload)
	if !validCloseCode(code) {
		return 0, "", errCloseCode
	}
	if !utf8.Valid(payload[2:]) {
		return 0, "", errCloseText
	}
	return code, string(payload[2:]), nil
}

// cutText shortens a close text to what fits, at a character's border.
func cutText(s string) string {
	if len(s) <= maxCloseText {
		return s
	}
	n := maxCloseText
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
