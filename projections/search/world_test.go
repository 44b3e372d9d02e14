package search_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lishi/events"
	"lishi/infra/bench"
	"lishi/projections"
	"lishi/projections/projectiontest"
)

// spied keeps the last statement on the read model's own table.
type spied struct {
	projections.DB
	sql  string
	args []projections.Arg
	// statements counts them.
	statements int
	// unindexed asks without the indexes.
	unindexed bool
}

func (s *spied) Query(ctx context.Context, sql string, args ...projections.Arg) (projections.RowScanner, error) {
	if strings.Contains(sql, "text LIKE") {
		if s.unindexed {
			if strings.Contains(sql, "SETTINGS") {
				sql += ", use_skip_indexes = 0, use_query_condition_cache = 0"
			} else {
				sql += " SETTINGS use_skip_indexes = 0, use_query_condition_cache = 0"
			}
		}
		s.sql, s.args = sql, args
		s.statements++
	}
	return s.DB.Query(ctx, sql, args...)
}

// clauses are pieces of what people say: from ../shared/data, or LISHI_SHARED,
// where that is, else a few of our own.
func clauses() bench.Chat {
	dir := os.Getenv("LISHI_SHARED")
	if dir == "" {
		dir = "../../../shared"
	}
	c, err := bench.ReadChat(filepath.Join(dir, "data", "pair-chat-zh.jsonl.gz"), filepath.Join(dir, "data", "group-chat-en.jsonl.gz"))
	if err == nil {
		return c
	}
	c = bench.Chat{}
	for _, s := range []string{"我们是好朋友", "看过那部电影吗", "已添加为好友", "the weather is fine", "明天一起吃饭", "Ubuntu works for me", "不知道啊", "谢谢你"} {
		for i := range 200 {
			c.Clauses = append(c.Clauses, s, fmt.Sprint(s, i), string(rune(0x4e00+i*7))+s)
		}
	}
	return c
}

const (
	me     = bench.Searcher
	rare   = bench.Rare
	unique = bench.Unique
)

// chat is a log of the n messages that bench.Chat makes, appended a thousand at
// a time, so that they are recorded at many times.
func chat(n int) *projectiontest.Log {
	log := projectiontest.NewLog(events.Layout{Conversations: 4, Users: 1})
	log.Batch = 1024
	var batch []events.Event
	number, offsets, heads := 0, map[events.Partition]int64{}, map[events.Stream][]events.ID{}
	flush := func() {
		if _, err := log.Append(context.Background(), batch...); err != nil {
			panic(err)
		}
		batch = batch[:0]
	}
	add := func(actor string, s events.Stream, body events.Body) {
		number++
		e := events.Event{
			ID: events.NewID(s.Key(), actor, fmt.Sprint(number)), Stream: s, Actor: actor, Request: fmt.Sprint(number),
			Time: time.UnixMilli(1763888400000 + int64(number)*100), Body: body,
		}
		e.Fingerprint = events.Fingerprint(e.ID)
		p := log.Layout().Partition(s)
		offsets[p]++
		if events.OrderingOf(body) == events.ByBasis {
			e.Basis = offsets[p] - 1
		} else {
			chain := heads[s]
			if e.Revision = uint64(len(chain)) + 1; len(chain) > 0 {
				e.Prev = chain[len(chain)-1]
			}
			heads[s] = append(chain, e.ID)
		}
		if batch = append(batch, e); len(batch) == 1000 {
			flush()
		}
	}
	known := map[string]bool{}
	first := func(what string, do func()) {
		if !known[what] {
			known[what] = true
			do()
		}
	}
	err := clauses().Lines(n, func(l bench.Line) error {
		s := events.GroupStream(l.Group)
		for _, u := range []string{l.From, l.To} {
			first("user "+u, func() {
				if u != "" {
					add(u, events.UserStream(u), events.UserRegistered{NickName: "N" + u})
				}
			})
		}
		if l.Group == "" {
			s = events.PairStream(l.From, l.To)
			first(s.Key(), func() { add(l.From, s, events.FriendAgreed{}) })
		} else {
			first("in "+s.Key()+" "+l.From, func() {
				if l.From == me {
					add(me, s, events.GroupCreated{GroupName: "G", JoinMode: events.JoinOpen})
				} else {
					add(l.From, s, events.GroupJoined{GroupName: "G"})
				}
			})
		}
		add(l.From, s, events.MessageSent{Content: events.Content{Plain: l.Text}})
		return nil
	})
	if err != nil {
		panic(err)
	}
	flush()
	return log
}
