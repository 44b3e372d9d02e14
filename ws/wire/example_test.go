package wire_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"lishi/ws/wire"
)

// echo sends every message back.
type echo struct{ conn *wire.Conn }

func (e echo) Text(message []byte) (rest func() error, err error) {
	e.conn.SendText(message) // copies it, queues it, and never waits
	return nil, nil
}

func (e echo) Closing(wire.CloseReason) {}

func Example() {
	up := wire.NewUpgrader(wire.Options{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := up.Upgrade(w, r)
		if err != nil {
			return // the request has been answered
		}
		conn.Start(echo{conn})
	}))
	defer server.Close()
	defer up.Shutdown(context.Background())

	client, _, _, err := ws.Dial(context.Background(), "ws"+strings.TrimPrefix(server.URL, "http"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	wsutil.WriteClientText(client, []byte("你好"))
	back, err := wsutil.ReadServerText(client)
	fmt.Println(string(back), err)
	// Output: 你好 <nil>
}
