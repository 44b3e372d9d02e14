package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"

	"lishi/infra/config"
)

// sideAddress is an address beside the chat's: the console's, the SQL endpoint's.
type sideAddress struct {
	setting, address string
	example          string // an address that the setting could have
	name             string
	exposed          string // what can be read on the way without TLS, and what helps
}

// listen opens the address; nil: there is none. One that nobody chose is taken by
// another program without harm: people chat all the same.
func (s sideAddress) listen(ctx context.Context, cfg config.Config, all []config.Setting, logger *slog.Logger) (net.Listener, error) {
	if s.address == "off" {
		return nil, nil
	}
	if strings.Contains(s.address, "://") {
		return nil, &config.Error{Setting: s.setting, Origin: "flags, environment or file", Problem: "a url is for commands that ask; the server needs an address like " + s.example}
	}
	chosen := slices.ContainsFunc(all, func(a config.Setting) bool { return a.Name == s.setting && a.Origin != "default" })
	l, err := listen(ctx, s.address, s.setting)
	if errors.Is(err, errTaken) && !chosen {
		logger.Warn("there is no "+s.name, "error", err)
		return nil, nil
	}
	if err == nil && !loopback(s.address) && cfg.TLSCert == "" {
		logger.Warn("the "+s.name+" is reached without TLS: "+s.exposed, s.setting, s.address)
	}
	return l, err
}

// serveSide serves a side address until the function that it gives is called,
// which begins with stop. Its handler bounds the time of an answer itself.
func serveSide(name string, server *http.Server, l net.Listener, logger *slog.Logger, served chan<- error, stop func()) (end func(context.Context)) {
	server.ErrorLog = slog.NewLogLogger(logger.Handler(), slog.LevelDebug)
	server.WriteTimeout = 0
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			served <- fmt.Errorf("%s: %w", name, err)
		}
	}()
	return func(ctx context.Context) {
		stop()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
	}
}
