package ws

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// What is not a text message of the protocol closes its connection with the code
// of PROTOCOL, and nobody else notices.
func TestFramesThatCloseTheConnection(t *testing.T) {
	w := newWorld(t, settings{})
	w.befriend("alice", "bob")
	alice, bob := w.as("alice"), w.as("bob")
	write := func(c *client, kind websocket.MessageType, b []byte) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		c.conn.Write(ctx, kind, b) // the server may close before all is written
	}
	for _, bad := range []struct {
		code websocket.StatusCode
		kind websocket.MessageType
		text string
	}{
		{1003, websocket.MessageBinary, `{"url":"/chat/ping"}`},
		{1007, websocket.MessageText, "{\"url\":\"/chat/ping\xff\"}"},
		{1009, websocket.MessageText, `{"url":"/chat/ping","params":{"uniqueNo":"` + strings.Repeat("x", 64<<10) + `"}}`},
	} {
		c := w.as("carol")
		write(c, bad.kind, []byte(bad.text))
		if code := c.closeCode(); code != bad.code {
			t.Errorf("closed with %d, not %d", code, bad.code)
		}
	}
	// A header that promises 2^62 bytes, by hand.
	conn, err := net.Dial("tcp", w.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	conn.Write([]byte("GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" +
		"\x81\xff\x40\x00\x00\x00\x00\x00\x00\x00abcd"))
	var got []byte
	for buf := make([]byte, 4096); ; {
		n, err := conn.Read(buf)
		if got = append(got, buf[:n]...); err != nil {
			break
		}
	}
	if !strings.Contains(string(got), "\x03\xf1") { // 1009
		t.Errorf("%q", got)
	}
	alice.do("/chat/sendMessage", "token", "alice", "uniqueNo", "1", "receiveUserId", "bob", "messageContent", "still here")
	bob.next()
	w.silent(alice, bob)
}

// A message just within the limit passes whole, whatever it is made of.
func TestTheLargestMessage(t *testing.T) {
	w := newWorld(t, settings{})
	w.befriend("alice", "bob")
	alice, bob := w.as("alice"), w.as("bob")
	for i, content := range []string{strings.Repeat("\x01", 9000), strings.Repeat("😀", 4096), strings.Repeat("\\\"", 8192), " \t\r\n leading and trailing \n"} {
		alice.do("/chat/sendMessage", "token", "alice", "uniqueNo", string(rune('a'+i)), "receiveUserId", "bob", "messageContent", content)
		if d := bob.next()["data"].(map[string]any); d["messageContent"] != content {
			t.Errorf("%d: came back as %.40q", i, d["messageContent"])
		}
	}
}
