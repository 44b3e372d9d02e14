package large

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"lishi/infra/console"
	sqlapi "lishi/infra/sql"
)

// open asks the SQL endpoint and gives the answer, to be read to its end.
func (r *run) open(ctx context.Context, sql string) (io.ReadCloser, error) {
	token, err := r.token("large", "analyst")
	if err != nil {
		return nil, err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.server.sql+"/", strings.NewReader(sql))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		return nil, err
	}
	return sqlapi.Answered(response)
}

// drained reads an answer to its end, and gives how many bytes it had.
func drained(answer io.ReadCloser, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	defer answer.Close()
	return io.Copy(io.Discard, answer)
}

// rows hands on each line of an answer.
func (r *run) rows(ctx context.Context, sql string, each func(line []byte) error) error {
	answer, err := r.open(ctx, sql)
	if err != nil {
		return err
	}
	defer answer.Close()
	for in := bufio.NewReaderSize(answer, 1<<16); ; {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			if err := each(line); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// row is the first line of an answer as JSON.
func (r *run) row(ctx context.Context, sql string, into any) error {
	return r.rows(ctx, sql+" FORMAT JSONEachRow", func(line []byte) error { return json.Unmarshal(line, into) })
}

// client asks the console.
func (r *run) client() (*console.Client, error) {
	token, err := r.token("large", "admin")
	return &console.Client{Base: "http://" + r.server.console, Token: token, Reason: "measured"}, err
}

// builds are what the console says of the read models' builds.
func builds(ctx context.Context, client *console.Client) (all []projection, err error) {
	var told struct{ Projections []projection }
	err = client.Get(ctx, "/api/projections", nil, &told)
	return told.Projections, err
}

// projection is a read model as the console shows it, as far as it is looked at.
type projection struct {
	Projection string
	Builds     []struct {
		Build           uint32
		State           string
		Bytes, RawBytes float64
	}
}

// repeated does something again and again, by so many at once, and gives how long
// each time took. each is told which time it is.
func (r *run) repeated(ctx context.Context, atOnce, most int, each func(n int) error) ([]time.Duration, error) {
	until := time.Now().Add(time.Duration(r.Seconds * float64(time.Second)))
	took := make([][]time.Duration, atOnce)
	var g errgroup.Group
	for i := range atOnce {
		g.Go(func() error {
			for n := i; n < most && time.Now().Before(until); n += atOnce {
				begun := time.Now()
				if err := each(n); err != nil {
					return err
				}
				took[i] = append(took[i], time.Since(begun))
			}
			return ctx.Err()
		})
	}
	err := g.Wait()
	return slices.Concat(took...), err
}

// latencies notes the median and the slowest but one of a hundred.
func (r *run) latencies(what string, took []time.Duration) {
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	ms := func(i int) float64 { return float64(took[min(i, len(took)-1)].Microseconds()) / 1000 }
	r.add(what+", p50", ms(len(took)/2), "ms")
	r.add(what+", p99", ms(len(took)*99/100), "ms")
}
