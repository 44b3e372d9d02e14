package projections

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What was packed comes back, as a whole and in parts, however it was given.
func TestPacked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Map(rapid.IntRange(0, 20_000), func(n int) string { return strings.Repeat("x", n) }))
		all := rapid.SliceOfN(rapid.SliceOfN(text, 0, 3), 0, 20).Draw(t, "all")
		var texts Texts
		var symbols Symbols
		var lists Lists
		var flat []string
		for i, list := range all {
			lists.Append(list)
			for _, s := range list {
				flat = append(flat, s)
				symbols.Append(s)
				if i%2 == 0 {
					texts.Append(s)
				} else {
					texts.appendWith(func(b []byte) []byte { return append(b, s...) })
				}
			}
		}
		same := func(what string, got, want []string) {
			if !slices.Equal(got, want) {
				t.Fatalf("%s: %.200q, want %.200q", what, got, want)
			}
		}
		same("texts", texts.Strings(), flat)
		same("symbols", symbols.Strings(), flat)
		from := rapid.IntRange(0, len(flat)).Draw(t, "from")
		to := rapid.IntRange(from, len(flat)).Draw(t, "to")
		of := func(data any) any { return slice([]Column{{Data: data}}, from, to)[0].Data }
		same("part of texts", of(texts).(Texts).Strings(), flat[from:to])
		same("part of symbols", of(symbols).(Symbols).Strings(), flat[from:to])
		from = rapid.IntRange(0, len(all)).Draw(t, "from")
		to = rapid.IntRange(from, len(all)).Draw(t, "to")
		if got, want := fmt.Sprintf("%q", of(lists).(Lists).Strings()), fmt.Sprintf("%q", all[from:to]); got != strings.ReplaceAll(want, "[]string(nil)", "[]") {
			t.Fatalf("part of lists: %.200s, want %.200s", got, want)
		}
	})
}
