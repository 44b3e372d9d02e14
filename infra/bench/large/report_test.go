package large

import (
	"strings"
	"testing"
)

// A column a run, and what the last is of the first; what was refused in one run,
// or was not measured there, has no ratio.
func TestTheReportSetsRunsBesideEachOther(t *testing.T) {
	r := Report{Machine: "m", Processors: 2, Load: "1 1 1", Version: "v", Runs: []Of{
		{Messages: 1_000_000, Figures: []Figure{{"A", "x", 12.34, "ms", ""}, {"A", "y", 2, "s", ""}, {"B", "z", 1234567, "", ""}}},
		{Messages: 10_000_000, Figures: []Figure{{"A", "x", 123.4, "ms", ""}, {"A", "y", 0, "", "too much"}, {"B", "w", 0.5, "MB", ""}}},
	}}
	var b strings.Builder
	if err := r.Markdown(&b); err != nil {
		t.Fatal(err)
	}
	want := `m, 2 processors, load average 1 1 1; v

## A

| messages | 1 000 000 | 10 000 000 | ratio |
| --- | --- | --- | --- |
| x | 12.3 ms | 123 ms | 10.00 |
| y | 2 s | refused | |

## B

| messages | 1 000 000 | 10 000 000 | ratio |
| --- | --- | --- | --- |
| z | 1 234 567 | | |
| w | | 0.50 MB | |
`
	if b.String() != want {
		t.Errorf("%s\nwant\n%s", b.String(), want)
	}
}
