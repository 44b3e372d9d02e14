package app

import (
	"log/slog"
	"net"
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
