package large

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"time"

	"lishi/infra/bench"
)

// longest is the longest group, with its newest message and the one in the
// middle, and who speaks most there.
func (r *run) longest(ctx context.Context) (g struct{ Group, Speaker, Middle string }, err error) {
	err = r.row(ctx, `SELECT group_id AS "Group", argMax(sender, said_by) AS "Speaker" FROM (
		SELECT group_id, sender, count() AS said_by FROM messages WHERE kind = 'group' GROUP BY group_id, sender)
		GROUP BY group_id ORDER BY sum(said_by) DESC LIMIT 1`, &g)
	if err != nil {
		return g, err
	}
	err = r.row(ctx, fmt.Sprintf(`SELECT concat(any(partition), '-', toString(toUInt64(quantile(0.5)(offset)))) AS "Middle" FROM messages WHERE group_id = '%s'`, quoted(g.Group)), &g)
	return g, err
}

// history measures pages of the longest group, the newest and those deep down.
func (r *run) history(ctx context.Context) error {
	r.section = "History"
	g, err := r.longest(ctx)
	if err != nil {
		return err
	}
	for _, readers := range []int{1, r.Readers} {
		for _, where := range []struct {
			name, before string
			stay         bool
		}{{"newest page", "", true}, {"pages in the middle", g.Middle, false}} {
			p := bench.Pages{
				Addr: r.server.chat, User: g.Speaker, URL: "/group/loadMoreMessage", Params: map[string]any{"groupId": g.Group, "limit": 50},
				Readers: readers, Duration: time.Duration(r.Seconds * float64(time.Second)), Token: r.tokenOf, Before: where.before, Stay: where.stay,
			}
			report, err := p.Run(ctx)
			if err != nil {
				return err
			}
			what := fmt.Sprintf("%s, %d at once", where.name, readers)
			r.add(what+", p50", float64(report.P50)/1000, "ms")
			r.add(what+", p99", float64(report.P99)/1000, "ms")
			r.add(what, report.PerSecond, "pages/s")
		}
	}
	r.memory("resident", r.server.status("VmRSS"))
	return nil
}

// search measures words by how common they are: English ones of somebody who is
// in every group, Chinese ones of somebody who is in clubs and many pairs.
func (r *run) search(ctx context.Context) error {
	r.section = "Search"
	english, chinese := r.copies.Words()
	group, speaker := r.copies.Group()
	person, _ := r.copies.Pair()
	club, err := r.club(ctx, person)
	if err != nil {
		return err
	}
	for _, in := range []struct {
		name, user string
		where      map[string]any
		words      map[bench.Class][]string
	}{
		{"English, all conversations", speaker, nil, english},
		{"English, one group", speaker, map[string]any{"groupId": bench.GroupOf(group, 0)}, english},
		{"Chinese, all conversations", person, nil, chinese},
		{"Chinese, one group", person, map[string]any{"groupId": club}, chinese},
	} {
		w := bench.Words{Addr: r.server.chat, User: in.user, Words: in.words, In: in.where, Most: r.Words, Limit: 50, Token: r.tokenOf}
		report, err := w.Run(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", in.name, err)
		}
		for _, c := range report.Classes {
			what := fmt.Sprintf("%s, %s words", in.name, c.Class)
			r.add(what+", p50", float64(c.P50)/1000, "ms")
			r.add(what+", p99", float64(c.P99)/1000, "ms")
		}
	}
	r.memory("resident", r.server.status("VmRSS"))
	return nil
}

// past measures questions of a moment half-way back beside those of now.
func (r *run) past(ctx context.Context) error {
	r.section = "The past"
	client, err := r.client()
	if err != nil {
		return err
	}
	g, err := r.longest(ctx)
	if err != nil {
		return err
	}
	english, _ := r.copies.Words()
	word := func(class bench.Class, n int) string { return english[class][n%len(english[class])] }
	key := "g|" + g.Group
	for _, at := range []struct{ name, at string }{{"now", ""}, {"then", g.Middle}} {
		for _, q := range []struct {
			name, path string
			params     func(n int) url.Values
		}{
			{"history, page of 50 of a member", "history", func(int) url.Values { return url.Values{"conversation": {key}, "user": {g.Speaker}} }},
			{"the conversation as a whole, page of 50", "history", func(int) url.Values { return url.Values{"conversation": {key}} }},
			{"members, page of 50", "members", func(int) url.Values { return url.Values{"conversation": {key}, "user": {g.Speaker}} }},
			{"groups of a member", "groups", func(int) url.Values { return url.Values{"user": {g.Speaker}} }},
			{"search, common words, all conversations", "search", func(n int) url.Values {
				return url.Values{"user": {g.Speaker}, "text": {word(bench.CommonWords, n)}}
			}},
			{"search, rare words, all conversations", "search", func(n int) url.Values {
				return url.Values{"user": {g.Speaker}, "text": {word(bench.RareWords, n)}}
			}},
			{"search, rare words, one group", "search", func(n int) url.Values {
				return url.Values{"user": {g.Speaker}, "conversation": {key}, "text": {word(bench.RareWords, n)}}
			}},
		} {
			first := rand.IntN(1000) // other words each time
			took, err := r.repeated(ctx, 1, 100, func(n int) error {
				p := q.params(first + n)
				p.Set("at", at.at)
				return client.Get(ctx, "/api/asof/"+q.path, p, nil)
			})
			if err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
			r.latencies(q.name+", "+at.name, took)
		}
	}
	return nil
}
