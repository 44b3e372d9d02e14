package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Kafka is a cluster of real brokers by scripts/kafka, each behind a network of
// its own: clients are told the proxies' addresses. It serves run after run.
type Kafka struct {
	Count   int
	Proxies []*Proxy

	script, dir string
	mu          sync.Mutex
	hurt        map[int]string // brokers that were killed or stopped
}

// OpenKafka starts so many brokers.
func OpenKafka(root, dir string, count int) (k *Kafka, err error) {
	k = &Kafka{Count: count, script: filepath.Join(root, "scripts", "kafka"), dir: dir, hurt: map[int]string{}}
	defer func() {
		if err != nil {
			k.Close()
		}
	}()
	// The proxies' addresses must be known before the brokers', so they begin with
	// addresses where nobody is yet.
	var advertised []string
	for i := range count {
		p, err := newProxy(fmt.Sprintf("broker-%d", i+1), "", "127.0.0.1:1")
		if err != nil {
			return nil, err
		}
		k.Proxies = append(k.Proxies, p)
		advertised = append(advertised, p.Addr())
	}
	if _, err := k.run("up", fmt.Sprint(count), "--advertise", strings.Join(advertised, ","), "--until", fmt.Sprint(os.Getpid())); err != nil {
		return nil, err
	}
	for i, p := range k.Proxies {
		port, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i+1), "client"))
		if err != nil {
			return nil, err
		}
		p.Cut()
		p.proxy.Upstream = "127.0.0.1:" + strings.TrimSpace(string(port))
		if err := p.Mend(); err != nil {
			return nil, err
		}
	}
	return k, nil
}

func (k *Kafka) run(args ...string) (string, error) {
	cmd := exec.Command(k.script, args...)
	cmd.Env = append(Environ(), "LISHI_KAFKA_DIR="+k.dir)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("scripts/kafka %s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// Brokers are the bootstrap addresses.
func (k *Kafka) Brokers() string {
	var all []string
	for _, p := range k.Proxies {
		all = append(all, p.Addr())
	}
	return strings.Join(all, ",")
}

func (k *Kafka) do(i int, what string) error {
	k.mu.Lock()
	switch what {
	case "kill", "pause":
		k.hurt[i] = what
	default:
		delete(k.hurt, i)
	}
	k.mu.Unlock()
	_, err := k.run(what, fmt.Sprint(i+1))
	return err
}

// Kill is kill -9 of a broker, from 0.
func (k *Kafka) Kill(i int) error { return k.do(i, "kill") }

// Restart starts a broker that was killed.
func (k *Kafka) Restart(i int) error { return k.do(i, "restart") }

// Pause is SIGSTOP.
func (k *Kafka) Pause(i int) error { return k.do(i, "pause") }

// Resume is SIGCONT.
func (k *Kafka) Resume(i int) error { return k.do(i, "resume") }

// Heal brings every broker and the network back.
func (k *Kafka) Heal() error {
	k.mu.Lock()
	hurt := map[int]string{}
	for i, what := range k.hurt {
		hurt[i] = what
	}
	k.mu.Unlock()
	var errs []error
	for i, what := range hurt {
		if what == "pause" {
			errs = append(errs, k.Resume(i))
		} else {
			errs = append(errs, k.Restart(i))
		}
	}
	for _, p := range k.Proxies {
		errs = append(errs, p.Mend())
	}
	return errors.Join(errs...)
}

// Close ends the brokers and forgets their data.
func (k *Kafka) Close() error {
	_, err := k.run("down", "--wipe")
	for _, p := range k.Proxies {
		p.Cut()
	}
	return err
}
