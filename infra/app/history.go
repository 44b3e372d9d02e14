package app

import (
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lishi/infra/config"
	"lishi/infra/console"
	"lishi/projections"
)

// history asks a running server what was said in a conversation, as of a moment.
func (p *program) history() *cobra.Command {
	var asOf, user, before string
	var limit int
	c := settings(&cobra.Command{
		Use:   "history CONVERSATION [--as-of TIME|POSITION] [--user USER]",
		Short: "Show what stood in a conversation at a moment",
		Long: `Show the messages of a conversation (g|GROUP or p|USER|USER) as they stood at a time
(2026-01-02T15:04:05Z) or after the event at a position (c3-182736): every text that
each message had by then, also what was edited away or recalled. With --user: as that
user would have been shown it then. Without --as-of: now.

The running server's console is asked (--console, --token, --reason), and the look is
recorded. The positions that the answer was computed for are said on stderr; given as
--as-of they give the same answer again.`,
		Args: cobra.ExactArgs(1),
	}, config.Console, config.Tokens)
	askFlags(c)
	c.Flags().StringVar(&asOf, "as-of", "", "a time, a position, or several positions joined by commas; default now")
	c.Flags().StringVar(&user, "user", "", "as this user would have been shown it")
	c.Flags().StringVar(&before, "before", "", "only messages before this position")
	c.Flags().IntVar(&limit, "limit", projections.DefaultLimit, fmt.Sprintf("messages at most, the newest, up to %d", projections.MaxLimit))
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, _, err := load(c)
		if err != nil {
			return err
		}
		client, err := p.ask(c, cfg, console.Admin)
		if err != nil {
			return err
		}
		var told then
		err = client.Get(c.Context(), "/api/asof/history", url.Values{
			"conversation": {args[0]}, "at": {asOf}, "user": {user}, "before": {before}, "limit": {strconv.Itoa(limit)},
		}, &told)
		if err != nil {
			return misused(err)
		}
		fmt.Fprintf(p.err, "from the server at %s, as of %s, %s\n", client.Base, told.AsOf.Time, told.AsOf.Positions)
		if p.asJSON {
			return p.json(told)
		}
		if err := told.show(p.out); err != nil {
			return err
		}
		if len(told.List) == limit {
			fmt.Fprintf(p.err, "there may be more: --as-of %s --before %s\n", told.AsOf.Positions, told.List[0].Position)
		}
		return nil
	}
	return c
}

// then is the console's answer of the past.
type then struct {
	AsOf struct {
		Time      string `json:"time"`
		Positions string `json:"positions"`
	} `json:"asOf"`
	List []toldMessage `json:"list"`
}

type toldMessage struct {
	Position       string     `json:"position"`
	Time           int64      `json:"time"`
	SendUserID     string     `json:"sendUserId"`
	SendNickName   string     `json:"sendNickName"`
	TalkContent    string     `json:"talkContent"`
	ReplyTo        string     `json:"replyTo,omitempty"`
	Edited         bool       `json:"edited"`
	Recalled       bool       `json:"recalled"`
	OperatorUserID string     `json:"operatorUserId,omitempty"`
	ChangeTime     int64      `json:"changeTime,omitempty"`
	Texts          []toldText `json:"texts,omitempty"` // oldest first; none of what a user was shown
}

type toldText struct {
	Position string `json:"position"`
	Change   string `json:"change"`
	Content  string `json:"content"`
	UserID   string `json:"userId"`
	Time     int64  `json:"time"`
}

// show writes a message a line, oldest first; below it the texts that did not
// count any more.
func (t then) show(to io.Writer) error {
	at := func(ms int64) string { return console.Time(time.UnixMilli(ms)) }
	inside := strings.NewReplacer("\n", "\n      ").Replace // no text looks like a line of ours
	var b strings.Builder
	for _, m := range t.List {
		text := m.TalkContent
		switch {
		case m.Recalled:
			text = fmt.Sprintf("[recalled by %s %s]", m.OperatorUserID, at(m.ChangeTime))
		case m.Edited:
			text += fmt.Sprintf(" [edited by %s %s]", m.OperatorUserID, at(m.ChangeTime))
		}
		fmt.Fprintf(&b, "%s  %s  %s: %s\n", m.Position, at(m.Time), m.SendUserID, inside(text))
		for i, was := range m.Texts {
			if i < len(m.Texts)-1 {
				fmt.Fprintf(&b, "    was (%s): %s\n", was.Position, inside(was.Content))
			}
		}
	}
	_, err := io.WriteString(to, b.String())
	return err
}
