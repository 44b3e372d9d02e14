package ws

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// Every failure of every url names the request it belongs to, also where the
// request named itself wrongly or not at all; and nothing is appended by it.
func TestEveryFailureHasItsUniqueNo(t *testing.T) {
	w := newWorld(t, settings{})
	c := w.connect()
	c.send(`{"url":"/chat/login","params":{"token":"alice"}}`)
	c.raw()
	w.settle()
	before, _ := w.log.End(t.Context())
	for _, u := range urls.All() {
		if !u.command {
			continue
		}
		for _, r := range []struct{ params, uniqueNo, reason string }{
			{`"token":"alice","uniqueNo":"n-1"`, "n-1", "bad_request"}, // its own params are missing
			{`"token":"alice"`, "", "bad_request"},
			{`"token":"alice","uniqueNo":""`, "", "bad_request"},
			{`"token":"alice","uniqueNo":7`, "", "bad_request"},
			{`"uniqueNo":"n-2"`, "n-2", "unauthorized"},
			{``, "", "unauthorized"},
			{`"token":"forged","uniqueNo":"n-3"`, "n-3", "unauthorized"},
		} {
			c.send(fmt.Sprintf(`{"url":"%s","params":{%s}}`, u.Path, r.params))
			var f struct {
				Code int
				Msg  string
				Obj  struct{ UniqueNo, Reason, Detail *string }
			}
			raw := c.raw()
			if err := json.Unmarshal([]byte(raw), &f); err != nil {
				t.Fatalf("%s: %v", raw, err)
			}
			if f.Msg != u.Failure || f.Code == 200 || f.Obj.UniqueNo == nil || *f.Obj.UniqueNo != r.uniqueNo ||
				f.Obj.Reason == nil || *f.Obj.Reason != r.reason || f.Obj.Detail == nil || strings.TrimSpace(*f.Obj.Detail) == "" {
				t.Errorf("%s {%s}: %s", u.Path, r.params, raw)
			}
		}
	}
	w.settle()
	if after, _ := w.log.End(t.Context()); after.String() != before.String() {
		t.Errorf("the log grew from %s to %s", before, after)
	}
}
