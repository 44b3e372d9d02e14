package large

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"lishi/infra/bench"
)

// quoted is a text within a string of SQL.
func quoted(s string) string { return strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) }

// club is the first club of somebody's.
func (r *run) club(ctx context.Context, person string) (string, error) {
	var c struct{ Group string }
	err := r.row(ctx, fmt.Sprintf(`SELECT group_id AS "Group" FROM memberships WHERE user = '%s' AND startsWith(group_id, 'club-') LIMIT 1`, quoted(person)), &c)
	return c.Group, err
}

// once measures something that is done once: its time, the server's processor
// time, and how much more memory than before was resident at most. What is refused
// is noted as such.
func (r *run) once(what string, do func() error) error {
	processor, begun := r.server.processor(), time.Now()
	before, most, err := r.server.peak(do)
	took := time.Since(begun)
	if err != nil {
		if !r.server.running() {
			return err
		}
		r.refused(what, err)
		return nil
	}
	r.add(what, took.Seconds(), "s")
	if used := r.server.processor() - processor; used > 0 {
		r.add(what+", processor", used, "s")
	}
	if most > 0 {
		r.add(what+", memory above what was resident", float64(max(0, most-before))/1e6, "MB")
	}
	return nil
}

// analytics measures the figures of the console, over all of the time and over its
// last thirty days.
func (r *run) analytics(ctx context.Context) error {
	r.section = "Analytics"
	client, err := r.client()
	if err != nil {
		return err
	}
	var span struct{ First, Last string }
	if err := r.row(ctx, `SELECT formatDateTime(min(said), '%Y-%m-%dT%H:%i:%SZ') AS "First", formatDateTime(max(said) + INTERVAL 1 DAY, '%Y-%m-%dT%H:%i:%SZ') AS "Last" FROM messages WHERE imported`, &span); err != nil {
		return err
	}
	var known struct {
		Figures []struct {
			Name       string   `json:"name"`
			Parameters []string `json:"parameters"`
		} `json:"figures"`
	}
	if err := client.Get(ctx, "/api/analytics", nil, &known); err != nil {
		return err
	}
	last, err := time.Parse(time.RFC3339, span.Last)
	if err != nil {
		return err
	}
	for _, f := range known.Figures {
		for _, over := range []struct{ name, from string }{{"all of the time", span.First}, {"thirty days", last.AddDate(0, 0, -30).Format(time.RFC3339)}} {
			p := url.Values{"from": {over.from}, "to": {span.Last}, "zone": {"Asia/Shanghai"}}
			if err := r.once(f.Name+", "+over.name, func() error { return client.Get(ctx, "/api/analytics/"+f.Name, p, nil) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// sql measures questions of the views beside the same ones of the raw events.
func (r *run) sql(ctx context.Context) error {
	r.section = "SQL"
	const sent = "FROM events WHERE type = 'message.sent'"
	text := "JSONExtractString(payload, 'content', 'plain')"
	for _, q := range []struct{ name, sql string }{
		{"how many, messages", "SELECT count() FROM messages"},
		{"how many, raw events", "SELECT count() " + sent},
		{"by day, messages", "SELECT toDate(said) AS day, count() FROM messages GROUP BY day ORDER BY day"},
		{"by day, raw events", "SELECT toDate(said) AS day, count() " + sent + " GROUP BY day ORDER BY day"},
		{"texts with a word, messages", "SELECT count() FROM messages WHERE content LIKE '%firefox%'"},
		{"texts with a word, raw events, JSONExtractString", "SELECT count() " + sent + " AND " + text + " LIKE '%firefox%'"},
		{"texts with a word, raw events, payload::JSON", "SELECT count() " + sent + " AND payload::JSON.content.plain::String LIKE '%firefox%'"},
		{"who writes most, messages", "SELECT sender, count() AS n FROM messages GROUP BY sender ORDER BY n DESC LIMIT 10"},
		{"who writes most, raw events", "SELECT actor, count() AS n " + sent + " GROUP BY actor ORDER BY n DESC LIMIT 10"},
		{"one conversation's last messages, messages", "SELECT said, sender, content FROM messages WHERE conversation = 'g|" + quoted(r.first()) + "' ORDER BY offset DESC LIMIT 50"},
	} {
		if err := r.once(q.name, func() error {
			_, err := drained(r.open(ctx, q.sql))
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// first is the first group's name.
func (r *run) first() string {
	group, _ := r.copies.Group()
	return bench.GroupOf(group, 0)
}
