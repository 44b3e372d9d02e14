package system

import (
	"fmt"
	"sort"
	"strings"
	"testing"
)

// cursor is what a client keeps: the greatest offset seen of each prefix. It is
// written from the protocol's text alone, apart from the program's own.
type cursor map[string]int64

func (c cursor) merge(t *testing.T, positions string) {
	t.Helper()
	for _, p := range strings.Split(positions, ",") {
		prefix, offset, ok := strings.Cut(p, "-")
		var n int64
		if _, err := fmt.Sscan(offset, &n); !ok || err != nil {
			t.Fatalf("not a position: %q", p)
		}
		if have, ok := c[prefix]; !ok || n > have {
			c[prefix] = n
		}
	}
}

func (c cursor) String() string {
	var parts []string
	for prefix, offset := range c {
		parts = append(parts, fmt.Sprintf("%s-%d", prefix, offset))
	}
	sort.Strings(parts)
	return strings.Join(parts, ",")
}
