package analytics_test

import (
	"bytes"
	"errors"
	"flag"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lishi/commands"
	"lishi/projections/analytics"
)

var now = time.Date(2026, 11, 23, 21, 30, 0, 123456789, time.UTC)

func parse(t *testing.T, figure, query string) (analytics.Request, error) {
	t.Helper()
	f, err := analytics.Find(figure)
	if err != nil {
		t.Fatal(err)
	}
	v, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return f.Parse(v, now)
}

func TestRequestsAreRead(t *testing.T) {
	for query, want := range map[string][2]string{
		"":                    {"2026-10-24T21:30:00.123Z", "2026-11-23T21:30:00.123Z"},
		"zone=Asia/Shanghai":  {"2026-10-24T21:30:00.123Z", "2026-11-23T21:30:00.123Z"},
		"from=2026-11-01":     {"2026-11-01T00:00:00Z", "2026-11-23T21:30:00.123Z"},
		"to=2026-11-01T00:30": {"2026-10-02T00:30:00Z", "2026-11-01T00:30:00Z"},
		"from=2026-11-01&to=2026-11-02&zone=Asia/Shanghai":                                            {"2026-10-31T16:00:00Z", "2026-11-01T16:00:00Z"},
		"from=2026-11-01T08:00:00.5%2B08:00&to=2026-11-01T08:00:00.501%2B08:00&zone=America/New_York": {"2026-11-01T00:00:00.5Z", "2026-11-01T00:00:00.501Z"},
		"from=1971-01-01&to=2100-12-31&period=year":                                                   {"1971-01-01T00:00:00Z", "2100-12-31T00:00:00Z"},
	} {
		r, err := parse(t, "messages", query)
		if err != nil {
			t.Errorf("%q: %v", query, err)
			continue
		}
		if got := [2]string{r.From.Format(time.RFC3339Nano), r.To.Format(time.RFC3339Nano)}; got != want {
			t.Errorf("%q: %v, want %v", query, got, want)
		}
	}
}

func TestRequestsThatMakeNoSense(t *testing.T) {
	for _, c := range []struct{ figure, query, word string }{
		{"messages", "zone=Mars/Olympus", "zone"},
		{"messages", "zone=Local", "zone"},
		{"messages", "zone=../../etc/passwd", "zone"},
		{"messages", "from=yesterday", "from"},
		{"messages", "to=2026-13-01", "to"},
		{"messages", "from=2026-11-02&to=2026-11-01", "before"},
		{"messages", "from=2026-11-01&to=2026-11-01", "before"},
		{"messages", "from=1970-12-31&to=1972-01-01", "1971"},
		{"messages", "from=2026-01-01&to=2101-01-02", "2100"},
		{"messages", "period=fortnight", "period"},
		{"messages", "period=hour&from=2020-01-01", "periods"},
		{"messages", "week=friday", "week"},
		{"messages", "imported=maybe", "imported"},
		{"messages", "limit=3", "no parameter limit"},
		{"messages", "x=3", "no parameter x"},
		{"messages", "zone=UTC&zone=UTC", "twice"},
		{"messages", "group=" + strings.Repeat("x", 65), "group"},
		{"top_groups", "limit=0", "limit"},
		{"top_groups", "limit=1001", "limit"},
		{"top_groups", "limit=all", "limit"},
		{"top_groups", "period=day", "no parameter period"},
	} {
		_, err := parse(t, c.figure, c.query)
		if !errors.Is(err, commands.ErrBadRequest) || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s?%s: %v, which does not say %q", c.figure, c.query, err, c.word)
		}
	}
	if _, err := analytics.Find("weather"); !errors.Is(err, commands.ErrNotFound) {
		t.Error(err)
	}
}

// What is shown is plain SQL: values are written in, and can't be anything else.
func TestWhatIsShown(t *testing.T) {
	f, _ := analytics.Find("messages")
	r, err := parse(t, "messages", "from=2026-11-01&to=2026-12-01&zone=Asia/Shanghai&period=week&week=sunday&imported=without&group="+url.QueryEscape(`it's \'); {zone:String}`))
	if err != nil {
		t.Fatal(err)
	}
	s := f.Statement(r)
	const want = `SELECT
    toStartOfWeek(toDate(said, 'Asia/Shanghai'), 0) AS period,
    count() AS messages,
    countIf(kind = 'pair') AS in_pairs,
    countIf(kind = 'group') AS in_groups,
    uniqExact(conversation) AS conversations,
    countIf(edited) AS since_edited,
    countIf(recalled) AS since_recalled,
    countIf(imported) AS by_import
FROM messages
WHERE said >= toDateTime64('2026-10-31 16:00:00.000', 3, 'UTC') AND said < toDateTime64('2026-11-30 16:00:00.000', 3, 'UTC') AND group_id = 'it\'s \\\'); {zone:String}' AND NOT imported
GROUP BY period
ORDER BY period WITH FILL FROM toDate('2026-11-01') TO toDate('2026-12-01') STEP INTERVAL 7 DAY`
	if got := s.Text(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := f.Comment(s); !strings.HasPrefix(got, "-- Messages. Messages by the time") || !strings.HasSuffix(got, "\n"+want) {
		t.Errorf("commented:\n%s", got)
	}
	for _, arg := range s.Args {
		if !strings.Contains(s.SQL, "{"+arg.Name+":") {
			t.Errorf("%s is given and not used", arg.Name)
		}
	}
}

// Every figure has what the page, the docs and the command line show of it.
func TestFiguresAreDescribed(t *testing.T) {
	known := map[string]bool{}
	for _, p := range analytics.Parameters() {
		known[p.Name] = true
		if p.Doc == "" {
			t.Errorf("parameter %s says nothing", p.Name)
		}
	}
	for _, f := range analytics.Figures() {
		columns := map[string]bool{}
		for _, c := range f.Columns {
			columns[c.Name] = c.Doc != ""
		}
		for _, name := range append([]string{f.Chart.X}, f.Chart.Y...) {
			if !columns[name] {
				t.Errorf("%s draws %s, which is no described column", f.Name, name)
			}
		}
		for _, name := range f.Parameters {
			if !known[name] {
				t.Errorf("%s takes %s, which is no parameter", f.Name, name)
			}
		}
		if f.Title == "" || f.Doc == "" {
			t.Errorf("%s says nothing", f.Name)
		}
	}
}

// The console's page has a name in both of its languages for whatever figures show.
func TestThePageNamesEveryFigure(t *testing.T) {
	raw, err := os.ReadFile("../../web/console/src/pages/analytics/texts.ts")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]int{}
	for _, hit := range regexp.MustCompile(`(?m)^ +((?:figure|doc|column)_\w+):`).FindAllSubmatch(raw, -1) {
		named[string(hit[1])]++
	}
	want := map[string]int{}
	for _, f := range analytics.Figures() {
		want["figure_"+f.Name], want["doc_"+f.Name] = 2, 2
		for _, c := range f.Columns {
			want["column_"+c.Name] = 2
		}
	}
	if !maps.Equal(named, want) {
		t.Errorf("web/console/src/pages/analytics/texts.ts names %v, want %v", named, want)
	}
}

var update = flag.Bool("update", false, "write the generated parts of docs/ anew")

// What docs/sql.md says of the figures is what they are.
func TestDocsListTheFigures(t *testing.T) {
	const file = "../../docs/sql.md"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var written bytes.Buffer
	if err := analytics.Markdown(&written); err != nil {
		t.Fatal(err)
	}
	before, rest, _ := bytes.Cut(raw, []byte("<!-- figures: written by scripts/docs -->\n"))
	_, after, whole := bytes.Cut(rest, []byte("<!-- /figures -->"))
	if !whole {
		t.Fatal(file + " has lost its marks")
	}
	want := slices.Concat(before, []byte("<!-- figures: written by scripts/docs -->\n"), written.Bytes(), []byte("<!-- /figures -->"), after)
	if bytes.Equal(raw, want) {
		return
	}
	if !*update {
		t.Fatal(file + " says other things of the figures than they do; scripts/docs writes it anew")
	}
	if err := os.WriteFile(file, want, 0o644); err != nil {
		t.Fatal(err)
	}
}
