package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPrecedenceAndOrigin(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lishi.yaml")
	if err := os.WriteFile(file, []byte("listen: 1.1.1.1:1\nrate: 7\ndeadline: 3s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, settings, err := Load(file, []string{"LISHI_RATE=8", "LISHI_DEMO=true", "OTHER=x"}, map[string]string{"demo": "false"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "1.1.1.1:1" || c.Rate != 8 || c.Demo || c.Deadline != 3*time.Second || c.Burst != 200 {
		t.Fatalf("merged wrongly: %+v", c)
	}
	want := map[string]string{"listen": "file", "rate": "environment", "demo": "flag", "burst": "default"}
	for _, s := range settings {
		if o, ok := want[s.Name]; ok && s.Origin != o {
			t.Errorf("%s comes from %s, want %s", s.Name, s.Origin, o)
		}
	}
}

func TestWrongSettingsAreNamed(t *testing.T) {
	dir := t.TempDir()
	write := func(s string) string {
		f := filepath.Join(dir, "c.yaml")
		if err := os.WriteFile(f, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		return f
	}
	for name, tc := range map[string]struct {
		file  string
		env   []string
		flags map[string]string
		want  string
	}{
		"unknown file key":    {file: "lisen: x\n", want: "lisen"},
		"file key not scalar": {file: "listen: [1]\n", want: "listen"},
		"broken yaml":         {file: "listen: [\n", want: "configuration file"},
		"unknown variable":    {env: []string{"LISHI_LISEN=x"}, want: "LISHI_LISEN"},
		"not a number":        {env: []string{"LISHI_RATE=fast"}, want: "not a whole number"},
		"half a request":      {env: []string{"LISHI_RATE=0.5"}, want: "not a whole number"}, // cut to 0 it would be no limit
		"not a duration":      {flags: map[string]string{"deadline": "10"}, want: "not a duration"},
		"not a bool":          {flags: map[string]string{"demo": "perhaps"}, want: "not true or false"},
		"short key":           {env: []string{"LISHI_TOKEN_KEY=short"}, want: "at least 32"},
		"kafka without key":   {env: []string{"LISHI_KAFKA_BROKERS=h:9092"}, want: "token-jwks must be given with Kafka"},
		"jwks by http":        {env: []string{"LISHI_TOKEN_JWKS=http://issuer.example/keys"}, want: "https url"},
		"jwks with password":  {env: []string{"LISHI_TOKEN_JWKS=https://a:b@issuer.example/keys"}, want: "password"},
		"origin with a slash": {env: []string{"LISHI_ORIGINS=https://chat.example.com/"}, want: "write https://chat.example.com"},
		"any origin":          {env: []string{"LISHI_ORIGINS=*"}, want: "not an origin"},
		"kafka ca, no tls":    {env: []string{"LISHI_KAFKA_TLS_CA=/ca.pem"}, want: "kafka-tls is false"},
		"kafka half a pair":   {env: []string{"LISHI_KAFKA_TLS=true", "LISHI_KAFKA_TLS_CERT=/c.pem"}, want: "kafka-tls-key go together"},
		"kafka tls, embedded": {env: []string{"LISHI_KAFKA_TLS=true"}, want: "embedded broker"},
		"kafka user, no sasl": {env: []string{"LISHI_KAFKA_USER=u"}, want: "kafka-sasl is empty"},
		"kafka mechanism":     {env: []string{"LISHI_KAFKA_SASL=gssapi"}, want: "plain or scram-sha-512"},
		"kafka no user":       {env: []string{"LISHI_KAFKA_SASL=plain"}, want: "kafka-user"},
		"kafka no password":   {env: []string{"LISHI_KAFKA_SASL=plain", "LISHI_KAFKA_USER=u"}, want: "kafka-password-file must be given"},
		"kafka two passwords": {env: []string{"LISHI_KAFKA_SASL=plain", "LISHI_KAFKA_USER=u", "LISHI_KAFKA_PASSWORD=p", "LISHI_KAFKA_PASSWORD_FILE=/p"}, want: "either it or"},
		"zone":                {flags: map[string]string{"zone": "Nowhere/Land"}, want: "zone"},
		"dates":               {flags: map[string]string{"dates": "soon"}, want: "dates"},
		"log level":           {flags: map[string]string{"log-level": "loud"}, want: "log-level"},
		"no content":          {flags: map[string]string{"max-content": "0"}, want: "max-content"},
		"content too long":    {flags: map[string]string{"max-content": "2000000"}, want: "max-content"},
		"message too short":   {flags: map[string]string{"max-message": "16384"}, want: "max-message"},
		"queue too small":     {flags: map[string]string{"send-queue": "1000"}, want: "send-queue"},
		"key without cert":    {flags: map[string]string{"tls-key": "k.pem"}, want: "go together"},
		"no network":          {flags: map[string]string{"trusted-proxies": "10.0.0.0/8,proxy"}, want: `"proxy" is no address`},
		"log format":          {flags: map[string]string{"log-format": "xml"}, want: "log-format"},
	} {
		t.Run(name, func(t *testing.T) {
			file := ""
			if tc.file != "" {
				file = write(tc.file)
			}
			_, _, err := Load(file, tc.env, tc.flags)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want something about %q", err, tc.want)
			}
		})
	}
	if _, _, err := Load(filepath.Join(dir, "absent"), nil, nil); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("absent file: %v", err)
	}
}

// With Kafka every node needs the same keys; a JWKS is enough.
func TestAJWKSStandsForTheKey(t *testing.T) {
	for _, where := range []string{"/etc/lishi/keys.json", "https://issuer.example/keys", "http://127.0.0.1:9000/keys"} {
		c, _, err := Load("", []string{"LISHI_KAFKA_BROKERS=h:9092", "LISHI_TOKEN_JWKS=" + where}, nil)
		if err != nil || c.TokenJWKS != where || c.TokenKey != "" {
			t.Errorf("%s: %+v, %v", where, c, err)
		}
	}
}

// Every secret can come from a file, as container platforms give them.
func TestSecretsFromFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	const secret = "0123456789abcdef0123456789abcdef"
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, all, err := Load("", []string{"LISHI_TOKEN_KEY_FILE=" + file}, map[string]string{"clickhouse-file": file})
	if err != nil || c.TokenKey != secret || c.ClickHouse != secret {
		t.Fatalf("%+v, %v", c, err)
	}
	for _, s := range all {
		if strings.Contains(s.Shown(), secret) || s.Name == "token-key" && (s.Shown() != "(set)" || s.Origin != "token-key-file") {
			t.Errorf("%+v", s)
		}
	}
	if err := os.WriteFile(file+".empty", []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, env := range map[string][]string{
		"is given too": {"LISHI_TOKEN_KEY_FILE=" + file, "LISHI_TOKEN_KEY=" + secret},
		"no such file": {"LISHI_TOKEN_KEY_FILE=" + file + ".absent"},
		"is empty":     {"LISHI_TOKEN_KEY_FILE=" + file + ".empty"},
	} {
		if _, _, err := Load("", env, nil); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	_, settings, err := Load("", []string{
		"LISHI_TOKEN_KEY=0123456789abcdef0123456789abcdef",
		"LISHI_KAFKA_BROKERS=h:1", "LISHI_KAFKA_SASL=plain", "LISHI_KAFKA_USER=u", "LISHI_KAFKA_PASSWORD=0123456789abcdef",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		if strings.Contains(s.Shown(), "0123456789abcdef") {
			t.Fatalf("%s shows its secret", s.Name)
		}
		if s.Help == "" {
			t.Errorf("%s has no meaning", s.Name)
		}
	}
}
