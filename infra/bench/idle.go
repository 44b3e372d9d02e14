package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Idle is a load of people who are connected and silent, while one pair writes
// now and then.
type Idle struct {
	People   int
	Trickle  float64 // messages a second that the one pair writes; 0: none
	Duration time.Duration
	Name     string // what their names begin with; empty: people who were never there
	PID      int    // of the server on this machine, to look at its memory; 0: it is not looked at
}

// IdleReport is what was seen: the server's resident memory and descriptors
// before anybody came, after everybody had been there for the duration, and after
// all had left.
type IdleReport struct {
	People        int     `json:"people"`
	Setup         float64 `json:"setupSeconds"`
	Before        Process `json:"before"`
	During        Process `json:"during"`
	After         Process `json:"after"`
	BytesEach     int64   `json:"residentBytesEach"`
	TrickledPush  Latency `json:"sendToPush"`
	TrickledTotal int64   `json:"messages"`
}

// Process is what the system says of a process.
type Process struct {
	Resident    int64 `json:"residentBytes"`
	Descriptors int   `json:"descriptors"`
	Threads     int   `json:"threads"`
}

func (r IdleReport) String() string {
	s := fmt.Sprintf("%d people connected in %.1f s", r.People, r.Setup)
	if r.Before.Resident > 0 {
		s += fmt.Sprintf("; resident %d kB before, %d kB with them (%d bytes each), %d kB after; descriptors %d, %d, %d",
			r.Before.Resident>>10, r.During.Resident>>10, r.BytesEach, r.After.Resident>>10, r.Before.Descriptors, r.During.Descriptors, r.After.Descriptors)
	}
	if r.TrickledTotal > 0 {
		s += fmt.Sprintf("; %d messages, send to push %s", r.TrickledTotal, r.TrickledPush)
	}
	return s
}

// Run connects them, waits, and lets them go. That one of them was disconnected
// is an error.
func (l Idle) Run(ctx context.Context, s Server) (r IdleReport, err error) {
	r.People = l.People
	if r.Before, err = processOf(l.PID); err != nil {
		return r, err
	}
	begun := time.Now()
	run := l.Name
	if run == "" {
		run = nameless()
	}
	people := make([]*Conn, l.People)
	defer func() {
		for _, c := range people {
			if c != nil {
				c.Close()
			}
		}
	}()
	gone := make(chan error, 1)
	listen := func(c *Conn) { // at once: those who came first are pinged while others come
		for {
			if _, err := c.Frame(); err != nil {
				select {
				case gone <- fmt.Errorf("%s: %w", c.Person, err):
				default:
				}
				return
			}
		}
	}
	if err := each(l.People, func(i int) (err error) {
		if people[i], err = s.Dial(ctx, fmt.Sprintf("%s-%d", run, i)); err == nil {
			go listen(people[i])
		}
		return err
	}); err != nil {
		return r, err
	}
	r.Setup = time.Since(begun).Seconds()
	trickled := make(chan error, 1)
	if l.Trickle > 0 {
		go func() {
			t, err := Pairs{Pairs: 1, Depth: 1, Rate: l.Trickle, Bytes: 200, Duration: l.Duration}.Run(ctx, s)
			r.TrickledPush, r.TrickledTotal = t.Push, t.Messages
			trickled <- err
		}()
	} else {
		time.AfterFunc(l.Duration, func() { trickled <- nil })
	}
	select {
	case err := <-gone:
		return r, err
	case <-ctx.Done():
		return r, ctx.Err()
	case err := <-trickled:
		if err != nil {
			return r, err
		}
	}
	if r.During, err = processOf(l.PID); err != nil {
		return r, err
	}
	r.BytesEach = (r.During.Resident - r.Before.Resident) / int64(l.People)
	for _, c := range people {
		c.Close()
	}
	return r, l.left(ctx, &r)
}

// left waits until the server has noticed that all have gone.
func (l Idle) left(ctx context.Context, r *IdleReport) (err error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range 300 {
		if r.After, err = processOf(l.PID); err != nil || r.After.Descriptors <= r.Before.Descriptors+64+l.People/100 { // the engine opens files too
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("the server still has %d descriptors open, %d before", r.After.Descriptors, r.Before.Descriptors)
}

// processOf reads /proc, which Linux has.
func processOf(pid int) (p Process, err error) {
	if pid == 0 {
		return p, nil
	}
	if p.Resident, err = Status(pid, "VmRSS"); err != nil {
		return p, err
	}
	threads, err := Status(pid, "Threads")
	if err != nil {
		return p, err
	}
	p.Threads = int(threads)
	fds, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "fd"))
	p.Descriptors = len(fds)
	return p, err
}

// Status is a number in /proc/PID/status; those in kB are given in bytes. One that
// is not there is 0.
func Status(pid int, field string) (int64, error) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			number, unit, _ := strings.Cut(strings.TrimSpace(value), " ")
			n, _ := strconv.ParseInt(number, 10, 64)
			if unit == "kB" {
				n <<= 10
			}
			return n, nil
		}
	}
	return 0, nil
}
