package system

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// Floods of every kind: the server's memory stays, others are served meanwhile, and
// who doesn't read, or doesn't stop, is closed with its code.
func TestFloods(t *testing.T) {
	s := serve(t, t.TempDir(), "--rate", "50", "--burst", "200")
	s.befriend("a", "b")
	s.befriend("x", "y")
	tok := token(t, "a")
	request := func(url string, params object) []byte {
		return textFrame(jsonOf(t, object{"url": url, "params": params}))
	}
	deep := textFrame(`{"url":"/chat/ping","params":{"a":` + strings.Repeat("[", 32000) + strings.Repeat("]", 32000) + `}}`)
	wide := `{"url":"/chat/ping","params":{"token":"` + tok + `"`
	for i := range 6000 {
		wide += fmt.Sprintf(`,"k%d":1`, i)
	}
	for range 20 { // so that pages are long
		s.must("a", "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": "b", "messageContent": strings.Repeat("z", 16000)})
	}
	for _, c := range []struct {
		name  string
		frame []byte
		times int
		code  int // 0: nothing is read, and being held up or closed is fine
	}{
		{"garbage", textFrame("{garbage"), 20000, 0},
		{"nested", deep, 500, 0},
		{"wrong tokens", request("/friend/myFriendList", object{"token": tok + "x"}), 5000, 0},
		{"wrong logins", request("/chat/login", object{"token": tok + "x"}), 100, 4003},
		{"many params", textFrame(wide + "}}"), 1500, 0},
		{"pages", request("/friend/loadMoreMessage", object{"token": tok, "userId": "b", "limit": 200}), 2000, 0},
		{"commands", request("/chat/sendMessage", object{"token": tok, "uniqueNo": "same", "receiveUserId": "b", "messageContent": "m"}), 5000, 4009},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, done := s.memory(), make(chan struct{})
			var floods sync.WaitGroup
			for range 4 {
				floods.Go(func() {
					conn, br := rawSocket(t, s.addr)
					defer conn.Close()
					code := make(chan int, 1)
					conn.SetDeadline(time.Now().Add(2 * time.Second))
					if c.code != 0 {
						conn.SetDeadline(time.Now().Add(30 * time.Second))
						go func() { code <- closeCodeOf(br) }()
					}
					for range c.times {
						if _, err := conn.Write(c.frame); err != nil {
							break // closed
						}
					}
					if c.code != 0 {
						if got := <-code; got != c.code {
							t.Errorf("closed with %d, want %d", got, c.code)
						}
					}
				})
			}
			go func() { floods.Wait(); close(done) }()
			for over := false; !over; {
				begun := time.Now()
				s.must("x", "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": "y", "messageContent": "m"})
				if took := time.Since(begun); took > 5*time.Second {
					t.Errorf("others waited %v", took)
				}
				wait(t, "a query of others", 20*time.Second, func() bool { // a busy machine may take more than its two seconds
					a := s.post("x", "/friend/loadMoreMessage", object{"userId": "y", "limit": 1})
					return a.ok() && len(a.list()) == 1
				})
				select {
				case <-done:
					over = true
				case <-time.After(100 * time.Millisecond): // between two looks
				}
			}
			if grown := s.memory() - before; grown > 300 {
				t.Errorf("%d MB more than before", grown)
			}
		})
	}
}

// Who never reads is closed; nobody else notices, and nothing is lost to a resume.
func TestNeverReads(t *testing.T) {
	s := serve(t, t.TempDir(), "--send-queue", "163840")
	s.befriend("a", "b")
	b, login := s.login("b", nil)
	stuck, _ := rawSocket(t, s.addr)
	stuck.(*net.TCPConn).SetReadBuffer(4096)
	if _, err := stuck.Write(textFrame(jsonOf(t, object{"url": "/chat/login", "params": object{"token": token(t, "b")}}))); err != nil {
		t.Fatal(err)
	}
	const each = 16300
	var sent []string
	closed := func() bool { return strings.Contains(s.text("/metrics"), `code="4008"`) }
	for n := 0; n%50 != 0 || !closed(); n++ {
		if n == 3000 {
			t.Fatal("48 MB wait for one who does not read")
		}
		text := fmt.Sprintf("%06d", n) + strings.Repeat("z", each)
		s.must("a", "/chat/sendMessage", object{"uniqueNo": fmt.Sprint(n), "receiveUserId": "b", "messageContent": text})
		if p := b.expect(push("1")); p.Data["messageContent"] != text {
			t.Fatalf("push %d", n)
		}
		sent = append(sent, text)
	}
	k, _ := s.login("b", object{"cursor": login.Data["cursor"]})
	for n, text := range sent {
		if p := k.expect(push("1")); p.Data["messageContent"] != text {
			t.Fatalf("resumed with %.6s as number %d", p.Data["messageContent"], n)
		}
	}
	if p := k.next(); p.MsgType != "15" {
		t.Fatalf("after the backlog: %s", p.Raw)
	}
	if err := k.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
}

// textFrame is a masked text frame, its mask zero.
func textFrame(text string) []byte {
	head := []byte{0x81, 0x80 | byte(len(text))}
	if len(text) > 125 {
		head = binary.BigEndian.AppendUint16([]byte{0x81, 0x80 | 126}, uint16(len(text)))
	}
	return append(append(head, 0, 0, 0, 0), text...)
}

// memory is the server's resident memory in MB; 0 on systems without /proc.
func (s *server) memory() int {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kb := 0
	fmt.Sscan(rest, &kb)
	return kb >> 10
}

// text is what a path answers.
func (s *server) text(path string) string {
	s.t.Helper()
	r, err := httpClient.Get("http://" + s.addr + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(raw)
}
