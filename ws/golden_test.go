package ws

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what came into the golden files")

// Each file of testdata/golden is a conversation with a node: what clients send,
// and under it every frame that comes to any of them by it, as JSON, in full.
//
//	# a comment
//	alice > {"url":…}            alice's connection sends; made when first named
//	alice/2 > {"url":…}          another connection
//	POST /chat/… {"token":…}     over HTTP
//	clock 90s                    time goes on
//	alice < {"msgType":…}        what comes
//
// $groupId stands for the last value of that name that came, and so for each name.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := (&transcript{t: t, w: newWorld(t, settings{}), clients: map[string]*client{}, last: map[string]string{}}).run(string(want))
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs (go test -update writes it anew):\n%s", file, difference(string(want), string(got)))
			}
		})
	}
}

type transcript struct {
	t       *testing.T
	w       *world
	out     bytes.Buffer
	names   []string
	clients map[string]*client
	last    map[string]string
}

var (
	variable = regexp.MustCompile(`\$[A-Za-z]+`)
	// Registrations have the machine's time, requests the test's.
	now    = regexp.MustCompile(`"time":1[7-9]\d{11}`)
	valued = regexp.MustCompile(`"([A-Za-z]+)":"([^"\\]+)"`)
)

func (s *transcript) fill(text string) string {
	return variable.ReplaceAllStringFunc(text, func(name string) string {
		v, ok := s.last[name[1:]]
		if !ok {
			s.t.Fatalf("%s has not come yet", name)
		}
		return v
	})
}

// came writes down a frame and takes its values.
func (s *transcript) came(who, frame string) {
	frame = now.ReplaceAllString(frame, `"time":0`)
	fmt.Fprintln(&s.out, who, frame)
	for _, m := range valued.FindAllStringSubmatch(frame, -1) {
		s.last[m[1]] = m[2]
	}
}

func (s *transcript) run(script string) []byte {
	for _, line := range strings.Split(strings.TrimRight(script, "\n"), "\n") {
		name, text, sends := strings.Cut(line, " > ")
		switch {
		case strings.Contains(line, " < ") && !sends || strings.HasPrefix(line, "HTTP "):
			continue // an answer: it is made anew
		case line == "" || strings.HasPrefix(line, "#"):
			fmt.Fprintln(&s.out, line)
		case strings.HasPrefix(line, "clock "):
			d, err := time.ParseDuration(line[len("clock "):])
			if err != nil {
				s.t.Fatal(err)
			}
			s.w.clock.Add(d.Milliseconds())
			s.w.log.pass(d)
			fmt.Fprintln(&s.out, line)
		case strings.HasPrefix(line, "POST "):
			fmt.Fprintln(&s.out, line)
			s.post(line)
			s.collect("", false)
		case sends:
			fmt.Fprintln(&s.out, line)
			c := s.clients[name]
			if c == nil {
				c = s.w.connect()
				s.clients[name] = c
				s.names = append(s.names, name)
			}
			c.send(s.fill(text))
			s.collect(name, strings.Contains(text, `"/chat/login"`) && strings.Contains(text, `"cursor"`))
		default:
			s.t.Fatalf("not understood: %s", line)
		}
	}
	return s.out.Bytes()
}

// collect waits for the sender's answer, then writes down all that came.
func (s *transcript) collect(sender string, resumes bool) {
	answer, before := "", []string{}
	for sender != "" && !strings.HasPrefix(answer, `{"code":`) && !strings.HasPrefix(answer, `{"msgType":"8"`) {
		if answer != "" { // a push that was on its way
			before = append(before, answer)
		}
		answer = s.clients[sender].raw()
	}
	s.w.settle()
	for _, name := range s.names {
		c := s.clients[name]
		if name == sender {
			for _, f := range append(before, answer) {
				s.came(name+" <", f)
			}
			// A resume's backlog comes beside the answers to later requests.
			for f := ""; resumes && strings.Contains(answer, `"code":"200"`) && !strings.Contains(f, `"msgType":"15"`); {
				f = c.raw()
				s.came(name+" <", f)
			}
		}
		c.send(`{"url":"/chat/ping","params":{"uniqueNo":"collect"}}`)
		for {
			f := c.raw()
			if strings.Contains(f, `"uniqueNo":"collect"`) {
				break
			}
			s.came(name+" <", f)
		}
	}
}

func (s *transcript) post(line string) {
	parts := strings.SplitN(line, " ", 3)
	status, body := s.w.post(parts[1], "application/json", s.fill(parts[2]))
	s.came("HTTP "+strconv.Itoa(status), body)
}

// post is a request over HTTP: its status and body.
func (w *world) post(path, contentType, body string, header ...string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodPost, w.http.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// difference shows the lines that differ.
func difference(want, got string) string {
	ws, gs := strings.Split(want, "\n"), strings.Split(got, "\n")
	var b strings.Builder
	for i := range max(len(ws), len(gs)) {
		var x, y string
		if i < len(ws) {
			x = ws[i]
		}
		if i < len(gs) {
			y = gs[i]
		}
		if x != y {
			fmt.Fprintf(&b, "line %d\n  want %s\n  got  %s\n", i+1, x, y)
		}
	}
	return b.String()
}
