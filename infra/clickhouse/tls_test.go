package clickhouse_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lishi/infra/certificates"
	"lishi/infra/certificates/certificatetest"
	"lishi/infra/chdb"
	"lishi/infra/clickhouse"
	"lishi/projections"
)

func clientOf(t *testing.T, f certificates.ClientFiles) *certificates.Client {
	t.Helper()
	c, err := certificates.NewClient(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serveTLS serves the engine of this process with TLS, client certificates and a
// password, and gives its address.
func serveTLS(t *testing.T, a *certificatetest.Authority, cert, key string) string {
	t.Helper()
	c, err := certificates.Server(cert, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(a.File)
	if err != nil {
		t.Fatal(err)
	}
	c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	c.ClientCAs.AppendCertsFromPEM(raw)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- chdb.Serve(t.Context(), tls.NewListener(l, c), chdb.Authorised("lishi", "pass/word", embedded.Engine().Handler()))
	}()
	t.Cleanup(func() {
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// A server with TLS, its own authority, client certificates, user and password:
// statements run; renewed certificates are taken for new connections; who lacks
// something is told what.
func TestServerWithTLSAndPassword(t *testing.T) {
	a, other := certificatetest.New(t), certificatetest.New(t)
	cert, key := a.Pair("server")
	own, ownKey := a.Pair("client")
	addr := serveTLS(t, a, cert, key)
	files := certificates.ClientFiles{CA: a.File, Cert: own, Key: ownKey}
	run := func(dsn string, f certificates.ClientFiles) error {
		t.Helper()
		db, err := clickhouse.Open(clickhouse.Options{DSN: dsn, TLS: clientOf(t, f)})
		if err != nil {
			return err
		}
		defer db.Close()
		if err := db.Exec(t.Context(), "CREATE TABLE IF NOT EXISTS tls (n Int64) ENGINE = Memory"); err != nil {
			return err
		}
		return db.Insert(t.Context(), "tls", []projections.Column{{Name: "n", Type: "Int64", Data: []int64{1}}})
	}
	good := "https://lishi:pass%2Fword@" + addr + "/tls"
	if err := run(good, files); err != nil {
		t.Fatal(err)
	}
	if err := run(good+"?secure=true", files); err != nil {
		t.Error(err)
	}
	for _, tc := range []struct {
		dsn, want string
		f         certificates.ClientFiles
	}{
		{"https://lishi:wrong@" + addr + "/tls", "Authentication failed", files},
		{"https://" + addr + "/tls", "Authentication failed", files},
		{good, "unknown authority", certificates.ClientFiles{CA: other.File, Cert: own, Key: ownKey}},
		{good, "certificate required", certificates.ClientFiles{CA: a.File}},
		{strings.Replace(good, "https", "http", 1), "speaks no TLS", files},
		{"https://lishi:pass%2Fword@" + addr + "/%zz", "DSN", files},
	} {
		err := run(tc.dsn, tc.f)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("want %q: %v", tc.want, err)
		}
		if configured := strings.Contains(tc.want, "TLS") || tc.want == "DSN"; clickhouse.Unavailable(err) == configured {
			t.Errorf("%q can be mended while lishi runs: %v; unavailable: %v", tc.want, !configured, !configured)
		}
		if err != nil && strings.Contains(err.Error(), "word") && !strings.Contains(err.Error(), "password is incorrect") {
			t.Errorf("the password is told: %v", err)
		}
	}

	// The server moves to another authority; the client's file follows.
	ca := filepath.Join(t.TempDir(), "ca.pem")
	copyFile(t, a.File, ca)
	client := clientOf(t, certificates.ClientFiles{CA: ca, Cert: own, Key: ownKey})
	other.Issue(cert, key, "server", time.Now().Add(time.Hour))
	copyFile(t, other.File, ca)
	deadline := time.Now().Add(30 * time.Second)
	for {
		db, err := clickhouse.Open(clickhouse.Options{DSN: good, TLS: client})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Ping(t.Context())
		db.Close()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("renewed certificates are not taken: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// The native protocol goes over TLS too: what comes out of the connection is
// ClickHouse's hello with the user.
func TestNativeProtocolOverTLS(t *testing.T) {
	a := certificatetest.New(t)
	cert, key := a.Pair("server")
	c, err := certificates.Server(cert, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", c)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	hello := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		b := make([]byte, 4096)
		n, _ := conn.Read(b)
		hello <- string(b[:n])
	}()
	db, err := clickhouse.Open(clickhouse.Options{DSN: "clickhouse://lishi:secret@" + l.Addr().String() + "/lishi?secure=true", TLS: clientOf(t, certificates.ClientFiles{CA: a.File})})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if db.Ping(t.Context()) == nil {
		t.Fatal("nobody answered, and all was well")
	}
	if got := <-hello; !strings.Contains(got, "lishi") {
		t.Errorf("%q", got)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
