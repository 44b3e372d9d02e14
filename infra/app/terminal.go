package app

import (
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// terminal is a person's terminal that what other people wrote is shown on: their
// texts and names may hold control sequences, which would change lines that stand
// there already, the clipboard, or what the terminal sends back. They are shown as
// signs of their own.
type terminal struct {
	file *os.File
	rest []byte // the beginning of a sign
}

// Fd is for telemetry.IsTerminal.
func (t *terminal) Fd() uintptr { return t.file.Fd() }

// Write implements io.Writer.
func (t *terminal) Write(p []byte) (int, error) {
	whole := append(t.rest, p...)
	n := len(whole)
	for back := 1; back < utf8.UTFMax && back <= n; back++ {
		if last := whole[n-back]; utf8.RuneStart(last) {
			if !utf8.FullRune(whole[n-back:]) {
				n -= back
			}
			break
		}
	}
	t.rest = append([]byte(nil), whole[n:]...)
	if _, err := t.file.WriteString(harmless(string(whole[:n]))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// harmless replaces what would control a terminal, but for the ends of lines and
// tabs; also what turns the direction of text around.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < 0x20:
			return '␀' + r
		case r == 0x7f:
			return '␡'
		case unicode.IsControl(r), r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return utf8.RuneError
		}
		return r
	}, text)
}
