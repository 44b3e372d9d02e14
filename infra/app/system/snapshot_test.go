package system

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A clean stop leaves snapshots, the next start goes on from them and knows all
// that was known; one that was damaged is thrown away, and the log is read.
func TestSnapshots(t *testing.T) {
	s := serve(t, t.TempDir(), "--log-level", "debug")
	s.befriend("a", "b")
	for i := range 120 {
		s.must("a", "/user/updateUser", object{"uniqueNo": no(), "nickName": fmt.Sprint("安", i)})
	}
	files := func() []string {
		all, _ := filepath.Glob(filepath.Join(s.dir, "snapshots", "*", "u0-*.r*"))
		return all
	}
	works := func(text string) {
		t.Helper()
		s.must("a", "/chat/sendMessage", object{"uniqueNo": text, "receiveUserId": "b", "messageContent": text})
		if a := s.must("b", "/friend/myFriendList", object{}); !strings.Contains(a.Raw, `"friendId":"a"`) {
			t.Fatalf("b's friends: %s", a.Raw)
		}
	}
	works("1")
	if code := s.terminate(); code != 0 {
		t.Fatalf("status %d\n%s", code, s.log)
	}
	if n := len(files()); n != 1 {
		t.Fatalf("%d snapshots of u0 after a clean stop\n%s", n, s.log)
	}
	s.start()
	works("2")
	if strings.Contains(s.log.String(), "snapshot is thrown away") {
		t.Fatalf("thrown away without reason:\n%s", s.log)
	}
	s.kill()

	path := files()[0]
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-40] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	works("3")
	if !strings.Contains(s.log.String(), "snapshot is thrown away") {
		t.Fatalf("nothing was said about the damaged snapshot:\n%s", s.log)
	}
	if n := len(files()); n != 0 {
		t.Fatalf("the damaged snapshot is still there")
	}
}
