package config

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// No docker engine runs where this is tested, so the files are read instead:
// every LISHI_ name must be a setting, every reference must lead somewhere.
func TestDeploymentFilesNameRealThings(t *testing.T) {
	known := map[string]bool{}
	for _, s := range Settings() {
		known[s.Env] = true
	}
	known["LISHI_CLICKHOUSE_PASSWORD"] = true // the compose file's own
	raw := map[string]string{}
	for _, name := range []string{"docker-compose.yml", "Dockerfile", "README.md"} {
		b, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		raw[name] = string(b)
		for _, v := range regexp.MustCompile(`LISHI_[A-Z_]+`).FindAllString(raw[name], -1) {
			if !known[v] && !scriptVariables[v] {
				t.Errorf("%s names %s, which is no setting", name, v)
			}
		}
	}
	if strings.Contains(raw["Dockerfile"], "FROM scratch") || strings.Contains(raw["Dockerfile"], "alpine") {
		t.Error("the program needs glibc")
	}

	var c struct {
		Services map[string]struct {
			Image       string
			Build       string
			Environment map[string]string
			Ports       []string
			Volumes     []string
			DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
			Healthcheck struct{ Test []string }
		}
		Volumes map[string]any
	}
	dec := yaml.NewDecoder(strings.NewReader(raw["docker-compose.yml"]))
	if err := dec.Decode(&c); err != nil {
		t.Fatal(err)
	}
	for name, s := range c.Services {
		if (s.Image == "") == (s.Build == "") {
			t.Errorf("%s needs an image or a build", name)
		}
		if strings.HasSuffix(s.Image, ":latest") || (s.Image != "" && !strings.Contains(s.Image, ":")) {
			t.Errorf("%s: image %q names no version", name, s.Image)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s publishes %s beyond this machine", name, p)
			}
		}
		for _, v := range s.Volumes {
			volume, _, _ := strings.Cut(v, ":")
			if _, ok := c.Volumes[volume]; !ok {
				t.Errorf("%s mounts %s, which is not declared", name, volume)
			}
		}
		for on, d := range s.DependsOn {
			if len(c.Services[on].Healthcheck.Test) == 0 || d.Condition != "service_healthy" {
				t.Errorf("%s depends on %s without a health check", name, on)
			}
		}
	}
	// What the file sets must load as a configuration.
	var environ []string
	for k, v := range c.Services["lishi"].Environment {
		if k == "LISHI_TOKEN_KEY" {
			v = strings.Repeat("k", 32)
		}
		environ = append(environ, k+"="+v)
	}
	cfg, _, err := Load("", environ, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []struct{ setting, service string }{{cfg.KafkaBrokers, "kafka"}, {cfg.ClickHouse, "clickhouse"}} {
		if _, ok := c.Services[ref.service]; !ok || !strings.Contains(ref.setting, ref.service+":") {
			t.Errorf("%q does not point to service %s", ref.setting, ref.service)
		}
	}
}
