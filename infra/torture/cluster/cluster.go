package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"lishi/infra/tokens"
)

const secret = "torture-secret-of-thirty-two-bytes-or-more"

// Options say what a cluster is made of.
type Options struct {
	Program string // as Build made it
	Dir     string // of data and logs
	Nodes   int
	Kafka   *Kafka   // nil: the embedded broker
	Prefix  string   // of the topics
	Env     []string // for the nodes
}

// Cluster is nodes with all that they stand on.
type Cluster struct {
	Nodes   []*Node
	Kafka   *Kafka
	Engine  *Engine // nil: embedded
	options Options
}

// Node is one process of the program behind a network of its own.
type Node struct {
	process
	Clients *Proxy
	addr    string
}

// Engine is the ClickHouse of several nodes, behind a network of its own.
type Engine struct {
	process
	Nodes *Proxy
	addr  string
}

// Open starts a cluster and waits until it is ready.
func Open(o Options) (c *Cluster, err error) {
	c = &Cluster{Kafka: o.Kafka, options: o}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	if o.Kafka != nil {
		if err := c.openEngine(); err != nil {
			return nil, err
		}
	}
	for i := range o.Nodes {
		if err := c.openNode(i); err != nil {
			return nil, err
		}
	}
	return c, c.Ready(90 * time.Second)
}

func (c *Cluster) openEngine() error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	c.Engine = &Engine{addr: addr, process: process{
		name: "engine", program: c.options.Program, log: filepath.Join(c.options.Dir, "engine.log"), env: Environ(),
		args: []string{"engine", "--data", filepath.Join(c.options.Dir, "engine"), "--listen", addr},
	}}
	if err := c.Engine.start(); err != nil {
		return err
	}
	if c.Engine.Nodes, err = newProxy("engine", "", addr); err != nil {
		return err
	}
	return c.Engine.await("http://"+addr+"/ping", time.Minute)
}

func (c *Cluster) openNode(i int) error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	name := fmt.Sprintf("node-%d", i)
	n := &Node{addr: addr, process: process{
		name: name, program: c.options.Program, log: filepath.Join(c.options.Dir, name+".log"),
		env: append(Environ("LISHI_TOKEN_KEY="+secret, "LISHI_RATE=0"), c.options.Env...),
		args: []string{
			"serve", "--listen", addr, "--console", "off", "--data", filepath.Join(c.options.Dir, name),
			"--deadline", "3s", "--recall-window", "1h", "--log-format", "text", "--log-level", "info",
		},
	}}
	if k := c.options.Kafka; k != nil {
		n.args = append(n.args, "--kafka-brokers", k.Brokers(), "--topic-prefix", c.options.Prefix,
			"--conversation-partitions", "4", "--user-partitions", "1",
			"--replicas", fmt.Sprint(k.Count), "--clickhouse", "http://"+c.Engine.Nodes.Addr())
	}
	c.Nodes = append(c.Nodes, n)
	if n.Clients, err = newProxy(name, "", addr); err != nil {
		return err
	}
	return n.start()
}

// Addr is where clients find a node.
func (n *Node) Addr() string { return n.Clients.Addr() }

// Direct is where the checkers find it.
func (n *Node) Direct() string { return n.addr }

// Kill is kill -9; Start brings it back on the same address and data.
func (n *Node) Kill() { n.kill() }

// Stop is SIGTERM, and waits for the end; the program promises one within ten
// seconds, which a busy machine may double.
func (n *Node) Stop() { n.terminate(20 * time.Second) }

// Start does not wait until it is ready.
func (n *Node) Start() error { return n.start() }

// Pause is SIGSTOP.
func (n *Node) Pause() error { return n.signal(syscall.SIGSTOP) }

// Resume is SIGCONT.
func (n *Node) Resume() error { return n.signal(syscall.SIGCONT) }

// Kill is kill -9.
func (e *Engine) Kill() { e.kill() }

// Start does not wait until it is ready.
func (e *Engine) Start() error { return e.start() }

// Heal brings everything back and waits until it is ready.
func (c *Cluster) Heal(limit time.Duration) error {
	if c.Kafka != nil {
		if err := c.Kafka.Heal(); err != nil {
			return err
		}
	}
	if e := c.Engine; e != nil {
		_ = e.signal(syscall.SIGCONT)
		if err := errors.Join(e.start(), e.Nodes.Mend()); err != nil {
			return err
		}
	}
	for _, n := range c.Nodes {
		_ = n.signal(syscall.SIGCONT)
		if err := errors.Join(n.start(), n.Clients.Mend()); err != nil {
			return err
		}
	}
	return c.Ready(limit)
}

// Ready waits until every node answers readyz with 200.
func (c *Cluster) Ready(limit time.Duration) error {
	for _, n := range c.Nodes {
		if err := n.await("http://"+n.addr+"/readyz", limit); err != nil {
			return err
		}
	}
	return nil
}

// Failures are processes that ended although nobody killed them.
func (c *Cluster) Failures() (errs []error) {
	for _, n := range c.Nodes {
		if err := n.failure(); err != nil {
			errs = append(errs, err)
		}
	}
	if c.Engine != nil {
		if err := c.Engine.failure(); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// Close kills the nodes and the engine; Kafka stays.
func (c *Cluster) Close() {
	for _, n := range c.Nodes {
		if n.Clients != nil {
			n.Clients.Cut()
		}
		n.kill()
	}
	if c.Engine != nil {
		if c.Engine.Nodes != nil {
			c.Engine.Nodes.Cut()
		}
		c.Engine.kill()
	}
}

// Token makes a token of a user.
func Token(user string) (string, error) {
	k, err := tokens.New(tokens.Options{Secret: []byte(secret)})
	if err != nil {
		return "", err
	}
	return k.Sign(tokens.Claims{UserID: user, Name: "name of " + user, Expires: time.Now().Add(24 * time.Hour)})
}
