package system

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lishi/cmd/lishi-verify/verify"
	"lishi/infra/console"
	"lishi/infra/exports"
)

// A package is made while people chat, downloaded, and verified by whoever has
// nothing but it; the asking for it is in the log before.
func TestExportFromTheConsole(t *testing.T) {
	s, as := withConsole(t)
	s.befriend("alice", "bob")
	s.must("alice", "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": "bob", "messageContent": "the contract 合同"})

	auditor := as("auditor")
	var job exports.Job
	if err := auditor.Post(t.Context(), "/api/audit/exports", map[string]any{"participants": []string{"bob"}, "text": "合同"}, &job); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(60 * time.Second)
	for job.State != exports.Done {
		if job.State == exports.Failed || time.Now().After(deadline) {
			t.Fatalf("%+v", job)
		}
		time.Sleep(20 * time.Millisecond)
		if err := auditor.Get(t.Context(), "/api/audit/exports/"+job.ID, nil, &job); err != nil {
			t.Fatal(err)
		}
	}
	if job.Rows["messages.csv"] != 1 || job.Rows["access.csv"] != 1 || job.Request.Reason != "a test" || job.Request.AskedBy != "somebody" {
		t.Errorf("%+v", job)
	}
	req, _ := http.NewRequest("GET", auditor.Base+"/api/audit/exports/"+job.ID+"/download", nil)
	req.Header.Set("Authorization", "Bearer "+auditor.Token)
	req.Header.Set("Lishi-Reason", "a test")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || !strings.Contains(resp.Header.Get("Content-Disposition"), job.ID+".zip") {
		t.Fatalf("%s %v %v", resp.Status, resp.Header, err)
	}
	path := filepath.Join(t.TempDir(), "p.zip")
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := verify.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if r, err := verify.Package(f, verify.Options{}); err != nil || r.Events["message.sent"] != 1 {
		t.Errorf("%+v %v", r, err)
	}
	if !bytes.Contains(body, []byte("index.html")) {
		t.Error("it has no page")
	}

	var refused *console.Error
	for _, bad := range []map[string]any{{}, {"all": true, "text": "x"}, {"conversations": []string{"x"}}, {"all": true, "from": "soon"}, {"all": true, "colour": "red"}} {
		if err := auditor.Post(t.Context(), "/api/audit/exports", bad, &job); !errors.As(err, &refused) || refused.Reason != console.BadRequest {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if err := auditor.Get(t.Context(), "/api/audit/exports/none", nil, &job); !errors.As(err, &refused) || refused.Reason != console.NotFound {
		t.Errorf("%v", err)
	}

	// The command has the server that runs on the data make it.
	for _, name := range []string{"cli.zip", "cli.tar", "cli"} {
		into := filepath.Join(t.TempDir(), name)
		out, errs, status := run(t, nil, "audit", "export", "--data", s.dir, "--console", auditor.Base, "--token", auditor.Token, "--text", "合同", "--reason", "case 9", "--output", into)
		if status != 0 || !strings.Contains(out, "1 versions of messages") || !strings.Contains(errs, "from the server at") {
			t.Fatalf("%s: status %d: %s%s", name, status, out, errs)
		}
		if out, errs, status := run(t, nil, "audit", "verify", "--data", s.dir, into); status != 0 || !strings.Contains(out, "asked by somebody: case 9") {
			t.Errorf("%s: status %d: %s%s", name, status, out, errs)
		}
		if left, _ := filepath.Glob(into + ".*"); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}
