package bench

import (
	"context"
	"strings"
	"testing"
	"time"
)

// faulty is a server in memory that does one thing wrong: a figure of it must
// not be given.
type faulty struct {
	answer func(n int64) []int64
	push   func(n int64, content string) []string
}

func right(n int64) []int64                  { return []int64{n} }
func whole(_ int64, content string) []string { return []string{content} }

func TestARunWithAMistakeGivesNoFigure(t *testing.T) {
	for name, tc := range map[string]struct {
		server faulty
		want   string // "" is a good run
	}{
		"all right": {faulty{right, whole}, ""},
		"an answer twice": {faulty{func(n int64) []int64 {
			if n == 3 {
				return []int64{3, 3}
			}
			return right(n)
		}, whole}, "answer 3 came where 4 was due"},
		"an answer lost": {faulty{func(n int64) []int64 {
			if n == 3 {
				return nil
			}
			return right(n)
		}, whole}, "was due"},
		"a message twice": {faulty{right, func(n int64, content string) []string {
			if n == 3 {
				return []string{content, content}
			}
			return []string{content}
		}}, "where message 4 was due"},
		"a message changed": {faulty{right, func(n int64, content string) []string {
			return []string{strings.Replace(content, "3:a", "3:b", 1)}
		}}, "not what was sent"},
		"a message lost": {faulty{right, func(n int64, content string) []string {
			if n == 3 {
				return nil
			}
			return []string{content}
		}}, "where message 3 was due"},
	} {
		t.Run(name, func(t *testing.T) {
			s := tc.server.start(t)
			for load, run := range map[string]func(context.Context, Server) (Report, error){
				"pairs":   Pairs{Pairs: 2, Depth: 2, Bytes: 64, Duration: 50 * time.Millisecond}.Run,
				"offered": Pairs{Pairs: 2, Depth: 1, Rate: 2000, Bytes: 64, Duration: 50 * time.Millisecond}.Run,
				"group":   Group{Members: 3, Depth: 2, Bytes: 64, Duration: 50 * time.Millisecond}.Run,
			} {
				r, err := run(t.Context(), s)
				switch {
				case tc.want == "" && (err != nil || r.Messages < 4 || r.Push.P50 < 1):
					t.Errorf("%s: %v, %v", load, r, err)
				case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
					t.Errorf("%s: %v, want %q", load, err, tc.want)
				}
			}
		})
	}
}
