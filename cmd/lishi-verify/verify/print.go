package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Harmless is a text of a package as it can be shown: on one line, and without what
// controls a terminal. A package could else say of itself that a trusted key has
// signed it.
func Harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// Print tells people what holds of a package.
func (r Result) Print(w io.Writer, o Options) {
	events, void := int64(0), ""
	for _, n := range r.Events {
		events += n
	}
	if r.Void > 0 {
		void = fmt.Sprintf(" (%d of them do not count)", r.Void)
	}
	fmt.Fprintf(w, "holds: %d events of log %s%s, with %d versions of messages\n", events, Harmless(r.Log), void, r.Rows["messages.csv"])
	for _, p := range r.Partitions {
		fmt.Fprintf(w, "  %s: %d of the records %d to %d are here; the checkpoint of %d records covers them\n", Harmless(p.Partition), p.Selected, p.First, p.Last, p.Size)
	}
	if r.Chained > 0 {
		fmt.Fprintf(w, "  of the streams that are here whole, %d relation events follow one another without a gap\n", r.Chained)
	}
	var query bytes.Buffer
	_ = json.Compact(&query, r.Query) // it was parsed with the manifest
	fmt.Fprintf(w, "  asked by %s: %s\n  query %s\n", Harmless(r.AskedBy), Harmless(r.Reason), Harmless(query.String()))
	switch n := len(o.Checkpoints); {
	case n > 0 && r.Compared == 0:
		fmt.Fprintf(w, "  none of the %d kept checkpoints is of the size of the package's: nothing was compared\n", n)
	case n > 0:
		fmt.Fprintf(w, "  %d of the %d kept checkpoints are the package's own\n", r.Compared, n)
	}
	if len(o.Keys) == 0 {
		fmt.Fprintf(w, "  signed with the key %s: compare it with the log's (or give it with --key)\n", r.Key)
	}
}
