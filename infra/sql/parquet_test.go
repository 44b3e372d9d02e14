package sql

import (
	"net/url"
	"testing"
)

// Row groups of Parquet are small unless the caller wants others: a million rows of
// messages, which is ClickHouse's default, don't fit into a statement's memory.
func TestParquetIsWrittenInSmallPieces(t *testing.T) {
	e := New(Options{Limits: Limits{Memory: 256 << 20}})
	p, err := e.parameters(Caller{Role: "analyst"}, url.Values{})
	if err != nil || p.Get("output_format_parquet_row_group_size") != "65536" || p.Get("output_format_parquet_row_group_size_bytes") != "16777216" {
		t.Errorf("%v, %v", p, err)
	}
	p, err = e.parameters(Caller{Role: "analyst"}, url.Values{"output_format_parquet_row_group_size": {"1000"}})
	if err != nil || p.Get("output_format_parquet_row_group_size") != "1000" {
		t.Errorf("%v, %v", p, err)
	}
}
