package app

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// Whatever stands in X-Forwarded-For, the client is an address that stands there,
// and every hop behind it is a trusted proxy.
func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{"", "198.51.100.1", "1.1.1.1, 198.51.100.1,10.9.9.9", "unknown, 10.0.0.1", "2001:db8::5,::ffff:10.1.1.1", "fe80::1%eth0", " ,,"} {
		f.Add(seed)
	}
	trusted := netip.MustParsePrefix("10.0.0.0/8")
	isTrusted := func(a netip.Addr) bool { return trusted.Contains(a.Unmap()) }
	f.Fuzz(func(t *testing.T, header string) {
		client, ok := forwarded([]string{header}, isTrusted)
		if !ok {
			return
		}
		hops := strings.Split(header, ",")
		for _, hop := range slices.Backward(hops) {
			a, err := netip.ParseAddr(strings.TrimSpace(hop))
			if err != nil {
				t.Fatalf("%q: %s was found before %q", header, client, hop)
			}
			if a.Unmap() == client {
				return
			}
			if !isTrusted(a) {
				t.Fatalf("%q: %s is behind %s, which nobody trusts", header, client, a)
			}
		}
		t.Fatalf("%q: %s does not stand there", header, client)
	})
}
