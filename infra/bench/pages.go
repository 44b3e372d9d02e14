package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Pages reads a conversation's history page by page, over HTTP, from the newest
// message back, and again from the newest, until the time is up.
type Pages struct {
	Addr     string
	User     string
	Params   map[string]any // userId or groupId, limit
	URL      string
	Before   string // begin before this position, not with the newest message
	Stay     bool   // read the first page again and again
	Readers  int
	Duration time.Duration
	Token    func(user string) (string, error)
}

// PagesReport is what was measured. Latencies are in microseconds.
type PagesReport struct {
	Pages     int64   `json:"pages"`
	Rows      int64   `json:"rows"`
	PerSecond float64 `json:"pagesPerSecond"`
	P50       int64   `json:"p50us"`
	P99       int64   `json:"p99us"`
}

func (r PagesReport) String() string {
	return fmt.Sprintf("%d pages with %d rows: %.0f pages/s, p50 %.2f ms p99 %.2f ms", r.Pages, r.Rows, r.PerSecond, float64(r.P50)/1e3, float64(r.P99)/1e3)
}

// Run reads until the time is up. A page that is not what comes before the last
// one ends it with an error.
func (p Pages) Run(ctx context.Context) (PagesReport, error) {
	token, err := p.Token(p.User)
	if err != nil {
		return PagesReport{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.Duration)
	defer cancel()
	var rows, pages atomic.Int64
	all := histogram()
	var mu sync.Mutex
	begun := time.Now()
	err = each(p.Readers, func(int) error {
		h := histogram()
		defer func() { mu.Lock(); all.Merge(h); mu.Unlock() }()
		before := p.Before
		for ctx.Err() == nil {
			sent := time.Now()
			first, n, err := p.page(ctx, token, before)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			_ = h.RecordValue(max(1, time.Since(sent).Microseconds()))
			pages.Add(1)
			rows.Add(int64(n))
			if before = first; n == 0 || p.Stay {
				before = p.Before
			}
		}
		return nil
	})
	took := time.Since(begun).Seconds()
	return PagesReport{pages.Load(), rows.Load(), float64(pages.Load()) / took, all.ValueAtQuantile(50), all.ValueAtQuantile(99)}, err
}

func (p Pages) page(ctx context.Context, token, before string) (first string, n int, err error) {
	params := map[string]any{}
	for k, v := range p.Params {
		params[k] = v
	}
	if before != "" {
		params["before"] = before
	}
	var rows []struct {
		Position string `json:"position"`
	}
	if err := list(ctx, p.Addr, token, p.URL, params, &rows); err != nil || len(rows) == 0 {
		return "", 0, err
	}
	if before != "" && rows[len(rows)-1].Position == before {
		return "", 0, fmt.Errorf("page: %s came twice", before)
	}
	return rows[0].Position, len(rows), nil
}

// Command sends a command over HTTP and gives the position of its event.
func Command(ctx context.Context, addr, token, url string, params map[string]any) (position string, err error) {
	var obj struct {
		Position string `json:"position"`
	}
	err = post(ctx, addr, token, url, params, &obj)
	return obj.Position, err
}

// list asks a query over HTTP and reads its rows.
func list(ctx context.Context, addr, token, url string, params map[string]any, rows any) error {
	obj := struct {
		List any `json:"list"`
	}{rows}
	return post(ctx, addr, token, url, params, &obj)
}

// post sends a request over HTTP and reads the answer's obj.
func post(ctx context.Context, addr, token, url string, params map[string]any, obj any) error {
	body, err := json.Marshal(params)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var r struct {
		Code int `json:"code"`
		Obj  any `json:"obj"`
	}
	r.Obj = obj
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	if r.Code != 200 {
		return fmt.Errorf("%s: %s", url, raw)
	}
	return nil
}
