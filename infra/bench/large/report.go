package large

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Report is what was measured.
type Report struct {
	Machine    string `json:"machine"`
	Processors int    `json:"processors"`
	Version    string `json:"version"`
	Begun      string `json:"begun"`
	Load       string `json:"load,omitempty"` // average of 1, 5 and 15 minutes, before
	Runs       []Of   `json:"runs"`
}

// Of is what was measured of so many messages.
type Of struct {
	Messages int      `json:"messages"`
	Seconds  float64  `json:"seconds"`
	Figures  []Figure `json:"figures"`
}

// Figure is one.
type Figure struct {
	Section string  `json:"section"`
	What    string  `json:"what"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"` // s, ms, MB, B, /s, or what is counted
	Refused string  `json:"refused,omitempty"`
}

func (f Figure) String() string {
	switch {
	case f.Refused != "":
		return "refused"
	case f.Unit == "":
		return digits(f.Value)
	}
	return digits(f.Value) + " " + f.Unit
}

// digits is a number with as many digits as say something.
func digits(v float64) string {
	if a := math.Abs(v); a >= 100 || v == math.Trunc(v) {
		return grouped(math.Round(v))
	} else if a >= 10 {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// grouped writes thousands apart.
func grouped(v float64) string {
	s := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

// machine says where and when.
func machine(ctx context.Context, program string) Report {
	r := Report{Machine: runtime.GOOS + "/" + runtime.GOARCH, Processors: runtime.NumCPU(), Begun: time.Now().UTC().Format(time.RFC3339)}
	if out, err := exec.CommandContext(ctx, program, "version").Output(); err == nil {
		r.Version = strings.TrimSpace(string(out))
	}
	if raw, err := os.ReadFile("/proc/loadavg"); err == nil {
		r.Load = strings.Join(strings.Fields(string(raw))[:3], " ")
	}
	return r
}

// Markdown writes a table a section, a column a run, and with several of them what
// the last one is of the first.
func (r Report) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d processors, load average %s; %s\n", r.Machine, r.Processors, r.Load, r.Version)
	var sections []string
	for _, of := range r.Runs {
		for _, f := range of.Figures {
			if !slices.Contains(sections, f.Section) {
				sections = append(sections, f.Section)
			}
		}
	}
	for _, s := range sections {
		r.table(&b, s)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) table(b *strings.Builder, section string) {
	fmt.Fprintf(b, "\n## %s\n\n| messages |", section)
	var whats []string
	for _, of := range r.Runs {
		fmt.Fprintf(b, " %s |", grouped(float64(of.Messages)))
		for _, f := range of.Figures {
			if f.Section == section && !slices.Contains(whats, f.What) {
				whats = append(whats, f.What)
			}
		}
	}
	if len(r.Runs) > 1 {
		b.WriteString(" ratio |")
	}
	b.WriteString("\n| ---" + strings.Repeat(" | ---", len(r.Runs)+min(len(r.Runs)-1, 1)) + " |\n")
	for _, what := range whats {
		fmt.Fprintf(b, "| %s |", what)
		var known []Figure
		for _, of := range r.Runs {
			i := slices.IndexFunc(of.Figures, func(f Figure) bool { return f.Section == section && f.What == what })
			if i < 0 {
				b.WriteString(" |")
				continue
			}
			fmt.Fprintf(b, " %s |", of.Figures[i])
			if of.Figures[i].Refused == "" {
				known = append(known, of.Figures[i])
			}
		}
		if len(r.Runs) > 1 && len(known) == len(r.Runs) && known[0].Value != 0 {
			fmt.Fprintf(b, " %.2f |", known[len(known)-1].Value/known[0].Value)
		} else if len(r.Runs) > 1 {
			b.WriteString(" |")
		}
		b.WriteString("\n")
	}
}
