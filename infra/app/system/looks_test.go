package system

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"lishi/infra/looks"
)

// Every url that shows people's words or doings leaves a look in the log, whatever
// becomes of its answer; for an auditor without a reason, none shows anything.
func TestEveryLookIsRecorded(t *testing.T) {
	_, as := withConsole(t)
	var all struct {
		Routes []struct {
			Method, Path string
			Look, May    bool
		}
	}
	auditor := as("auditor")
	if err := auditor.Get(t.Context(), "/api/routes", nil, &all); err != nil {
		t.Fatal(err)
	}
	wildcard := regexp.MustCompile(`\{[^}]*\}`)
	asked := 0
	for _, r := range all.Routes {
		path := wildcard.ReplaceAllString(r.Path, "x")
		// Whatever speaks of people is a look.
		if people := regexp.MustCompile(`^/api/(events|streams|tail|asof|analytics/.|sql/run|audit/(who|seen|looks|prove))`).MatchString(r.Path); people && !r.Look {
			t.Errorf("%s %s shows people and is no look", r.Method, r.Path)
		}
		if !r.Look || !r.May {
			continue
		}
		if forbidden(t, auditor, r.Method, path) {
			t.Errorf("%s %s is forbidden", r.Method, path)
		}
		asked++
		var page looks.Page
		if err := as("admin").Get(t.Context(), "/api/audit/looks", url.Values{"role": {"auditor"}, "limit": {"1"}}, &page); err != nil {
			t.Fatal(err)
		}
		if len(page.Looks) != 1 || page.Looks[0].What != r.Method+" "+path || page.Looks[0].Reason != "a test" {
			t.Errorf("%s %s: the newest look is %+v", r.Method, path, page.Looks)
		}
	}
	if asked < 8 {
		t.Errorf("only %d urls are looks", asked)
	}
	silent := as("auditor")
	silent.Reason = ""
	for _, r := range all.Routes {
		if !r.Look || !r.May {
			continue
		}
		_, err := silent.Do(t.Context(), r.Method, wildcard.ReplaceAllString(r.Path, "x"), nil, nil)
		if err == nil || !strings.Contains(err.Error(), "reason_missing") {
			t.Errorf("%s %s without a reason: %v", r.Method, r.Path, err)
		}
	}
}
