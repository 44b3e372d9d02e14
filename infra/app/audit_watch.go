package app

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lishi/events/merkle"
	"lishi/infra/config"
	"lishi/infra/secrets"
	"lishi/infra/telemetry"
	"lishi/infra/witness"
	"lishi/ws/wire"
)

// watch is what lishi audit watch is asked to do.
type watch struct {
	keys                        []string
	state, listen, name, notify string
	every, still, grace         time.Duration
	once, stay                  bool
}

func (p *program) auditWatch() *cobra.Command {
	var o watch
	c := settings(&cobra.Command{
		Use:   "watch [URL | FILE | DIR] --state FILE [--key KEY…] [--listen ADDRESS]",
		Short: "Be a witness: remember what a log signed, and raise the alarm when it contradicts itself",
		Long: `Be a witness, on a machine that the log's operator can't write to. It remembers the
last checkpoint of each partition in its own file (--state) and checks that each
new one is signed by a key that is trusted (--key, as "lishi audit key" prints it)
or that such a key handed over to, and continues the last.

What it looks at, every --every:
  URL      a running lishi's console (--token of an auditor)
  FILE     checkpoints, one or many one after the other
  DIR      a directory of seals (seals/LOG of a data directory, or a copy)
  nothing  lishi.seals of the Kafka that the settings name (--kafka-brokers)
With --listen it is sent checkpoints instead (the setting seal-witnesses of the
server; C2SP tlog-witness), and signs under them with a key of its own.

It raises the alarm on a fork, a rollback, a wrong key, and, with --still, a log of
which nothing was heard for so long: a line on stderr, both notes in FILE.alarms,
which prove it to others, and a POST of the same JSON to --webhook. Then it ends
with exit status 3, unless it is told to --stay; with --listen it always stays.

  lishi audit watch --listen :8090 --state /var/lib/witness/chat --key KEY --still 10m
  lishi audit watch https://console.example.com --token … --state chat --key KEY
  lishi audit watch --kafka-brokers kafka1:9092 --state chat --key KEY --once`,
		Args: cobra.MaximumNArgs(1),
	}, config.Log, config.Console)
	askFlags(c)
	f := c.Flags()
	f.StringVar(&o.state, "state", "", "file in which the last checkpoints are remembered")
	f.StringArrayVar(&o.keys, "key", nil, "public key to trust")
	f.StringVar(&o.listen, "listen", "", "address to be sent checkpoints at")
	f.StringVar(&o.name, "name", "lishi-witness", "name in this witness's own signatures")
	f.StringVar(&o.notify, "webhook", "", "url that alarms are posted to")
	f.DurationVar(&o.every, "every", 10*time.Second, "how often it looks")
	f.DurationVar(&o.still, "still", 0, "alarm when nothing was heard of a log for so long; a running lishi tells a witness every minute that it is there (0: no alarm)")
	f.DurationVar(&o.grace, "grace", 30*time.Second, "how long somebody who sends less than was seen before may only be late")
	f.BoolVar(&o.once, "once", false, "look once and end")
	f.BoolVar(&o.stay, "stay", false, "go on after an alarm")
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, _, err := load(c)
		if err != nil {
			return err
		}
		switch {
		case o.state == "":
			return usageError{errors.New("name the file to remember in: --state")}
		case o.every <= 0:
			return usageError{errors.New("--every is how long between two looks")}
		case o.listen != "" && (len(args) > 0 || o.once):
			return usageError{errors.New("with --listen it is sent what it sees: there is nothing to look at")}
		case o.listen == "" && len(args) == 0 && cfg.KafkaBrokers == "":
			return usageError{errors.New("name what to watch: a url, a file, a directory, --kafka-brokers or --listen (see lishi audit watch --help)")}
		}
		var trust []ed25519.PublicKey
		for _, text := range o.keys {
			k, err := merkle.ParsePublic(text)
			if err != nil {
				return usageError{fmt.Errorf("--key %q is not a public key as lishi audit key prints it", text)}
			}
			trust = append(trust, k)
		}
		m, err := witness.Open(o.state, trust...)
		if err != nil {
			return err
		}
		w := &watcher{program: p, o: o, memory: m, log: telemetry.Logger(p.err, "info", cfg.LogFormat), told: map[string]time.Time{}}
		if o.listen != "" {
			return w.serve(c.Context())
		}
		look := w.topic(cfg)
		if len(args) == 1 && strings.Contains(args[0], "://") {
			cfg.Console = args[0]
			client, err := p.ask(c, cfg, "auditor")
			if err != nil {
				return err
			}
			look = w.console(client)
		} else if len(args) == 1 {
			look = w.files(args[0])
		}
		return w.run(c.Context(), look)
	}
	return c
}

// watcher looks at a log again and again.
type watcher struct {
	*program
	o      watch
	memory *witness.Memory
	log    *slog.Logger
	told   map[string]time.Time
	alarms int
}

// look is one look at everything; it returns an error that may pass, or an alarm.
type look func(ctx context.Context) error

func (w *watcher) run(ctx context.Context, look look) error {
	for {
		err := look(ctx)
		var alarm *witness.Alarm
		switch {
		case errors.As(err, &alarm):
			w.raise(ctx, alarm)
		case err != nil && ctx.Err() == nil:
			if w.o.once {
				return err
			}
			w.log.Warn("it can't be looked at", "error", err)
		}
		w.overdue(ctx)
		if w.alarms > 0 && !w.o.stay {
			return &Finding{"the alarm was raised; " + w.o.state + ".alarms has the evidence"}
		}
		if w.o.once {
			return w.remembered()
		}
		select {
		case <-time.After(w.o.every):
		case <-ctx.Done():
			if w.alarms > 0 {
				return &Finding{fmt.Sprintf("the alarm was raised %d times; %s.alarms has the evidence", w.alarms, w.o.state)}
			}
			return ctx.Err()
		}
	}
}

func (w *watcher) overdue(ctx context.Context) {
	for _, a := range w.memory.Overdue(w.o.grace, w.o.still) {
		w.raise(ctx, a)
	}
}

// raise tells of an alarm; of the same one again a minute later at the soonest.
func (w *watcher) raise(ctx context.Context, a *witness.Alarm) {
	w.alarms++
	if what := string(a.Kind) + a.Origin; time.Since(w.told[what]) < time.Minute {
		return
	} else {
		w.told[what] = time.Now()
	}
	w.log.Error("ALARM", "kind", string(a.Kind), "origin", a.Origin, "problem", a.Text)
	if w.asJSON {
		w.json(a)
	}
	if w.o.notify == "" {
		return
	}
	body, err := json.Marshal(a)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.o.notify, bytes.NewReader(body))
	if err == nil {
		req.Header.Set("Content-Type", "application/json")
		var res *http.Response
		if res, err = http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode >= 300 {
				err = fmt.Errorf("it answers %s", res.Status)
			}
		}
	}
	if err != nil {
		w.log.Error("the alarm could not be posted", "webhook", w.o.notify, "error", err)
	}
}

// remembered tells what is remembered now.
func (w *watcher) remembered() error {
	heads := w.memory.Heads()
	if w.asJSON {
		return w.json(heads)
	}
	for origin := range heads {
		size, _ := w.memory.Size(origin)
		fmt.Fprintf(w.out, "%s  %d records\n", origin, size)
	}
	return nil
}

// see takes one checkpoint of somebody who shows the newest there is, and raises
// the alarm that it gives cause for.
func (w *watcher) see(ctx context.Context, signed []byte, prove witness.Proof) error {
	c, err := w.memory.See(signed, prove)
	var behind *witness.Behind
	var alarm *witness.Alarm
	switch {
	case errors.As(err, &behind):
		w.raise(ctx, w.memory.RolledBack(c.Origin, behind.Size, c.Size, signed))
		return nil
	case errors.As(err, &alarm):
		w.raise(ctx, alarm)
		return nil
	}
	return err
}

// serve is sent checkpoints until ctx ends.
func (w *watcher) serve(ctx context.Context) error {
	seed, err := secrets.File(filepath.Dir(w.o.state), filepath.Base(w.o.state)+".key")
	if err != nil {
		return err
	}
	raw, err := base64.RawURLEncoding.DecodeString(seed)
	if err != nil {
		return fmt.Errorf("%s.key: %w", w.o.state, err)
	}
	alarms := make(chan *witness.Alarm, 16)
	s, err := witness.NewServer(w.memory, w.o.name, raw, func(a *witness.Alarm) {
		select {
		case alarms <- a:
		default: // it is in the file
		}
	})
	if err != nil {
		return usageError{err}
	}
	l, err := listen(ctx, w.o.listen, "listen")
	if err != nil {
		return err
	}
	server := wire.NewServer(s)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer server.Close()
	fmt.Fprintf(w.out, "witness at http://%s/, to be named in seal-witnesses; its key is %s\n", l.Addr(), s.Key())
	look := time.NewTicker(min(w.o.every, w.o.grace))
	defer look.Stop()
	for {
		select {
		case a := <-alarms:
			w.raise(ctx, a)
		case <-look.C:
			w.overdue(ctx)
		case err := <-served:
			return err
		case <-ctx.Done():
			if w.alarms > 0 {
				return &Finding{fmt.Sprintf("the alarm was raised %d times; %s.alarms has the evidence", w.alarms, w.o.state)}
			}
			return ctx.Err()
		}
	}
}

func readIf(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return b, err
}
