package cluster

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// proxies is what toxiproxy wants to know of a server that nobody talks to.
var proxies = sync.OnceValue(func() *toxiproxy.ApiServer {
	return toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
})

// Proxy is a piece of network that can be cut.
type Proxy struct {
	mu    sync.Mutex
	proxy *toxiproxy.Proxy
	toxic map[string]bool
}

// newProxy listens on an address, or any if it is empty, for a server at another.
func newProxy(name, listen, upstream string) (*Proxy, error) {
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	p := &Proxy{proxy: toxiproxy.NewProxy(proxies(), name, listen, upstream), toxic: map[string]bool{}}
	return p, p.proxy.Start()
}

// Addr is where it listens, always the same.
func (p *Proxy) Addr() string { return p.proxy.Listen }

// Cut breaks all connections and takes no new ones until Mend.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proxy.Stop()
}

// Break breaks all connections; new ones are taken.
func (p *Proxy) Break() error {
	p.Cut()
	return p.Mend()
}

// Hold lets connections stand, but nothing passes: nobody is told.
func (p *Proxy) Hold() error {
	return p.poison("hold", `"type":"timeout","attributes":{"timeout":0}`)
}

// Slow delays everything by so many milliseconds, give or take half of it.
func (p *Proxy) Slow(ms int) error {
	return p.poison("slow", fmt.Sprintf(`"type":"latency","attributes":{"latency":%d,"jitter":%d}`, ms, ms/2))
}

func (p *Proxy) poison(name, toxic string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, way := range []string{"upstream", "downstream"} {
		if p.toxic[name+way] {
			continue
		}
		if _, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(`{"name":%q,"stream":%q,%s}`, name+way, way, toxic))); err != nil {
			return err
		}
		p.toxic[name+way] = true
	}
	return nil
}

// Mend ends whatever was done to it. Held connections break: what they lost can't
// be made good.
func (p *Proxy) Mend() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name := range p.toxic {
		if err := p.proxy.Toxics.RemoveToxic(context.Background(), name); err != nil {
			return err
		}
		delete(p.toxic, name)
	}
	if p.proxy.Enabled {
		return nil
	}
	return p.proxy.Start()
}
