package bench

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"lishi/events"
)

// forgetful is a chat server in memory that speaks lishi's protocol as far as
// Soak does, and does one thing wrong.
type forgetful struct {
	lost    bool // each backlog lacks its first message
	twice   bool // a backlog begins one too early
	changed bool // a repeat of what was taken is taken anew
	denied  bool // what is sent is refused for good

	mu     sync.Mutex
	online map[string]net.Conn
	log    []kept
	taken  map[string]bool // by sender and uniqueNo
	tries  int
}

type kept struct {
	to, frame string
}

func (f *forgetful) start(t *testing.T) Lishi {
	f.log = []kept{{}} // a position before the first message
	f.online, f.taken = map[string]net.Conn{}, map[string]bool{}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, _, _, err := ws.UpgradeHTTP(r, w); err == nil {
			go f.serve(conn)
		}
	}))
	t.Cleanup(h.Close)
	return Lishi{Addr: strings.TrimPrefix(h.URL, "http://"), Token: func(user string) (string, error) { return user, nil }}
}

func (f *forgetful) serve(conn net.Conn) {
	defer conn.Close()
	for {
		b, err := wsutil.ReadClientText(conn)
		if err != nil {
			return
		}
		var r struct {
			URL    string
			Params struct{ Token, UniqueNo, ReceiveUserID, MessageContent, Cursor string }
		}
		if json.Unmarshal(b, &r) != nil {
			return
		}
		f.mu.Lock()
		p := r.Params
		say := func(format string, args ...any) { wsutil.WriteServerText(conn, fmt.Appendf(nil, format, args...)) }
		switch r.URL {
		case "/chat/login":
			f.online[p.Token] = conn
			from := len(f.log)
			if cursor, err := events.ParseCursor(p.Cursor); err == nil && p.Cursor != "" {
				from = int(cursor[events.Partition{Topic: events.Conversations}]) + 1
			}
			say(`{"msgType":"8","data":{"code":"200","cursor":"c0-%d"}}`, from-1)
			if f.twice {
				from = max(0, from-1)
			}
			lost := f.lost
			for _, e := range f.log[from:] {
				if e.to != p.Token {
					continue
				}
				if !lost {
					say("%s", e.frame)
				}
				lost = false
			}
		case "/chat/sendMessage":
			if f.denied {
				say(`{"code":400,"obj":{"uniqueNo":"%s","reason":"forbidden","detail":"no"}}`, p.UniqueNo)
				break
			}
			if key := p.Token + p.UniqueNo; f.changed || !f.taken[key] {
				f.taken[key] = true
				frame := fmt.Sprintf(`{"msgType":"1","data":{"position":"c0-%d","messageContent":"%s"}}`, len(f.log), p.MessageContent)
				f.log = append(f.log, kept{p.ReceiveUserID, frame})
				wsutil.WriteServerText(f.online[p.ReceiveUserID], []byte(frame))
			}
			if f.tries++; f.tries%7 == 0 { // taken, and never answered
				conn.Close()
				break
			}
			say(`{"code":200,"obj":{"uniqueNo":"%s","position":"c0-%d"}}`, p.UniqueNo, len(f.log)-1)
		default: // applying and agreeing
			say(`{"code":200,"obj":{"uniqueNo":"%s","applyFriendId":"1"}}`, p.UniqueNo)
		}
		f.mu.Unlock()
	}
}

func TestSoakFindsWhatIsWrong(t *testing.T) {
	for name, tc := range map[string]struct {
		server *forgetful
		want   string
	}{
		"all right":                   {&forgetful{}, ""},
		"a backlog lacks a message":   {&forgetful{lost: true}, "was due"},
		"a backlog repeats a message": {&forgetful{twice: true}, "was due"},
		"a repeat counts twice":       {&forgetful{changed: true}, "was due"},
		"a refusal":                   {&forgetful{denied: true}, "forbidden: no"},
	} {
		t.Run(name, func(t *testing.T) {
			l := Soak{Mixed: Mixed{Lines: []Line{{Time: "2020-01-01 00:00:00", From: "a", To: "b", Text: "hello there"}}, Rate: 500, Pairs: 3, Duration: time.Second},
				Cut: 50 * time.Millisecond, Patience: 5 * time.Second}
			r, err := l.Run(t.Context(), tc.server.start(t))
			switch {
			case tc.want == "" && (err != nil || r.Messages < 20 || r.Deliveries != r.Messages || r.Connections < 3 || r.Resent < 1):
				t.Errorf("%v, %v", r, err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("%v, %v, want %q", r, err, tc.want)
			}
		})
	}
}
