package app

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"testing"

	"lishi/infra/config"
)

// The console's address that nobody chose may be taken: people chat all the same.
func TestAConsoleThatNobodyChoseIsNoReasonToEnd(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	cfg := config.Config{Console: other.Addr().String()}
	for origin, fails := range map[string]bool{"default": false, "flag": true, "environment": true} {
		l, err := listenConsole(t.Context(), cfg, []config.Setting{{Name: "console", Origin: origin}}, slog.New(slog.DiscardHandler))
		if l != nil || (err != nil) != fails {
			t.Errorf("taken, from %s: %v, %v", origin, l, err)
		}
	}
}

// Beyond this machine without TLS it is served, and warned of.
func TestAConsoleWithoutTLSIsWarnedOf(t *testing.T) {
	for address, warned := range map[string]bool{"127.0.0.1:0": false, "localhost:0": false, "0.0.0.0:0": true, ":0": true} {
		var log bytes.Buffer
		l, err := listenConsole(t.Context(), config.Config{Console: address}, nil, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if strings.Contains(log.String(), "without TLS") != warned {
			t.Errorf("%s: %s", address, log.String())
		}
	}
}
