package analytics

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
)

// Markdown writes the figures for docs/sql.md: what each says, its columns, its
// parameters, and its SQL for a month as an example.
func Markdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| parameter | meaning | without it |\n| --- | --- | --- |\n")
	for _, p := range parameters {
		doc := p.Doc
		if len(p.Values) > 0 {
			doc += ": `" + strings.Join(p.Values, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", p.Name, doc, p.Default)
	}
	for _, f := range figures {
		fmt.Fprintf(&b, "\n### `%s`: %s\n\n%s\n\n", f.Name, f.Title, f.Doc)
		if len(f.Parameters) > 0 {
			fmt.Fprintf(&b, "Takes `from`, `to`, `zone`, `%s`.\n\n", strings.Join(f.Parameters, "`, `"))
		}
		b.WriteString("| column | meaning |\n| --- | --- |\n")
		for _, c := range f.Columns {
			fmt.Fprintf(&b, "| `%s` | %s |\n", c.Name, c.Doc)
		}
		r, err := f.Parse(url.Values{"from": {"2026-11-01"}, "to": {"2026-12-01"}, "zone": {"Asia/Shanghai"}}, time.Time{})
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "\n```sql\n%s\n```\n", f.Statement(r).Text())
	}
	_, err := io.WriteString(w, b.String())
	return err
}
