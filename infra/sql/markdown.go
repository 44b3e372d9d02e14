package sql

import (
	"fmt"
	"io"
	"strings"
)

// Markdown writes the data dictionary.
func Markdown(w io.Writer) error {
	cell := strings.NewReplacer("|", `\|`, "\n", " ")
	for _, v := range Views() {
		mark := ""
		if v.Group != "" {
			mark = " ‡"
		}
		if _, err := fmt.Fprintf(w, "### %s%s\n\n%s\n\n| column | type | what |\n| --- | --- | --- |\n", v.Name, mark, v.Comment); err != nil {
			return err
		}
		for _, c := range v.Columns {
			written := ""
			if c.Written {
				written = " †"
			}
			if _, err := fmt.Fprintf(w, "| %s%s | %s | %s |\n", c.Name, written, c.Type, cell.Replace(c.Comment)); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	return nil
}
