//go:build seededfault

package seededfault

import (
	"math/rand/v2"
	"os"
)

var planted = Fault(os.Getenv("SEEDED_FAULT"))

// Planted tells whether a fault is planted in this program.
func Planted(f Fault) bool { return f == planted }

// Sometimes tells whether a planted fault strikes this time, one time in n.
func Sometimes(f Fault, n int) bool { return f == planted && rand.IntN(n) == 0 }
