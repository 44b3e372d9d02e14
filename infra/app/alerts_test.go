package app

import (
	"fmt"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"lishi/infra/telemetry"
	"lishi/ws"
	"lishi/ws/wire"
)

// Every metric, reason and close code that an alert rule names is there, and
// docs/operations.md says of every alert and reason word what to do.
func TestAlertsNameRealThings(t *testing.T) {
	raw, err := os.ReadFile("../../scripts/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr string
				For         time.Duration
				Labels      struct{ Severity string }
				Annotations struct{ Summary string }
			}
		}
	}
	dec := yaml.NewDecoder(strings.NewReader(string(raw)))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	m := telemetry.NewMetrics()
	m.Connected(1)
	m.Closed("1000")
	m.Requested("/x", "ok", 1)
	m.Pushed("1", 1)
	known := metricNames(t, m)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, hit := range regexp.MustCompile(`(?m)^# TYPE (\w+) (\w+)`).FindAllStringSubmatch(w.Body.String(), -1) {
		known[hit[1]] = true
		if hit[2] == "histogram" {
			known[hit[1]+"_bucket"] = true
		}
	}
	known["up"] = true // Prometheus' own
	for _, d := range figures {
		if !strings.Contains(string(docs), regexp.MustCompile(`fqName: "(\w+)"`).FindStringSubmatch(d.String())[1]) {
			t.Errorf("docs/operations.md lacks %s", d)
		}
	}

	// What PromQL has beside metrics.
	words := regexp.MustCompile(`\{[^}]*\}|\[\w+\]|by \([^)]*\)|\b(sum|max|min|rate|deriv|min_over_time|histogram_quantile|and)\b`)
	names := map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if !regexp.MustCompile(`^Lishi[A-Z]\w+$`).MatchString(r.Alert) || names[r.Alert] || r.For <= 0 || r.Annotations.Summary == "" ||
				r.Labels.Severity != "page" && r.Labels.Severity != "ticket" {
				t.Errorf("%+v", r)
			}
			names[r.Alert] = true
			found := 0
			for _, name := range regexp.MustCompile(`[a-z_]{2,}\w*`).FindAllString(words.ReplaceAllString(r.Expr, " "), -1) {
				found++
				if !known[name] {
					t.Errorf("%s names %s, which is not at /metrics", r.Alert, name)
				}
			}
			if found == 0 {
				t.Errorf("%s asks for nothing: %s", r.Alert, r.Expr)
			}
			for _, hit := range regexp.MustCompile(`reason="(\w+)"`).FindAllStringSubmatch(r.Expr, -1) {
				if !slices.Contains(ws.Reasons(), hit[1]) {
					t.Errorf("%s names the reason %s, which is not there", r.Alert, hit[1])
				}
			}
			for _, hit := range regexp.MustCompile(`code="(\w+)"`).FindAllStringSubmatch(r.Expr, -1) {
				if !slices.Contains([]string{fmt.Sprint(wire.CloseInternal), fmt.Sprint(wire.CloseSlowConsumer)}, hit[1]) {
					t.Errorf("%s names the close code %s", r.Alert, hit[1])
				}
			}
			if !strings.Contains(string(docs), "| `"+r.Alert+"` |") {
				t.Errorf("docs/operations.md does not say what to do about %s", r.Alert)
			}
		}
	}
	for _, hit := range regexp.MustCompile("`(Lishi[A-Z]\\w+)`").FindAllStringSubmatch(string(docs), -1) {
		if !names[hit[1]] {
			t.Errorf("docs/operations.md names the alert %s, which is not there", hit[1])
		}
	}
	for _, reason := range ws.Reasons() {
		if !strings.Contains(string(docs), "| `"+reason+"` |") {
			t.Errorf("docs/operations.md does not say what to do about the reason %s", reason)
		}
	}
}
