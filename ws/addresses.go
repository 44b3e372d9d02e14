package ws

import (
	"net/netip"
	"sync"
)

// addresses counts the sockets of each client's address, so that none takes all
// places. Of IPv6 a /64 counts as one: a single client has as many.
type addresses struct {
	most int // 0: nothing is counted

	mu   sync.Mutex
	open map[netip.Prefix]int
}

// enter reports whether one more may be opened; then leave must be called.
func (a *addresses) enter(from string) bool {
	if a.most == 0 {
		return true
	}
	network := networkOf(from)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open[network] >= a.most {
		return false
	}
	if a.open == nil {
		a.open = map[netip.Prefix]int{}
	}
	a.open[network]++
	return true
}

func (a *addresses) leave(from string) {
	if a.most == 0 {
		return
	}
	network := networkOf(from)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open[network]--; a.open[network] == 0 {
		delete(a.open, network)
	}
}

// networkOf reads a request's RemoteAddr, with or without port. What is no address
// counts as one client.
func networkOf(from string) netip.Prefix {
	ip, err := netip.ParseAddr(from)
	if at, portErr := netip.ParseAddrPort(from); portErr == nil {
		ip, err = at.Addr(), nil
	}
	if err != nil {
		return netip.Prefix{}
	}
	ip = ip.Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	network, _ := ip.Prefix(bits) // it has that many
	return network
}
