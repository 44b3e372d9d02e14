package system

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A checkpoint that was kept elsewhere vouches for what was said before it, and
// an event is proved to somebody who has nothing but the public key.
func TestAuditOfTheEmbeddedLog(t *testing.T) {
	data, safe := t.TempDir(), t.TempDir()
	audit := func(args ...string) string {
		t.Helper()
		out, errs, status := run(t, nil, append([]string{"audit"}, args...)...)
		if status != 0 {
			t.Fatalf("audit %s: status %d: %s%s", strings.Join(args, " "), status, out, errs)
		}
		return out
	}
	s := serve(t, data)
	said := talk(s)
	if out, errs, status := run(t, nil, "audit", "checkpoint", "--data", data); status != 1 || !strings.Contains(errs, "is in use by process") {
		t.Fatalf("read a log that is being written: status %d: %s%s", status, out, errs)
	}
	s.terminate()
	audit("checkpoint", "--data", data, "--out", safe)
	checkpoints, err := filepath.Glob(filepath.Join(safe, "*.checkpoint"))
	if err != nil || len(checkpoints) != 7 {
		t.Fatalf("%v %v", checkpoints, err)
	}

	s = serve(t, data)
	s.must("ann", "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": "bob", "messageContent": "later"})
	s.terminate()
	if out := audit(append([]string{"verify", "--log", "--data", data}, checkpoints...)...); strings.Count(out, " holds: ") != 7 {
		t.Errorf("%s", out)
	}

	key := strings.TrimSpace(audit("key", "--data", data))
	proof := filepath.Join(safe, "word.tlog-proof")
	position := said[7]["position"].(string)
	audit("prove", position, "--data", data, "--out", proof)
	var shown struct{ Position, Value string }
	if err := json.Unmarshal([]byte(audit("verify", proof, "--key", key, "--json")), &shown); err != nil ||
		shown.Position != position || !strings.Contains(shown.Value, said[7]["talkContent"].(string)) {
		t.Errorf("%+v %v", shown, err)
	}
	for _, c := range checkpoints {
		cont := c + ".proof"
		audit("consistency", c, "--data", data, "--out", cont)
		audit("verify", cont, "--old", c, "--key", key)
	}

	files, err := filepath.Glob(filepath.Join(data, "log", "kafka", "partitions", "lishi.users-0", "*.dat"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	text[bytes.Index(text, []byte("ann"))] ^= 1
	if err := os.WriteFile(files[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, status := run(t, nil, append([]string{"audit", "verify", "--log", "--data", data}, checkpoints...)...); status != 3 || !strings.Contains(errs, "lishi.users-0") || !strings.Contains(errs, "offset") {
		t.Errorf("an altered byte on disk: status %d: %s%s", status, out, errs)
	}
}
