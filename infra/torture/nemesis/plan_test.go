package nemesis

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// A plan follows from its seed, ends in time, and harms only what is there; over
// many seeds everything is harmed.
func TestPlan(t *testing.T) {
	const length = 12 * time.Second
	for _, s := range []Shape{{Nodes: 1}, {Nodes: 1, Brokers: 3, Engine: true}, {Nodes: 3, Brokers: 3, Engine: true}} {
		seen := map[Kind]bool{}
		for seed := range uint64(200) {
			plan := Plan(rand.New(rand.NewPCG(seed, 1)), s, length)
			if !reflect.DeepEqual(plan, Plan(rand.New(rand.NewPCG(seed, 1)), s, length)) {
				t.Fatal("another plan of the same seed")
			}
			if len(plan) == 0 {
				t.Errorf("%+v: seed %d harms nobody", s, seed)
			}
			for _, f := range plan {
				seen[f.Kind] = true
				if f.At < 0 || f.For <= 0 || f.At+f.For > length {
					t.Errorf("%+v: %v", s, f)
				}
				for _, c := range choices {
					if c.kind == f.Kind && f.Target >= c.count(s) {
						t.Errorf("%+v: %v", s, f)
					}
				}
			}
		}
		for _, c := range choices {
			if seen[c.kind] != (c.count(s) > 0) {
				t.Errorf("%+v: %s comes: %t", s, c.kind, seen[c.kind])
			}
		}
	}
}
