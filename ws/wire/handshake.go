package wire

import (
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// Limits of the opening handshake, which are limits of the HTTP server.
const (
	handshakeTimeout = 10 * time.Second
	headerLimit      = 16 << 10
	answerTimeout    = time.Minute
)

// NewServer makes an HTTP server with the limits that WebSocket connections
// need: a request's headers take at most 16 KiB (431) and 10 s, a request with
// its body 30 s, its answer, from the headers on, a minute, and an idle HTTP
// connection lives for two. None of these bind a connection once it is upgraded.
func NewServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler,
		// net/http reads up to 4096 bytes more than it is told.
		MaxHeaderBytes:    headerLimit - 4096,
		ReadHeaderTimeout: handshakeTimeout,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       2 * time.Minute,
	}
}

// A HandshakeError is a refused opening handshake, with the HTTP status that
// answered it.
type HandshakeError struct {
	Status int
	Text   string
	header [2]string
}

func (e *HandshakeError) Error() string { return "wire: handshake refused: " + e.Text }

func (e *HandshakeError) write(w http.ResponseWriter) {
	if e.header[0] != "" {
		w.Header().Set(e.header[0], e.header[1])
	}
	if e.Status == http.StatusUpgradeRequired {
		// RFC 9110 section 15.5.22: a 426 says what to upgrade to.
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
	}
	http.Error(w, e.Text, e.Status)
}

// checkHandshake checks a client's handshake (RFC 6455 section 4.2.1) and
// gives its key. net/http has checked that there is exactly one Host.
func checkHandshake(r *http.Request) (key string, refused *HandshakeError) {
	h := r.Header
	switch {
	case r.Method != http.MethodGet:
		return "", &HandshakeError{http.StatusMethodNotAllowed, "a handshake is a GET", [2]string{"Allow", "GET"}}
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		return "", &HandshakeError{Status: http.StatusHTTPVersionNotSupported, Text: "a handshake is HTTP/1.1"}
	case !hasToken(h["Upgrade"], "websocket"), !hasToken(h["Connection"], "upgrade"):
		return "", &HandshakeError{Status: http.StatusUpgradeRequired, Text: "this is a WebSocket"}
	}
	if v := h["Sec-Websocket-Version"]; len(v) != 1 || v[0] != "13" {
		return "", &HandshakeError{http.StatusUpgradeRequired, "WebSocket version 13 is spoken here", [2]string{"Sec-WebSocket-Version", "13"}}
	}
	if r.ContentLength != 0 {
		return "", &HandshakeError{Status: http.StatusBadRequest, Text: "a handshake has no body"}
	}
	k := h["Sec-Websocket-Key"]
	if len(k) != 1 || !validKey(k[0]) {
		return "", &HandshakeError{Status: http.StatusBadRequest, Text: "Sec-WebSocket-Key is not one base64 value of 16 bytes"}
	}
	return k[0], nil
}

func validKey(key string) bool {
	if len(key) != 24 {
		return false
	}
	var raw [18]byte
	n, err := base64.StdEncoding.Decode(raw[:], []byte(key))
	return err == nil && n == 16
}

// hasToken reports whether one of a header's comma-separated values is token.
func hasToken(values []string, token string) bool {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.Trim(part, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// appendAccept writes the server's handshake for a key (section 4.2.2).
func appendAccept(b []byte, key string) []byte {
	const magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	sum := sha1.Sum([]byte(key + magic))
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = base64.StdEncoding.AppendEncode(b, sum[:])
	return append(b, "\r\n\r\n"...)
}
