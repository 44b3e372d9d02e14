package clickhouse

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"lishi/infra/certificates"
)

// withTLS lets https:// say by itself that TLS is meant; the driver wants
// secure=true beside it.
func withTLS(dsn string) string {
	if !strings.HasPrefix(dsn, "https://") || strings.Contains(dsn, "secure=") {
		return dsn
	}
	if strings.Contains(dsn, "?") {
		return dsn + "&secure=true"
	}
	return dsn + "?secure=true"
}

// speakTLS lets new connections use the certificates as their files are then.
func speakTLS(options *ch.Options, client *certificates.Client) {
	asked := options.TLS // a server's name, or that nothing is to be checked
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		c := client.Config()
		c.ServerName, c.InsecureSkipVerify = asked.ServerName, asked.InsecureSkipVerify
		return (&tls.Dialer{Config: c}).DialContext(ctx, network, addr)
	}
	if options.Protocol == ch.HTTP {
		options.TransportFunc = func(t *http.Transport) (http.RoundTripper, error) {
			t.DialTLSContext = dial
			return t, nil
		}
		return
	}
	options.DialContext = func(ctx context.Context, addr string) (net.Conn, error) {
		limit := options.DialTimeout
		if limit == 0 {
			limit = 5 * time.Second
		}
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return dial(ctx, "tcp", addr)
	}
}
