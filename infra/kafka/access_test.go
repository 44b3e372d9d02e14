package kafka

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCredentials(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("first\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := func(c Credentials) string {
		t.Helper()
		_, first, err := c.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return string(first)
	}
	c := Credentials{Mechanism: "plain", User: "u", PasswordFile: file}
	if got := said(c); got != "\x00u\x00first" {
		t.Errorf("%q", got)
	}
	if err := os.WriteFile(file, []byte("second"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := said(c); got != "\x00u\x00second" {
		t.Errorf("%q", got)
	}
	if got := said(Credentials{Mechanism: "scram-sha-512", User: "u", Password: "secret"}); strings.Contains(got, "secret") || !strings.HasPrefix(got, "n,,n=u,r=") {
		t.Errorf("%q", got)
	}
	for _, wrong := range []Credentials{{Mechanism: "oauth"}, {Mechanism: "plain", PasswordFile: file + "s"}} {
		if err := wrong.Check(); err == nil {
			t.Errorf("%+v", wrong)
		}
	}
}

// The client takes its deadline away before it asks for user and password.
func TestSilentBrokerDoesNotHoldTheAsker(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	c := &impatient{Conn: here, silence: 20 * time.Millisecond}
	defer c.Close()
	read := func() error { _, err := c.Read(make([]byte, 1)); return err }
	c.SetDeadline(time.Now().Add(time.Hour))
	c.SetDeadline(time.Time{})
	if err := read(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	c.SetDeadline(time.Time{}) // from now on it is the client's
	go there.Write([]byte{1})
	if err := read(); err != nil {
		t.Error(err)
	}
}
