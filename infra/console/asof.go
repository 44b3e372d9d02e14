package console

import (
	"errors"
	"net/http"

	"lishi/commands"
	"lishi/events"
	"lishi/projections"
	"lishi/projections/asof"
	"lishi/projections/friends"
	"lishi/projections/groups"
	"lishi/projections/history"
	"lishi/projections/search"
)

// then is a question of the past as its query has it.
type then struct {
	at, user, conversation, text string
	before, after                string
	limit                        int64
}

// answer is what every question of the past is answered with.
type answer struct {
	AsOf moment `json:"asOf"`
	List any    `json:"list"`
	Next string `json:"next,omitempty"`
}

type moment struct {
	Time      string `json:"time"`
	Positions string `json:"positions"` // the last of each partition, joined by commas; they are a moment too
}

// AsOf are the routes that answer as of a moment: what a user would have been
// told then, or what stood in a conversation as a whole.
func AsOf(past *asof.Past) []Route {
	route := func(name, doc string, of func(then) (projections.Query, error)) Route {
		return Route{
			Method: http.MethodGet, Path: "/api/asof/" + name, Roles: []Role{Auditor}, Look: true, Doc: doc,
			Handle: func(w http.ResponseWriter, r *http.Request, _ Caller) error {
				p := ParamsOf(r)
				q := then{
					at: p.Text("at", 16<<10), user: p.Text("user", 64), conversation: p.Text("conversation", 600), text: p.Text("text", 1000),
					before: p.Text("before", 100), after: p.Text("after", 100), limit: int64(p.Int("limit", projections.DefaultLimit, 1, projections.MaxLimit)),
				}
				if err := p.Err(); err != nil {
					return err
				}
				query, err := of(q)
				if err != nil {
					return err
				}
				m, err := past.Moment(r.Context(), q.at)
				if err != nil {
					return refused(q.user, err)
				}
				page, err := past.Answer(r.Context(), query, q.user, m)
				if err != nil {
					return refused(q.user, err)
				}
				return JSON(w, answer{moment{Time(m.Time), m.Positions.String()}, page.List, page.Next})
			},
		}
	}
	return []Route{
		route("history", "messages as of a moment: `conversation` (`g|GROUP`, `p|USER|USER`) as a whole, with every text that each message had, or, with `user`, as that user would have been shown it then; "+
			"`at` a time, a position, or several joined by commas (now), `before` or `after` a position, `limit` (200 at most)", then.history),
		route("friends", "the friends of `user` as of a moment (`at`), by folder; who was online nobody knows", then.friends),
		route("groups", "the groups of `user`, or the facts of a group (`conversation`), as of a moment (`at`)", then.groups),
		route("members", "who belonged to a `conversation` as of a moment (`at`), with `user` as that user would have been shown it; `after` a user, `limit`", then.members),
		route("search", "messages that held a `text` as of a moment (`at`): in a `conversation`, or in all of `user`'s; `before` the `next` of a page, `limit`", then.search),
		{
			Method: http.MethodGet, Path: "/api/asof/span", Roles: []Role{Auditor}, Look: true,
			Doc: "when a `conversation` began, when something last happened there, and its changes around a moment (`at`)",
			Handle: func(w http.ResponseWriter, r *http.Request, _ Caller) error {
				p := ParamsOf(r)
				at, conversation := p.Text("at", 16<<10), p.Text("conversation", 600)
				if err := p.Err(); err != nil {
					return err
				}
				m, err := past.Moment(r.Context(), at)
				if err != nil {
					return refused("", err)
				}
				s, err := past.Span(r.Context(), conversation, m)
				if err != nil {
					return refused("", err)
				}
				return JSON(w, struct {
					AsOf moment `json:"asOf"`
					asof.Span
				}{moment{Time(m.Time), m.Positions.String()}, s})
			},
		},
	}
}

// stream is the conversation, which must be one.
func (q then) stream() (events.Stream, error) {
	s, err := events.ParseKey(q.conversation)
	if err != nil || s.Kind != events.Group && s.Kind != events.Pair {
		return s, Refuse(BadRequest, "conversation is the key of its stream: g|GROUP or p|USER|USER")
	}
	if s.Kind == events.Pair && q.user != "" && q.user != s.ID && q.user != s.Peer {
		return s, Refuse(BadRequest, "user is none of the two")
	}
	return s, nil
}

// none refuses parameters that say nothing here.
func (q then) none(names ...string) error {
	given := map[string]string{"text": q.text, "user": q.user, "conversation": q.conversation, "before": q.before, "after": q.after}
	for _, name := range names {
		if given[name] != "" {
			return Refuse(BadRequest, "%s says nothing here", name)
		}
	}
	return nil
}

func (q then) history() (projections.Query, error) {
	s, err := q.stream()
	if err := errors.Join(err, q.none("text")); err != nil {
		return nil, err
	}
	switch {
	case q.user == "":
		return history.Whole{Conversation: q.conversation, Before: q.before, After: q.after, Limit: q.limit}, nil
	case s.Kind == events.Group:
		return history.LoadGroup{GroupID: s.ID, Before: q.before, After: q.after, Limit: q.limit}, nil
	}
	return history.LoadPair{UserID: s.Other(q.user), Before: q.before, After: q.after, Limit: q.limit}, nil
}

func (q then) friends() (projections.Query, error) {
	if q.user == "" {
		return nil, Refuse(BadRequest, "user is missing")
	}
	return friends.List{}, q.none("conversation", "text", "before", "after")
}

func (q then) groups() (projections.Query, error) {
	if err := q.none("text", "before", "after"); err != nil {
		return nil, err
	}
	if q.conversation == "" && q.user != "" {
		return groups.List{}, nil
	}
	s, err := q.stream()
	if err != nil {
		return nil, err
	}
	switch {
	case s.Kind != events.Group:
		return nil, Refuse(BadRequest, "conversation is no group")
	case q.user == "":
		return groups.Facts{GroupID: s.ID}, nil
	}
	return groups.Get{GroupID: s.ID}, nil
}

func (q then) members() (projections.Query, error) {
	s, err := q.stream()
	if err := errors.Join(err, q.none("text", "before")); err != nil {
		return nil, err
	}
	switch {
	case s.Kind == events.Group && q.user == "":
		return groups.Members{GroupID: s.ID, After: q.after, Limit: q.limit}, nil
	case s.Kind == events.Group:
		return groups.Users{GroupID: s.ID, After: q.after, Limit: q.limit}, nil
	}
	return friends.Pair{Stream: s}, q.none("user", "after")
}

func (q then) search() (projections.Query, error) {
	if err := q.none("after"); err != nil {
		return nil, err
	}
	if q.conversation == "" {
		if q.user == "" {
			return nil, Refuse(BadRequest, "conversation or user is missing")
		}
		return search.Messages{Text: q.text, Before: q.before, Limit: q.limit}, nil
	}
	s, err := q.stream()
	if err != nil {
		return nil, err
	}
	switch {
	case q.user == "":
		return search.Whole{Conversation: q.conversation, Text: q.text, Before: q.before, Limit: q.limit}, nil
	case s.Kind == events.Group:
		return search.Messages{Text: q.text, GroupID: s.ID, Before: q.before, Limit: q.limit}, nil
	}
	return search.Messages{Text: q.text, UserID: s.Other(q.user), Before: q.before, Limit: q.limit}, nil
}

// refused tells what a user would have been refused, or that the question makes
// no sense.
func refused(user string, err error) error {
	var r *commands.Refusal
	if !errors.As(err, &r) {
		return err
	}
	if r.Reason == commands.NotMember {
		return Refuse(NotFound, "%s was no member then, and would have been refused", user)
	}
	return Refuse(r.Reason, "%s", r.Detail) // bad_request, not_found or unavailable
}
