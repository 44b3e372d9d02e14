package system

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lishi/infra/visible"
)

// Who could see a message, and what somebody could see, is the same at rest and of
// the running server; each event named is proved.
func TestWhoCouldSee(t *testing.T) {
	s, as := withConsole(t)
	s.register("ann", "bob", "cat")
	group := s.must("ann", "/group/addGroup", object{"uniqueNo": no(), "groupName": "看", "joinMode": "9"}).str("groupId")
	s.must("bob", "/group/applyGroup", object{"uniqueNo": no(), "groupId": group})
	sent := s.must("ann", "/chat/sendGroupMessage", object{"uniqueNo": no(), "groupId": group, "messageContent": "for bob alone"}).str("position")
	s.must("bob", "/chat/readMessage", object{"uniqueNo": no(), "groupId": group, "position": sent})
	left := s.must("bob", "/group/quitGroup", object{"uniqueNo": no(), "groupId": group}).str("position")
	s.must("cat", "/group/applyGroup", object{"uniqueNo": no(), "groupId": group})
	late := s.must("cat", "/chat/sendGroupMessage", object{"uniqueNo": no(), "groupId": group, "messageContent": "too late for bob"}).str("position")
	addr := strings.TrimPrefix(as("admin").Base, "http://")
	ask := func(args ...string) string {
		t.Helper()
		out, errs, code := run(t, nil, append([]string{"audit"}, append(args, "--json", "--data", s.dir, "--console", addr)...)...)
		if code != 0 {
			t.Fatalf("%v: %d %s %s", args, code, out, errs)
		}
		return out
	}
	who, seen, words := ask("who", sent), ask("seen", "--user", "bob"), ask("seen", "--user", "bob", "--stream", "g|"+group)
	asked := filepath.Join(t.TempDir(), "proofs")
	ask("who", sent, "--proofs", asked)
	s.terminate()
	for args, live := range map[*[]string]string{
		{"who", sent}: who, {"seen", "--user", "bob"}: seen, {"seen", "--user", "bob", "--stream", "g|" + group}: words,
	} {
		out, errs, code := run(t, nil, append([]string{"audit"}, append(*args, "--json", "--data", s.dir)...)...)
		if code != 0 || out != live {
			t.Errorf("%v: %d\n%s\nis not\n%s\n%s", *args, code, out, live, errs)
		}
	}
	var v visible.Viewers
	if err := json.Unmarshal([]byte(who), &v); err != nil || v.Total != 2 {
		t.Fatalf("%v %s", err, who)
	}
	ann, bob := v.Viewers[0], v.Viewers[1]
	if ann.User != "ann" || !ann.Sender || ann.Since.Type != "group.created" || ann.Until != nil {
		t.Errorf("%+v", ann)
	}
	if bob.User != "bob" || bob.Since.Type != "group.joined" || bob.Until == nil || bob.Until.Position.String() != left || bob.Read == nil || !*bob.Read || bob.Mark.String() != sent {
		t.Errorf("%+v", bob)
	}
	if !strings.Contains(words, "for bob alone") || strings.Contains(words, "too late") {
		t.Errorf("%s", words)
	}
	var c []visible.Conversation
	if err := json.Unmarshal([]byte(seen), &c); err != nil || len(c) != 1 || c[0].Messages != 1 || c[0].Last.String() != sent || len(c[0].Memberships) != 1 {
		t.Errorf("%v %s", err, seen)
	}

	dir := filepath.Join(t.TempDir(), "proofs")
	if out, errs, code := run(t, nil, "audit", "who", sent, "--proofs", dir, "--data", s.dir); code != 0 || !strings.Contains(out, "2 could see it") {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	for _, dir := range []string{dir, asked} { // made at rest, and by the running server
		proofs, err := os.ReadDir(dir)
		if err != nil || len(proofs) != 4 { // the message, the group's beginning, bob's coming and going
			t.Fatalf("%v %v", proofs, err)
		}
		for _, f := range proofs {
			if out, errs, code := run(t, nil, "audit", "verify", filepath.Join(dir, f.Name()), "--data", s.dir); code != 0 || !strings.Contains(out, strings.TrimSuffix(f.Name(), ".tlog-proof")) {
				t.Errorf("%d %s %s", code, out, errs)
			}
		}
	}
	for _, args := range [][]string{{"seen"}, {"seen", "--user", "bob", "--from", "yesterday"}, {"seen", "--user", "bob", "--from", "2026-01-02", "--to", "2026-01-01"}, {"who", "u0-1"}} {
		if out, errs, code := run(t, nil, append(append([]string{"audit"}, args...), "--data", s.dir)...); code != 2 {
			t.Errorf("%v: %d %s %s", args, code, out, errs)
		}
	}
	if out, _, code := run(t, nil, "audit", "who", late, "--data", s.dir); code != 0 || strings.Contains(out, "bob") {
		t.Errorf("%d %s", code, out)
	}
}
