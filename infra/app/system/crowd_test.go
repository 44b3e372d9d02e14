package system

import (
	"bufio"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// More connections than there are descriptors stop neither the log nor a read
// model: those too many are cut off, the others are served, and when the crowd has
// gone everybody is.
func TestACrowdTakesNoDescriptorsAway(t *testing.T) {
	dir := t.TempDir()
	few := func(cmd *exec.Cmd) {
		cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c", `ulimit -n 320; exec "$0" "$@"`, program}, cmd.Args[1:]...)
	}
	s := &server{t: t, dir: dir, addr: freeAddr(t), asDescribed: true, prepare: few}
	s.start()
	t.Cleanup(s.kill)
	s.befriend("a", "b") // over a connection that stays
	var crowd []net.Conn
	for range 400 {
		c, err := net.DialTimeout("tcp", s.addr, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		crowd = append(crowd, c)
	}
	wait(t, "the first one too many to be cut off", 30*time.Second, func() bool {
		last := crowd[len(crowd)-1]
		last.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		_, err := last.Read(make([]byte, 1))
		timeout, _ := err.(net.Error)
		return err != nil && (timeout == nil || !timeout.Timeout())
	})
	for range 20 {
		s.must("a", "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": "b", "messageContent": "m"})
	}
	wait(t, "the read models", 30*time.Second, func() bool {
		a := s.post("b", "/friend/loadMoreMessage", object{"userId": "a", "limit": 50})
		return a.ok() && len(a.list()) == 20
	})
	for _, c := range crowd {
		c.Close()
	}
	wait(t, "a place for others", 30*time.Second, func() bool {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			return false
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(5 * time.Second))
		c.Write([]byte("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"))
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		return err == nil && r.StatusCode == http.StatusOK
	})
	if m := s.text("/metrics"); !strings.Contains(m, `lishi_connections_refused_total{why="all"}`) {
		t.Error("the metrics don't tell of them")
	}
}

// One address has no more sockets than it may, and gets a place back for each that
// it gives up.
func TestSocketsOfOneAddress(t *testing.T) {
	s := serve(t, t.TempDir(), "--max-connections-per-address", "3")
	var open []net.Conn
	for range 3 {
		c, _ := rawSocket(t, s.addr)
		open = append(open, c)
	}
	handshake := func() int {
		req, _ := http.NewRequest(http.MethodGet, "http://"+s.addr+"/ws", nil)
		for name, v := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
		} {
			req.Header.Set(name, v)
		}
		r, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		return r.StatusCode
	}
	if got := handshake(); got != http.StatusTooManyRequests {
		t.Fatalf("the fourth: %d", got)
	}
	open[0].Close()
	wait(t, "the place to be free", 20*time.Second, func() bool { return handshake() == http.StatusSwitchingProtocols })
}
