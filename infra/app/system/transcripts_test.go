package system

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"lishi/ws"
)

var update = flag.Bool("update", false, "write what comes into docs/protocol/transcripts")

const transcripts = "../../../docs/protocol/transcripts"

// transcript is one conversation with a server; its README says what each field
// means.
type transcript struct {
	Title    string            `json:"title"`
	Settings map[string]string `json:"settings,omitempty"`
	Users    map[string]string `json:"users"`
	Steps    []*step           `json:"steps"`
}

type step struct {
	Name    string                       `json:"name,omitempty"`
	On      string                       `json:"on"`
	Request json.RawMessage              `json:"request,omitempty"`
	Text    string                       `json:"text,omitempty"`
	UpTo    int                          `json:"upTo,omitempty"`
	Status  int                          `json:"status,omitempty"`
	Result  json.RawMessage              `json:"result,omitempty"`
	Pushes  map[string][]json.RawMessage `json:"pushes,omitempty"`
	Close   int                          `json:"close,omitempty"`
}

func readTranscripts(t *testing.T) map[string]*transcript {
	t.Helper()
	files, err := filepath.Glob(transcripts + "/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	all := map[string]*transcript{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		tr := &transcript{}
		if err := d.Decode(tr); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[file] = tr
	}
	return all
}

// The server does what the transcripts say, over sockets and, where no socket is
// needed, over HTTP.
func TestTranscripts(t *testing.T) {
	all := readTranscripts(t)
	servers := map[string]*server{}
	for _, file := range slices.Sorted(maps.Keys(all)) {
		tr := all[file]
		var args []string
		for _, name := range slices.Sorted(maps.Keys(tr.Settings)) {
			args = append(args, "--"+name, tr.Settings[name])
		}
		key := strings.Join(args, " ")
		if servers[key] == nil {
			servers[key] = serve(t, t.TempDir(), args...)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			p := &player{s: servers[key].on(t), t: t, tr: tr, file: file, record: *update}
			p.play()
			if *update {
				p.write()
			}
		})
		if *update {
			continue
		}
		t.Run(name+" over HTTP", func(t *testing.T) { (&player{s: servers[key].on(t), t: t, tr: tr, file: file, http: true}).play() })
	}
}

// player plays one transcript.
type player struct {
	s      *server
	t      *testing.T
	tr     *transcript
	file   string
	http   bool // requests with a status go over HTTP
	record bool

	users map[string]string // by the transcript's names
	conns map[string]*socket
	bound map[string]string // "position hello" → "c0-3"
	known map[string]string // and back
	own   map[string]bool   // connection and position of results that came over HTTP
	step  *step

	attempt int     // how often the step's request was sent
	status  int     // of the last request over HTTP
	witness *socket // of nobody in the transcript
}

func (p *player) play() {
	p.users, p.conns, p.bound, p.known, p.own = map[string]string{}, map[string]*socket{}, map[string]string{}, map[string]string{}, map[string]bool{}
	run := no()
	for name := range p.tr.Users {
		p.users[name] = name + "-" + run
		p.known[p.users[name]] = "user " + name
	}
	p.users["witness"] = "witness-" + run
	p.witness = p.conn("witness")
	delete(p.conns, "witness")
	for i, s := range p.tr.Steps {
		p.step = s
		p.run(i)
		if p.t.Failed() {
			p.t.Fatalf("%s: step %d (%s by %s)", p.file, i+1, s.Request, s.On)
		}
	}
	for _, k := range p.conns {
		k.conn.CloseNow()
	}
}

func (p *player) conn(name string) *socket {
	if k := p.conns[name]; k != nil {
		return k
	}
	k, err := p.s.dial()
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { k.conn.CloseNow() })
	p.conns[name] = k
	return k
}

func (p *player) run(i int) {
	// Lists are in the order of times, which have milliseconds: each step has its own.
	for began := time.Now().UnixMilli(); time.Now().UnixMilli() == began; {
		runtime.Gosched()
	}
	s := p.step
	var result string
	overHTTP := p.http && s.Status != 0
	for p.attempt = 1; ; p.attempt++ {
		text := s.Text
		if text == "" {
			text = p.fill(string(s.Request))
		}
		if overHTTP {
			result = p.post(text)
		} else if k := p.conn(s.On); text != "" {
			if err := k.conn.Write(p.t.Context(), websocket.MessageText, []byte(text)); err != nil {
				p.t.Fatal(err)
			}
			result = k.next().Raw
		}
		if p.attempt >= s.UpTo || p.record && !strings.Contains(result, `"code":200`) || !p.record && p.same("", s.Result, result) == "" {
			break
		}
	}
	if overHTTP && p.status != s.Status {
		p.t.Errorf("status %d, want %d: %s", p.status, s.Status, result)
	}
	if p.record {
		s.Result = nil
		if result != "" {
			s.Result = json.RawMessage(p.abstract(i, result))
			if s.Status != 0 {
				s.Status = p.statusOf(result)
			}
		}
	} else if wrong := p.same("result", s.Result, result); wrong != "" {
		p.t.Errorf("%s\n got %s\nwant %s", wrong, result, s.Result)
	}
	if s.Close != 0 {
		if err := <-p.conns[s.On].closed; int(websocket.CloseStatus(err)) != s.Close {
			p.t.Errorf("closed with %v, want %d", err, s.Close)
		}
		delete(p.conns, s.On)
	}
	p.pushes(i)
}

// pushes compares what came to each connection by the step, and looks that no
// more did: a login comes behind deliveries under way, a pong behind what was
// delivered.
func (p *player) pushes(i int) {
	s := p.step
	p.watch()
	came := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(p.conns)) {
		k := p.conns[name]
		if p.record && strings.Contains(string(s.Request), `"cursor"`) && name == s.On && strings.Contains(string(s.Result), `"200"`) {
			for a := k.next(); ; a = k.next() {
				came[name] = append(came[name], a.Raw)
				if a.MsgType == "15" {
					break
				}
			}
		}
		for !p.record && len(came[name]) < len(s.Pushes[name]) { // over HTTP, and a backlog, they come when they come
			if raw := k.next().Raw; !p.ofHTTP(name, raw) {
				came[name] = append(came[name], raw)
			}
		}
		k.send("/chat/ping", object{"uniqueNo": "pushes"})
		for a := k.next(); a.Obj["uniqueNo"] != "pushes"; a = k.next() {
			if !p.ofHTTP(name, a.Raw) {
				came[name] = append(came[name], a.Raw)
			}
		}
	}
	if p.record {
		s.Pushes = map[string][]json.RawMessage{}
		for name, frames := range came {
			for _, raw := range frames {
				s.Pushes[name] = append(s.Pushes[name], json.RawMessage(p.abstract(i, raw)))
			}
		}
		return
	}
	for name := range s.Pushes {
		if p.conns[name] == nil {
			p.t.Errorf("pushes to %s, which is no connection", name)
		}
	}
	for name, frames := range came {
		if len(frames) != len(s.Pushes[name]) {
			p.t.Errorf("%s got %d pushes, not %d: %s", name, len(frames), len(s.Pushes[name]), frames)
			continue
		}
		for j, raw := range frames {
			if wrong := p.same("push to "+name, s.Pushes[name][j], raw); wrong != "" {
				p.t.Errorf("%s\n got %s\nwant %s", wrong, raw, s.Pushes[name][j])
			}
		}
	}
}

// watch logs the witness in, who is told nothing.
func (p *player) watch() {
	for { // until the user is known: where the log is given no time, the answer comes before
		p.witness.send("/chat/login", object{"token": p.token("witness")})
		a := p.witness.next()
		if a.MsgType != "8" || a.Data["code"] != "200" && a.Data["reason"] != "unknown" {
			p.t.Fatalf("somebody else is told %s", a.Raw)
		}
		if a.Data["code"] == "200" {
			return
		}
	}
}

// ofHTTP tells whether a push is of an event whose result came over HTTP: then
// the request's own connection is one of its user's others.
func (p *player) ofHTTP(conn, raw string) bool {
	var f struct{ Data struct{ Position string } }
	json.Unmarshal([]byte(raw), &f)
	return p.own[conn+" "+f.Data.Position]
}

func (p *player) post(text string) string {
	var q struct {
		URL    string          `json:"url"`
		Params json.RawMessage `json:"params"`
	}
	if err := json.Unmarshal([]byte(text), &q); err != nil {
		p.t.Fatal(err)
	}
	if q.Params == nil {
		q.Params = json.RawMessage(`{}`)
	}
	resp, err := httpClient.Post("http://"+p.s.addr+"/"+strings.Trim(q.URL, "/"), asJSON, bytes.NewReader(q.Params))
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		p.t.Fatal(err)
	}
	p.status = resp.StatusCode
	a := parseAnswer(p.t, b.Bytes())
	if at := a.str("position"); at != "" {
		p.own[p.step.On+" "+at] = true
	}
	return b.String()
}

// statusOf is what the table of reasons says of a result.
func (p *player) statusOf(result string) int {
	a := parseAnswer(p.t, []byte(result))
	status := map[string]int{"": 200, "bad_request": 400, "too_long": 400, "unauthorized": 401, "forbidden": 403, "not_friend": 403, "not_member": 403, "blocked": 403,
		"muted": 403, "unknown_url": 404, "not_found": 404, "conflict": 409, "rate_limited": 429, "unavailable": 503, "unknown": 504}[a.reason()]
	if status == 0 {
		p.t.Fatalf("no status for %s", result)
	}
	return status
}

// Every url, every push and every reason word stands in some transcript.
func TestTranscriptsAreComplete(t *testing.T) {
	came := map[string]bool{}
	for _, tr := range readTranscripts(t) {
		for _, s := range tr.Steps {
			var q struct{ URL string }
			json.Unmarshal(s.Request, &q)
			var r answer
			json.Unmarshal(s.Result, &r)
			for _, name := range []string{"url " + q.URL, "push " + r.MsgType, "reason " + r.reason()} {
				came[name] = true
			}
			if r.ok() {
				came["success of "+q.URL] = true
			}
			for _, frames := range s.Pushes {
				for _, raw := range frames {
					var f answer
					json.Unmarshal(raw, &f)
					came["push "+f.MsgType] = true
				}
			}
		}
	}
	for _, u := range ws.URLs().All() {
		if !came["url "+u.Path] || !u.Socket && !came["success of "+u.Path] {
			t.Errorf("no transcript of a success of %s", u.Path)
		}
	}
	for n := 1; n <= 15; n++ {
		if !came[fmt.Sprint("push ", n)] {
			t.Errorf("no transcript of push %d", n)
		}
	}
	for _, reason := range []string{"bad_request", "too_long", "unauthorized", "forbidden", "not_friend", "not_member", "blocked", "muted", "unknown_url", "not_found",
		"conflict", "rate_limited", "unavailable", "unknown"} {
		if !came["reason "+reason] {
			t.Errorf("no transcript of %s", reason)
		}
	}
}
