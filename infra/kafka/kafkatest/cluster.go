// Package kafkatest starts real Apache Kafka clusters for tests, by
// scripts/kafka. It needs what that needs: Java and Maven.
package kafkatest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// Cluster is one running cluster of one broker or three. Its methods fail the
// test if they fail.
type Cluster struct {
	Brokers []string // host:port of each, from broker 1 on
	Dir     string   // certificates, logs and data; see scripts/kafka --help
}

// Start makes a cluster that ends with the test. Options are those of
// `scripts/kafka up`.
func Start(t testing.TB, brokers int, options ...string) *Cluster {
	t.Helper()
	c, err := start(brokers, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the brokers' logs:\n%s", c.logs())
		}
		for os.Mkdir(c.turn(), 0o700) != nil {
			time.Sleep(50 * time.Millisecond)
		}
		if _, err := c.run("down", "--wipe"); err != nil {
			t.Error(err)
		}
		os.RemoveAll(c.Dir)
	})
	return c
}

// Shared is a cluster for all tests of the process that leave its brokers alone.
// It ends with the process.
func Shared(t testing.TB, brokers int) *Cluster {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	c := shared.clusters[brokers]
	if c == nil {
		var err error
		if c, err = start(brokers, nil); err != nil {
			t.Fatal(err)
		}
		shared.clusters[brokers] = c
	}
	return c
}

var shared = struct {
	sync.Mutex
	clusters map[int]*Cluster
}{clusters: map[int]*Cluster{}}

func start(brokers int, options []string) (*Cluster, error) {
	dir, err := os.MkdirTemp("", "lishi-kafka-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{Dir: dir}
	// However the test's process ends, its brokers end after it.
	out, err := c.run(append([]string{"up", fmt.Sprint(brokers), "--until", fmt.Sprint(os.Getpid())}, options...)...)
	if err != nil {
		c.run("down", "--wipe")
		return nil, err
	}
	c.Brokers = strings.Split(out, ",")
	return c, nil
}

// Kill ends broker n, from 1 on, by SIGKILL.
func (c *Cluster) Kill(t testing.TB, n int) { t.Helper(); c.do(t, "kill", n) }

// Restart starts broker n again, and returns when it serves.
func (c *Cluster) Restart(t testing.TB, n int) { t.Helper(); c.do(t, "restart", n) }

// RestartAll stops all brokers in order and starts them again, at the same
// addresses.
func (c *Cluster) RestartAll(t testing.TB) {
	t.Helper()
	for _, args := range [][]string{{"down"}, {"up", fmt.Sprint(len(c.Brokers))}} {
		if _, err := c.run(args...); err != nil {
			t.Error(err)
		}
	}
}

// Pause stops broker n where it stands, by SIGSTOP.
func (c *Cluster) Pause(t testing.TB, n int) { t.Helper(); c.do(t, "pause", n) }

// Resume lets a paused broker go on.
func (c *Cluster) Resume(t testing.TB, n int) { t.Helper(); c.do(t, "resume", n) }

// Command is a command line that does several things one after the other, each as
// scripts/kafka wants it ("kill 1"). Commands wait for one another, and the
// cluster's end for them.
func (c *Cluster) Command(things ...string) []string {
	line := fmt.Sprintf("set -e; until mkdir %[1]s 2>/dev/null; do sleep 0.1; done; trap 'rmdir %[1]s' EXIT", c.turn())
	for _, thing := range things {
		line += "; " + script() + " " + thing
	}
	return []string{"env", "LISHI_KAFKA_DIR=" + c.Dir, "bash", "-c", line}
}

// turn is a directory that is there while a Command runs.
func (c *Cluster) turn() string { return filepath.Join(c.Dir, "turn") }

func script() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "../../../scripts/kafka")
}

func (c *Cluster) do(t testing.TB, what string, n int) {
	t.Helper()
	if _, err := c.run(what, fmt.Sprint(n)); err != nil {
		t.Error(err)
	}
}

func (c *Cluster) run(args ...string) (string, error) {
	cmd := exec.Command(script(), args...)
	cmd.Env = append(os.Environ(), "LISHI_KAFKA_DIR="+c.Dir)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("scripts/kafka %s: %w\n%s", strings.Join(args, " "), err, errs.Bytes())
	}
	return strings.TrimSpace(out.String()), err
}

func (c *Cluster) logs() string {
	var b strings.Builder
	for n := range c.Brokers {
		raw, _ := os.ReadFile(filepath.Join(c.Dir, fmt.Sprint(n+1), "log"))
		lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
		fmt.Fprintf(&b, "broker %d:\n%s\n", n+1, strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
	return b.String()
}
