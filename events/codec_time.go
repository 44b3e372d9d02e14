package events

import (
	"errors"
	"time"
)

var errYear = errors.New("the year has no four digits")

func writable(t time.Time) bool { y := t.UTC().Year(); return y >= 0 && y <= 9999 }

// appendTime writes t as ce_time: RFC 3339, UTC, always three digits of the
// second. time.AppendFormat takes five times as long.
func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	milli := t.Nanosecond() / 1e6
	return append(dst,
		digit(year/1000), digit(year/100), digit(year/10), digit(year), '-',
		digit(int(month)/10), digit(int(month)), '-', digit(day/10), digit(day), 'T',
		digit(hour/10), digit(hour), ':', digit(minute/10), digit(minute), ':', digit(second/10), digit(second), '.',
		digit(milli/100), digit(milli/10), digit(milli), 'Z')
}

func digit(n int) byte { return '0' + byte(n%10) }

// parseTime reads RFC 3339; what appendTime wrote, without help.
func parseTime(b []byte) (time.Time, error) {
	const layout = "0000-00-00T00:00:00.000Z"
	if len(b) == len(layout) {
		plain := true
		for i := range b {
			if c := layout[i]; c == '0' {
				plain = plain && b[i]-'0' <= 9
			} else {
				plain = plain && b[i] == c
			}
		}
		num := func(from, to int) (n int) {
			for _, c := range b[from:to] {
				n = n*10 + int(c-'0')
			}
			return n
		}
		if plain {
			month, day, hour, minute, second := num(5, 7), num(8, 10), num(11, 13), num(14, 16), num(17, 19)
			if month >= 1 && month <= 12 && day >= 1 && day <= 28 && hour < 24 && minute < 60 && second < 60 {
				return time.Date(num(0, 4), time.Month(month), day, hour, minute, second, num(20, 23)*1e6, time.UTC), nil
			}
		}
	}
	t, err := time.Parse(time.RFC3339Nano, string(b)) // the last days of a month too: it knows how long they are
	if t = t.UTC().Truncate(time.Millisecond); err == nil && !writable(t) {
		err = errYear
	}
	return t, err
}
