//go:build !seededfault

package seededfault

// Planted tells whether a fault is planted in this program.
func Planted(Fault) bool { return false }

// Sometimes tells whether a planted fault strikes this time, one time in n.
func Sometimes(Fault, int) bool { return false }
