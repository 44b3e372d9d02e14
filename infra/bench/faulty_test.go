package bench

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// running is a faulty server on a port, and who speaks to it: "=NAME" says who
// one is, ">A,B" to whom one writes, "N CONTENT" is a message.
type running struct {
	faulty
	url    string
	mu     sync.Mutex
	people map[string]net.Conn
}

func (f faulty) start(t *testing.T) *running {
	s := &running{faulty: f, people: map[string]net.Conn{}}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, _, _, err := ws.UpgradeHTTP(r, w); err == nil {
			go s.serve(conn)
		}
	}))
	t.Cleanup(h.Close)
	s.url = "ws" + strings.TrimPrefix(h.URL, "http")
	return s
}

func (s *running) serve(conn net.Conn) {
	defer conn.Close()
	var to []net.Conn
	for {
		b, err := wsutil.ReadClientText(conn)
		if err != nil {
			return
		}
		text := string(b)
		s.mu.Lock()
		switch text[0] {
		case '=':
			s.people[text[1:]] = conn
			wsutil.WriteServerText(conn, []byte("="))
		case '>':
			for name := range strings.SplitSeq(text[1:], ",") {
				to = append(to, s.people[name])
			}
			wsutil.WriteServerText(conn, []byte(">"))
		default:
			number, content, _ := strings.Cut(text, " ")
			n, _ := strconv.ParseInt(number, 10, 64)
			for _, c := range to {
				for _, p := range s.push(n, content) {
					wsutil.WriteServerText(c, []byte(p))
				}
			}
			for _, a := range s.answer(n) {
				wsutil.WriteServerText(conn, fmt.Appendf(nil, "+%d", a))
			}
		}
		s.mu.Unlock()
	}
}

func (s *running) tell(c *Conn, text string) error {
	if err := c.Send(text); err != nil {
		return err
	}
	_, err := c.Frame()
	return err
}

func (s *running) Dial(ctx context.Context, person string) (*Conn, error) {
	c, err := Open(ctx, s.url, person)
	if err != nil {
		return nil, err
	}
	return c, s.tell(c, "="+person)
}

func (s *running) Pair(ctx context.Context, from, to *Conn) (Writer, error) {
	return s.Group(ctx, from, []*Conn{to})
}

func (s *running) Group(_ context.Context, from *Conn, to []*Conn) (Writer, error) {
	var names []string
	for _, c := range to {
		names = append(names, c.Person)
	}
	return numbered{}, s.tell(from, ">"+strings.Join(names, ","))
}

type numbered struct{}

func (numbered) Append(b []byte, n int64, content []byte) []byte {
	return append(append(strconv.AppendInt(b, n, 10), ' '), content...)
}

func (s *running) Next(frame []byte) (Said, []byte, error) {
	if frame[0] != '+' {
		return Said{Kind: Pushed, Content: frame}, nil, nil
	}
	n, err := strconv.ParseInt(string(frame[1:]), 10, 64)
	return Said{Kind: Answered, N: n}, nil, err
}
