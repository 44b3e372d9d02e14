package analytics

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones must be known where the system has no zone files

	"lishi/commands"
)

// Request says of which messages and people a figure is asked.
type Request struct {
	From, To time.Time // the moments within, To excluded
	Zone     *time.Location
	Period   string // one of Periods
	Week     string // the day that weeks begin with, one of Weeks
	Group    string // one group alone; empty: everything
	Imported string // one of Imports
	Limit    int64  // rows of a ranking
}

// Values of parameters; the first of each is the default.
var (
	Periods = []string{"day", "hour", "week", "month", "year"}
	Weeks   = []string{"monday", "sunday", "saturday"}
	Imports = []string{"with", "without", "only"}
)

// Parameter is what a figure's parameter means.
type Parameter struct {
	Name    string   `json:"name"`
	Doc     string   `json:"doc"`
	Values  []string `json:"values,omitempty"` // empty: free text
	Default string   `json:"default,omitempty"`
}

var parameters = []Parameter{
	{Name: "from", Doc: "the first moment: 2026-11-23T09:00:00Z, or without an offset, or the date alone, as the zone has it", Default: "30 days before to"},
	{Name: "to", Doc: "the first moment that is not within any more, written likewise; a date alone is the beginning of the day", Default: "now"},
	{Name: "zone", Doc: "the IANA time zone that days and hours are those of", Default: "UTC"},
	{Name: "period", Doc: "what is counted together", Values: Periods, Default: Periods[0]},
	{Name: "week", Doc: "the day that weeks begin with", Values: Weeks, Default: Weeks[0]},
	{Name: "group", Doc: "one group alone, by its id"},
	{Name: "imported", Doc: "with what was imported, without it, or only that", Values: Imports, Default: Imports[0]},
	{Name: "limit", Doc: "how many rows, 1 to 1000", Default: "20"},
}

// always are the parameters that every figure takes.
var always = []string{"from", "to", "zone"}

// Parameters lists what the figures' parameters mean.
func Parameters() []Parameter { return slices.Clone(parameters) }

// Bounds of a request. The first and the last year keep every period within
// ClickHouse's Date and DateTime.
const (
	firstYear, lastYear = 1971, 2100
	maxPeriods          = 10_000
	maxGroup            = 64
	maxLimit            = 1000
	defaultSpan         = 30 * 24 * time.Hour
)

// Parse reads the parameters of a figure. Refusals are bad_request and name the
// parameter.
func (f *Figure) Parse(values url.Values, now time.Time) (Request, error) {
	for name := range values {
		if !slices.Contains(always, name) && !f.takes(name) {
			return Request{}, bad("%s takes no parameter %s; it takes %s", f.Name, name, strings.Join(slices.Concat(always, f.Parameters), ", "))
		}
		if len(values[name]) > 1 {
			return Request{}, bad("%s is given twice", name)
		}
	}
	r := Request{Group: values.Get("group")}
	var err error
	if r.Zone, err = zone(values.Get("zone")); err != nil {
		return r, err
	}
	if r.To, err = moment("to", values.Get("to"), r.Zone, now); err != nil {
		return r, err
	}
	if r.From, err = moment("from", values.Get("from"), r.Zone, r.To.Add(-defaultSpan)); err != nil {
		return r, err
	}
	if r.Period, err = oneOf("period", values.Get("period"), Periods); err != nil {
		return r, err
	}
	if r.Week, err = oneOf("week", values.Get("week"), Weeks); err != nil {
		return r, err
	}
	if r.Imported, err = oneOf("imported", values.Get("imported"), Imports); err != nil {
		return r, err
	}
	if len(r.Group) > maxGroup {
		return r, bad("group has more than %d bytes", maxGroup)
	}
	r.Limit = 20
	if v := values.Get("limit"); v != "" {
		if r.Limit, err = strconv.ParseInt(v, 10, 64); err != nil || r.Limit < 1 || r.Limit > maxLimit {
			return r, bad("limit must be from 1 to %d", maxLimit)
		}
	}
	return r, r.check(f)
}

func (r Request) check(f *Figure) error {
	switch {
	case !r.From.Before(r.To):
		return bad("from must be before to")
	case r.From.In(r.Zone).Year() < firstYear, r.To.In(r.Zone).Year() > lastYear:
		return bad("from and to must be from %d to %d", firstYear, lastYear)
	}
	if n := r.periods(); f.takes("period") && n > maxPeriods {
		return bad("that would be %d periods, the most are %d; choose a longer period, or a shorter time", n, maxPeriods)
	}
	return nil
}

func bad(format string, args ...any) error {
	return commands.ErrBadRequest.With(fmt.Sprintf(format, args...))
}

func oneOf(name, value string, known []string) (string, error) {
	if value == "" {
		return known[0], nil
	}
	if !slices.Contains(known, value) {
		return "", bad("%s must be one of %s", name, strings.Join(known, ", "))
	}
	return value, nil
}

func zone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	l, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, bad("zone %q is no IANA time zone, such as Asia/Shanghai", name)
	}
	return l, nil
}

func moment(name, value string, zone *time.Location, none time.Time) (time.Time, error) {
	if value == "" {
		return none.UTC().Truncate(time.Millisecond), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, value, zone); err == nil {
			return t.UTC().Truncate(time.Millisecond), nil
		}
	}
	return time.Time{}, bad("%s %q is no time; write 2026-11-23T09:00:00Z or 2026-11-23", name, value)
}
