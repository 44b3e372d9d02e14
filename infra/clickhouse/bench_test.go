package clickhouse_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"lishi/infra/clickhouse"
	"lishi/projections"
)

// history is a table like the read model that is asked most, with a million
// messages in a thousand conversations.
const (
	historyRows   = 1_000_000
	conversations = 1000
	insertRows    = 10_000
)

var fillHistory = sync.OnceValue(func() error { return insertHistory(context.Background(), embedded, historyRows) })

func insertHistory(ctx context.Context, db *clickhouse.DB, rows int) error {
	err := db.Exec(ctx, `CREATE TABLE history (conversation String, offset UInt64, sender LowCardinality(String), content String, time Int64, version UInt64)
		ENGINE = ReplacingMergeTree(version) ORDER BY (conversation, offset) SETTINGS index_granularity = 512`)
	if err != nil {
		return err
	}
	b := newHistoryBatch()
	for at := 0; at < rows; at += insertRows {
		if err := db.Insert(ctx, "history", b.fill(at)); err != nil {
			return err
		}
	}
	return nil
}

type historyBatch struct {
	conversation, sender, content []string
	offset, version               []uint64
	time                          []int64
}

func newHistoryBatch() *historyBatch {
	n := insertRows
	return &historyBatch{make([]string, n), make([]string, n), make([]string, n), make([]uint64, n), make([]uint64, n), make([]int64, n)}
}

func conversation(i int) string { return "g|group-" + strconv.Itoa(i%conversations) }

func (b *historyBatch) fill(at int) []projections.Column {
	for i := range insertRows {
		b.conversation[i] = conversation((at + i) * 7919)
		b.sender[i] = "user-" + strconv.Itoa(i%500)
		b.content[i] = "一条普通的消息, about as long as people write them, number " + strconv.Itoa(at+i)
		b.offset[i], b.version[i] = uint64(at+i), uint64(at+i)
		b.time[i] = int64(at + i)
	}
	return []projections.Column{
		{Name: "conversation", Type: "String", Data: b.conversation}, {Name: "offset", Type: "UInt64", Data: b.offset},
		{Name: "sender", Type: "LowCardinality(String)", Data: b.sender}, {Name: "content", Type: "String", Data: b.content},
		{Name: "time", Type: "Int64", Data: b.time}, {Name: "version", Type: "UInt64", Data: b.version},
	}
}

func page(ctx context.Context, db *clickhouse.DB, of string, before uint64) (n int, err error) {
	rows, err := db.Query(ctx, `SELECT offset, sender, content, time FROM history
		WHERE conversation = {c:String} AND offset < {p:UInt64} ORDER BY offset DESC, version DESC LIMIT 1 BY offset LIMIT 20`,
		projections.Arg{Name: "c", Value: of}, projections.Arg{Name: "p", Value: before})
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var offset uint64
	var sender, content string
	var at int64
	for ; rows.Next(); n++ {
		if err := rows.Scan(&offset, &sender, &content, &at); err != nil {
			return n, err
		}
	}
	return n, rows.Err()
}

// BenchmarkInsert: one op is one durable insert of 10 000 rows of 6 columns.
func BenchmarkInsert(b *testing.B) {
	ctx := b.Context()
	err := embedded.Exec(ctx, `CREATE OR REPLACE TABLE inserted (conversation String, offset UInt64, sender LowCardinality(String), content String, time Int64, version UInt64)
		ENGINE = ReplacingMergeTree(version) ORDER BY (conversation, offset)`)
	if err != nil {
		b.Fatal(err)
	}
	batch := newHistoryBatch()
	columns := batch.fill(0)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if err := embedded.Insert(ctx, "inserted", columns); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*insertRows)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkInsertOne: one op is one durable insert of a single row, the latency
// that a checkpoint costs.
func BenchmarkInsertOne(b *testing.B) {
	ctx := b.Context()
	if err := embedded.Exec(ctx, "CREATE OR REPLACE TABLE single (k String, v UInt64) ENGINE = MergeTree ORDER BY k"); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for range b.N {
		err := embedded.Insert(ctx, "single", []projections.Column{{Name: "k", Type: "String", Data: []string{"x"}}, {Name: "v", Type: "UInt64", Data: []uint64{1}}})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPage: one op is one page of 20 messages out of a million.
func BenchmarkPage(b *testing.B) {
	if err := fillHistory(); err != nil {
		b.Fatal(err)
	}
	took := make([]time.Duration, 0, b.N)
	random := rand.New(rand.NewPCG(1, 2))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		start := time.Now()
		n, err := page(b.Context(), embedded, conversation(random.IntN(conversations)), historyRows/4+random.Uint64N(historyRows/2))
		if n != 20 || err != nil {
			b.Fatal(n, err)
		}
		took = append(took, time.Since(start))
	}
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2])/1e6, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100])/1e6, "p99-ms")
	b.ReportMetric(resident(), "MB-resident")
}

// BenchmarkSelectOne: one op is the smallest question, what every other pays too.
func BenchmarkSelectOne(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		rows, err := embedded.Query(b.Context(), "SELECT 1")
		if err != nil {
			b.Fatal(err)
		}
		for rows.Next() {
		}
		if rows.Err() != nil {
			b.Fatal(rows.Err())
		}
	}
}

// resident is the memory of this process in MB, 0 where /proc does not tell.
func resident() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kb float64
	fmt.Sscan(rest, &kb)
	return kb / 1024
}
