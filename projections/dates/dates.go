// Package dates writes times as the deployment's clients expect them.
package dates

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	_ "time/tzdata" // the deployment's zone must be known where the system has no zone files
)

// Style is one of the forms that a date has on the wire.
type Style string

const (
	// Seed is "yyyy-MM-dd HH:mm:ss" in the deployment's zone.
	Seed Style = "seed"
	// Millis is a JSON number, milliseconds since 1970.
	Millis Style = "millis"
	// RFC3339 is "2006-01-02T15:04:05.000+08:00" in the deployment's zone.
	RFC3339 Style = "rfc3339"
)

// DefaultZone is where the seed's clients live.
const DefaultZone = "Asia/Shanghai"

// Format writes dates in one style and zone. The zero Format is the seed's
// style in UTC; New gives the deployment's.
type Format struct {
	style Style
	zone  *time.Location
}

// New makes a format; empty strings stand for the seed's style and DefaultZone.
func New(style Style, zone string) (Format, error) {
	if style == "" {
		style = Seed
	}
	if style != Seed && style != Millis && style != RFC3339 {
		return Format{}, fmt.Errorf("date style %q is none of %s, %s, %s", style, Seed, Millis, RFC3339)
	}
	if zone == "" {
		zone = DefaultZone
	}
	l, err := time.LoadLocation(zone)
	if err != nil {
		return Format{}, fmt.Errorf("zone: %w", err)
	}
	return Format{style, l}, nil
}

// Date is a moment, ready to be written as JSON in its format.
type Date struct {
	ms     int64
	format Format
}

// At is the date of a moment given in milliseconds since 1970.
func (f Format) At(ms int64) Date { return Date{ms, f} }

// Append adds the date as JSON to b.
func (d Date) Append(b []byte) []byte {
	if d.format.style == Millis {
		return strconv.AppendInt(b, d.ms, 10)
	}
	zone := d.format.zone
	if zone == nil {
		zone = time.UTC
	}
	layout := "2006-01-02 15:04:05"
	if d.format.style == RFC3339 {
		layout = "2006-01-02T15:04:05.000Z07:00"
	}
	b = append(b, '"')
	b = time.UnixMilli(d.ms).In(zone).AppendFormat(b, layout)
	return append(b, '"')
}

// MarshalJSON writes the date in its format.
func (d Date) MarshalJSON() ([]byte, error) { return d.Append(nil), nil }

// String is the date as people read it.
func (d Date) String() string {
	b := d.Append(nil)
	var s string
	if json.Unmarshal(b, &s) == nil {
		return s
	}
	return string(b)
}
