package large

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"lishi/infra/bench"
)

// server is lishi serve on a data directory, started and stopped as often as it
// takes.
type server struct {
	program, data, secret string

	chat, console, sql string // addresses
	command            *exec.Cmd
	ended              chan error
	said               bytes.Buffer
}

// environment is that of all processes. A download of ten million rows may take
// longer than a statement may by default.
func (s *server) environment() []string {
	return append(os.Environ(), "LISHI_RATE=0", "LISHI_LOG_LEVEL=warn", "LISHI_TOKEN_KEY="+s.secret, "LISHI_SQL_TIME=30m")
}

// startPatience is how long a server may fill read models before it is ready.
const startPatience = 2 * time.Hour

func (s *server) running() bool { return s.command != nil }

// start gives how long it took until the server was ready, read models caught up.
func (s *server) start(ctx context.Context) (time.Duration, error) {
	var free []net.Listener
	for _, address := range []*string{&s.chat, &s.console, &s.sql} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		free, *address = append(free, l), l.Addr().String()
	}
	for _, l := range free { // all three at once, so that they differ
		l.Close()
	}
	return s.begin(ctx, "serve", "--data", s.data, "--listen", s.chat, "--console", s.console, "--sql", s.sql)
}

func (s *server) begin(ctx context.Context, args ...string) (time.Duration, error) {
	begun := time.Now()
	s.said.Reset()
	c := exec.Command(s.program, args...)
	c.Env, c.Stderr, c.Stdout = s.environment(), &s.said, &s.said
	if err := c.Start(); err != nil {
		return 0, err
	}
	s.command, s.ended = c, make(chan error, 1)
	go func() { s.ended <- c.Wait() }()
	for time.Since(begun) < startPatience {
		if r, err := http.Get("http://" + s.chat + "/readyz"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return time.Since(begun), nil
			}
		}
		select {
		case err := <-s.ended:
			s.command = nil
			return 0, fmt.Errorf("the server ended: %v: %s", err, s.said.String())
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return 0, errors.New("the server does not become ready")
}

// stop ends the server in an orderly way.
func (s *server) stop(ctx context.Context) error {
	if s.command == nil {
		return nil
	}
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-s.ended:
		s.command = nil
		if err != nil {
			return fmt.Errorf("the server ended: %v: %s", err, s.said.String())
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *server) kill() {
	if s.command != nil {
		s.command.Process.Kill()
		<-s.ended
		s.command = nil
	}
}

// used is what a process that has ended took.
type used struct {
	seconds, processor float64
	memory             int64 // bytes, the most that were resident
	out                []byte
}

// lishi runs a command to its end. Exit statuses other than 0 are errors.
func (s *server) lishi(ctx context.Context, args ...string) (used, error) {
	var out, errs bytes.Buffer
	u, err := s.stream(ctx, &out, &errs, args...)
	u.out = out.Bytes()
	return u, err
}

func (s *server) stream(ctx context.Context, out io.Writer, errs *bytes.Buffer, args ...string) (u used, err error) {
	c := exec.CommandContext(ctx, s.program, args...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = time.Minute
	c.Env, c.Stdout, c.Stderr = s.environment(), out, errs
	begun := time.Now()
	if err = c.Start(); err != nil {
		return u, err
	}
	ended, looked := make(chan struct{}), make(chan struct{})
	go func() { // getrusage would count what this process had when it forked
		defer close(looked)
		for {
			u.memory = max(u.memory, status(c.Process.Pid, "VmHWM"))
			select {
			case <-ended:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	err = c.Wait()
	close(ended)
	<-looked
	u.seconds = time.Since(begun).Seconds()
	u.processor = (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds()
	if err != nil {
		err = fmt.Errorf("lishi %s: %w: %s", args[0], err, strings.TrimSpace(errs.String()))
	}
	return u, err
}

// status reads a field of the server's /proc/PID/status, in bytes; 0 where there
// is none.
func (s *server) status(field string) int64 { return status(s.command.Process.Pid, field) }

func status(pid int, field string) int64 {
	n, _ := bench.Status(pid, field)
	return n
}

func proc(pid int, name string) string { return filepath.Join("/proc", strconv.Itoa(pid), name) }

func (s *server) proc(name string) string { return proc(s.command.Process.Pid, name) }

// processor is the server's processor time so far, in seconds; 0 where /proc does
// not tell.
func (s *server) processor() float64 {
	raw, err := os.ReadFile(s.proc("stat"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100 // USER_HZ is 100 on every Linux that Go runs on
}

// settle waits until the server has nothing to do: ClickHouse goes on merging for a
// while after rows were written. It waits for minutes at most.
func (s *server) settle(ctx context.Context) error {
	const look, idle, most = time.Second, 0.1, 5 * time.Minute
	begun, quiet := time.Now(), 0
	for before := s.processor(); quiet < 3 && time.Since(begun) < most; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(look):
		}
		now := s.processor()
		if quiet++; now-before > idle*look.Seconds() {
			quiet = 0
		}
		before = now
	}
	return nil
}

// peak gives what the server had resident before, and the most that it had while
// something was done; zeros where /proc does not tell.
func (s *server) peak(do func() error) (before, most int64, err error) {
	before = s.status("VmRSS")
	reset := os.WriteFile(s.proc("clear_refs"), []byte("5"), 0) // proc(5): the peak begins anew
	err = do()
	if reset == nil && s.running() {
		most = s.status("VmHWM")
	}
	return before, most, err
}
