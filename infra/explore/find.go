package explore

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"lishi/commands"
	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections"
	"lishi/projections/friends"
	"lishi/projections/groups"
	"lishi/projections/recents"
)

// Find looks for streams: those of the people and groups whose id, or whose name,
// or a part of it, is said, and the conversations of a person whose id is said in
// full. Without a word it lists the conversations, the one with the newest
// message first.
type Find struct {
	Words  string
	Limit  int
	Before string // next of the page before; only without words
}

// Found is one stream.
type Found struct {
	Stream string `json:"stream"` // its key
	Kind   string `json:"kind"`   // pair, group or user
	// Names are what the group or the user is called, or both of a pair; as now.
	Names   []string `json:"names"`
	Members int      `json:"members,omitempty"` // of a group
	Deleted bool     `json:"deleted,omitempty"` // a group that is no more
	// The newest message, if there is any.
	Last string `json:"last,omitempty"` // its position
	At   string `json:"at,omitempty"`   // when it was recorded
}

// Needs implements projections.Query.
func (Find) Needs() []string { return []string{friends.Name, groups.Name, recents.Name} }

// Run implements projections.Query.
func (q Find) Run(ctx context.Context, r projections.Reader, _ string) (projections.Page, error) {
	keys, next, err := q.keys(ctx, r)
	if err != nil {
		return projections.Page{}, err
	}
	found := make([]Found, 0, len(keys))
	at := map[string]int{}
	for _, key := range keys {
		s, err := events.ParseKey(key)
		if _, twice := at[key]; err != nil || twice {
			continue
		}
		at[key] = len(found)
		found = append(found, describe(r.Book, s))
	}
	err = r.Select(ctx, fmt.Sprintf(`SELECT conversation, max(offset), argMax(recorded, offset) FROM %s
		WHERE conversation IN {keys:Array(String)} GROUP BY conversation`, r.Table("last_messages")),
		[]projections.Arg{{Name: "keys", Value: keys}}, func(s projections.RowScanner) error {
			var key string
			var offset uint64
			var recorded int64
			if err := s.Scan(&key, &offset, &recorded); err != nil {
				return err
			}
			if i, ok := at[key]; ok {
				stream, _ := events.ParseKey(key)
				p := events.Position{Partition: r.Book.Layout().Partition(stream), Offset: int64(offset)}
				found[i].Last, found[i].At = p.String(), time.UnixMilli(recorded).UTC().Format(millis)
			}
			return nil
		})
	return projections.Page{List: found, Next: next}, err
}

// keys are the streams in question, the likeliest first.
func (q Find) keys(ctx context.Context, r projections.Reader) (keys []string, next string, err error) {
	words := strings.TrimSpace(q.Words)
	if words == "" {
		return q.latest(ctx, r)
	}
	if s, err := events.ParseKey(words); err == nil {
		return []string{s.Key()}, "", nil
	}
	args := []projections.Arg{{Name: "q", Value: words}, {Name: "limit", Value: uint32(q.Limit)}}
	add := func(sql string, key func(id string) string) error {
		return r.Select(ctx, sql, args, func(s projections.RowScanner) error {
			var id string
			if err := s.Scan(&id); err != nil {
				return err
			}
			keys = append(keys, key(id))
			return nil
		})
	}
	const named = `SELECT %[1]s FROM (SELECT %[1]s, argMax(%[2]s, offset) AS called FROM %[3]s GROUP BY %[1]s)
		WHERE %[1]s = {q:String} OR startsWith(%[1]s, {q:String}) OR positionCaseInsensitiveUTF8(called, {q:String}) > 0
		ORDER BY %[1]s = {q:String} DESC, lower(called) = lower({q:String}) DESC, %[1]s LIMIT {limit:UInt32}`
	if err = add(fmt.Sprintf(named, "user", "nickname", r.Table("users")), func(id string) string { return events.UserStream(id).Key() }); err == nil {
		err = add(fmt.Sprintf(named, "group_id", "name", r.Table("groups")), func(id string) string { return events.GroupStream(id).Key() })
	}
	if err == nil {
		err = add(fmt.Sprintf("SELECT DISTINCT conversation FROM %s WHERE user = {q:String} ORDER BY conversation LIMIT {limit:UInt32}", r.Table("conversations")),
			func(key string) string { return key })
	}
	return keys[:min(len(keys), q.Limit)], "", err
}

// latest are the conversations by their newest message.
func (q Find) latest(ctx context.Context, r projections.Reader) (keys []string, next string, err error) {
	before, key, err := parseNext(q.Before)
	if err != nil {
		return nil, "", err
	}
	var last int64
	sql := fmt.Sprintf(`SELECT conversation, argMax(recorded, offset) AS at FROM %s GROUP BY conversation
		HAVING at < {before:Int64} OR at = {before:Int64} AND conversation > {key:String} ORDER BY at DESC, conversation LIMIT {limit:UInt32}`, r.Table("last_messages"))
	args := []projections.Arg{{Name: "before", Value: before}, {Name: "key", Value: key}, {Name: "limit", Value: uint32(q.Limit)}}
	err = r.Select(ctx, sql, args, func(s projections.RowScanner) error {
		keys = append(keys, "")
		return s.Scan(&keys[len(keys)-1], &last)
	})
	if len(keys) == q.Limit {
		next = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d,%s", last, keys[len(keys)-1]))
	}
	return keys, next, err
}

func parseNext(s string) (before int64, key string, err error) {
	if s == "" {
		return 1<<63 - 1, "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	at, key, ok := strings.Cut(string(raw), ",")
	if err == nil && ok {
		_, err = fmt.Sscanf(at, "%d", &before)
	}
	if err != nil || !ok {
		return 0, "", commands.ErrBadRequest.With("before is not the next of a page")
	}
	return before, key, nil
}

// describe tells what a stream is, as the ledger knows it now.
func describe(book *ledger.Book, s events.Stream) Found {
	called := func(id string) string {
		u, _ := book.User(id)
		return u.NickName
	}
	f := Found{Stream: s.Key()}
	switch s.Kind {
	case events.Pair:
		f.Kind, f.Names = "pair", []string{called(s.ID), called(s.Peer)}
	case events.Group:
		f.Kind = "group"
		g, _ := book.Relations(s).Group(s)
		f.Names, f.Members, f.Deleted = []string{g.Name}, g.Members, g.Deleted
	default:
		f.Kind, f.Names = "user", []string{called(s.ID)}
	}
	return f
}
