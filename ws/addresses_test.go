package ws

import "testing"

// What counts as one client: an IPv4 address, whatever its port and way of
// writing, a /64 of IPv6; and nothing is kept of those who have gone.
func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1:1", "192.0.2.1:2", true},
		{"192.0.2.1:1", "192.0.2.1", true}, // as a proxy says it
		{"192.0.2.1:1", "[::ffff:192.0.2.1]:1", true},
		{"192.0.2.1:1", "192.0.2.2:1", false},
		{"[2001:db8::1]:1", "[2001:db8::ffff:1]:2", true},
		{"[2001:db8::1]:1", "2001:db8:0:0:1::", true},
		{"[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false},
		{"[fe80::1%eth0]:1", "[fe80::2%eth1]:1", true},
		{"@", "", true},
	} {
		a := &addresses{most: 1}
		if !a.enter(c.a) {
			t.Errorf("%s: the first is refused", c.a)
		}
		if got := !a.enter(c.b); got != c.same {
			t.Errorf("%s and %s: one client %t, want %t", c.a, c.b, got, c.same)
		}
		if !c.same {
			a.leave(c.b)
		}
		a.leave(c.a)
		if len(a.open) != 0 {
			t.Errorf("%s: %v is kept", c.a, a.open)
		}
	}
	none := &addresses{}
	for range 3 {
		if !none.enter("192.0.2.1:1") {
			t.Error("without a limit somebody is refused")
		}
	}
	none.leave("192.0.2.1:1")
}
