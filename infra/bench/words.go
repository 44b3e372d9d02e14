package bench

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"
)

// Words searches for words over HTTP, one after the other, each once: a word
// that was just asked for would be answered from what ClickHouse remembers of it.
type Words struct {
	Addr  string
	User  string
	Words map[Class][]string
	In    map[string]any // userId or groupId: only there
	Most  int            // words of each class
	Limit int            // messages a page
	Token func(user string) (string, error)
}

// WordsReport is what was measured, by class of words.
type WordsReport struct {
	Classes []WordsClass `json:"classes"`
}

// WordsClass is one class. Latencies are in microseconds.
type WordsClass struct {
	Class Class `json:"class"`
	Words int   `json:"words"`
	Rows  int   `json:"rows"`
	P50   int64 `json:"p50us"`
	P90   int64 `json:"p90us"`
	P99   int64 `json:"p99us"`
	Max   int64 `json:"maxus"`
}

func (r WordsReport) String() string {
	var b strings.Builder
	for i, c := range r.Classes {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%-6s %5d words, %6d rows: p50 %.1f ms p90 %.1f ms p99 %.1f ms max %.1f ms", c.Class, c.Words, c.Rows,
			float64(c.P50)/1e3, float64(c.P90)/1e3, float64(c.P99)/1e3, float64(c.Max)/1e3)
	}
	return b.String()
}

// Run searches. A page without the word ends it with an error.
func (w Words) Run(ctx context.Context) (WordsReport, error) {
	token, err := w.Token(w.User)
	if err != nil {
		return WordsReport{}, err
	}
	var r WordsReport
	for _, class := range Classes {
		words := w.Words[class]
		words = words[:min(w.Most, len(words))]
		h, rows := histogram(), 0
		for _, word := range words {
			sent := time.Now()
			list, err := w.search(ctx, token, word)
			if err != nil {
				return r, err
			}
			_ = h.RecordValue(max(1, time.Since(sent).Microseconds()))
			for _, text := range list {
				if !strings.Contains(strings.ToLower(text), word) {
					return r, fmt.Errorf("search for %s found %q", word, text)
				}
			}
			rows += len(list)
		}
		r.Classes = append(r.Classes, WordsClass{class, len(words), rows,
			h.ValueAtQuantile(50), h.ValueAtQuantile(90), h.ValueAtQuantile(99), h.Max()})
	}
	return r, nil
}

func (w Words) search(ctx context.Context, token, word string) (texts []string, err error) {
	params := map[string]any{"text": word, "limit": w.Limit}
	maps.Copy(params, w.In)
	var rows []struct {
		TalkContent string `json:"talkContent"`
	}
	err = list(ctx, w.Addr, token, "/chat/searchMessage", params, &rows)
	for _, row := range rows {
		texts = append(texts, row.TalkContent)
	}
	return texts, err
}
