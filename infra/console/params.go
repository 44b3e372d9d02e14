package console

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"lishi/events"
)

// Params reads a request's query. The first mistake is kept for Err, so that a
// route asks for all it knows and then once for the error.
type Params struct {
	values url.Values
	asked  []string
	err    error
}

// ParamsOf reads the query of a request.
func ParamsOf(r *http.Request) *Params {
	values, err := url.ParseQuery(r.URL.RawQuery)
	p := &Params{values: values}
	if err != nil {
		p.err = Refuse(BadRequest, "the query is malformed")
	}
	return p
}

func (p *Params) get(name string) (string, bool) {
	p.asked = append(p.asked, name)
	vs := p.values[name]
	if len(vs) > 1 {
		p.fail("%s is given more than once", name)
	}
	return p.values.Get(name), len(vs) > 0 && vs[0] != ""
}

func (p *Params) fail(format string, args ...any) {
	if p.err == nil {
		p.err = Refuse(BadRequest, format, args...)
	}
}

// Text is a parameter as it stands, "" if there is none, of at most limit bytes.
func (p *Params) Text(name string, limit int) string {
	v, _ := p.get(name)
	if len(v) > limit {
		p.fail("%s has more than %d bytes", name, limit)
	}
	return v
}

// One is one of the words given; the first if there is none.
func (p *Params) One(name string, words ...string) string {
	v, ok := p.get(name)
	if !ok {
		return words[0]
	}
	if !slices.Contains(words, v) {
		p.fail("%s is one of %q, not %q", name, words, v)
	}
	return v
}

// Int is a number from least to most.
func (p *Params) Int(name string, otherwise, least, most int) int {
	v, ok := p.get(name)
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		p.fail("%s is a number from %d to %d", name, least, most)
	}
	return n
}

// Flag is true or false.
func (p *Params) Flag(name string) bool {
	v, ok := p.get(name)
	if ok && v != "true" && v != "false" {
		p.fail("%s is true or false", name)
	}
	return v == "true"
}

// Time is a moment (RFC 3339); the zero time if there is none.
func (p *Params) Time(name string) time.Time {
	v, ok := p.get(name)
	if !ok {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, v)
	if err != nil {
		p.fail("%s is a time like 2026-01-02T15:04:05Z", name)
	}
	return t
}

// Position is the address of an event; ok tells whether there is one.
func (p *Params) Position(name string) (at events.Position, ok bool) {
	v, ok := p.get(name)
	if !ok {
		return at, false
	}
	at, err := events.ParsePosition(v)
	if err != nil {
		p.fail("%s is a position like c3-182736", name)
	}
	return at, err == nil
}

// Err is the first mistake, or a parameter that nobody asked for.
func (p *Params) Err() error {
	for name := range p.values {
		if !slices.Contains(p.asked, name) {
			p.fail("there is no parameter %q here", name)
		}
	}
	return p.err
}

// ReadJSON reads a request's body into a value; unknown keys are mistakes.
func ReadJSON(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is something behind it")
		}
	}
	var large *http.MaxBytesError
	if err != nil && !errors.As(err, &large) {
		return Refuse(BadRequest, "the body is not the JSON that is wanted: %v", err)
	}
	return err
}

// Time is how the console writes moments: UTC with milliseconds.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
