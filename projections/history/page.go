package history

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"lishi/commands"
	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections"
	"lishi/projections/dates"
	"lishi/projections/friends"
)

// LoadPair is /friend/loadMoreMessage: the messages of the caller and a user.
type LoadPair struct {
	UserID   string `param:"userId,id"`
	Page     int64  `param:"page,int,optional" range:"0,2147483647"`
	PageSize int64  `param:"pageSize,int,optional" range:"0,200"`
	Before   string `param:"before,position,optional"`
	After    string `param:"after,position,optional"`
	Limit    int64  `param:"limit,int,optional" range:"0,200"`
}

// LoadGroup is /group/loadMoreMessage: the messages of a group that were sent
// while the caller was a member. Of an edited message the caller sees the newest
// text that was written while the caller was a member; a recalled message is
// empty for everybody.
type LoadGroup struct {
	GroupID  string `param:"groupId,id"`
	Page     int64  `param:"page,int,optional" range:"0,2147483647"`
	PageSize int64  `param:"pageSize,int,optional" range:"0,200"`
	Before   string `param:"before,position,optional"`
	After    string `param:"after,position,optional"`
	Limit    int64  `param:"limit,int,optional" range:"0,200"`
}

// Message is one row of history.
type Message struct {
	ChatMessageID string     `json:"chatMessageId"`
	SendUserID    string     `json:"sendUserId"`
	SendNickName  string     `json:"sendNickName"`
	ReceiveUserID string     `json:"receiveUserId"` // of a group, the group
	GroupID       string     `json:"groupId,omitempty"`
	TalkDate      dates.Date `json:"talkDate"`
	Time          int64      `json:"time"`
	TalkContent   string     `json:"talkContent"`
	ContentType   string     `json:"contentType,omitempty"`
	ReplyTo       string     `json:"replyTo,omitempty"`
	AtUserIDs     []string   `json:"atUserIds,omitempty"`
	Avatar        string     `json:"avatar"`
	TalkSide      bool       `json:"talkSide"` // the caller's own
	Position      string     `json:"position"`
	Edited        bool       `json:"edited,omitempty"`
	Recalled      bool       `json:"recalled,omitempty"` // then TalkContent is empty

	// Who edited it last or recalled it, and when, in Unix milliseconds.
	OperatorUserID string `json:"operatorUserId,omitempty"`
	ChangeTime     int64  `json:"changeTime,omitempty"`

	Written int64 `json:"-"` // offset of the event that wrote TalkContent
}

// Needs implements projections.Query.
func (LoadPair) Needs() []string { return []string{Name} }

// Needs implements projections.Query.
func (LoadGroup) Needs() []string { return []string{Name} }

// Run implements projections.Query.
func (q LoadPair) Run(ctx context.Context, r projections.Reader, caller string) (projections.Page, error) {
	s, seen, err := WithUser(ctx, r, caller, q.UserID)
	if err != nil {
		return projections.Page{}, err
	}
	w := window{q.Page, q.PageSize, q.Before, q.After, q.Limit}
	return w.load(ctx, r, caller, s, seen)
}

// Run implements projections.Query.
func (q LoadGroup) Run(ctx context.Context, r projections.Reader, caller string) (projections.Page, error) {
	s, seen, err := InGroup(r, caller, q.GroupID)
	if err != nil {
		return projections.Page{}, err
	}
	w := window{q.Page, q.PageSize, q.Before, q.After, q.Limit}
	return w.load(ctx, r, caller, s, seen)
}

// WithUser is the caller's conversation with a user, and what the caller may see
// of it. What two people said stays readable for both after their friendship has
// ended.
func WithUser(ctx context.Context, r projections.Reader, caller, user string) (events.Stream, []ledger.Interval, error) {
	profile, err := friends.Profiles(ctx, r, slices.Values([]string{user}))
	if err != nil {
		return events.Stream{}, nil, err
	}
	if _, ok := profile(user); !ok {
		return events.Stream{}, nil, commands.ErrNotFound.With("no such user")
	}
	if user == caller {
		return events.Stream{}, nil, commands.ErrBadRequest.With("userId is yourself")
	}
	return events.PairStream(caller, user), Everything, nil
}

// InGroup is a group's conversation, and what the caller may see of it: what was
// said while the caller was a member.
func InGroup(r projections.Reader, caller, group string) (events.Stream, []ledger.Interval, error) {
	s := events.GroupStream(group)
	if _, ok := r.Group(s); !ok {
		return events.Stream{}, nil, commands.ErrNotFound.With("no such group")
	}
	seen := r.Intervals(s, caller)
	if len(seen) == 0 {
		return events.Stream{}, nil, commands.ErrNotMember
	}
	return s, seen, nil
}

// Everything is the interval of those who see all of a conversation.
var Everything = []ledger.Interval{{From: events.Start}}

// window says which messages are wanted.
type window struct {
	page, size    int64
	before, after string
	limit         int64
}

func (w window) load(ctx context.Context, r projections.Reader, caller string, s events.Stream, seen []ledger.Interval) (projections.Page, error) {
	p := r.Book.Layout().Partition(s)
	paged := w.page != 0 || w.size != 0
	if paged && (w.before != "" || w.after != "" || w.limit != 0) {
		return projections.Page{}, commands.ErrBadRequest.With("page and pageSize do not go with before, after and limit")
	}
	if w.page < 0 || w.page > math.MaxInt32 {
		return projections.Page{}, commands.ErrBadRequest.With("page counts from 1")
	}
	name, n := "limit", w.limit
	if paged {
		name, n = "pageSize", w.size
	}
	limit, err := projections.Limit(name, n)
	if err != nil {
		return projections.Page{}, err
	}
	after, err := Offset("after", w.after, p, events.Start)
	if err != nil {
		return projections.Page{}, err
	}
	before, err := Offset("before", w.before, p, math.MaxInt64)
	if err != nil {
		return projections.Page{}, err
	}
	newest := w.after == "" || w.before != ""
	before = min(before, r.At(s))
	ranges := Cut(seen, after, before)
	if skip := (max(w.page, 1) - 1) * limit; skip > 0 {
		if ranges, err = skipNewest(ctx, r, s, ranges, skip); err != nil {
			return projections.Page{}, err
		}
	}
	rows, err := find(ctx, r, caller, s, ranges, newest, limit)
	if err != nil {
		return projections.Page{}, err
	}
	if newest {
		slices.Reverse(rows)
	}
	return projections.Page{List: rows}, nil
}

// Offset reads a position of a conversation that lives in p; none stands where
// there is none.
func Offset(param, position string, p events.Partition, none int64) (int64, error) {
	if position == "" {
		return none, nil
	}
	at, err := events.ParsePosition(position)
	if err != nil {
		return 0, commands.ErrBadRequest.With(param + " is not a position")
	}
	if at.Partition != p {
		return 0, commands.ErrBadRequest.With(param + " is not a position of this conversation, which lives in " + p.String())
	}
	return at.Offset, nil
}

// Range is a span of offsets, both ends exclusive.
type Range struct{ After, Before int64 }

// Cut gives the parts of the intervals that lie between two offsets, oldest
// first.
func Cut(seen []ledger.Interval, after, before int64) []Range {
	var rs []Range
	for _, i := range seen {
		r := Range{max(i.From, after), before}
		if i.To > 0 {
			r.Before = min(before, i.To+1)
		}
		if r.Before-1 > r.After {
			rs = append(rs, r)
		}
	}
	return rs
}

// MaxRanges is how many ranges one statement carries. Who left and came back
// more often than that costs a statement more.
const MaxRanges = 50

// Where writes ranges of a column of offsets as a condition.
func Where(column string, rs []Range) string {
	parts := make([]string, len(rs))
	for i, r := range rs {
		switch {
		case r.Before == math.MaxInt64 && r.After < 0:
			parts[i] = "1"
		case r.Before == math.MaxInt64:
			parts[i] = fmt.Sprintf("%s > %d", column, r.After)
		case r.After < 0:
			parts[i] = fmt.Sprintf("%s < %d", column, r.Before)
		default:
			parts[i] = fmt.Sprintf("%s > %d AND %[1]s < %[3]d", column, r.After, r.Before)
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "((" + strings.Join(parts, ") OR (") + "))"
}

// chunks cuts ranges into lists that fit a statement, in reading order.
func chunks(rs []Range, newest bool) [][]Range {
	rs = slices.Clone(rs)
	if newest {
		slices.Reverse(rs)
	}
	return slices.Collect(slices.Chunk(rs, MaxRanges))
}

// fields are what a row is made of, in scan's order.
const fields = "offset, id, sender, content, toString(content_type), reply_to, at_users, said"

// scan reads fields, and what else the statement gives after them.
func scan(row projections.RowScanner, more ...any) (m Message, offset uint64, err error) {
	into := []any{&offset, &m.ChatMessageID, &m.SendUserID, &m.TalkContent, &m.ContentType, &m.ReplyTo, &m.AtUserIDs, &m.Time}
	err = row.Scan(append(into, more...)...)
	m.Written = int64(offset)
	return m, offset, err
}

// find reads the newest or the oldest messages in the ranges. A row that was
// written twice comes once.
func find(ctx context.Context, r projections.Reader, caller string, s events.Stream, ranges []Range, newest bool, limit int64) ([]Message, error) {
	p := r.Book.Layout().Partition(s)
	order := "ASC"
	if newest {
		order = "DESC"
	}
	rows, places := []Message{}, []Place(nil)
	for _, rs := range chunks(ranges, newest) {
		sql := fmt.Sprintf(`SELECT %s FROM %s
			WHERE conversation = {conversation:String} AND %s
			ORDER BY conversation %s, offset %s LIMIT 1 BY offset LIMIT {limit:UInt32} %s`, fields, r.Table("messages"), Where("offset", rs), order, order, projections.Nearby)
		args := []projections.Arg{{Name: "conversation", Value: s.Key()}, {Name: "limit", Value: uint32(limit) - uint32(len(rows))}}
		err := r.Select(ctx, sql, args, func(row projections.RowScanner) error {
			m, offset, err := scan(row)
			m.Position = events.Position{Partition: p, Offset: int64(offset)}.String()
			rows, places = append(rows, m), append(places, Place{s, int64(offset)})
			return err
		})
		if err != nil {
			return nil, err
		}
		if int64(len(rows)) == limit {
			break
		}
	}
	profile, err := friends.Profiles(ctx, r, senders(slices.Values(rows)))
	if err != nil {
		return nil, err
	}
	versions, err := Versions(ctx, r, caller, places)
	for i := range rows {
		rows[i].dress(r, profile, caller, s)
		rows[i].amend(versions[places[i]])
	}
	return rows, err
}

func senders(ms iter.Seq[Message]) iter.Seq[string] {
	return func(yield func(string) bool) {
		for m := range ms {
			if !yield(m.SendUserID) {
				return
			}
		}
	}
}

// dress adds what is not in the row: names and pictures as they are today, and
// what depends on who looks.
func (m *Message) dress(r projections.Reader, profile func(string) (ledger.User, bool), caller string, s events.Stream) {
	sender, _ := profile(m.SendUserID)
	m.SendNickName, m.Avatar = sender.NickName, sender.Avatar
	m.TalkSide = m.SendUserID == caller
	m.TalkDate = r.Dates.At(m.Time)
	m.ReceiveUserID = s.Other(m.SendUserID)
	if s.Kind == events.Group {
		m.GroupID, m.ReceiveUserID = s.ID, s.ID
	}
}

// skipNewest takes the newest n messages off the ranges. It reads their offsets
// alone, so a page far back costs what it skips, but little for each.
func skipNewest(ctx context.Context, r projections.Reader, s events.Stream, ranges []Range, n int64) ([]Range, error) {
	for _, rs := range chunks(ranges, true) {
		sql := fmt.Sprintf(`SELECT count(), min(offset) FROM (SELECT offset FROM %s WHERE conversation = {conversation:String} AND %s
			ORDER BY conversation DESC, offset DESC LIMIT 1 BY offset LIMIT {n:UInt64})
			SETTINGS max_threads = 1, read_in_order_use_buffering = 0`, r.Table("messages"), Where("offset", rs))
		args := []projections.Arg{{Name: "conversation", Value: s.Key()}, {Name: "n", Value: uint64(n)}}
		var found, least uint64
		err := r.Select(ctx, sql, args, func(row projections.RowScanner) error { return row.Scan(&found, &least) })
		if err != nil {
			return nil, err
		}
		if n -= int64(found); n == 0 {
			var rest []Range
			for _, x := range ranges {
				if x.Before = min(x.Before, int64(least)); x.Before-1 > x.After {
					rest = append(rest, x)
				}
			}
			return rest, nil
		}
	}
	return nil, nil
}
