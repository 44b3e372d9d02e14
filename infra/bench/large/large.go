// Package large shows what lishi is like with very many messages: it makes them
// of real chat, brings them in as people do, and measures what people will ask of
// them, in processes of their own, as they are run everywhere else.
package large

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"lishi/infra/bench"
	"lishi/infra/tokens"
)

// Options say what is measured.
type Options struct {
	Program  string   // lishi
	Files    []string // real chat, as lishi import reads it
	Messages []int    // how many; each number is a run of its own
	// Dir keeps what was imported, and what is there is used again. Empty: all is
	// removed.
	Dir     string
	Parts   []string // of Parts; none: all
	Seconds float64  // of each measurement of latencies
	Words   int      // of each class
	Readers int      // at once, where many read
	Say     func(text string)
}

// parts are what can be measured, in this order. What is brought in is only
// measured where it is not there yet.
var parts = []struct {
	name   string
	does   func(*run, context.Context) error
	atRest bool
}{
	{"start", (*run).starts, true},
	{"history", (*run).history, false},
	{"search", (*run).search, false},
	{"past", (*run).past, false},
	{"analytics", (*run).analytics, false},
	{"sql", (*run).sql, false},
	{"downloads", (*run).downloads, false},
	{"exports", (*run).exports, false},
	{"storage", (*run).storage, false},
	{"replay", (*run).replay, true},
}

// Parts are their names.
func Parts() (names []string) {
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

// run is one number of messages.
type run struct {
	Options
	n       int
	data    string // the data directory
	scratch string // for files that come and go
	copies  *bench.Copies
	keys    *tokens.Keys
	server  *server
	figures []Figure
	section string
}

// Run measures, one number of messages after the other.
func Run(ctx context.Context, o Options) (Report, error) {
	report := machine(ctx, o.Program)
	lines, err := bench.ReadLines(o.Files...)
	if err != nil {
		return report, err
	}
	copies, err := bench.NewCopies(lines)
	if err != nil {
		return report, err
	}
	if group, _ := copies.Group(); group == "" {
		return report, fmt.Errorf("the files hold no group")
	}
	if speaker, _ := copies.Pair(); speaker == "" {
		return report, fmt.Errorf("the files hold no conversation of two")
	}
	for _, n := range o.Messages {
		r := &run{Options: o, n: n, copies: copies}
		begun := time.Now()
		err := r.all(ctx)
		report.Runs = append(report.Runs, Of{n, time.Since(begun).Seconds(), r.figures})
		if err != nil {
			return report, fmt.Errorf("with %d messages: %w", n, err)
		}
	}
	return report, nil
}

func (r *run) all(ctx context.Context) (err error) {
	if r.scratch, err = os.MkdirTemp("", "lishi-large-*"); err != nil {
		return err
	}
	defer os.RemoveAll(r.scratch)
	r.data = filepath.Join(r.scratch, "data")
	if r.Dir != "" {
		r.data = filepath.Join(r.Dir, fmt.Sprint(r.n))
	}
	secret := rand.Text() + rand.Text()
	if r.keys, err = tokens.New(tokens.Options{Secret: []byte(secret)}); err != nil {
		return err
	}
	r.server = &server{program: r.Program, data: r.data, secret: secret}
	defer func() { r.server.kill() }()
	if err := r.bring(ctx); err != nil {
		return err
	}
	for _, part := range parts {
		if len(r.Parts) > 0 && !slices.Contains(r.Parts, part.name) {
			continue
		}
		r.say("%s", part.name)
		if part.atRest {
			err = r.server.stop(ctx)
		} else if !r.server.running() {
			if _, err = r.server.start(ctx); err == nil {
				err = r.server.settle(ctx)
			}
		}
		if err != nil {
			return err
		}
		if err := part.does(r, ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return r.server.stop(ctx)
}

func (r *run) say(format string, args ...any) {
	r.Say(fmt.Sprintf("%s messages: ", grouped(float64(r.n))) + fmt.Sprintf(format, args...))
}

// add notes a figure of the section.
func (r *run) add(what string, value float64, unit string) {
	r.figures = append(r.figures, Figure{Section: r.section, What: what, Value: value, Unit: unit})
	r.say("  %s: %s", what, r.figures[len(r.figures)-1])
}

// refused notes that what was asked for was refused.
func (r *run) refused(what string, err error) {
	r.figures = append(r.figures, Figure{Section: r.section, What: what, Refused: err.Error()})
	r.say("  %s: %v", what, err)
}

// token is one of a user, or of somebody with a role.
func (r *run) token(user, role string) (string, error) {
	return r.keys.Sign(tokens.Claims{UserID: user, Name: user, Role: role, Expires: time.Now().Add(24 * time.Hour)})
}

func (r *run) tokenOf(user string) (string, error) { return r.token(user, "") }
