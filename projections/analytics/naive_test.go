package analytics_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"lishi/projections/analytics"
)

// world is what happened, as plainly as it can be written down, and naive counts
// of it that share nothing with the SQL but the figures' definitions.
type world struct {
	said    []*message
	changes []change
	names   map[string]string // of groups
	members map[string]int
}

type message struct {
	conversation, group, sender string
	at                          time.Time
	offset                      int64
	imported, edited, recalled  bool
}

func (m *message) kind() string {
	if m.group != "" {
		return "group"
	}
	return "pair"
}

// change is the beginning or the end of a friendship or a membership.
type change struct {
	what     string // begun, ended, joined, left
	group    string
	at       time.Time
	imported bool // the beginning was
}

func (w *world) count(name string, r analytics.Request) []string {
	switch name {
	case "messages":
		return rows(r, w.within(r), func(ms []*message) string {
			return line(len(ms), having(ms, func(m *message) bool { return m.group == "" }), having(ms, func(m *message) bool { return m.group != "" }),
				distinct(ms, func(m *message) string { return m.conversation }), having(ms, func(m *message) bool { return m.edited }),
				having(ms, func(m *message) bool { return m.recalled }), having(ms, func(m *message) bool { return m.imported }))
		})
	case "active_users":
		return rows(r, w.within(r), func(ms []*message) string {
			return line(distinct(ms, sender), distinct(of("pair", ms), sender), distinct(of("group", ms), sender))
		})
	case "active_users_rolling":
		return w.rolling(r)
	case "friendships":
		return rows(r, w.changed(r), func(cs []change) string {
			return line(having(cs, is("begun")), having(cs, is("ended")), having(cs, func(c change) bool { return c.what == "begun" && c.imported }))
		})
	case "group_activity":
		joins := split(r, w.changed(r), func(c change) time.Time { return c.at })
		return rows(r, of("group", w.within(r)), func(ms []*message) string {
			return line(distinct(ms, func(m *message) string { return m.group }), len(ms), distinct(ms, sender))
		}, func(period string) string {
			return line(having(joins[period], is("joined")), having(joins[period], is("left")))
		})
	case "response_times":
		return w.responses(r)
	case "hours_of_week":
		return w.hours(r)
	case "top_groups":
		return w.top(r)
	}
	panic(name)
}

func sender(m *message) string { return m.sender }

func is(what string) func(change) bool { return func(c change) bool { return c.what == what } }

func line(values ...any) string {
	return strings.TrimSuffix(fmt.Sprintln(values...), "\n")
}

func having[T any](all []T, holds func(T) bool) (n int) {
	for _, x := range all {
		if holds(x) {
			n++
		}
	}
	return n
}

func distinct(ms []*message, key func(*message) string) int {
	set := map[string]bool{}
	for _, m := range ms {
		set[key(m)] = true
	}
	return len(set)
}

func of(kind string, ms []*message) []*message {
	return slices.DeleteFunc(slices.Clone(ms), func(m *message) bool { return m.kind() != kind })
}

func chosen(r analytics.Request, group string, imported bool) bool {
	return (r.Group == "" || group == r.Group) && (r.Imported == "with" || imported == (r.Imported == "only"))
}

// upTo are the chosen messages before the request's end.
func (w *world) upTo(r analytics.Request) []*message {
	return slices.DeleteFunc(slices.Clone(w.said), func(m *message) bool { return !chosen(r, m.group, m.imported) || !m.at.Before(r.To) })
}

func (w *world) within(r analytics.Request) []*message {
	return slices.DeleteFunc(w.upTo(r), func(m *message) bool { return m.at.Before(r.From) })
}

func (w *world) changed(r analytics.Request) []change {
	return slices.DeleteFunc(slices.Clone(w.changes), func(c change) bool {
		return !chosen(r, c.group, c.imported) || c.at.Before(r.From) || !c.at.Before(r.To)
	})
}

// period names the period of a moment by walking back to where it began.
func period(r analytics.Request, t time.Time) string {
	l := t.In(r.Zone)
	day := time.Date(l.Year(), l.Month(), l.Day(), 12, 0, 0, 0, time.UTC)
	switch r.Period {
	case "hour":
		f := r.From.In(r.Zone)
		begin := r.From.Add(-time.Duration(f.Minute())*time.Minute - time.Duration(f.Second())*time.Second - time.Duration(f.Nanosecond()))
		return begin.Add(t.Sub(begin).Truncate(time.Hour)).UTC().Format("2006-01-02 15:04:05.000")
	case "week":
		for day.Weekday() != map[string]time.Weekday{"monday": 1, "sunday": 0, "saturday": 6}[r.Week] {
			day = day.AddDate(0, 0, -1)
		}
	case "month":
		day = time.Date(l.Year(), l.Month(), 1, 0, 0, 0, 0, time.UTC)
	case "year":
		day = time.Date(l.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return day.Format(time.DateOnly)
}

// periods lists those of the calendar that the request touches.
func periods(r analytics.Request) []string {
	set := map[string]bool{}
	if r.Period == "hour" {
		for t := r.From; t.Before(r.To); t = t.Add(time.Minute) {
			set[period(r, t)] = true
		}
		set[period(r, r.To.Add(-time.Millisecond))] = true
		return slices.Sorted(maps.Keys(set))
	}
	f, l := r.From.In(r.Zone), r.To.Add(-time.Millisecond).In(r.Zone)
	last := time.Date(l.Year(), l.Month(), l.Day(), 12, 0, 0, 0, time.UTC)
	utc := r
	utc.Zone = time.UTC
	for d := time.Date(f.Year(), f.Month(), f.Day(), 12, 0, 0, 0, time.UTC); !d.After(last); d = d.AddDate(0, 0, 1) {
		set[period(utc, d)] = true
	}
	return slices.Sorted(maps.Keys(set))
}

func split[T any](r analytics.Request, all []T, at func(T) time.Time) map[string][]T {
	parts := map[string][]T{}
	for _, x := range all {
		p := period(r, at(x))
		parts[p] = append(parts[p], x)
	}
	return parts
}

func rows[T any](r analytics.Request, all []T, count func([]T) string, more ...func(string) string) (lines []string) {
	parts := split(r, all, func(x T) time.Time {
		switch x := any(x).(type) {
		case *message:
			return x.at
		case change:
			return x.at
		}
		panic("neither")
	})
	for _, p := range periods(r) {
		l := p + " " + count(parts[p])
		for _, f := range more {
			l += " " + f(p)
		}
		lines = append(lines, strings.TrimSpace(l))
	}
	return lines
}

func (w *world) rolling(r analytics.Request) (lines []string) {
	r.Period = "day"
	days := periods(r)
	for _, day := range days {
		end, _ := time.Parse(time.DateOnly, day)
		n := [3]int{}
		for i, length := range []int{1, 7, 30} {
			first := end.AddDate(0, 0, 1-length).Format(time.DateOnly)
			n[i] = distinct(slices.DeleteFunc(w.upTo(r), func(m *message) bool {
				d := period(r, m.at)
				return d < first || d > day
			}), sender)
		}
		lines = append(lines, line(day, n[0], n[1], n[2]))
	}
	return lines
}

func (w *world) hours(r analytics.Request) (lines []string) {
	for weekday := range 7 {
		for hour := range 24 {
			ms := slices.DeleteFunc(w.within(r), func(m *message) bool {
				l := m.at.In(r.Zone)
				return l.Hour() != hour || int(l.Weekday()+6)%7 != weekday
			})
			lines = append(lines, line(weekday+1, hour, len(ms), distinct(ms, sender)))
		}
	}
	return lines
}

type answer struct {
	kind   string
	at     time.Time
	waited float64
}

func (w *world) responses(r analytics.Request) (lines []string) {
	talks := map[string][]*message{}
	for _, m := range w.upTo(r) {
		talks[m.conversation] = append(talks[m.conversation], m)
	}
	byPeriod := map[string][]answer{}
	for _, talk := range talks {
		slices.SortFunc(talk, func(a, b *message) int {
			if !a.at.Equal(b.at) {
				return a.at.Compare(b.at)
			}
			return int(a.offset - b.offset)
		})
		var turn *message // that the present one answers
		var speaker string
		for _, m := range talk {
			if m.sender == speaker {
				continue
			}
			if turn != nil && !m.at.Before(r.From) {
				p := period(r, m.at)
				byPeriod[p] = append(byPeriod[p], answer{m.kind(), m.at, float64(m.at.Sub(turn.at).Milliseconds()) / 1000})
			}
			turn, speaker = m, m.sender
		}
	}
	for _, p := range periods(r) {
		l := p
		for _, kind := range []string{"pair", "group"} {
			var times []float64
			later := 0
			for _, a := range byPeriod[p] {
				switch {
				case a.kind != kind:
				case a.waited > 86400:
					later++
				default:
					times = append(times, a.waited)
				}
			}
			slices.Sort(times)
			l += " " + line(len(times), rank(times, 0.5), rank(times, 0.9))
			if kind == "pair" {
				l += " " + line(later)
			}
		}
		lines = append(lines, l)
	}
	return lines
}

func rank(sorted []float64, level float64) string {
	if len(sorted) == 0 {
		return `\N`
	}
	return fmt.Sprint(sorted[min(len(sorted)-1, int(level*float64(len(sorted))))])
}

func (w *world) top(r analytics.Request) (lines []string) {
	byGroup := map[string][]*message{}
	for _, m := range of("group", w.within(r)) {
		byGroup[m.group] = append(byGroup[m.group], m)
	}
	ids := slices.SortedFunc(maps.Keys(byGroup), func(a, b string) int {
		if n := len(byGroup[b]) - len(byGroup[a]); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	for _, id := range ids[:min(len(ids), int(r.Limit))] {
		ms := byGroup[id]
		last := slices.MaxFunc(ms, func(a, b *message) int { return a.at.Compare(b.at) })
		lines = append(lines, line(id, w.names[id], len(ms), distinct(ms, sender), w.members[id], last.at.UTC().Format("2006-01-02 15:04:05.000")))
	}
	return lines
}
