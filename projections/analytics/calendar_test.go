package analytics_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"lishi/projections/analytics"
	"lishi/projections/projectiontest"
)

// The engine and Go's own calendar agree on the period of every quarter of an hour
// around the moments at which calendars do odd things, in all zones.
func TestPeriodsAreTheZonesCalendar(t *testing.T) {
	db := projectiontest.DB(t)
	var at []time.Time
	for _, m := range moments {
		odd, err := time.Parse(time.RFC3339, m)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 8 * 96 {
			at = append(at, odd.Add(time.Duration(i-4*96)*15*time.Minute-time.Millisecond))
		}
	}
	literals := make([]string, len(at))
	for i, a := range at {
		literals[i] = fmt.Sprint(a.UnixMilli())
	}
	from := "(SELECT fromUnixTimestamp64Milli(arrayJoin([" + strings.Join(literals, ", ") + "]), 'UTC') AS said)"
	for _, zone := range zones {
		for _, p := range analytics.Periods {
			for i, week := range analytics.Weeks {
				if p != "week" && i > 0 {
					continue
				}
				r := analytics.Request{From: at[0], To: at[len(at)-1], Period: p, Week: week}
				var err error
				if r.Zone, err = time.LoadLocation(zone); err != nil {
					t.Fatal(err)
				}
				s := r.Expression("said")
				for i, got := range projectiontest.Strings(t, db, s.SQL+" FROM "+from, s.Args...) {
					if want := period(r, at[i]); got != want {
						t.Fatalf("%s, %s, %s: %s belongs to %s, want %s", zone, p, week, at[i], got, want)
					}
				}
			}
		}
	}
}
