package system

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"lishi/infra/tokens"
)

var placeholder = regexp.MustCompile(`"\{\{([a-z]+)(?: ([^{}"]+))?\}\}"`)

// fill puts values into a request.
func (p *player) fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(s string) string {
		m := placeholder.FindStringSubmatch(s)
		kind, name := m[1], m[2]
		value, ok := p.bound[kind+" "+name], true
		switch kind {
		case "user":
			value, ok = p.users[name]
		case "token":
			value = p.token(name)
		case "attempt":
			value = fmt.Sprint(p.attempt)
		default:
			ok = value != ""
		}
		if !ok {
			p.t.Fatalf("%s stands for nothing yet: %s", s, text)
		}
		b, _ := json.Marshal(value)
		return string(b)
	})
}

func (p *player) token(name string) string {
	keys, err := tokens.New(tokens.Options{Secret: []byte(secret)})
	if err != nil {
		p.t.Fatal(err)
	}
	tok, err := keys.Sign(tokens.Claims{UserID: p.users[name], Name: p.tr.Users[name], Expires: time.Now().Add(time.Hour)})
	if err != nil {
		p.t.Fatal(err)
	}
	return tok
}

// kinds are the forms of values that a placeholder may stand for.
var kinds = map[string]*regexp.Regexp{
	"position": regexp.MustCompile(`^[cu](0|[1-9]\d*)-(0|[1-9]\d*)$`),
	"cursor":   regexp.MustCompile(`^[cu]\d+-\d+(,[cu]\d+-\d+)*$`),
	"id":       regexp.MustCompile(`^[0-9a-f]{32}$`),
	"date":     regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`),
	"time":     regexp.MustCompile(`^[1-9]\d{12}$`),
	"number":   regexp.MustCompile(`^(0|[1-9]\d*)$`),
	"text":     regexp.MustCompile(`(?s)^.+$`),
	"user":     regexp.MustCompile(`.`),
}

// same compares an expected frame with one that came; empty if they agree.
func (p *player) same(what string, want json.RawMessage, got string) string {
	if len(want) == 0 && got == "" {
		return ""
	}
	var w, g any
	decode := func(text string, v *any) error {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		return d.Decode(v)
	}
	if err := decode(string(want), &w); err != nil {
		return fmt.Sprintf("%s: the transcript expects nothing: %v", what, err)
	}
	if err := decode(got, &g); err != nil {
		return what + ": " + err.Error()
	}
	return p.equal(what, w, g)
}

func (p *player) equal(at string, want, got any) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return at + " is no object"
		}
		for name := range g {
			if _, ok := w[name]; !ok {
				return at + "." + name + " is not expected"
			}
		}
		for _, name := range slices.Sorted(maps.Keys(w)) {
			v, ok := g[name]
			if !ok {
				return at + "." + name + " is missing"
			}
			if wrong := p.equal(at+"."+name, w[name], v); wrong != "" {
				return wrong
			}
		}
		return p.oneMoment(at, g)
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%s has not %d entries", at, len(w))
		}
		for i := range w {
			if wrong := p.equal(fmt.Sprintf("%s[%d]", at, i), w[i], g[i]); wrong != "" {
				return wrong
			}
		}
		return ""
	case string:
		quoted, _ := json.Marshal(w)
		if m := placeholder.FindStringSubmatch(string(quoted)); m != nil {
			return p.stands(at, m[1], m[2], got)
		}
	}
	if jsonText(want) != jsonText(got) || fmt.Sprintf("%T", want) != fmt.Sprintf("%T", got) {
		return fmt.Sprintf("%s is %s, not %s", at, jsonText(got), jsonText(want))
	}
	return ""
}

// stands holds a value against a placeholder; a named one takes its first value.
func (p *player) stands(at, kind, name string, got any) string {
	text, isText := got.(string)
	if kind == "attempt" {
		if text != fmt.Sprint(p.attempt) {
			return fmt.Sprintf("%s is %s at attempt %d", at, jsonText(got), p.attempt)
		}
		return ""
	}
	if n, ok := got.(json.Number); ok {
		text = n.String()
	}
	if isText == (kind == "time" || kind == "number") || kinds[kind] == nil || !kinds[kind].MatchString(text) {
		return fmt.Sprintf("%s is %s, not a %s", at, jsonText(got), kind)
	}
	if kind == "user" {
		p.bound[kind+" "+name] = p.users[name]
	}
	if name == "" {
		return ""
	}
	key := kind + " " + name
	if p.bound[key] == "" {
		p.bound[key] = text
	}
	if p.bound[key] != text {
		return fmt.Sprintf("%s is %s, but %s was %s", at, text, key, p.bound[key])
	}
	return ""
}

// oneMoment: where a date stands beside time, both tell the same second.
func (p *player) oneMoment(at string, o map[string]any) string {
	ms, ok := o["time"].(json.Number)
	if !ok {
		return ""
	}
	n, _ := ms.Int64()
	for name, v := range o {
		if s, _ := v.(string); kinds["date"].MatchString(s) && (name == "date" || strings.HasSuffix(name, "Date")) && s != time.UnixMilli(n).In(shanghai).Format("2006-01-02 15:04:05") {
			return fmt.Sprintf("%s.%s is %s, its time says otherwise", at, name, s)
		}
	}
	return ""
}
