package app

import (
	"io"
	"os"
	"strings"
	"testing"

	"lishi/events"
	"lishi/infra/looks"
)

// What others wrote controls no terminal, however it is cut into writes; all else
// arrives as it is.
func TestTerminalIsNotControlledByTexts(t *testing.T) {
	texts := map[string]string{
		"红楼梦 🌸\tü\n":                 "红楼梦 🌸\tü\n",
		"a\x1b[2K\x1b]52;c;eA==\a":   "a␛[2K␛]52;c;eA==␇",
		"a\rb\x7f\x00":               "a␍b␡␀",
		"\u009b31mred\u202edesrever": "\ufffd31mred\ufffddesrever",
		"\x9b31m \xff":               "\ufffd31m \ufffd",
	}
	for text, want := range texts {
		for size := 1; size <= len(text); size++ {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			to := &terminal{file: w}
			for rest := text; rest != ""; {
				part := rest[:min(size, len(rest))]
				if n, err := io.WriteString(to, part); n != len(part) || err != nil {
					t.Fatal(n, err)
				}
				rest = rest[len(part):]
			}
			w.Close()
			got, _ := io.ReadAll(r)
			r.Close()
			if string(got) != want {
				t.Errorf("%q by %d bytes is shown as %q, want %q", text, size, got, want)
			}
		}
	}
}

// No text can look like a line that lishi has written.
func TestTextsForgeNoLines(t *testing.T) {
	const forged = "\nc0-9  2026-01-01T00:00:00.000Z  bob: I did it"
	m := toldMessage{Position: "c0-1", SendUserID: "eve", TalkContent: "x" + forged, Texts: []toldText{{Content: "y" + forged}, {}}}
	l := looks.Entry{Position: events.Position{Offset: 1}}
	l.Actor, l.ActorName, l.What, l.Text, l.Reason = "eve", "Eve"+forged, "SQL"+forged, "SELECT 1"+forged, "so"+forged
	for name, shown := range map[string]shown{
		"history": then{List: []toldMessage{m}}, "looks": looked{&looks.Page{Looks: []looks.Entry{l}}},
	} {
		var b strings.Builder
		if err := shown.show(&b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "c0-9") || strings.Contains(b.String(), "\nc0-9") {
			t.Errorf("%s:\n%s", name, b.String())
		}
	}
}
