package system

import (
	"fmt"
	"regexp"
	"testing"
	"time"
)

// The tests in protocol_*_test.go walk through the protocol's rows by the real
// program: every command's result, every push's exact fields, and who gets none.

// device is one connection that is looked at frame by frame.
type device struct {
	*socket
	user, token string
}

func (s *server) device(user string, params object) *device {
	s.t.Helper()
	k, a := s.login(user, params)
	if a.Data["code"] != "200" {
		s.t.Fatalf("login of %s: %s", user, a.Raw)
	}
	return &device{k, user, token(s.t, user)}
}

// do sends a request and gives its result, which must be the next frame: the
// acting connection gets its result instead of the push.
func (d *device) do(url string, params object) answer {
	d.t.Helper()
	p := object{"token": d.token, "uniqueNo": no()}
	for name, v := range params {
		p[name] = v
	}
	d.send(url, p)
	a := d.next()
	if a.MsgType != "" || a.Obj["uniqueNo"] != p["uniqueNo"] {
		d.t.Fatalf("%s by %s was answered by %s", url, d.user, a.Raw)
	}
	return a
}

// must is do that succeeds, with the result's exact fields beside uniqueNo,
// position and time.
func (d *device) must(url, msg string, params, obj object) answer {
	d.t.Helper()
	a := d.do(url, params)
	want := object{"uniqueNo": aString, "position": aPosition, "time": aTime}
	for name, v := range obj {
		want[name] = v
	}
	if a.Code != float64(200) || a.Msg != msg {
		d.t.Fatalf("%s by %s: %s", url, d.user, a.Raw)
	}
	exactly(d.t, a.Raw, a.Obj, want)
	return a
}

// refused is do that fails for a reason.
func (d *device) refused(url, reason string, params object) {
	d.t.Helper()
	a := d.do(url, params)
	if a.ok() || a.reason() != reason || a.str("detail") == "" || a.Code == nil {
		d.t.Errorf("%s by %s: want %s, got %s", url, d.user, reason, a.Raw)
	}
	if _, found := a.Obj["position"]; found {
		d.t.Errorf("a refusal carries a position: %s", a.Raw)
	}
}

// pushed is the next frame, a push with exactly these fields beside position and
// time, and the position given.
func (d *device) pushed(msgType string, position any, data object) answer {
	d.t.Helper()
	a := d.next()
	if a.MsgType != msgType {
		d.t.Fatalf("%s: want push %s, got %s", d.user, msgType, a.Raw)
	}
	want := object{"position": position, "time": aTime}
	for name, v := range data {
		want[name] = v
	}
	exactly(d.t, a.Raw, a.Data, want)
	return a
}

// quiet looks that nothing waits on the connections: pushes stand in their queues
// before the acting connection has its result, so a ping's answer comes behind them.
func quiet(t *testing.T, ds ...*device) {
	t.Helper()
	for _, d := range ds {
		d.send("/chat/ping", object{})
		if a := d.next(); a.Msg != "pong" || !a.ok() {
			t.Errorf("%s got what is not for it: %s", d.user, a.Raw)
			d.expect(func(a answer) bool { return a.Msg == "pong" })
		}
	}
}

// exactly compares an object with what it must hold: values, or a check.
func exactly(t *testing.T, raw string, got, want object) {
	t.Helper()
	for name, v := range got {
		w, ok := want[name]
		if check, is := w.(func(any) bool); !ok || is && !check(v) || !is && jsonOf(t, w) != jsonOf(t, v) {
			t.Errorf("%s is %v, want %v: %s", name, v, w, raw)
		}
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("%s is missing: %s", name, raw)
		}
	}
}

// ids makes names that no other test on the same server has.
func ids(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("u-%s-%c", no(), 'a'+i)
	}
	return out
}

var (
	positionForm = regexp.MustCompile(`^[cu]\d+-\d+$`)
	idForm       = regexp.MustCompile(`^[0-9a-f]{32}$`)
	shanghai     = time.FixedZone("CST", 8*3600)
)

var (
	aString   = func(v any) bool { s, ok := v.(string); return ok && s != "" }
	aPosition = func(v any) bool { s, ok := v.(string); return ok && positionForm.MatchString(s) }
	anID      = func(v any) bool { s, ok := v.(string); return ok && idForm.MatchString(s) }
	aTime     = func(v any) bool {
		ms, ok := v.(float64)
		return ok && ms == float64(int64(ms)) && recent(time.UnixMilli(int64(ms)))
	}
	aDate = func(v any) bool {
		s, ok := v.(string)
		at, err := time.ParseInLocation("2006-01-02 15:04:05", s, shanghai)
		return ok && err == nil && recent(at)
	}
)

func recent(at time.Time) bool {
	d := time.Since(at)
	return d > -2*time.Second && d < 10*time.Minute
}
