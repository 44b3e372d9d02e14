package console

import (
	"fmt"
	"io"
	"strings"
)

// Markdown writes the tables of urls and reason words of docs/console.md.
func (s *Server) Markdown(w io.Writer) error {
	b := &strings.Builder{}
	b.WriteString("| url | for | what |\n| --- | --- | --- |\n")
	for _, r := range s.routes {
		roles := "admin"
		for _, role := range r.Roles {
			if role != Admin {
				roles += ", " + string(role)
			}
		}
		doc := r.Doc
		if r.Look {
			doc += " *(a look)*"
		}
		if r.Stream {
			doc += " *(lines)*"
		}
		fmt.Fprintf(b, "| `%s %s` | %s | %s |\n", r.Method, r.Path, roles, doc)
	}
	b.WriteString("\n| reason | status | meaning |\n| --- | --- | --- |\n")
	for _, r := range Reasons {
		fmt.Fprintf(b, "| `%s` | %d | %s |\n", r.Word, r.Status, r.Doc)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
