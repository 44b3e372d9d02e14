package system

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

var (
	literal = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"(\s*:)?|-?\d+`)
	aTimeOf = regexp.MustCompile(`^(time|changeTime|mutedUntil)$`)
)

// abstract puts placeholders for what another run has otherwise.
func (p *player) abstract(i int, raw string) string {
	field := ""
	return literal.ReplaceAllStringFunc(raw, func(s string) string {
		m := literal.FindStringSubmatch(s)
		if m[2] != "" { // a name
			field = m[1]
			return s
		}
		if s[0] != '"' {
			switch {
			case aTimeOf.MatchString(field):
				return `"{{time}}"`
			case field == "retryAfterMs" || field == "recallWindowMs":
				return `"{{number}}"`
			}
			return s
		}
		value := m[1]
		if p.step.UpTo > 0 && field == "uniqueNo" && value == fmt.Sprint(p.attempt) {
			return `"{{attempt}}"`
		}
		if key, ok := p.known[value]; ok {
			return `"{{` + key + `}}"`
		}
		kind := ""
		switch {
		case kinds["position"].MatchString(value):
			kind = "position"
		case kinds["id"].MatchString(value):
			kind = "id"
		case field == "cursor":
			return `"{{cursor}}"`
		case field == "next":
			kind = "text"
		case kinds["date"].MatchString(value):
			return `"{{date}}"`
		case field == "detail":
			return `"{{text}}"`
		default:
			return s
		}
		name := p.step.Name
		if name == "" {
			name = fmt.Sprint("step", i+1)
		}
		if field != "position" && field != "messageId" && field != "next" {
			name += "." + field
		}
		key := kind + " " + name
		for n := 2; p.bound[key] != ""; n++ {
			key = fmt.Sprintf("%s %s%d", kind, name, n)
		}
		p.bound[key], p.known[value] = value, key
		return `"{{` + key + `}}"`
	})
}

// write puts the transcript back into its file, a frame on a line.
func (p *player) write() {
	var b bytes.Buffer
	line := func(indent int, format string, args ...any) {
		fmt.Fprintf(&b, "%s%s\n", strings.Repeat("  ", indent), fmt.Sprintf(format, args...))
	}
	text := func(v any) string {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.Encode(v)
		return strings.TrimSpace(b.String())
	}
	line(0, "{")
	line(1, `"title": %s,`, text(p.tr.Title))
	if p.tr.Settings != nil {
		line(1, `"settings": %s,`, text(p.tr.Settings))
	}
	line(1, `"users": %s,`, text(p.tr.Users))
	line(1, `"steps": [`)
	for i, s := range p.tr.Steps {
		fields := []string{}
		head := ""
		if s.Name != "" {
			head = `"name": ` + text(s.Name) + ", "
		}
		fields = append(fields, head+`"on": `+text(s.On))
		if s.Request != nil {
			var request bytes.Buffer
			if err := json.Compact(&request, s.Request); err != nil {
				p.t.Fatal(err)
			}
			fields = append(fields, `"request": `+request.String())
		}
		if s.Text != "" {
			fields = append(fields, `"text": `+text(s.Text))
		}
		if s.UpTo != 0 {
			fields = append(fields, fmt.Sprintf(`"upTo": %d`, s.UpTo))
		}
		if s.Status != 0 {
			fields = append(fields, fmt.Sprintf(`"status": %d`, s.Status))
		}
		if s.Result != nil {
			fields = append(fields, `"result": `+string(s.Result))
		}
		if len(s.Pushes) > 0 {
			var to []string
			for _, name := range slices.Sorted(maps.Keys(s.Pushes)) {
				var frames []string
				for _, f := range s.Pushes[name] {
					frames = append(frames, "          "+string(f))
				}
				to = append(to, "        "+text(name)+": [\n"+strings.Join(frames, ",\n")+"\n        ]")
			}
			fields = append(fields, "\"pushes\": {\n"+strings.Join(to, ",\n")+"\n      }")
		}
		if s.Close != 0 {
			fields = append(fields, fmt.Sprintf(`"close": %d`, s.Close))
		}
		line(2, "{")
		line(3, "%s", strings.Join(fields, ",\n      "))
		if i+1 < len(p.tr.Steps) {
			line(2, "},")
		} else {
			line(2, "}")
		}
	}
	line(1, "]")
	line(0, "}")
	if err := os.WriteFile(p.file, b.Bytes(), 0o644); err != nil {
		p.t.Fatal(err)
	}
}
