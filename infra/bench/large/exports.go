package large

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// downloads measures all messages as files, by the console and by lishi query: the
// server's memory and the client's.
func (r *run) downloads(ctx context.Context) error {
	r.section = "Downloads"
	client, err := r.client()
	if err != nil {
		return err
	}
	for _, format := range []struct{ name, engines, files string }{{"CSV", "CSVWithNames", "csv"}, {"NDJSON", "JSONEachRow", "jsonl"}, {"Parquet", "Parquet", "parquet"}} {
		for _, rows := range slices.Compact([]int{min(r.n, 1_000_000), r.n}) {
			sql := fmt.Sprint("SELECT * FROM messages LIMIT ", rows)
			name := format.name + ", " + grouped(float64(rows)) + " rows"
			if rows == r.n {
				name, sql = format.name+", all rows", "SELECT * FROM messages"
			}
			written := int64(0)
			if err := r.once(name+", console", func() (err error) {
				written, err = drained(client.Do(ctx, http.MethodPost, "/api/sql/run", nil, map[string]any{"sql": sql, "format": format.engines}))
				return err
			}); err != nil {
				return err
			}
			r.add(name+", size", float64(written)/1e6, "MB")
			var asked used
			if err := r.once(name+", lishi query", func() error {
				token, err := r.token("large", "analyst")
				if err != nil {
					return err
				}
				var said bytes.Buffer
				asked, err = r.server.stream(ctx, io.Discard, &said, "query", "--sql", r.server.sql, "--token", token, "--format", format.files, sql)
				return err
			}); err != nil {
				return err
			}
			r.memory(name+", lishi query, resident", asked.memory)
		}
	}
	r.memory("resident", r.server.status("VmRSS"))
	return nil
}

// exports measures an audit package of the longest group and of the first, made by the
// running server.
func (r *run) exports(ctx context.Context) error {
	r.section = "Audit packages"
	g, err := r.longest(ctx)
	if err != nil {
		return err
	}
	client, err := r.client()
	if err != nil {
		return err
	}
	for _, of := range []struct{ name, group string }{{"the first group", r.first()}, {"the longest group", g.Group}} {
		var job struct {
			ID, State, Problem string
			Bytes              float64
			Events             map[string]float64
		}
		if err := r.once(of.name+", made", func() error {
			if err := client.Post(ctx, "/api/audit/exports", map[string]any{"groups": []string{of.group}, "reason": "measured"}, &job); err != nil {
				return err
			}
			for job.State != "done" {
				if job.State == "failed" {
					return fmt.Errorf("%s", job.Problem)
				}
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(100 * time.Millisecond):
				}
				if err := client.Get(ctx, "/api/audit/exports/"+job.ID, nil, &job); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
		if job.State != "done" {
			continue
		}
		events := 0.0
		for _, n := range job.Events {
			events += n
		}
		r.add(of.name+", events", events, "")
		r.add(of.name+", size", job.Bytes/1e6, "MB")
		if err := r.once(of.name+", fetched", func() error {
			_, err := drained(client.Do(ctx, http.MethodGet, "/api/audit/exports/"+job.ID+"/download", nil, nil))
			return err
		}); err != nil {
			return err
		}
		answer, err := client.Do(ctx, http.MethodDelete, "/api/audit/exports/"+job.ID, nil, nil)
		if err != nil {
			return err
		}
		answer.Close()
	}
	return nil
}
