package recents

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"lishi/commands"
	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections"
	"lishi/projections/dates"
	"lishi/projections/friends"
	"lishi/projections/history"
)

// List is /friend/getRecentMessageList: the caller's conversations in which
// there is something to see, the one with the newest message first. Newest is
// what was recorded last.
type List struct {
	Before string `param:"before,next,optional"` // next of the page before
	Limit  int64  `param:"limit,int,optional" range:"0,200"`
}

// Recent is one conversation.
type Recent struct {
	RecentID     string     `json:"recentId"` // the group, or the other user
	Name         string     `json:"name"`
	Avatar       string     `json:"avatar"`
	Type         string     `json:"type"` // "1" group, "2" friend
	LastDate     dates.Date `json:"lastDate"`
	Time         int64      `json:"time"`
	Content      string     `json:"content"`            // as it was edited
	Recalled     bool       `json:"recalled,omitempty"` // then Content is empty
	SendUserID   string     `json:"sendUserId"`
	Total        uint64     `json:"total"` // unread
	ReadPosition string     `json:"readPosition"`
	Position     string     `json:"position"` // of the last message

	Mentions         uint64 `json:"mentions,omitempty"`         // unread ones that name the caller in atUserIds
	PeerReadPosition string `json:"peerReadPosition,omitempty"` // of two people: how far the other one has read

	head head
}

// head is the last message that the caller may see of a conversation.
type head struct {
	stream   events.Stream
	at       events.Position
	recorded int64
	seen     []ledger.Interval
	current  bool // it is the conversation's last one for everybody
}

// Needs implements projections.Query.
func (List) Needs() []string { return []string{Name, history.Name} }

// Run implements projections.Query.
func (q List) Run(ctx context.Context, r projections.Reader, caller string) (projections.Page, error) {
	limit, err := projections.Limit("limit", q.Limit)
	if err != nil {
		return projections.Page{}, err
	}
	heads, err := findHeads(ctx, r, caller)
	if err != nil {
		return projections.Page{}, err
	}
	slices.SortFunc(heads, newestFirst)
	if q.Before != "" {
		last, err := parseNext(q.Before)
		if err != nil {
			return projections.Page{}, err
		}
		n, found := slices.BinarySearchFunc(heads, last, newestFirst)
		if found {
			n++
		}
		heads = heads[n:]
	}
	var page projections.Page
	if int64(len(heads)) > limit {
		heads = heads[:limit]
		page.Next = heads[limit-1].next()
	}
	page.List, err = describe(ctx, r, caller, heads)
	return page, err
}

func newestFirst(a, b head) int {
	return cmp.Or(cmp.Compare(b.recorded, a.recorded), cmp.Compare(a.at.Number, b.at.Number), cmp.Compare(b.at.Offset, a.at.Offset))
}

func (h head) next() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d,%s", h.recorded, h.at))
}

func parseNext(s string) (head, error) {
	var h head
	b, err := base64.RawURLEncoding.DecodeString(s)
	recorded, position, ok := strings.Cut(string(b), ",")
	if err == nil && ok {
		if _, err = fmt.Sscanf(recorded, "%d", &h.recorded); err == nil {
			h.at, err = events.ParsePosition(position)
		}
	}
	if err != nil || !ok || h.next() != s {
		return h, commands.ErrBadRequest.With("before is not the next of an earlier page")
	}
	return h, nil
}

// findHeads looks at every conversation of the caller.
func findHeads(ctx context.Context, r projections.Reader, caller string) ([]head, error) {
	var heads, others []head
	sql := fmt.Sprintf(`SELECT conversation, max(offset), argMax(recorded, offset) FROM %s
		WHERE conversation IN (SELECT conversation FROM %s WHERE user = {user:String}) GROUP BY conversation`,
		r.Table("last_messages"), r.Table("conversations"))
	err := r.Select(ctx, sql, []projections.Arg{{Name: "user", Value: caller}}, func(row projections.RowScanner) error {
		var key string
		var offset uint64
		h := head{current: true}
		err := row.Scan(&key, &offset, &h.recorded)
		if err != nil {
			return err
		}
		if h.stream, err = events.ParseKey(key); err != nil {
			return err
		}
		h.at = events.Position{Partition: r.Book.Layout().Partition(h.stream), Offset: int64(offset)}
		h.seen = history.Everything
		if h.stream.Kind == events.Group {
			h.seen = r.Intervals(h.stream, caller)
		}
		if len(history.Cut(h.seen, h.at.Offset-1, h.at.Offset+1)) > 0 {
			heads = append(heads, h)
		} else if len(h.seen) > 0 {
			others = append(others, h)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	older, err := olderHeads(ctx, r, others)
	return append(heads, older...), err
}

// olderHeads finds the last message that is to be seen in groups whose last one
// is not.
func olderHeads(ctx context.Context, r projections.Reader, hs []head) ([]head, error) {
	var found []head
	for part := range slices.Chunk(hs, 50) {
		var unions []string
		var args []projections.Arg
		for i, h := range part {
			ranges := history.Cut(h.seen, events.Start, h.at.Offset)
			if len(ranges) == 0 {
				continue
			}
			unions = append(unions, fmt.Sprintf(`SELECT * FROM (SELECT toUInt32(%d) AS n, offset, recorded FROM %s WHERE conversation = {c%d:String} AND %s
				ORDER BY conversation DESC, offset DESC LIMIT 1)`, i, r.Table("messages"), i, history.Where("offset", ranges)))
			args = append(args, projections.Arg{Name: fmt.Sprintf("c%d", i), Value: h.stream.Key()})
		}
		if len(unions) == 0 {
			continue
		}
		err := r.Select(ctx, strings.Join(unions, " UNION ALL ")+" "+projections.Nearby, args, func(row projections.RowScanner) error {
			var n uint32
			var offset uint64
			var recorded int64
			if err := row.Scan(&n, &offset, &recorded); err != nil {
				return err
			}
			h := part[n]
			h.at.Offset, h.recorded, h.current = int64(offset), recorded, false
			found = append(found, h)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// describe fills in the rows of a page.
func describe(ctx context.Context, r projections.Reader, caller string, heads []head) ([]Recent, error) {
	list := make([]Recent, 0, len(heads))
	for _, h := range heads {
		c := Recent{head: h, Position: h.at.String()}
		if mark, ok := r.Book.Mark(caller, h.stream.Key()); ok {
			c.ReadPosition = mark.String()
		}
		if h.stream.Kind == events.Group {
			g, _ := r.Book.Relations(h.stream).Group(h.stream)
			c.RecentID, c.Name, c.Avatar, c.Type = h.stream.ID, g.Name, g.Img, "1"
		} else {
			peer := h.stream.Other(caller)
			u, _ := r.Book.User(peer)
			c.RecentID, c.Name, c.Avatar, c.Type = peer, u.NickName, u.Avatar, "2"
			if mark, ok := r.Book.Mark(peer, h.stream.Key()); ok {
				c.PeerReadPosition = mark.String()
			}
			if remark := friends.Remark(r, caller, peer); remark != "" {
				c.Name = remark
			}
		}
		list = append(list, c)
	}
	if err := contents(ctx, r, caller, list); err != nil {
		return nil, err
	}
	return list, unread(ctx, r, caller, list)
}

// contents adds what was said last, as history has it.
func contents(ctx context.Context, r projections.Reader, caller string, list []Recent) error {
	var current, older []int
	for i := range list {
		if list[i].head.current {
			current = append(current, i)
		} else {
			older = append(older, i)
		}
	}
	read := func(what []int, sql string) error {
		for part := range slices.Chunk(what, 50) {
			places := map[string]int{}
			var ors []string
			var args []projections.Arg
			for n, i := range part {
				key := list[i].head.stream.Key()
				places[key] = i
				or := fmt.Sprintf("conversation = {c%d:String}", n)
				if !list[i].head.current {
					or = fmt.Sprintf("(%s AND offset = %d)", or, list[i].head.at.Offset)
				}
				ors = append(ors, or)
				args = append(args, projections.Arg{Name: fmt.Sprintf("c%d", n), Value: key})
			}
			err := r.Select(ctx, fmt.Sprintf(sql, strings.Join(ors, " OR ")), args, func(row projections.RowScanner) error {
				var key, sender, content string
				var said int64
				var offset uint64
				if err := row.Scan(&key, &offset, &sender, &content, &said); err != nil {
					return err
				}
				c := &list[places[key]]
				if int64(offset) != c.head.at.Offset { // another one came meanwhile, perhaps not for the caller
					c.head.current, older = false, append(older, places[key])
					return nil
				}
				c.SendUserID, c.Content, c.Time, c.LastDate = sender, content, said, r.Dates.At(said)
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	err := read(current, "SELECT conversation, max(offset), argMax(sender, offset), argMax(content, offset), argMax(said, offset) FROM "+
		r.Table("last_messages")+" WHERE %s GROUP BY conversation")
	if err != nil {
		return err
	}
	err = read(older, "SELECT conversation, any(offset), any(sender), any(content), any(said) FROM "+
		r.Table("messages")+" WHERE %s GROUP BY conversation")
	if err != nil {
		return err
	}
	places := make([]history.Place, len(list))
	for i := range list {
		places[i] = list[i].head.place()
	}
	versions, err := history.Versions(ctx, r, caller, places)
	for i := range list {
		switch v := versions[places[i]]; {
		case v.Recalled:
			list[i].Content, list[i].Recalled = "", true
		case v.Edited:
			list[i].Content = v.Content
		}
	}
	return err
}

func (h head) place() history.Place { return history.Place{Stream: h.stream, Offset: h.at.Offset} }

// unread counts what others said after the read mark and did not recall, and
// where they named the caller.
// Imported messages count as read. A row that was written twice counts once.
func unread(ctx context.Context, r projections.Reader, caller string, list []Recent) error {
	var behind []int
	ranges := map[int][]history.Range{}
	for i := range list {
		h := list[i].head
		mark, ok := r.Book.Mark(caller, h.stream.Key())
		if !ok {
			mark.Offset = events.Start
		}
		if cut := history.Cut(h.seen, mark.Offset, h.at.Offset+1); mark.Offset < h.at.Offset && len(cut) > 0 {
			behind, ranges[i] = append(behind, i), cut
		}
	}
	for part := range slices.Chunk(behind, 50) {
		places := map[string]int{}
		var ors, recalled []string
		args := []projections.Arg{{Name: "caller", Value: caller}}
		for n, i := range part {
			key := list[i].head.stream.Key()
			places[key] = i
			ors = append(ors, fmt.Sprintf("(conversation = {c%d:String} AND %s)", n, history.Where("offset", ranges[i])))
			recalled = append(recalled, fmt.Sprintf("(conversation = {c%d:String} AND %s)", n, history.Where("original", ranges[i])))
			args = append(args, projections.Arg{Name: fmt.Sprintf("c%d", n), Value: key})
		}
		sql := fmt.Sprintf(`SELECT conversation, count(), countIf(named) FROM (SELECT conversation, offset, any(has(at_users, {caller:String})) AS named FROM %s
			WHERE (%s) AND sender != {caller:String} AND NOT imported GROUP BY conversation, offset)
			WHERE (conversation, offset) NOT IN (SELECT conversation, original FROM %s WHERE (%s) AND change = 'recalled') GROUP BY conversation
			SETTINGS optimize_aggregation_in_order = 1`, r.Table("messages"), strings.Join(ors, " OR "), r.Table("versions"), strings.Join(recalled, " OR "))
		err := r.Select(ctx, sql, args, func(row projections.RowScanner) error {
			var key string
			var n, mentions uint64
			if err := row.Scan(&key, &n, &mentions); err != nil {
				return err
			}
			list[places[key]].Total, list[places[key]].Mentions = n, mentions
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
