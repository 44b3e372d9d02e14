package search

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"sort"
	"strings"
	"testing"
	"time"

	"lishi/infra/clickhouse"
	"lishi/projections"
)

func lines(t testing.TB, name string) (all []string) {
	f, err := os.Open("/work/shared/data/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, _ := gzip.NewReader(f)
	s := bufio.NewScanner(z)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var m struct{ Text string }
		json.Unmarshal(s.Bytes(), &m)
		all = append(all, m.Text)
	}
	return
}

func TestProto(t *testing.T) {
	zh, en := lines(t, "pair-chat-zh.jsonl.gz"), lines(t, "group-chat-en.jsonl.gz")
	var clauses []string
	for _, l := range zh {
		clauses = append(clauses, strings.FieldsFunc(l, func(r rune) bool { return r == '，' || r == '。' || r == '？' })...)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	text := func() string {
		if rnd.IntN(10) < 7 {
			n := 1 + rnd.IntN(3)
			var p []string
			for range n {
				p = append(p, clauses[rnd.IntN(len(clauses))])
			}
			return strings.Join(p, "，") + "。"
		}
		return strings.ToLower(en[rnd.IntN(len(en))])
	}
	n := 1000000
	dir := t.TempDir()
	db, err := clickhouse.Open(clickhouse.Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	exec := func(sql string) {
		if err := db.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	variants := map[string]string{
		"plain":  "",
		"text":   ", INDEX grams text TYPE text(tokenizer = ngrams(2))",
	}
	for name, index := range variants {
		exec("CREATE TABLE s_" + name + " (partition LowCardinality(String), offset UInt64, conversation String, message UInt64, text String, written Int64" + index + ") ENGINE = ReplacingMergeTree(offset) ORDER BY (conversation, message) SETTINGS index_granularity = 1024")
	}
	ins := map[string]time.Duration{}
	const chunk = 50000
	for b := 0; b < n; b += chunk {
		var part, conv, txt []string
		var off, msg []uint64
		var wr []int64
		for i := b; i < b+chunk; i++ {
			part = append(part, "c0")
			off = append(off, uint64(i))
			msg = append(msg, uint64(i))
			wr = append(wr, int64(1700000000000+i*10))
			c := rnd.IntN(2000)
			if rnd.IntN(4) == 0 {
				c = 0
			}
			conv = append(conv, fmt.Sprintf("p|a%d|b%d", c, c))
			txt = append(txt, text())
		}
		for name := range variants {
			s := time.Now()
			err := db.Insert(ctx, "s_"+name, []projections.Column{{"partition", "LowCardinality(String)", part}, {"offset", "UInt64", off}, {"conversation", "String", conv}, {"message", "UInt64", msg}, {"text", "String", txt}, {"written", "Int64", wr}})
			if err != nil {
				t.Fatal(err)
			}
			ins[name] += time.Since(s)
		}
	}
	t.Log("insert", ins)
	show := func(sql string) {
		rows, err := db.Query(ctx, sql)
		if err != nil {
			t.Logf("%s: %v", sql, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var s string
			rows.Scan(&s)
			t.Log(s)
		}
		if err := rows.Err(); err != nil {
			t.Log("err", err)
		}
	}
	disk := func() {
		show("SELECT table || ' parts ' || toString(count()) || ' rows ' || toString(sum(rows)) || ' bytes ' || toString(sum(bytes_on_disk)) || ' idx ' || toString(sum(secondary_indices_compressed_bytes)) || ' data ' || toString(sum(data_compressed_bytes)) FROM system.parts WHERE active AND table LIKE 's\\_%' GROUP BY table")
	}
	disk()
	run := func(name, sql string) {
		var took []time.Duration
		rowsN := 0
		for range 15 {
			s := time.Now()
			rows, err := db.Query(ctx, sql)
			if err != nil {
				t.Logf("%s %s: %v", name, sql, err)
				return
			}
			rowsN = 0
			for rows.Next() {
				rowsN++
			}
			if err := rows.Err(); err != nil {
				t.Logf("%s %s: %v", name, sql, err)
				return
			}
			rows.Close()
			took = append(took, time.Since(s))
		}
		sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
		t.Logf("%-40s rows %d min %v p50 %v max %v", name, rowsN, took[0], took[len(took)/2], took[len(took)-1])
	}
	var convs []string
	for i := range 100 {
		convs = append(convs, fmt.Sprintf("'p|a%d|b%d'", i, i))
	}
	scopes := map[string]string{"one": "conversation = 'p|a7|b7'", "big": "conversation = 'p|a0|b0'", "100": "conversation IN (" + strings.Join(convs, ",") + ")", "all": "1"}
	explain := func(q string) { show("EXPLAIN indexes = 1, actions=0 " + q) }
	for round := range 2 {
		for scopeName, scope := range scopes {
			for _, w := range []string{"电影", "杜甫", "好友", "ubuntu", "喜欢看", "the"} {
				for name := range variants {
					run(fmt.Sprintf("%s %s %s like", name, scopeName, w), "SELECT conversation, message, offset, written FROM s_"+name+" WHERE "+scope+" AND text LIKE '%"+w+"%' ORDER BY written DESC LIMIT 51")
				}
				run(fmt.Sprintf("text %s %s tokens", scopeName, w), "SELECT conversation, message, offset, written FROM s_text WHERE "+scope+" AND hasAllTokens(text, '"+w+"') AND position(text, '"+w+"') > 0 ORDER BY written DESC LIMIT 51")
			}
		}
		if round == 0 {
			explain("SELECT conversation, message, offset, written FROM s_text WHERE " + scopes["100"] + " AND hasAllTokens(text, '杜甫') ORDER BY written DESC LIMIT 51")
			explain("SELECT conversation, message, offset, written FROM s_text WHERE " + scopes["100"] + " AND text LIKE '%杜甫%' ORDER BY written DESC LIMIT 51")
			s := time.Now()
			exec("OPTIMIZE TABLE s_text FINAL")
			t.Log("optimize text", time.Since(s))
			s = time.Now()
			exec("OPTIMIZE TABLE s_plain FINAL")
			t.Log("optimize plain", time.Since(s))
			disk()
		}
	}
}
