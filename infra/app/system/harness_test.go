// Package system tests the whole binary from outside: processes, sockets, kill -9.
package system

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "lishi/infra/app" // the program that is built: without it, results of an older one count as today's
	"lishi/infra/tokens"
)

const secret = "system-test-secret-of-32-bytes-or-more"

var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "lishi-bin-*")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "lishi")
	build := exec.Command("go", "build", "-o", program, "lishi")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	if undescribed := described.report(); undescribed != "" {
		fmt.Fprintf(os.Stderr, "FAIL: not as docs/api says:\n%s\n", undescribed)
		code = 1
	}
	os.Exit(code)
}

// server is one lishi process.
type server struct {
	t    *testing.T
	cmd  *exec.Cmd
	addr string
	dir  string
	args []string
	log  *safeBuffer

	prepare func(*exec.Cmd) // of each start, if there is one

	asDescribed bool // its answers are those of docs/api: no setting writes them otherwise
	done        chan struct{}
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// given are the addresses that servers have: one on which nobody listens yet must
// not be given to a second one.
var given sync.Map

// freeAddr is a loopback address for one server.
func freeAddr(t *testing.T) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		l.Close()
		if _, twice := given.LoadOrStore(addr, true); !twice {
			return addr
		}
	}
}

// lishi prepares a process with nothing of LISHI_ from outside but the engine.
func lishi(args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "LISHI_") || strings.HasPrefix(kv, "LISHI_CHDB=") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "LISHI_TOKEN_KEY="+secret, "LISHI_RATE=0")
	return cmd
}

// serve starts a server on a data directory and waits until it is ready.
func serve(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	s := &server{t: t, dir: dir, addr: freeAddr(t), args: args, asDescribed: !slices.Contains(args, "--dates")}
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *server) start() {
	s.t.Helper()
	s.launch()
	s.ready()
}

func (s *server) launch() {
	s.t.Helper()
	s.cmd = lishi(append([]string{"serve", "--listen", s.addr, "--console", "off", "--sql", "off", "--data", s.dir}, s.args...)...)
	if s.prepare != nil {
		s.prepare(s.cmd)
	}
	s.log = &safeBuffer{}
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.done = make(chan struct{})
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func(cmd *exec.Cmd, done chan struct{}) { cmd.Wait(); close(done) }(s.cmd, s.done)
}

func (s *server) ready() {
	s.t.Helper()
	wait(s.t, "readyz", time.Minute, func() bool {
		select {
		case <-s.done:
			s.t.Fatalf("the server ended: %v\n%s", s.cmd.ProcessState, s.log)
		default:
		}
		return s.status("/readyz") == http.StatusOK
	})
}

func (s *server) status(path string) int {
	r, err := http.Get("http://" + s.addr + path)
	if err != nil {
		return 0
	}
	defer r.Body.Close()
	io.Copy(io.Discard, r.Body)
	return r.StatusCode
}

// kill is kill -9.
func (s *server) kill() {
	s.cmd.Process.Kill()
	<-s.done
}

// terminate is SIGTERM; it gives the exit status.
func (s *server) terminate() int {
	s.t.Helper()
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(15 * time.Second):
		s.t.Fatalf("still there 15 s after SIGTERM\n%s", s.log)
	}
	return s.cmd.ProcessState.ExitCode()
}

// wait polls for a condition.
func wait(t *testing.T, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", limit, what)
		}
		time.Sleep(pause)
	}
}

func token(t *testing.T, user string) string {
	t.Helper()
	k, err := tokens.New(tokens.Options{Secret: []byte(secret)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := k.Sign(tokens.Claims{UserID: user, Name: "昵称" + user, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type object = map[string]any

// answer is a result or push, as it came.
type answer struct {
	Status  int
	Code    any
	Msg     string
	Obj     object
	MsgType string
	Data    object
	Raw     string
}

func parseAnswer(t *testing.T, raw []byte) answer {
	t.Helper()
	var a answer
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatalf("not JSON: %s", raw)
	}
	a.Raw = string(raw)
	if s, _ := a.Obj["list"].([]any); len(s) < 50 { // long pages are of the same rows
		described.holds(raw)
	}
	return a
}

func (a answer) ok() bool { return a.Code == float64(200) }

func (a answer) reason() string { s, _ := a.Obj["reason"].(string); return s }

func (a answer) list() []object {
	rows, _ := a.Obj["list"].([]any)
	out := make([]object, len(rows))
	for i := range rows {
		out[i], _ = rows[i].(object)
	}
	return out
}

func (a answer) str(name string) string { s, _ := a.Obj[name].(string); return s }

var httpClient = &http.Client{Timeout: 30 * time.Second}

// try posts a request over HTTP; an error means that no answer came.
func (s *server) try(user, url string, params object) (answer, error) {
	s.t.Helper()
	return s.tryBy(httpClient, user, url, params)
}

func (s *server) tryBy(client *http.Client, user, url string, params object) (answer, error) {
	s.t.Helper()
	body, err := json.Marshal(params)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequest("POST", "http://"+s.addr+url, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token(s.t, user))
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	a := parseAnswer(s.t, raw)
	a.Status = resp.StatusCode
	return a, nil
}

// post is try that must be answered.
func (s *server) post(user, url string, params object) answer {
	s.t.Helper()
	a, err := s.try(user, url, params)
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", url, err, s.log)
	}
	return a
}

// must is post that must succeed. Unavailable means that nothing happened and it is
// to be tried again: a machine that does much else is no failure.
func (s *server) must(user, url string, params object) answer {
	s.t.Helper()
	a := s.post(user, url, params)
	for deadline := time.Now().Add(time.Minute); a.reason() == "unavailable" && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
		a = s.post(user, url, params)
	}
	if !a.ok() {
		s.t.Fatalf("%s by %s: %s", url, user, a.Raw)
	}
	return a
}

var unique struct {
	sync.Mutex
	n int
}

func no() string {
	unique.Lock()
	defer unique.Unlock()
	unique.n++
	return fmt.Sprintf("no-%d-%d", os.Getpid(), unique.n)
}

// register makes the users known, by a first command of each.
func (s *server) register(users ...string) {
	s.t.Helper()
	for _, u := range users {
		s.must(u, "/user/updateUser", object{"uniqueNo": "register", "nickName": "昵称" + u})
	}
}

func (s *server) befriend(a, b string) {
	s.t.Helper()
	s.register(a, b)
	applied := s.must(a, "/friend/applyFriend", object{"uniqueNo": no(), "userId": b})
	s.must(b, "/friend/verifyFriend", object{"uniqueNo": no(), "applyFriendId": applied.str("applyFriendId"), "applyState": "9"})
}

// history is a conversation's texts, oldest first, by pages.
func (s *server) history(user, peer string) []object {
	s.t.Helper()
	var all []object
	params := object{"userId": peer, "limit": 200}
	for {
		page := s.must(user, "/friend/loadMoreMessage", params).list()
		all = append(append([]object(nil), page...), all...)
		if len(page) < 200 {
			return all
		}
		params["before"] = page[0]["position"]
	}
}

// run runs the binary to its end and gives stdout, stderr and the exit status.
func run(t *testing.T, stdin io.Reader, args ...string) (string, string, int) {
	t.Helper()
	cmd := lishi(args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errs
	err := cmd.Run()
	if _, ok := err.(*exec.ExitError); err != nil && !ok {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
