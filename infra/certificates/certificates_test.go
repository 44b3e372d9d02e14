package certificates_test

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lishi/infra/certificates"
	"lishi/infra/certificates/certificatetest"
)

// serve shakes hands with whoever comes.
func serve(t *testing.T, c *tls.Config) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				conn.Write([]byte("!")) // shakes hands
				conn.Close()
			}()
		}
	}()
	return l.Addr().String()
}

// dial gives the name in the certificate that the server shows.
func dial(t *testing.T, c *certificates.Client, addr string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := c.Dial(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); err != nil { // with TLS 1.3 the server refuses a client only now
		return "", err
	}
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// A server shows a renewed certificate to new connections, and goes on with the
// old one while the files don't fit.
func TestRenewedServer(t *testing.T) {
	a := certificatetest.New(t)
	cert, key := a.Pair("first")
	warnings := make(chan string, 100)
	c, err := certificates.Server(cert, key, slog.New(slog.NewTextHandler(lines(warnings), nil)))
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, c)
	client, err := certificates.NewClient(certificates.ClientFiles{CA: a.File}, nil)
	if err != nil {
		t.Fatal(err)
	}
	shows := func(want string) func() bool {
		return func() bool {
			name, err := dial(t, client, addr)
			if err != nil {
				t.Fatal(err)
			}
			return name == want
		}
	}
	if !shows("first")() {
		t.Fatal("not the first certificate")
	}
	a.Issue(cert, key, "second", time.Now().Add(time.Hour))
	eventually(t, "the second certificate", shows("second"))
	if err := os.WriteFile(key, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the warning", func() bool {
		if !shows("second")() {
			t.Fatal("not the second certificate")
		}
		for {
			select {
			case line := <-warnings:
				if strings.Contains(line, "those of before hold") {
					return true
				}
			default:
				return false
			}
		}
	})
	a.Issue(cert, key, "third", time.Now().Add(time.Hour))
	eventually(t, "the third certificate", shows("third"))
}

// What can't be used is refused at once, with the file's name.
func TestFilesThatAreRefused(t *testing.T) {
	a := certificatetest.New(t)
	cert, key := a.Pair("one")
	_, otherKey := a.Pair("other")
	dir := t.TempDir()
	old, oldKey := filepath.Join(dir, "old.pem"), filepath.Join(dir, "old-key.pem")
	a.Issue(old, oldKey, "old", time.Now().Add(-time.Hour))
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ cert, key, want string }{
		{cert, otherKey, "private key does not match public key"},
		{cert, dir + "/absent", "absent"},
		{text, key, text},
		{old, oldKey, "ended on"},
	} {
		if _, err := certificates.Server(tc.cert, tc.key, nil); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("want %q: %v", tc.want, err)
		}
	}
	for _, tc := range []struct {
		f    certificates.ClientFiles
		want string
	}{
		{certificates.ClientFiles{CA: text}, "holds no certificate"},
		{certificates.ClientFiles{CA: dir + "/absent"}, "absent"},
		{certificates.ClientFiles{Cert: cert}, "go together"},
		{certificates.ClientFiles{Cert: cert, Key: otherKey}, "does not match"},
	} {
		if _, err := certificates.NewClient(tc.f, nil); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("want %q: %v", tc.want, err)
		}
	}
}

// A client trusts the issuers in its file, as the file is now, checks names and
// versions, and shows its own certificate.
func TestClient(t *testing.T) {
	ours, theirs := certificatetest.New(t), certificatetest.New(t)
	cert, key := ours.Pair("server")
	c, err := certificates.Server(cert, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, c)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	trust := func(a *certificatetest.Authority) {
		raw, err := os.ReadFile(a.File)
		if err == nil {
			err = os.WriteFile(ca, raw, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	trust(theirs)
	own, ownKey := ours.Pair("client")
	client, err := certificates.NewClient(certificates.ClientFiles{CA: ca, Cert: own, Key: ownKey}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t, client, addr); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Fatalf("trusted another authority: %v", err)
	}
	trust(ours)
	eventually(t, "trust", func() bool { _, err := dial(t, client, addr); return err == nil })
	_, port, _ := net.SplitHostPort(addr)
	if _, err := dial(t, client, "localhost:"+port); err != nil {
		t.Error(err)
	}
	if _, err := dial(t, client, "127.0.0.2:"+port); err == nil {
		t.Error("the name was not checked")
	}
	mutual := c.Clone()
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, client.Config().RootCAs
	if _, err := dial(t, client, serve(t, mutual)); err != nil {
		t.Errorf("the client's certificate: %v", err)
	}
	bare, err := certificates.NewClient(certificates.ClientFiles{CA: ca}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t, bare, serve(t, mutual)); err == nil {
		t.Error("a server that wants a certificate was content without")
	}
	stale := c.Clone()
	stale.MaxVersion, stale.MinVersion = tls.VersionTLS11, tls.VersionTLS10
	if _, err := dial(t, client, serve(t, stale)); err == nil {
		t.Error("TLS 1.1 was spoken")
	}
}
