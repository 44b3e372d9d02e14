package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lishi/events"
	"lishi/events/tail"
	"lishi/infra/config"
	"lishi/infra/console"
	"lishi/infra/explore"
	"lishi/infra/looks"
	"lishi/infra/tokens"
	"lishi/infra/visible"
	"lishi/projections"
	"lishi/projections/asof"
	"lishi/projections/dates"
	"lishi/web"
	"lishi/ws/wire"
)

// consoleRoutes are what the console can be asked, part by part.
func consoleRoutes(n *node) []console.Route {
	x := &explore.Reader{Log: n.log, Reach: 200_000}
	if n.tail != nil {
		x.Book = n.tail.Book()
	}
	return slices.Concat(
		console.Health(n.overview),
		console.Find(n.reader),
		console.Explore(x, n.following),
		console.Looks(n.log),
		console.Analytics(selects{n.sql}),
		console.AsOf(n.past),
		console.SQL(n.sql),
		console.Seals(n.sealer()),
		console.Projections(n.engine, func(ctx context.Context, text string) (events.Cursor, error) { return cursorAt(ctx, n.tail, text) }),
		console.Exports(n.exports, n.cfg.Zone),
		console.Visible(&visible.Reader{Reader: x}),
	)
}

func (n *node) openConsole() *console.Server {
	return console.New(console.Options{
		Verify: n.keys.Verify,
		Looker: console.Recorded(&looks.Recorder{Log: n.log}),
		Page:   web.Serve(web.Console),
		About:  n.about(),
		Logger: n.logger,
	}, consoleRoutes(n)...)
}

// newPast answers for the past as the reader does for the present, with dates as
// the console writes them.
func newPast(t *tail.Tail, r projections.Reader) *asof.Past {
	r.Dates, _ = dates.New(dates.RFC3339, "UTC") // both are known
	return &asof.Past{Tail: t, Reader: &r}
}

func (n *node) about() console.About {
	return console.About{Version: Version, Node: nodeName(n.cfg), Log: n.log.ID(), Zone: n.cfg.Zone}
}

// nodeName tells the nodes of one deployment apart, for people.
func nodeName(cfg config.Config) string {
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	return host + " " + cfg.Listen
}

// listenConsole opens the console's address; nil: there is none.
func listenConsole(ctx context.Context, cfg config.Config, all []config.Setting, logger *slog.Logger) (net.Listener, error) {
	return sideAddress{
		setting: "console", address: cfg.Console, example: "127.0.0.1:8081", name: "console",
		exposed: "its tokens and what it shows can be read on the way; use tls-cert, or a loopback address behind a proxy that has TLS",
	}.listen(ctx, cfg, all, logger)
}

// serveConsole serves the console until the function that it gives is called.
func (n *node) serveConsole(l net.Listener, trusted []netip.Prefix, served chan<- error) (end func(context.Context)) {
	if l == nil {
		return func(context.Context) {}
	}
	return serveSide("console", wire.NewServer(behindProxies(trusted, n.console)), l, n.logger, served, n.console.Close)
}

// demoLink is how long the link to the console works that a demo prints.
const demoLink = time.Hour

// greetConsole tells where the console is. Like the demo's people, its admin can
// be anybody who sits at this machine.
func (p *program) greetConsole(n *node, l net.Listener, s string) {
	if l == nil {
		return
	}
	link := ""
	if n.cfg.Demo {
		if token, err := n.keys.Sign(tokens.Claims{UserID: "demo-admin", Name: "demo", Role: string(console.Admin), Expires: time.Now().Add(demoLink)}); err == nil {
			link = "#token=" + token
		}
	}
	fmt.Fprintf(p.out, "  console  http%s://%s/%s\n", s, l.Addr(), link)
	if link != "" {
		fmt.Fprintf(p.out, "This link opens the console as an admin, for an hour; afterwards: lishi token --user ID --role admin\n")
	}
}

// askFlags gives a command what it needs to speak to a running server's console.
func askFlags(c *cobra.Command) {
	c.Flags().String("token", "", "token of an admin, auditor or analyst (default: one made with the configured or the data directory's key)")
	c.Flags().String("reason", "", "why one looks, which is recorded")
}

// ask is the client of a running server's console: where --console says, with
// --token, or with one that the key here signs for the role.
func (p *program) ask(c *cobra.Command, cfg config.Config, role console.Role) (*console.Client, error) {
	if cfg.Console == "off" {
		return nil, &config.Error{Setting: "console", Origin: "flags, environment or file", Problem: "is off, so there is no running server to ask; name one with --console"}
	}
	client := &console.Client{Base: cfg.Console}
	if !strings.Contains(client.Base, "://") {
		scheme := "http://"
		if cfg.TLSCert != "" {
			scheme = "https://"
		}
		client.Base = scheme + client.Base
	}
	client.Reason, _ = c.Flags().GetString("reason")
	if client.Token, _ = c.Flags().GetString("token"); client.Token != "" {
		return client, nil
	}
	if file := filepath.Join(cfg.Data, tokens.FileName); cfg.TokenKey == "" && cfg.TokenJWKS == "" && !readable(file) {
		return nil, usageError{fmt.Errorf("give --token, or --data: there is no key to make one with at %s", file)}
	}
	k, err := signer(cfg)
	if err != nil {
		return nil, fmt.Errorf("give --token: %w", err)
	}
	client.Token, err = k.Sign(tokens.Claims{UserID: machineUser("lishi"), Name: "lishi " + c.Name(), Role: string(role), Expires: time.Now().Add(askFor)})
	return client, err
}

// machineUser is who the machine says runs the command; otherwise, where it can't.
func machineUser(otherwise string) string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return otherwise
}

func readable(file string) bool {
	f, err := os.Open(file)
	if err == nil {
		f.Close()
	}
	return err == nil
}

// askFor is how long a command's own token is taken: a streamed answer that
// takes longer ends with it.
const askFor = 24 * time.Hour
