package system

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lishi/events"
	"lishi/infra/console"
	"lishi/infra/seals"
)

// A server signs while people chat, over a kill -9, a change of the key, a backup;
// a witness beside it follows, and finds the log that was rolled back.
func TestSealsWhileItRuns(t *testing.T) {
	state, wAddr := filepath.Join(t.TempDir(), "state"), freeAddr(t)
	at := freeAddr(t)
	s := serve(t, t.TempDir(), "--console", at, "--seal-interval", "100ms", "--seal-witnesses", "http://"+wAddr)
	bearer, _, status := run(t, nil, "token", "--data", s.dir, "--user", "ada", "--role", "auditor")
	if status != 0 {
		t.Fatal(bearer)
	}
	ada := &console.Client{Base: "http://" + at, Token: strings.TrimSpace(bearer), Reason: "a test"}
	audit := func(args ...string) string {
		t.Helper()
		out, errs, status := run(t, nil, append([]string{"audit"}, args...)...)
		if status != 0 {
			t.Fatalf("audit %s: status %d: %s%s", strings.Join(args, " "), status, out, errs)
		}
		return out
	}
	key := strings.TrimSpace(audit("key", "--data", s.dir))
	watching := lishi("audit", "watch", "--listen", wAddr, "--state", state, "--key", key, "--every", "100ms", "--grace", "300ms")
	said := &safeBuffer{}
	watching.Stdout, watching.Stderr = said, said
	if err := watching.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { watching.Process.Kill(); watching.Wait() })

	s.befriend("ann", "bob")
	position := ""
	say := func() {
		t.Helper()
		position = s.must("ann", "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": "bob", "messageContent": "封存"}).str("position")
	}
	sealed := func() (st seals.Status) { // everything, and seen by the witness
		t.Helper()
		wait(t, "checkpoints", time.Minute, func() bool {
			st = seals.Status{}
			if err := ada.Get(t.Context(), "/api/audit/status", nil, &st); err != nil {
				t.Fatal(err)
			}
			last, err := events.ParsePosition(position)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range st.Partitions {
				if p.Size < p.Records || p.Records < 1 || p.Partition == last.Partition.String() && p.Size <= last.Offset {
					return false
				}
			}
			return st.Witnesses[0].Lag == 0 && st.Error == ""
		})
		if len(st.Wrong) > 0 || !st.Signing {
			t.Fatalf("%+v", st)
		}
		return st
	}
	say()
	sealed()
	s.kill()
	s.start()
	say()
	sealed()

	var proved struct{ Proof string }
	if err := ada.Get(t.Context(), "/api/audit/prove/"+position, nil, &proved); err != nil {
		t.Fatal(err)
	}
	proof := filepath.Join(t.TempDir(), "word.tlog-proof")
	if err := os.WriteFile(proof, []byte(proved.Proof), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := audit("verify", proof, "--key", key); !strings.Contains(out, position) || !strings.Contains(out, "封存") {
		t.Errorf("%s", out)
	}
	byServer := filepath.Join(t.TempDir(), "word.tlog-proof")
	audit("prove", position, "--data", s.dir, "--console", at, "--token", ada.Token, "--reason", "a test", "--out", byServer)
	audit("verify", byServer, "--key", key)
	first := filepath.Join(s.dir, "first") // checkpoint of u0
	all, err := filepath.Glob(filepath.Join(s.dir, "seals", "*", "u0.checkpoints"))
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	text, err := os.ReadFile(all[0])
	if err != nil {
		t.Fatal(err)
	}
	for e := range seals.Notes(text) {
		if err := os.WriteFile(first, e.Signed, 0o600); err != nil {
			t.Fatal(err)
		}
		break
	}
	audit("consistency", first, "--data", s.dir, "--console", at, "--token", ada.Token, "--out", first+".proof")
	audit("verify", first+".proof", "--old", first, "--key", key)
	kept := t.TempDir()
	if out := audit("checkpoint", "u0", "--data", s.dir, "--console", at, "--token", ada.Token, "--out", kept); !strings.HasPrefix(out, "u0  ") {
		t.Error(out)
	}
	published, err := filepath.Glob(filepath.Join(kept, "u0-*.checkpoint"))
	if err != nil || len(published) != 1 {
		t.Fatal(published, err)
	}
	audit("verify", published[0], "--key", key)
	if out, errs, status := run(t, nil, "audit", "checkpoint", "u7", "--data", s.dir, "--console", at, "--token", ada.Token); status != 2 {
		t.Errorf("status %d: %s%s", status, out, errs)
	}
	var heads struct{ Checkpoints []struct{ Partition string } }
	if err := ada.Get(t.Context(), "/api/audit/checkpoints", url.Values{"partition": {"u0"}}, &heads); err != nil || len(heads.Checkpoints) < 1 {
		t.Errorf("%+v %v", heads, err)
	}
	if err := ada.Post(t.Context(), "/api/audit/verify", nil, nil); err != nil {
		t.Error(err)
	}
	wait(t, "the verification", time.Minute, func() bool { st := sealed(); return !st.Verified.Running && st.Verified.Holds })
	polled := filepath.Join(t.TempDir(), "polled")
	audit("watch", ada.Base, "--token", ada.Token, "--state", polled, "--key", key, "--once")

	backup := filepath.Join(t.TempDir(), "backup")
	if out, errs, status := run(t, nil, "backup", backup, "--data", s.dir); status != 0 {
		t.Fatalf("%s%s", out, errs)
	}
	say()
	sealed()
	s.terminate()
	audit("verify", "--log", "--data", s.dir)
	next := strings.TrimSpace(audit("key", "rotate", "--data", s.dir))
	s.start()
	say()
	if st := sealed(); st.Key != next {
		t.Errorf("%s signs, not %s", st.Key, next)
	}
	audit("watch", ada.Base, "--token", ada.Token, "--state", polled, "--key", key, "--once")
	s.terminate()
	for _, k := range []string{key, next} {
		audit("verify", "--log", "--data", s.dir, "--key", k)
	}
	if strings.Contains(said.String(), "ALARM") {
		t.Fatalf("%s", said)
	}

	// What was backed up is whole, and less than the witness has seen.
	restored := t.TempDir()
	if out, errs, status := run(t, nil, "restore", backup, "--data", restored); status != 0 {
		t.Fatalf("%s%s", out, errs)
	}
	audit("verify", "--log", "--data", restored)
	old := serve(t, restored, "--console", at, "--seal-interval", "100ms", "--seal-witnesses", "http://"+wAddr)
	wait(t, "the node to learn that it was rolled back", time.Minute, func() bool {
		var st seals.Status
		return ada.Get(t.Context(), "/api/audit/status", nil, &st) == nil && len(st.Wrong) > 0 && strings.Contains(st.Wrong[0].Problem, "rolled back")
	})
	wait(t, "the witness's alarm", time.Minute, func() bool {
		return strings.Contains(said.String(), "ALARM") && strings.Contains(said.String(), "rollback")
	})
	old.terminate()
}
