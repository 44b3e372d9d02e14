package conformance

import (
	"context"
	"errors"
	"testing"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"lishi/projections"
)

// exception is the server's own error inside another.
func exception(err error) int32 {
	if e, ok := errors.AsType[*ch.Exception](err); ok {
		return e.Code
	}
	return 0
}

func answeredErrors(t *testing.T, s suite) {
	for sql, want := range map[string]int32{
		"SELECT x FROM nowhere":             60,
		"SELECT x FROM nowhere.nothing":     81,
		"SELECT foo":                        47,
		"SELEC 1":                           62,
		"DROP TABLE nowhere":                60,
		"SELECT throwIf(1)":                 395,
		"SELECT nonsense(1)":                46,
		"INSERT INTO nowhere SELECT 1":      60,
		"SELECT toUInt8('x')":               6,
		"SELECT {missing:String}":           456,
		"SELECT 1 SETTINGS no_such_thing=1": 115,
	} {
		for name, err := range map[string]error{
			"Exec":  s.Exec(t.Context(), sql),
			"Query": func() error { _, err := read[any](t.Context(), s.DB, sql); return err }(),
		} {
			if exception(err) != want || errors.Is(err, projections.ErrUnavailable) {
				t.Errorf("%s(%q): %v, want code %d, and available", name, sql, err, want)
			}
		}
	}
	if err := s.Insert(t.Context(), "nowhere", []projections.Column{col("x", "UInt8", []uint8{1})}); exception(err) != 60 {
		t.Errorf("inserting into nowhere: %v", err)
	}
}

// A statement that wants more memory than it may have is told from one that
// can't be asked: it may never fit.
func memory(t *testing.T, s suite) {
	const greedy = "SELECT length(groupArray(toString(number))) FROM numbers(10000000) SETTINGS max_memory_usage = 10000000"
	for name, err := range map[string]error{
		"Exec":  s.Exec(t.Context(), greedy),
		"Query": func() error { _, err := read[any](t.Context(), s.DB, greedy); return err }(),
	} {
		if !errors.Is(err, projections.ErrMemory) || !errors.Is(err, projections.ErrUnavailable) || exception(err) != 241 {
			t.Errorf("%s: %v, want ErrMemory", name, err)
		}
	}
	if err := s.Exec(t.Context(), "SELECT throwIf(1)"); errors.Is(err, projections.ErrMemory) {
		t.Errorf("another error passes for a lack of memory: %v", err)
	}
}

func errorMidStream(t *testing.T, s suite) {
	rows, err := s.Query(t.Context(), "SELECT toString(throwIf(number = 700000, '__exception__')) FROM numbers(1000000) SETTINGS max_block_size = 10000, max_threads = 1")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	if exception(rows.Err()) != 395 || n == 0 || n > 700_000 {
		t.Errorf("after %d rows: %v, want code 395", n, rows.Err())
	}
	if errors.Is(rows.Err(), projections.ErrUnavailable) {
		t.Error("an answered error passes for unavailable")
	}
}

const endless = "SELECT toString(sum(sipHash64(number))) FROM numbers(1000000000000)"

func cancelled(t *testing.T, s suite) {
	for name, call := range map[string]func(context.Context) error{
		"Query": func(ctx context.Context) error { _, err := read[string](ctx, s.DB, endless); return err },
		"Exec":  func(ctx context.Context) error { return s.Exec(ctx, endless) },
		"rows": func(ctx context.Context) error {
			_, err := read[uint64](ctx, s.DB, "SELECT number FROM numbers(1000000000000)")
			return err
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		stop := time.AfterFunc(50*time.Millisecond, cancel)
		err := call(ctx)
		stop.Stop()
		if !errors.Is(err, context.Canceled) || errors.Is(err, projections.ErrUnavailable) {
			t.Errorf("%s: %v, want the caller's own cancelling", name, err)
		}
	}
	s.gone("1000000000000")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	table := s.table("(x UInt8) ENGINE = MergeTree ORDER BY x")
	if err := s.Insert(ctx, table, []projections.Column{col("x", "UInt8", []uint8{1})}); !errors.Is(err, context.Canceled) {
		t.Errorf("Insert: %v", err)
	}
	s.is([]string{"0"}, "SELECT toString(count()) FROM "+table)
}

func deadline(t *testing.T, s suite) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := read[string](ctx, s.DB, endless)
	if !errors.Is(err, projections.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want unavailable by deadline", err)
	}
	s.gone("1000000000000")
}

// gone waits until the server has no statement with this text any more: what
// nobody waits for must not go on burning the processor.
func (s suite) gone(text string) {
	s.Helper()
	last := time.Now().Add(20 * time.Second)
	for {
		n := s.rows("SELECT toString(count()) FROM system.processes WHERE position(query, {x:String}) > 0 AND position(query, 'system.processes') = 0",
			projections.Arg{Name: "x", Value: text})
		if n[0] == "0" {
			return
		}
		if time.Now().After(last) {
			s.Fatalf("%s statements with %s still run", n[0], text)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
