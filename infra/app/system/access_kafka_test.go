//go:build kafka

package system

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lishi/infra/certificates/certificatetest"
	"lishi/infra/kafka/kafkatest"
)

// The whole program on a broker that wants SASL_SSL, by its settings; what is
// wrong is told at the start, with exit status 2 and without the password.
func TestKafkaServeSecured(t *testing.T) {
	c := kafkatest.Start(t, 1, "--sasl-ssl")
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("lishi-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := func(mechanism, ca string) []string {
		return []string{"--kafka-brokers", c.Brokers[0], "--replicas", "1", "--conversation-partitions", "2", "--user-partitions", "1",
			"--kafka-tls", "--kafka-tls-ca", ca, "--kafka-sasl", mechanism, "--kafka-user", "lishi"}
	}
	ca := filepath.Join(c.Dir, "certificates", "ca.pem")
	for _, mechanism := range []string{"plain", "scram-sha-512"} {
		s := serve(t, t.TempDir(), append(settings(mechanism, ca), "--kafka-password-file", password, "--topic-prefix", mechanism+".")...)
		if talk(s); strings.Contains(s.log.String(), "lishi-secret") {
			t.Error("the log tells the password")
		}
		s.terminate()
	}
	for what, tc := range map[string]struct {
		args []string
		want string
	}{
		"wrong password":  {append(settings("scram-sha-512", ca), "--kafka-password", "not-the-secret"), "user and password are refused"},
		"wrong authority": {append(settings("plain", certificatetest.New(t).File), "--kafka-password-file", password), "unknown authority"},
		"no authority":    {append(settings("plain", ca+"s"), "--kafka-password-file", password), "ca.pems"},
		"no password":     {append(settings("plain", ca), "--kafka-password-file", password+"s"), "passwords"},
	} {
		cmd := lishi(append([]string{"serve", "--listen", freeAddr(t), "--data", t.TempDir()}, tc.args...)...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		var exit *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(out.String(), tc.want) {
			t.Errorf("%s: %v\n%s", what, err, out.Bytes())
		}
		if strings.Contains(out.String(), "secret") {
			t.Errorf("%s: the password is told:\n%s", what, out.Bytes())
		}
	}
	shown, err := lishi(append([]string{"config", "--kafka-password", "not-the-secret"}, settings("plain", ca)...)...).CombinedOutput()
	if err != nil || strings.Contains(string(shown), "not-the-secret") || !strings.Contains(string(shown), "kafka-password ") {
		t.Errorf("config: %v\n%s", err, shown)
	}
}
