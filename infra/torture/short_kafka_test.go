//go:build kafka

package main

import (
	"testing"

	"lishi/events/seededfault"
)

// One node and three, on three real brokers and one ClickHouse.
func TestOverKafka(t *testing.T) { fine(t, "-shapes", "B,C", "-runs", "6", "-seed", "201") }

// What takes several nodes, or brokers that die, is found within a few runs.
func TestSeededFaultsAreFoundOverKafka(t *testing.T) {
	for _, f := range []seededfault.Fault{seededfault.VoidRule, seededfault.SkipBarrier} {
		t.Run(string(f), func(t *testing.T) { found(t, f, "C") })
	}
}

// Every fault that can be planted is planted somewhere.
func TestEveryFaultIsPlantedOverKafka(t *testing.T) {
	if n := len(alone) + 2; n != len(seededfault.All) {
		t.Errorf("%d of %d faults are planted by a test", n, len(seededfault.All))
	}
}
