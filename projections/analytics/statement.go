package analytics

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"

	"lishi/projections"
)

// Statement is a figure's SELECT for one request.
type Statement struct {
	// SQL names its parameters with their types; the values travel beside it.
	SQL  string
	Args []projections.Arg
}

// Statement makes the SELECT that answers a request. Its template knows
//
//	{{period "said"}}   the period that a column's moment belongs to
//	{{fill}}            behind ORDER BY period: a row for every period
//	{{within "said"}}   the condition that a moment is within the request
//	{{chosen}}          the conditions of group and imported, each after AND
func (f *Figure) Statement(r Request) Statement {
	var b strings.Builder
	err := template.Must(template.New(f.Name).Funcs(template.FuncMap{
		"period": r.expression,
		"fill":   r.fill,
		"within": func(moment string) string {
			return fmt.Sprintf("%s >= {from:DateTime64(3, 'UTC')} AND %[1]s < {to:DateTime64(3, 'UTC')}", moment)
		},
		"chosen": r.chosen,
	}).Parse(f.sql)).Execute(&b, r)
	if err != nil {
		panic("analytics: " + err.Error()) // the template is at fault, whatever the request
	}
	s := Statement{SQL: strings.TrimSpace(b.String())}
	seen := map[string]bool{}
	for _, m := range placeholder.FindAllStringSubmatch(s.SQL, -1) {
		if name := m[1]; !seen[name] {
			seen[name] = true
			s.Args = append(s.Args, projections.Arg{Name: name, Value: r.value(name, m[2])})
		}
	}
	return s
}

// chosen are the conditions of the parameters that narrow.
func (r Request) chosen() string {
	var b strings.Builder
	if r.Group != "" {
		b.WriteString(" AND group_id = {group:String}")
	}
	switch r.Imported {
	case "without":
		b.WriteString(" AND NOT imported")
	case "only":
		b.WriteString(" AND imported")
	}
	return b.String()
}

var placeholder = regexp.MustCompile(`\{(\w+):([^}]+)\}`)

func (r Request) value(name, kind string) any {
	var at time.Time
	switch name {
	case "zone":
		return r.Zone.String()
	case "group":
		return r.Group
	case "limit":
		return uint32(r.Limit)
	case "from":
		at = r.From
	case "to":
		at = r.To
	case "first":
		at = r.first()
	case "end":
		at = r.end()
	default:
		panic("analytics: no parameter " + name)
	}
	if kind == "Date" {
		return at.Format(time.DateOnly)
	}
	return at.UTC().Format("2006-01-02 15:04:05.000")
}

// Text is the statement with its values written in, to be read and pasted.
func (s Statement) Text() string {
	values := map[string]any{}
	for _, a := range s.Args {
		values[a.Name] = a.Value
	}
	return placeholder.ReplaceAllStringFunc(s.SQL, func(p string) string {
		m := placeholder.FindStringSubmatch(p)
		switch v := values[m[1]].(type) {
		case uint32:
			return strconv.FormatUint(uint64(v), 10)
		case string:
			switch m[2] {
			case "String":
				return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v) + "'"
			case "Date":
				return "toDate('" + v + "')"
			}
			return "toDateTime64('" + v + "', 3, 'UTC')"
		}
		panic("analytics: no value for " + p)
	})
}

// Comment is the statement's text under a comment that says what it answers.
func (f *Figure) Comment(s Statement) string {
	var b strings.Builder
	for line := range strings.Lines(f.Title + ". " + f.Doc + "\n") {
		b.WriteString("-- " + line)
	}
	return b.String() + s.Text()
}
