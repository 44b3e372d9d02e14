package dates

import (
	"encoding/json"
	"testing"
)

func TestDates(t *testing.T) {
	const ms = 1763888400123 // 2025-11-23T09:00:00.123Z
	for _, c := range []struct {
		style Style
		zone  string
		want  string
	}{
		{"", "", `"2025-11-23 17:00:00"`},
		{Seed, "UTC", `"2025-11-23 09:00:00"`},
		{Seed, "America/New_York", `"2025-11-23 04:00:00"`},
		{Millis, "", `1763888400123`},
		{RFC3339, "", `"2025-11-23T17:00:00.123+08:00"`},
		{RFC3339, "UTC", `"2025-11-23T09:00:00.123Z"`},
	} {
		f, err := New(c.style, c.zone)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(struct {
			D Date `json:"d"`
		}{f.At(ms)})
		if want := `{"d":` + c.want + `}`; err != nil || string(got) != want {
			t.Errorf("%s %s: %s, %v; want %s", c.style, c.zone, got, err, want)
		}
	}
	if s := (Format{}).At(ms).String(); s != "2025-11-23 09:00:00" {
		t.Errorf("the zero format writes %s", s)
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New("french", ""); err == nil {
		t.Error("an unknown style is accepted")
	}
	if _, err := New("", "Mars/Olympus"); err == nil {
		t.Error("an unknown zone is accepted")
	}
}

func BenchmarkDate(b *testing.B) {
	f, _ := New("", "")
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		buf = f.At(1763888400123).Append(buf[:0])
	}
}
