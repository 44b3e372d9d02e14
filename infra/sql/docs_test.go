package sql_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"lishi/infra/sql"
)

var update = flag.Bool("update", false, "write the data dictionary of docs/sql.md anew")

// The data dictionary of docs/sql.md is the views'.
func TestDataDictionary(t *testing.T) {
	const file = "../../docs/sql.md"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var dictionary bytes.Buffer
	if err := sql.Markdown(&dictionary); err != nil {
		t.Fatal(err)
	}
	begin, end := []byte("<!-- views: written by scripts/docs -->\n"), []byte("<!-- /views -->")
	i, j := bytes.Index(raw, begin), bytes.Index(raw, end)
	if i < 0 || j < i {
		t.Fatal("docs/sql.md has lost its marks")
	}
	want := append(append(append([]byte(nil), raw[:i+len(begin)]...), dictionary.Bytes()...), raw[j:]...)
	if bytes.Equal(raw, want) {
		return
	}
	if !*update {
		t.Fatal("docs/sql.md describes other views than there are; scripts/docs writes it anew")
	}
	if err := os.WriteFile(file, want, 0o644); err != nil {
		t.Fatal(err)
	}
}
