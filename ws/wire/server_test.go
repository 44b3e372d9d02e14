package wire

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"testing"
	"time"
)

// An HTTP client that does not read its answer does not hold the server for ever;
// a connection that was upgraded outlives that time.
func TestAnswersAreNotWaitedForForEver(t *testing.T) {
	if NewServer(nil).WriteTimeout != time.Minute {
		t.Errorf("an answer may take %v", NewServer(nil).WriteTimeout)
	}
	u := newUpgrader(Options{})
	ended := make(chan error, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		if c, err := u.Upgrade(w, r); err == nil {
			c.Start(&echoText{c, make(chan CloseReason, 1)})
		}
	})
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) {
		_, err := w.Write(make([]byte, 64<<20)) // more than the network's buffers hold
		ended <- err
	})
	server := NewServer(mux)
	server.WriteTimeout = 100 * time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	dial := func() *client {
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		return &client{Conn: nc, r: bufio.NewReader(nc)}
	}
	begun := time.Now()
	far := dial()
	far.send(t, []byte(handshake))
	far.open(t)
	fmt.Fprintf(dial(), "GET /long HTTP/1.1\r\nHost: lishi.example\r\n\r\n")
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the answer ended with %v", err)
	}
	for time.Since(begun) < 3*server.WriteTimeout {
		far.send(t, join(text("alive")))
		far.expect(t, textBack("alive"))
	}
}
