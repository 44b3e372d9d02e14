package app

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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

// A command's own flags stand first in its help, and its settings in one place.
func TestHelpTellsFlagsFromSettings(t *testing.T) {
	root := (&program{in: os.Stdin, out: os.Stdout, err: os.Stderr}).root()
	for _, c := range all(root) {
		own, after, found := strings.Cut(c.UsageString(), "\nSettings (")
		_, own, _ = strings.Cut(own, "\nFlags:\n")
		has := false
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			name := "--" + f.Name
			if f.Annotations[settingFlag] == nil {
				if f.Name != "config" && !f.Hidden && !strings.Contains(own, name+" ") && f.Name != "json" {
					t.Errorf("%s: %s is not among its flags", c.CommandPath(), name)
				}
				return
			}
			has = true
			if strings.Contains(own, "  "+name+" ") || !regexp.MustCompile(name+`\s`).MatchString(after) {
				t.Errorf("%s: the setting %s is among its flags, or missing", c.CommandPath(), name)
			}
		})
		if has != found {
			t.Errorf("%s: a heading without settings, or the other way round", c.CommandPath())
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
