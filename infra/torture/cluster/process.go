// Package cluster is what is tortured: real processes of the program, real
// brokers, a real ClickHouse, and the network between them, all of which can be
// killed, stopped, cut off, and brought back.
package cluster

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one that is started anew with the same arguments after each end.
type process struct {
	name    string
	program string
	args    []string
	env     []string
	log     string // file; every start appends

	mu      sync.Mutex
	cmd     *exec.Cmd
	done    chan struct{}
	killed  bool
	stopped bool // SIGSTOP
	ended   error
}

// start starts it, unless it runs.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.runningLocked() {
		return nil
	}
	log, err := os.OpenFile(p.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	fmt.Fprintf(log, "--- start at %s\n", time.Now().Format("15:04:05.000"))
	cmd := exec.Command(p.program, p.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	p.cmd, p.done, p.killed, p.stopped = cmd, done, false, false
	go func() {
		err := cmd.Wait()
		p.mu.Lock()
		if p.cmd == cmd && !p.killed {
			p.ended = fmt.Errorf("%s ended by itself: %v: %s", p.name, err, p.lastWords())
		}
		p.mu.Unlock()
		close(done)
	}()
	return nil
}

// lastWords is the end of the log.
func (p *process) lastWords() string {
	raw, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return strings.Join(lines[max(0, len(lines)-4):], " | ")
}

func (p *process) runningLocked() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// kill is kill -9, also of what is stopped.
func (p *process) kill() {
	p.mu.Lock()
	if !p.runningLocked() {
		p.mu.Unlock()
		return
	}
	p.killed = true
	done := p.done
	p.cmd.Process.Kill()
	p.mu.Unlock()
	<-done
}

// terminate is SIGTERM; what does not end in time is killed, and that is a failure.
func (p *process) terminate(limit time.Duration) {
	p.mu.Lock()
	if !p.runningLocked() {
		p.mu.Unlock()
		return
	}
	p.killed = true
	done := p.done
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.mu.Unlock()
	select {
	case <-done:
	case <-time.After(limit):
		p.kill()
		p.mu.Lock()
		p.ended = fmt.Errorf("%s did not end within %v of SIGTERM: %s", p.name, limit, p.lastWords())
		p.mu.Unlock()
	}
}

// signal sends SIGSTOP or SIGCONT.
func (p *process) signal(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.runningLocked() {
		return errors.New(p.name + " does not run")
	}
	return p.cmd.Process.Signal(s)
}

// failure is an end that nobody asked for.
func (p *process) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// await polls an address until it answers 200.
func (p *process) await(url string, limit time.Duration) error {
	client := http.Client{Timeout: 2 * time.Second}
	for deadline := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		if err := p.failure(); err != nil {
			return err
		}
		r, err := client.Get(url)
		if err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("status %d", r.StatusCode)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready after %v: %w; see %s", p.name, limit, err, p.log)
		}
	}
}

// Environ is the environment for a program of ours: nothing of LISHI_ from
// outside but where the engine's library is.
func Environ(more ...string) []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "LISHI_") || strings.HasPrefix(kv, "LISHI_CHDB=") {
			env = append(env, kv)
		}
	}
	return append(env, more...)
}

// Build builds the program into a directory; with tags where they are given.
func Build(dir, tags string) (string, error) {
	program := filepath.Join(dir, "lishi")
	cmd := exec.Command("go", "build", "-tags", tags, "-o", program, "lishi")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
}

// given are the addresses that processes have: one on which nobody listens yet
// must not be given to a second one.
var given sync.Map

// freeAddr is a loopback address for one process.
func freeAddr() (string, error) {
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		addr := l.Addr().String()
		l.Close()
		if _, twice := given.LoadOrStore(addr, true); !twice {
			return addr, nil
		}
	}
}
