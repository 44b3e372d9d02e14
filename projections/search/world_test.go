package search_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lishi/events"
	"lishi/projections"
	"lishi/projections/projectiontest"
)

// spied keeps the last statement on the read model's own table.
type spied struct {
	projections.DB
	sql  string
	args []projections.Arg
	// unindexed asks without the index.
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
	}
	return s.DB.Query(ctx, sql, args...)
}

// clauses are pieces of what people say: from ../shared/data, or LISHI_SHARED,
// where that is, else a few of our own.
func clauses() []string {
	dir := os.Getenv("LISHI_SHARED")
	if dir == "" {
		dir = "../../../shared"
	}
	var all []string
	for _, name := range []string{"pair-chat-zh.jsonl.gz", "group-chat-en.jsonl.gz"} {
		f, err := os.Open(filepath.Join(dir, "data", name))
		if err != nil {
			break
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			panic(err)
		}
		for lines := bufio.NewScanner(z); lines.Scan(); {
			var m struct{ Text string }
			if err := json.Unmarshal(lines.Bytes(), &m); err != nil || m.Text == "" {
				continue
			}
			all = append(all, strings.FieldsFunc(m.Text, func(r rune) bool { return strings.ContainsRune("，。？！", r) })...)
		}
	}
	if all == nil {
		for _, s := range []string{"我们是好朋友", "看过那部电影吗", "已添加为好友", "the weather is fine", "明天一起吃饭", "Ubuntu works for me", "不知道啊", "谢谢你"} {
			for i := range 200 {
				all = append(all, s, fmt.Sprint(s, i), string(rune(0x4e00+i*7))+s)
			}
		}
	}
	return all
}

// rare is a word that stands in every thousandth of the big conversations'
// messages, unique in one message.
const (
	rare   = "鸑鷟"
	unique = "螣蛇"
)

// chat is a log of n messages: user "me" speaks with 100 people and in 20
// groups, which together have a third; all others speak with others.
func chat(n int) *projectiontest.Log {
	log := projectiontest.NewLog(events.Layout{Conversations: 4, Users: 1})
	log.Batch = 1024
	var batch []events.Event
	number, offsets := 0, map[events.Partition]int64{}
	add := func(actor string, s events.Stream, revision uint64, prev events.ID, body events.Body) events.ID {
		number++
		id := events.NewID(s.Key(), actor, fmt.Sprint(number))
		batch = append(batch, events.Event{
			ID: id, Prev: prev, Stream: s, Revision: revision, Actor: actor, Request: fmt.Sprint(number), Fingerprint: events.Fingerprint(id),
			Time: time.UnixMilli(1763888400000 + int64(number)*100), Body: body,
		})
		return id
	}
	register := func(u string) { add(u, events.UserStream(u), 1, events.ID{}, events.UserRegistered{NickName: "N" + u}) }
	register("me")
	type place struct {
		s     events.Stream
		actor string
	}
	var mine, others []place
	for i := range 100 {
		u := fmt.Sprint("friend", i)
		register(u)
		s := events.PairStream("me", u)
		add(u, s, 1, events.ID{}, events.FriendAgreed{})
		mine = append(mine, place{s, u})
	}
	for i := range 20 {
		u := fmt.Sprint("owner", i)
		register(u)
		s := events.GroupStream(fmt.Sprint("group", i))
		created := add(u, s, 1, events.ID{}, events.GroupCreated{GroupName: "G", JoinMode: events.JoinOpen})
		add("me", s, 2, created, events.GroupJoined{GroupName: "G"})
		mine = append(mine, place{s, u})
	}
	for i := range 1000 {
		u, v := fmt.Sprint("u", i), fmt.Sprint("v", i)
		register(u)
		register(v)
		s := events.PairStream(u, v)
		add(u, s, 1, events.ID{}, events.FriendAgreed{})
		others = append(others, place{s, u})
	}
	pieces := clauses()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		var p place
		switch r.IntN(6) {
		case 0: // a tenth of the people have most of the talk
			p = mine[r.IntN(10)]
		case 1:
			p = mine[r.IntN(len(mine))]
		default:
			p = others[r.IntN(len(others))]
		}
		text := pieces[r.IntN(len(pieces))]
		for range r.IntN(3) {
			text += "，" + pieces[r.IntN(len(pieces))]
		}
		if r.IntN(1000) == 0 {
			text += rare
		}
		if i == n/2 {
			p, text = mine[3], text+unique
		}
		add(p.actor, p.s, 0, events.ID{}, events.MessageSent{Content: events.Content{Plain: text}, Strangers: true})
		offsets[log.Layout().Partition(p.s)]++
		batch[len(batch)-1].Basis = offsets[log.Layout().Partition(p.s)]
		if len(batch) >= 100_000 || i == n-1 {
			if _, err := log.Append(context.Background(), batch...); err != nil {
				panic(err)
			}
			batch = batch[:0:0]
		}
	}
	return log
}
