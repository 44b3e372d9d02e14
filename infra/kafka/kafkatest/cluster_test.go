//go:build kafka

package kafkatest

import (
	"net"
	"strings"
	"testing"
)

func TestKafkaBrokersComeAndGo(t *testing.T) {
	c := Start(t, 3)
	if len(c.Brokers) != 3 {
		t.Fatal(c.Brokers)
	}
	state := func(n int) string {
		out, _ := c.run("status")
		for _, line := range strings.Split(out, "\n") {
			if f := strings.Split(line, "\t"); len(f) == 4 && f[1] == c.Brokers[n-1] {
				return f[2]
			}
		}
		return out
	}
	c.Kill(t, 2)
	c.Pause(t, 3)
	if state(1) != "running" || state(2) != "down" || state(3) != "paused" {
		t.Errorf("%s, %s, %s", state(1), state(2), state(3))
	}
	if _, err := net.Dial("tcp", c.Brokers[1]); err == nil {
		t.Error("the killed broker listens")
	}
	c.Resume(t, 3)
	c.Restart(t, 2)
	if _, err := c.run("status"); err != nil {
		t.Error(err)
	}
	for _, wrong := range [][]string{{"up", "1"}, {"up", "2"}, {"up", "3", "--set", "a=b"}, {"kill", "4"}, {"kill"}, {"restart", "4"}, {"pause"}, {"fly"}, {"down", "--all"}} {
		if _, err := c.run(wrong...); err == nil {
			t.Error("no error from", wrong)
		}
	}
	addresses := c.Brokers
	if _, err := c.run("down"); err != nil {
		t.Fatal(err)
	}
	if out, err := c.run("up", "3"); err != nil || out != strings.Join(addresses, ",") {
		t.Errorf("came back as %s, %v", out, err)
	}
}
