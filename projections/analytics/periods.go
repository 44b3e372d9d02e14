package analytics

import (
	"fmt"
	"time"
)

// expression is the SQL of the period that a moment belongs to: a Date as the
// zone's calendar has it, or of an hour its beginning. Hours have sixty minutes
// each and begin with the clock's, counted on from the first one asked for: where
// clocks go back there are two of the same name, told apart by their moment.
func (r Request) expression(moment string) string {
	date := fmt.Sprintf("toDate(%s, {zone:String})", moment)
	switch r.Period {
	case "hour":
		return fmt.Sprintf("toStartOfInterval(%s, INTERVAL 1 HOUR, {first:DateTime64(3, 'UTC')}, 'UTC')", moment)
	case "week":
		switch r.Week {
		case "sunday":
			return fmt.Sprintf("toStartOfWeek(%s, 0)", date)
		case "saturday":
			return fmt.Sprintf("toStartOfWeek(%s + 1, 0) - 1", date)
		}
		return fmt.Sprintf("toStartOfWeek(%s, 1)", date)
	case "month":
		return fmt.Sprintf("toStartOfMonth(%s)", date)
	case "year":
		return fmt.Sprintf("toStartOfYear(%s)", date)
	}
	return date
}

// fill has a row for every period, also for those in which nothing happened.
func (r Request) fill() string {
	if r.Period == "hour" {
		return "WITH FILL FROM {first:DateTime64(3, 'UTC')} TO {to:DateTime64(3, 'UTC')} STEP INTERVAL 1 HOUR"
	}
	step := map[string]string{"day": "1 DAY", "week": "7 DAY", "month": "1 MONTH", "year": "1 YEAR"}[r.Period]
	return "WITH FILL FROM {first:Date} TO {end:Date} STEP INTERVAL " + step
}

// first is the beginning of the first period: a moment of hours, a date else.
func (r Request) first() time.Time {
	from := r.From.In(r.Zone)
	if r.Period == "hour" {
		return r.From.Add(-time.Duration(from.Minute())*time.Minute - time.Duration(from.Second())*time.Second - time.Duration(from.Nanosecond()))
	}
	return r.start(date(from))
}

// end is the day after the last one.
func (r Request) end() time.Time {
	return date(r.To.Add(-time.Millisecond).In(r.Zone)).AddDate(0, 0, 1)
}

// date is a moment's day in its zone, as midnight of UTC.
func date(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// start is the first day of the period that a day belongs to.
func (r Request) start(day time.Time) time.Time {
	switch r.Period {
	case "week":
		begins := map[string]time.Weekday{"monday": time.Monday, "sunday": time.Sunday, "saturday": time.Saturday}[r.Week]
		return day.AddDate(0, 0, -int(day.Weekday()-begins+7)%7)
	case "month":
		return day.AddDate(0, 0, 1-day.Day())
	case "year":
		return day.AddDate(0, 0, 1-day.YearDay())
	}
	return day
}

// periods is how many there are, at most.
func (r Request) periods() int {
	shortest := map[string]time.Duration{"hour": time.Hour, "week": 7 * 24 * time.Hour, "month": 28 * 24 * time.Hour, "year": 365 * 24 * time.Hour}[r.Period]
	if shortest == 0 {
		shortest = 24 * time.Hour
	}
	return int(r.To.Sub(r.From)/shortest) + 1
}
