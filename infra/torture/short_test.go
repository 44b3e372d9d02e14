package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"lishi/events/seededfault"
	_ "lishi/infra/app" // the program that is tortured: without it, results of an older one count as today's
)

// short is a few short runs.
func short(t *testing.T, args ...string) (status int, out string) {
	t.Helper()
	var b bytes.Buffer
	status = command(t.Context(), append([]string{"-length", "4s"}, args...), &b, &b)
	return status, b.String()
}

func fine(t *testing.T, args ...string) {
	t.Helper()
	status, out := short(t, args...)
	t.Log(out)
	if status != 0 {
		t.Errorf("exit status %d", status)
	}
}

// One node with everything embedded, killed, stopped and cut off.
func TestEmbedded(t *testing.T) { fine(t, "-shapes", "A", "-runs", "2", "-seed", "101") }

// What one node alone can do wrong is found within a few runs.
var alone = []seededfault.Fault{seededfault.EarlyAnswer, seededfault.SkipRows, seededfault.DeliverTwice, seededfault.LoseOnResume}

func TestSeededFaultsAreFound(t *testing.T) {
	for _, f := range alone {
		t.Run(string(f), func(t *testing.T) { found(t, f, "A") })
	}
}

func found(t *testing.T, f seededfault.Fault, shape string) {
	t.Helper()
	if !slices.Contains(seededfault.All, f) {
		t.Errorf("%s is not in the list", f)
	}
	status, out := short(t, "-shapes", shape, "-runs", "10", "-fault", string(f), "-keep", t.TempDir())
	t.Log(out)
	if status != 3 || !strings.Contains(out, "VIOLATIONS") {
		t.Errorf("exit status %d: it was not found", status)
	}
}

func TestMisuse(t *testing.T) {
	for _, args := range [][]string{{"-shapes", "X"}, {"-runs", "0"}, {"-length", "1s"}, {"-nonsense"}} {
		if status, out := short(t, args...); status != 2 || out == "" {
			t.Errorf("%q: exit status %d, %q", args, status, out)
		}
	}
}
