package app

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/spf13/cobra"

	"lishi/infra/config"
)

// A command's help lists the settings that it uses and no others, and a setting
// of another command's is no reason to fail.
func TestCommandsTakeTheSettingsTheyUse(t *testing.T) {
	for name, tc := range map[string]struct{ has, not []string }{
		"serve":  {[]string{"listen", "data", "kafka-brokers", "clickhouse", "token-key", "rate", "zone"}, nil},
		"config": {[]string{"listen", "data", "kafka-brokers", "clickhouse", "token-key", "rate", "zone"}, nil},
		"token":  {[]string{"data", "token-key", "token-jwks", "token-issuer"}, []string{"listen", "rate", "kafka-brokers", "clickhouse", "zone"}},
		"import": {[]string{"data", "kafka-brokers", "topic-prefix", "replicas", "zone"}, []string{"listen", "rate", "clickhouse", "token-key"}},
		"replay": {[]string{"data", "kafka-brokers", "clickhouse", "engine-memory", "console", "token-key"}, []string{"listen", "rate", "zone"}},
		"engine": {[]string{"listen", "data", "chdb", "engine-memory"}, []string{"rate", "kafka-brokers", "token-key", "clickhouse"}},
		"bench":  {[]string{"listen", "data", "token-key"}, []string{"rate", "kafka-brokers", "clickhouse", "chdb"}},
	} {
		c := command(t, name)
		for _, s := range tc.has {
			if c.Flags().Lookup(s) == nil {
				t.Errorf("lishi %s has no --%s", name, s)
			}
		}
		for _, s := range tc.not {
			if c.Flags().Lookup(s) != nil {
				t.Errorf("lishi %s has --%s, which it does not use", name, s)
			}
		}
	}
	// New settings of a part must say so, or its commands can't be told.
	for _, s := range config.Settings() {
		for prefix, part := range map[string]config.Part{"kafka-": config.Log, "clickhouse": config.Models, "token-": config.Tokens} {
			if len(s.Name) >= len(prefix) && s.Name[:len(prefix)] == prefix && !s.Of(part) {
				t.Errorf("setting %s does not belong to part %q", s.Name, part)
			}
		}
	}
}

func TestASettingOfAnotherCommandIsNoMatter(t *testing.T) {
	t.Setenv("LISHI_RATE", "fast")
	t.Setenv("LISHI_DATA", t.TempDir())
	var out, errs bytes.Buffer
	if status := Main([]string{"token", "--user", "a"}, os.Stdin, &out, &errs); status != done {
		t.Errorf("token: status %d: %s", status, errs.String())
	}
	if status := Main([]string{"config"}, os.Stdin, &out, &errs); status != misuse {
		t.Errorf("config took LISHI_RATE=fast: status %d", status)
	}
	t.Setenv("LISHI_TOKEN_KEY", "short")
	if status := Main([]string{"token", "--user", "a"}, os.Stdin, &out, &errs); status != misuse {
		t.Errorf("token took a short key: status %d", status)
	}
}

func command(t *testing.T, path ...string) *cobra.Command {
	t.Helper()
	root := (&program{in: os.Stdin, out: os.Stdout, err: os.Stderr}).root()
	c, _, err := root.Find(path)
	if err != nil || !slices.Contains(path, c.Name()) {
		t.Fatalf("%v: %v", path, err)
	}
	return c
}
