package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"lishi/infra/bench"
)

// contestant is a server that gets its turn: it is started, loaded and stopped,
// so that nobody works while another one is measured.
type contestant struct {
	name  string
	start func(dir, addr string) []*exec.Cmd
	speak func(addr string) bench.Server
}

const secret = "a secret of the benchmark, thirty-two bytes or more"

func contestants(lishi, redis string) []contestant {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	cs := []contestant{
		{"lishi", func(dir, addr string) []*exec.Cmd {
			c := exec.Command(lishi, "serve", "--listen", addr, "--data", filepath.Join(dir, "lishi"))
			c.Env = append(os.Environ(), "LISHI_RATE=0", "LISHI_TOKEN_KEY="+secret, "LISHI_LOG_LEVEL=warn")
			return []*exec.Cmd{c}
		}, func(addr string) bench.Server { return bench.Lishi{Addr: addr, Token: token} }},
		{"centrifuge memory", func(_, addr string) []*exec.Cmd {
			return []*exec.Cmd{exec.Command(self, "serve", "memory", "--listen", addr)}
		}, func(addr string) bench.Server { return centrifugal{addr} }},
	}
	if redis != "" {
		cs = append(cs, contestant{"centrifuge Redis", func(dir, addr string) []*exec.Cmd {
			socket := filepath.Join(dir, "redis.sock")
			return []*exec.Cmd{
				exec.Command(redis, "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always"),
				exec.Command(self, "serve", "redis", "--listen", addr, "--redis", "unix://"+socket),
			}
		}, func(addr string) bench.Server { return centrifugal{addr} }})
	}
	return append(cs, contestant{"relay", func(_, addr string) []*exec.Cmd {
		return []*exec.Cmd{exec.Command(self, "serve", "relay", "--listen", addr)}
	}, func(addr string) bench.Server { return relaying{addr} }})
}

func token(user string) (string, error) {
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": user}).SignedString([]byte(secret))
}

// turn starts the server in a new directory, hands it to play, and stops it.
func (c contestant) turn(ctx context.Context, dir string, play func(bench.Server) error) error {
	dir, err := os.MkdirTemp(dir, "turn-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	for _, cmd := range c.start(dir, addr) {
		log, err := os.Create(filepath.Join(dir, filepath.Base(cmd.Path)+".log"))
		if err != nil {
			return err
		}
		defer log.Close()
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Start(); err != nil {
			return err
		}
		defer func() { cmd.Process.Kill(); cmd.Wait() }()
		time.Sleep(300 * time.Millisecond) // a server that another one needs
	}
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if r, err := http.Get("http://" + addr + "/readyz"); err == nil {
			r.Body.Close()
			if r.StatusCode == 200 {
				break
			}
		}
		if time.Since(begun) > time.Minute || ctx.Err() != nil {
			return fmt.Errorf("%s is not ready", c.name)
		}
	}
	return play(c.speak(addr))
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
