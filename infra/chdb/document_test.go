package chdb_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"lishi/infra/chdb"
)

// An answer of many blocks is one whole in formats that have a beginning and an
// end.
func TestWholeDocuments(t *testing.T) {
	const rows = 200_000
	const sql = "SELECT number AS n, toString(number) AS s FROM numbers(200000)"
	get := func(sql, format string) string {
		t.Helper()
		var b strings.Builder
		if err := engine.Query(t.Context(), chdb.Session{}, sql, format, nil, func(p []byte) error { b.Write(p); return nil }); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		return b.String()
	}
	var document struct {
		Data []json.RawMessage
		Rows int
	}
	for name, text := range map[string]string{
		"asked for": get(sql, "JSON"), "in the statement": get(sql+" FORMAT JSON -- all", "TabSeparated"),
		"with settings": get(sql+" FORMAT JSON SETTINGS max_block_size = 1000", "TabSeparated"),
		"settings":      get(sql+" SETTINGS max_block_size = 1000;", "JSON"),
	} {
		if err := json.Unmarshal([]byte(text), &document); err != nil || len(document.Data) != rows || document.Rows != rows {
			t.Errorf("JSON %s: %d rows of %d, %v", name, len(document.Data), document.Rows, err)
		}
	}
	for format, once := range map[string]string{"CSVWithNames": `"n","s"`, "Arrow": "ARROW1\x00\x00", "TSVWithNamesAndTypes": "n\ts\n"} {
		if text := get(sql, format); strings.Count(text, once) != 1 {
			t.Errorf("%s has %d beginnings", format, strings.Count(text, once))
		}
	}
	if parquet := get(sql, "Parquet"); strings.Count(parquet, "PAR1") != 2 || !strings.HasSuffix(parquet, "PAR1") {
		t.Errorf("Parquet: %d marks in %d bytes", strings.Count(parquet, "PAR1"), len(parquet))
	}
	if text := get(sql+" FORMAT CSV", "JSON"); strings.Count(text, "\n") != rows {
		t.Errorf("CSV has %d lines", strings.Count(text, "\n"))
	}
}

func TestDocumentsEndEarly(t *testing.T) {
	stop := errors.New("enough")
	err := engine.Query(t.Context(), chdb.Session{}, "SELECT number FROM numbers(100000000)", "JSONCompact", nil, func([]byte) error { return stop })
	if !errors.Is(err, stop) {
		t.Error(err)
	}
	if err := engine.Query(t.Context(), chdb.Session{}, "SELECT throwIf(number = 500000) FROM numbers(1000000)", "CSVWithNames", nil, func([]byte) error { return nil }); code(err) != 395 {
		t.Error(err)
	}
	if got := run(t, chdb.Session{}, "SELECT 1"); got != "1" {
		t.Error(got)
	}
}
