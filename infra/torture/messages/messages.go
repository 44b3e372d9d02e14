// Package messages judges what people were shown of their messages, over a whole
// history: every acknowledged message once in history and once at everybody who
// came back for it, everywhere in the same order, nothing that was refused, and
// nobody's own writes missing from what they read.
package messages

import (
	"fmt"
	"slices"

	"lishi/infra/torture/history"
	"lishi/infra/torture/model"
)

// Check lists what is wrong; nothing if all is well.
func Check(h *history.History) []string {
	c := &checker{
		h: h, byText: map[string]*history.Op{}, byNo: map[string]*history.Op{},
		at: map[string]map[string]history.Row{}, whose: map[string]string{}, home: map[string]string{},
	}
	for _, n := range h.Notes {
		c.wrong("%s", n)
	}
	c.ops()
	c.final()
	c.acknowledged()
	c.members()
	c.pages()
	c.devices()
	return c.found
}

type checker struct {
	h      *history.History
	found  []string
	byText map[string]*history.Op // messages and edits
	byNo   map[string]*history.Op
	// at is, by user and stream, what the user's last pages have, by position.
	at    map[string]map[string]history.Row
	whose map[string]string // the message's id by position
	home  map[string]string // the partition by stream
}

// most is how many findings are listed: the first tell the most.
const most = 200

func (c *checker) wrong(format string, args ...any) {
	if len(c.found) < most {
		c.found = append(c.found, fmt.Sprintf(format, args...))
	}
}

func sends(o *history.Op) bool {
	return o.URL == model.SendMessage || o.URL == model.SendGroupMessage
}

func changes(o *history.Op) bool { return o.URL == model.EditMessage || o.URL == model.RecallMessage }

// ops: everything was settled, and one position is one event's.
func (c *checker) ops() {
	events := map[string]*history.Op{}
	for _, o := range c.h.Ops {
		c.byNo[o.UniqueNo] = o
		if o.Text != "" {
			c.byText[o.Text] = o
		}
		if !o.Settled() {
			c.wrong("never settled: %s, last %s %s", name(o), o.Last().Reason, o.Last().Detail)
		}
		if o.Fate() != history.Done {
			continue
		}
		a := o.Last()
		prefix, offset := history.Offset(a.Position)
		if offset < 0 {
			c.wrong("%s was acknowledged without a position", name(o))
			continue
		}
		if other := events[a.Position]; other != nil {
			c.wrong("two events at %s: %s and %s", a.Position, name(other), name(o))
		}
		events[a.Position] = o
		if home := c.home[o.Stream]; home != "" && home != prefix {
			c.wrong("%s is in partition %s, an event before it in %s", name(o), prefix, home)
		}
		c.home[o.Stream] = prefix
	}
}

func name(o *history.Op) string {
	return fmt.Sprintf("op %d (%s by %s in %s, %q)", o.N, o.URL, o.User, o.Stream, o.Text)
}

func key(user, stream string) string { return user + " in " + stream }

// rows judges rows by themselves: growing, each once, each somebody's.
func (c *checker) rows(what string, p *history.Page) {
	last := int64(-1)
	ids := map[string]bool{}
	for _, r := range p.Rows {
		_, offset := history.Offset(r.Position)
		if offset <= last {
			c.wrong("%s: %s comes after offset %d", what, r.Position, last)
		}
		last = offset
		if ids[r.MessageID] {
			c.wrong("%s: message %s is there twice, the second time at %s", what, r.MessageID, r.Position)
		}
		ids[r.MessageID] = true
		c.said(what, p.Stream, r)
	}
}

// said judges whether what a row says was said, by whom it says.
func (c *checker) said(what, stream string, r history.Row) {
	if id, ok := c.whose[r.Position]; ok && id != r.MessageID {
		c.wrong("%s: message %s at %s, elsewhere %s is there", what, r.MessageID, r.Position, id)
	}
	c.whose[r.Position] = r.MessageID
	if r.Recalled {
		if r.Text != "" {
			c.wrong("%s: the recalled message at %s still says %q", what, r.Position, r.Text)
		}
		if !slices.ContainsFunc(c.h.Ops, func(o *history.Op) bool {
			return o.URL == model.RecallMessage && o.Message == r.Position && happened(o)
		}) {
			c.wrong("%s: the message at %s is recalled, by nobody", what, r.Position)
		}
		return
	}
	o := c.byText[r.Text]
	switch {
	case o == nil:
		c.wrong("%s: nobody said %q, which is at %s", what, r.Text, r.Position)
	case !happened(o):
		c.wrong("%s: %q is at %s, although it was refused: %s", what, r.Text, r.Position, o.Last().Reason)
	case o.Stream != stream || o.User != r.Sender:
		c.wrong("%s: %q at %s is of %s in %s", what, r.Text, r.Position, o.User, o.Stream)
	case r.Edited != changes(o):
		c.wrong("%s: %q at %s: edited is %t", what, r.Text, r.Position, r.Edited)
	case changes(o) && o.Message != r.Position:
		c.wrong("%s: %q at %s was the new text of %s", what, r.Text, r.Position, o.Message)
	case o.Fate() == history.Done && sends(o) && (o.Last().Position != r.Position || o.Last().MessageID != r.MessageID):
		c.wrong("%s: %q is message %s at %s, acknowledged was %s at %s", what, r.Text, r.MessageID, r.Position, o.Last().MessageID, o.Last().Position)
	}
}

func happened(o *history.Op) bool {
	f := o.Fate()
	return f == history.Done || f == history.Maybe
}

// final: what everybody reads when all is over is the same on every node, and the
// same for all who may read it.
func (c *checker) final() {
	for i := range c.h.Pages {
		p := &c.h.Pages[i]
		if p.Device >= 0 {
			continue
		}
		what := fmt.Sprintf("history of %s at node %d", key(p.User, p.Stream), p.Node)
		if p.Reason != "" && p.Reason != "not_member" && p.Reason != "not_found" {
			c.wrong("%s: %s", what, p.Reason)
			continue
		}
		c.rows(what, p)
		rows := map[string]history.Row{}
		for _, r := range p.Rows {
			rows[r.Position] = r
		}
		other, seen := c.at[key(p.User, p.Stream)]
		if !seen {
			c.at[key(p.User, p.Stream)] = rows
			continue
		}
		for at, r := range rows {
			if other[at] != r {
				c.wrong("%s: %+v, at another node %+v", what, r, other[at])
			}
		}
		for at, r := range other {
			if _, ok := rows[at]; !ok {
				c.wrong("%s: %+v is missing, another node has it", what, r)
			}
		}
	}
}

// acknowledged: what was acknowledged is there, for its writer and, between two,
// for both; the last edit counts, and a recall for good.
func (c *checker) acknowledged() {
	edits := map[string]*history.Op{} // the last of each message
	doubt := map[string]bool{}
	for _, o := range c.h.Ops {
		if o.URL != model.EditMessage {
			continue
		}
		switch o.Fate() {
		case history.Maybe:
			doubt[o.Message] = true
		case history.Done:
			if before := edits[o.Message]; before == nil || offsetOf(before) < offsetOf(o) {
				edits[o.Message] = o
			}
		}
	}
	for _, o := range c.h.Ops {
		if o.Fate() != history.Done || !sends(o) && !changes(o) {
			continue
		}
		readers := []string{o.User}
		if a, b := history.Two(o.Stream); a != "" {
			readers = []string{a, b}
		}
		for _, u := range readers {
			rows, asked := c.at[key(u, o.Stream)]
			if !asked {
				continue
			}
			at := o.Last().Position
			if changes(o) {
				at = o.Message
			}
			r, ok := rows[at]
			switch {
			case !ok && sends(o):
				c.wrong("lost: %s was acknowledged at %s, %s does not find it", name(o), at, u)
			case !ok, r.Recalled:
			case o.URL == model.RecallMessage:
				c.wrong("%s was acknowledged, %s still reads %q", name(o), u, r.Text)
			case o == edits[o.Message] && !doubt[o.Message] && history.GroupID(o.Stream) == "" && r.Text != o.Text:
				c.wrong("%s was acknowledged last, %s reads %q", name(o), u, r.Text)
			}
		}
	}
}

func offsetOf(o *history.Op) int64 {
	_, n := history.Offset(o.Last().Position)
	return n
}
