package search

import (
	"strings"
	"unicode"
)

// Fold makes texts that differ in case alone the same text, character by
// character, so what stood beside each other still does. It joins what
// strings.EqualFold takes for equal (Unicode's simple case folding, CaseFolding
// statuses C and S: Σ, σ and ς are one letter), so no database has to know
// about case.
func Fold(text string) string { return strings.Map(fold, text) }

func fold(r rune) rune {
	switch {
	case r < 0x80:
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	case 0x2e00 <= r && r < 0xa640: // Chinese and its neighbours have no case
		return r
	}
	// The letters that differ in case alone make a ring: its least stands for all.
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	return unicode.ToLower(least)
}
