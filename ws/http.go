package ws

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"lishi/commands"
	"lishi/events"
)

// HTTP is the same urls as HTTP endpoints: POST /chat/sendMessage with the params
// as a JSON object or a form gives the same result object, with the status that
// obj.reason chooses. "Authorization: Bearer" may stand for token.
func (s *Server) HTTP() http.Handler { return http.HandlerFunc(s.serveURL) }

func (s *Server) serveURL(w http.ResponseWriter, req *http.Request) {
	started := s.o.Now()
	s.cors(w, req)
	var q request
	q.url = s.urls.Find(req.URL.Path)
	if req.Method == http.MethodOptions && q.url != nil {
		w.Header().Set("Allow", allow)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer := func(r *reply, status int) {
		s.count(r.url, r.refusal, started)
		writeReply(w, r, status)
	}
	fail := func(bad *commands.Refusal, wait time.Duration) {
		r := &reply{url: q.url, uniqueNo: q.uniqueNo, refusal: bad, retryAfter: wait.Milliseconds()}
		if wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
		}
		answer(r, r.status())
	}
	if req.Method != http.MethodPost && q.url != nil {
		w.Header().Set("Allow", allow)
		answer(&reply{url: q.url, refusal: refuse(commands.BadRequest, "only POST is allowed here")}, http.StatusMethodNotAllowed)
		return
	}
	if bad := q.readBody(w, req, s.o.Wire.MessageLimit); bad != nil {
		q.url = nil
		r := &reply{refusal: bad}
		status := r.status()
		switch {
		case bad == errKind:
			w.Header().Set("Accept-Post", kindsTaken)
			status = http.StatusUnsupportedMediaType
		case bad.Reason == commands.TooLong:
			status = http.StatusRequestEntityTooLarge
		}
		answer(r, status)
		return
	}
	switch {
	case q.url == nil:
		fail(refuse(commands.UnknownURL, "no such url"), 0)
		return
	case q.url.Socket:
		fail(refuse(commands.BadRequest, "this url needs a socket"), 0)
		return
	case q.url.Path == pathPing:
		answer(&reply{url: q.url, uniqueNo: q.uniqueNo}, http.StatusOK)
		return
	}
	p, claims, bad, wait := s.admitHTTP(&q, req.RemoteAddr, started)
	if bad != nil {
		fail(bad, wait)
		return
	}
	d, bad := q.decode(s.o.Limits)
	if bad != nil {
		fail(bad, 0)
		return
	}
	if bad := s.ready(); bad != nil {
		fail(bad, 0)
		return
	}
	if !s.begin() {
		fail(errGoing, 0)
		return
	}
	if d.query != nil {
		defer s.end()
		r := s.ask(req.Context(), q.url, d, p)
		answer(&r, r.status())
		return
	}
	if r, ok := s.command(req, q.url, d, p, claims, started); ok {
		answer(r, r.status())
	}
}

// command takes a command to the log and waits for its outcome; false if the
// client has gone meanwhile.
func (s *Server) command(req *http.Request, url *URL, d decoded, p *person, claims Claims, started time.Time) (*reply, bool) {
	actor := commands.Actor{ID: claims.UserID, Name: claims.Name}
	if err := s.handler.Register(req.Context(), actor); err != nil {
		s.end()
		return &reply{url: url, uniqueNo: d.uniqueNo, refusal: asRefusal(err)}, true
	}
	done := make(chan reply, 1)
	s.handler.Submit(s.base, commands.Request{
		URL: url.Path, Command: d.command, Actor: actor, UniqueNo: d.uniqueNo,
		Fingerprint: commands.Fingerprint(url.Path, d.command), Resend: d.resend, Time: started,
	}, func(o commands.Outcome) {
		r := outcome(url, d.uniqueNo, &o)
		if r.position != (events.Position{}) {
			p.saw(s.index(r.position.Partition), r.position.Offset)
		}
		done <- r
		s.end()
	})
	select {
	case r := <-done:
		return &r, true
	case <-req.Context().Done():
		return nil, false
	}
}

func (s *Server) admitHTTP(q *request, from string, now time.Time) (p *person, claims Claims, bad *commands.Refusal, wait time.Duration) {
	token, bad := q.params.str("token")
	if bad == nil && token == "" {
		bad = refuse(commands.Unauthorized, "token is missing")
	}
	if bad == nil {
		claims, bad = s.check(token, from, now)
	}
	if bad != nil {
		return nil, claims, bad, 0
	}
	p = s.hub.enter(claims.UserID, now, false)
	if wait = s.hub.take(p, now); wait > 0 {
		return p, claims, errRate, wait
	}
	return p, claims, nil, 0
}

const (
	allow = "OPTIONS, POST"

	kindJSON   = "application/json"
	kindURLs   = "application/x-www-form-urlencoded"
	kindsTaken = kindJSON + ", " + kindURLs // where a body has no type it is JSON
)

var errKind = refuse(commands.BadRequest, "the body must be "+kindJSON+" or "+kindURLs+", in UTF-8 and not compressed")

// bodyKind is the media type of the body, as far as it can be read here.
func bodyKind(h http.Header) (kind string, ok bool) {
	if coding := h.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return "", false
	}
	text := h.Get("Content-Type")
	if text == "" {
		return kindJSON, true
	}
	kind, params, err := mime.ParseMediaType(text)
	if charset := params["charset"]; err != nil || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return "", false
	}
	return kind, kind == kindJSON || kind == kindURLs
}

// readBody takes the params of a JSON object or a form, of at most as many bytes
// as a message on a socket.
func (q *request) readBody(w http.ResponseWriter, req *http.Request, limit int) *commands.Refusal {
	kind, ok := bodyKind(req.Header)
	if !ok {
		return errKind
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, int64(limit)))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return refuse(commands.TooLong, "the body has more than "+strconv.Itoa(limit)+" bytes")
	case err != nil:
		return refuse(commands.BadRequest, "the body could not be read")
	case !utf8.Valid(body):
		return refuse(commands.BadRequest, "the body is not UTF-8")
	}
	switch {
	case kind == kindURLs:
		if bad := q.readForm(string(body)); bad != nil {
			return bad
		}
	case len(body) > 0:
		v, err := parse(body)
		if err != nil {
			return refuse(commands.BadRequest, err.Error())
		}
		if v.kind != kindObject {
			return refuse(commands.BadRequest, "the params must be an object, not "+v.kind.String())
		}
		q.readParams(v)
	}
	if token, ok := bearer(req); ok {
		if v, bad := q.params.find("token"); bad == nil && v.kind == kindNone {
			q.params = append(q.params, param{formText("token"), formText(token)})
		}
	}
	return nil
}

func (q *request) readForm(body string) *commands.Refusal {
	form, err := url.ParseQuery(body)
	if err != nil {
		return refuse(commands.BadRequest, "the form is malformed")
	}
	for name, values := range form {
		for _, v := range values {
			if !utf8.ValidString(name) || !utf8.ValidString(v) {
				return refuse(commands.BadRequest, "the form is not UTF-8")
			}
			q.params = append(q.params, param{formText(name), formText(v)})
		}
	}
	q.echo()
	return nil
}

func formText(s string) value { return value{kind: kindForm, raw: []byte(s)} }

// bearer is the token of the Authorization header (RFC 6750 section 2.1).
func bearer(req *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(req.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "Bearer")
}

func writeReply(w http.ResponseWriter, r *reply, status int) {
	body, err := r.appendTo(nil)
	if err != nil {
		*r = reply{url: r.url, uniqueNo: r.uniqueNo, refusal: errRows}
		body, _ = r.appendTo(nil)
		status = r.status()
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(status)
	w.Write(body)
}
