package config

import (
	"os"
	"regexp"
	"slices"
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
	for _, name := range []string{"docker-compose.yml", "Dockerfile", "README.md", "scripts/lishi.service", "scripts/lishi-backup.service", ".env"} {
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

	var c compose
	dec := yaml.NewDecoder(strings.NewReader(raw["docker-compose.yml"]))
	if err := dec.Decode(&c); err != nil {
		t.Fatal(err)
	}
	for name, s := range c.Services {
		c.checkService(t, name, s)
	}
	if !strings.Contains(raw[".env"], "\nCOMPOSE_PROFILES=single\n") {
		t.Error(".env does not choose the shape that starts by itself")
	}
	nodes := map[string][]string{}
	for name, s := range c.Services {
		if s.Build == "" {
			continue
		}
		if len(s.Profiles) != 1 {
			t.Fatalf("%s is of the profiles %v", name, s.Profiles)
		}
		nodes[s.Profiles[0]] = append(nodes[s.Profiles[0]], name)
		c.checkNode(t, name)
	}
	if len(nodes["single"]) != 1 || len(nodes["cluster"]) != 3 {
		t.Errorf("the shapes are %v", nodes)
	}
	// The balancer knows the nodes, and no others.
	balanced := regexp.MustCompile(`server (\w+):8080;`).FindAllStringSubmatch(c.Configs["balancer"].Content, -1)
	for _, hit := range balanced {
		if !slices.Contains(nodes["cluster"], hit[1]) {
			t.Errorf("the balancer names %s", hit[1])
		}
	}
	if len(balanced) != len(nodes["cluster"]) {
		t.Errorf("the balancer has %d of %d nodes", len(balanced), len(nodes["cluster"]))
	}
}

// compose is what is looked at of a compose file.
type compose struct {
	Services map[string]service
	Volumes  map[string]any
	Configs  map[string]struct{ Content string }
}

type service struct {
	Image       string
	Build       string
	Profiles    []string
	Environment map[string]string
	Ports       []string
	Volumes     []string
	Configs     []struct{ Source, Target string }
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	Healthcheck struct{ Test []string }
}

func (c compose) checkService(t *testing.T, name string, s service) {
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
		for other, o := range c.Services {
			if other != name && slices.Contains(o.Volumes, v) {
				t.Errorf("%s and %s share %s", name, other, volume)
			}
		}
	}
	for _, cfg := range s.Configs {
		if c.Configs[cfg.Source].Content == "" {
			t.Errorf("%s wants the config %s, which is not there", name, cfg.Source)
		}
	}
	for on, d := range s.DependsOn {
		o := c.Services[on]
		if o.Build == "" && len(o.Healthcheck.Test) == 0 || d.Condition != "service_healthy" { // what is built has its health check in the Dockerfile
			t.Errorf("%s depends on %s without a health check", name, on)
		}
		for _, p := range s.Profiles {
			if !slices.Contains(o.Profiles, p) {
				t.Errorf("%s depends on %s, which the profile %s does not start", name, on, p)
			}
		}
	}
	if len(s.Profiles) == 0 {
		t.Errorf("%s has no profile, so every shape starts it", name)
	}
	if id := s.Environment["KAFKA_NODE_ID"]; id != "" {
		if voters := s.Environment["KAFKA_CONTROLLER_QUORUM_VOTERS"]; !slices.Contains(strings.Split(voters, ","), id+"@"+name+":9093") {
			t.Errorf("%s is not among its voters %s", name, voters)
		}
		if !strings.Contains(s.Environment["KAFKA_ADVERTISED_LISTENERS"], "//"+name+":9092") {
			t.Errorf("%s advertises %s", name, s.Environment["KAFKA_ADVERTISED_LISTENERS"])
		}
	}
}

// checkNode loads what the file sets of a node, and looks whether it points to
// what the file starts.
func (c compose) checkNode(t *testing.T, name string) {
	s := c.Services[name]
	var environ []string
	for k, v := range s.Environment {
		if k == "LISHI_TOKEN_KEY" {
			v = strings.Repeat("k", 32)
		}
		environ = append(environ, k+"="+v)
	}
	cfg, _, err := Load("", environ, nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	brokers := strings.Split(cfg.KafkaBrokers, ",")
	for _, b := range brokers {
		host, _, _ := strings.Cut(b, ":")
		if _, waits := s.DependsOn[host]; !waits {
			t.Errorf("%s uses %s, and does not wait for it", name, b)
		}
	}
	replicas := cfg.Replicas
	if replicas == 0 {
		replicas = 3 // with Kafka
	}
	if replicas > len(brokers) {
		t.Errorf("%s wants more replicas than its %d brokers hold", name, len(brokers))
	}
	if _, waits := s.DependsOn["clickhouse"]; !waits || !strings.Contains(cfg.ClickHouse, "@clickhouse:9000/") {
		t.Errorf("%s: %q does not point to the ClickHouse it waits for", name, cfg.ClickHouse)
	}
}
