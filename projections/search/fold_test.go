package search_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"lishi/projections/search"
)

func TestFold(t *testing.T) {
	for _, c := range []struct{ a, b string }{
		{"ÄPFEL", "äpfel"}, {"ΣΊΣΥΦΟΣ", "σίσυφος"}, {"ПРИВЕТ", "привет"}, {"ＦＵＬＬ", "ｆｕｌｌ"}, {"\u212Aelvin", "kelvin"}, {"Ǆ", "ǆ"}, {"ᏣᎳᎩ", "ꮳꮃꭹ"},
		{"你好", "你好"}, {"👍🏽", "👍🏽"},
	} {
		if search.Fold(c.a) != search.Fold(c.b) {
			t.Errorf("%q and %q stay different: %q, %q", c.a, c.b, search.Fold(c.a), search.Fold(c.b))
		}
	}
	if search.Fold("Hello") != "hello" {
		t.Errorf("Hello becomes %q", search.Fold("Hello"))
	}
	for _, c := range []struct{ a, b string }{{"é", "e"}, {"あ", "ア"}, {"ｆ", "f"}} {
		if search.Fold(c.a) == search.Fold(c.b) {
			t.Errorf("%q and %q are not the same letter", c.a, c.b)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.String().Draw(rt, "text")
		folded := search.Fold(text)
		for _, same := range []string{strings.ToUpper(text), strings.ToLower(text)} {
			if strings.EqualFold(text, same) && search.Fold(same) != folded {
				rt.Fatalf("%q folds to %q, %q to %q", text, folded, same, search.Fold(same))
			}
		}
		if search.Fold(folded) != folded || utf8.RuneCountInString(folded) != utf8.RuneCountInString(text) {
			rt.Fatalf("%q folds to %q", text, folded)
		}
	})
}

// FuzzFold: no text loses or gains characters, and two foldings are one.
func FuzzFold(f *testing.F) {
	for _, s := range []string{"", "已添加为好友", "ΣΑΣ", "İstanbul", "👩‍👩‍👧", "\xff\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		folded := search.Fold(s)
		if search.Fold(folded) != folded || utf8.RuneCountInString(folded) != utf8.RuneCountInString(s) {
			t.Errorf("%q folds to %q", s, folded)
		}
	})
}
