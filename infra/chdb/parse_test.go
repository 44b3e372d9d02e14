package chdb

import (
	"io"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// However a statement and its rows arrive, every byte of the rows comes out
// behind it, unchanged.
func FuzzStatementAndRows(f *testing.F) {
	for _, seed := range [][2]string{
		{"INSERT INTO n (a, `s t`)", "1,one\n2,two\n"},
		{"insert into\n\tdb.n", "\x00\x01 FORMAT Native\n"},
		{"INSERT INTO TABLE `a b`", ""},
		{"SELECT 1 FORMAT CSV", "\n"},
		{"INSERT INTO n VALUES (' FORMAT CSV\n')", "x"},
		{"/*lishi 1*/ INSERT INTO n", "\r\n"},
		{"", ""},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, sql, rows string) {
		inURL := httptest.NewRequest("POST", "/?query="+url.QueryEscape(sql+" FORMAT CSV"), strings.NewReader(rows))
		q, err := parse(inURL)
		if err == nil && q.data != nil {
			if got, err := io.ReadAll(q.data); string(got) != rows || err != nil {
				t.Errorf("%q: rows %q became %q, %v", sql, rows, got, err)
			}
			if q.format == "" || strings.TrimSpace(q.sql) == "" {
				t.Errorf("%q: statement %q, format %q", sql, q.sql, q.format)
			}
		}
		inBody := httptest.NewRequest("POST", "/", strings.NewReader(sql+" FORMAT CSV\n"+rows))
		q, err = parse(inBody)
		if err != nil {
			return
		}
		got := ""
		if q.data != nil {
			all, err := io.ReadAll(q.data)
			if err != nil {
				t.Error(err)
			}
			got = string(all)
		}
		if whole := sql + " FORMAT CSV\n" + rows; q.data == nil && q.sql != whole || q.data != nil && (!strings.HasPrefix(whole, q.sql) || !strings.HasSuffix(whole, got)) {
			t.Errorf("%q became statement %q and rows %q", whole, q.sql, got)
		}
	})
}

func FuzzParseError(f *testing.F) {
	f.Add("Code: 60. DB::Exception: Unknown table expression identifier 'nowhere' in scope SELECT * FROM nowhere. (UNKNOWN_TABLE)")
	f.Add("Code: 33. DB::Exception: Cannot read all data: While executing Native. (CANNOT_READ_ALL_DATA) (version 26.7.2.1)")
	f.Add("Invalid insert stream Code: 60. DB::Exception: Table default.t does not exist. (UNKNOWN_TABLE)")
	f.Add("Code: 99999999999999999999. x")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		e := parseError(text)
		if e.Message != strings.TrimSpace(text) || e.Code < 0 {
			t.Errorf("%q became %+v", text, e)
		}
	})
}

func TestSelects(t *testing.T) {
	for sql, want := range map[string]bool{
		"SELECT 1": true, "select(1)": true, " \n( SELECT 1)": true, "/* a */-- b\nWITH 1 AS x SELECT x": true, "SELECT": true, "SELECT/**/1": true,
		"": false, "INSERT INTO n SELECT 1": false, "SELECTION": false, "/* SELECT": false, "-- SELECT": false, "EXPLAIN SELECT 1": false,
	} {
		if got := selects(sql); got != want {
			t.Errorf("selects(%q) = %v", sql, got)
		}
	}
}

func TestErrorsAreReadWhole(t *testing.T) {
	e := parseError("Code: 60. DB::Exception: Unknown table (SEE_ABOVE) … (UNKNOWN_TABLE)\n")
	if e.Code != 60 || e.Name != "UNKNOWN_TABLE" || e.Error() != "Code: 60. DB::Exception: Unknown table (SEE_ABOVE) … (UNKNOWN_TABLE)" {
		t.Errorf("%+v", e)
	}
}
