// Package certificates reads certificates and keys from PEM files, and again
// when the files change, so that they are renewed without a restart.
package certificates

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// every is how long a look at the files holds.
const every = time.Second

// watched is a value made of files. When they change it is made anew; if that
// fails, for instance because one of two was replaced so far, the last good
// value holds.
type watched[T any] struct {
	files  []string
	read   func() (T, error)
	logger *slog.Logger

	mu     sync.Mutex
	value  T
	looked time.Time
	seen   []stamp
}

type stamp struct {
	changed time.Time
	size    int64
}

func watch[T any](logger *slog.Logger, read func() (T, error), files ...string) (*watched[T], error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	w := &watched[T]{files: files, read: read, logger: logger, looked: time.Now()}
	seen, err := w.stamps()
	if err != nil {
		return nil, err
	}
	w.seen = seen
	w.value, err = read()
	return w, err
}

func (w *watched[T]) stamps() ([]stamp, error) {
	stamps := make([]stamp, len(w.files))
	for i, f := range w.files {
		info, err := os.Stat(f)
		if err != nil {
			return nil, err
		}
		stamps[i] = stamp{info.ModTime(), info.Size()}
	}
	return stamps, nil
}

// get gives the value as the files have it, or had it a second ago.
func (w *watched[T]) get() T {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.looked) < every {
		return w.value
	}
	w.looked = time.Now()
	seen, err := w.stamps()
	if err == nil && equal(seen, w.seen) {
		return w.value
	}
	var v T
	if err == nil {
		v, err = w.read()
	}
	if err != nil {
		w.logger.Warn("certificates can't be read again; those of before hold", "files", w.files, "error", err)
		return w.value
	}
	w.logger.Info("certificates were read again", "files", w.files)
	w.value, w.seen = v, seen
	return v
}

func equal(a, b []stamp) bool {
	for i := range a {
		if !a[i].changed.Equal(b[i].changed) || a[i].size != b[i].size {
			return false
		}
	}
	return true
}

// pair reads a certificate, with those of its issuers behind it, and its key.
func pair(certFile, keyFile string) (*tls.Certificate, error) {
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	c, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", certFile, keyFile, err)
	}
	if now := time.Now(); now.After(c.Leaf.NotAfter) {
		return nil, fmt.Errorf("certificate %s ended on %s", certFile, c.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return &c, nil
}

// Server makes a server's settings: TLS 1.2 or newer, and HTTP/1.1, which
// WebSockets need. A certificate and key that don't fit are an error; those that
// replace them later and don't are left out with a warning.
func Server(certFile, keyFile string, logger *slog.Logger) (*tls.Config, error) {
	w, err := watch(logger, func() (*tls.Certificate, error) { return pair(certFile, keyFile) }, certFile, keyFile)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return w.get(), nil },
	}, nil
}

// ClientFiles are what a client of TLS may bring along.
type ClientFiles struct {
	CA        string // PEM of the issuers that are trusted; the system's if empty
	Cert, Key string // the client's own; none if empty
}

// A Client makes connections with TLS 1.2 or newer and checks the server's chain
// and name as always, by its files as they are at that moment.
type Client struct {
	roots *watched[*x509.CertPool]
	own   *watched[*tls.Certificate]
}

// NewClient reads the files, which must be good; what replaces them later and is
// not, is left out with a warning.
func NewClient(f ClientFiles, logger *slog.Logger) (c *Client, err error) {
	c = &Client{}
	if (f.Cert == "") != (f.Key == "") {
		return nil, errors.New("a client's certificate and its key go together")
	}
	if f.Cert != "" {
		if c.own, err = watch(logger, func() (*tls.Certificate, error) { return pair(f.Cert, f.Key) }, f.Cert, f.Key); err != nil {
			return nil, err
		}
	}
	if f.CA != "" {
		if c.roots, err = watch(logger, func() (*x509.CertPool, error) { return pool(f.CA) }, f.CA); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Config is what holds now. It may be changed.
func (c *Client) Config() *tls.Config {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.roots != nil {
		t.RootCAs = c.roots.get()
	}
	if c.own != nil {
		t.Certificates = []tls.Certificate{*c.own.get()}
	}
	return t
}

// Dial connects to host:port and shakes hands.
func (c *Client) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return (&tls.Dialer{Config: c.Config()}).DialContext(ctx, network, addr)
}

func pool(file string) (*x509.CertPool, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("issuers: %w", err)
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("issuers: %s holds no certificate in PEM form", file)
	}
	return p, nil
}
