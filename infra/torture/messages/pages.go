package messages

import (
	"fmt"

	"lishi/infra/torture/history"
)

// pages: what was read while it all happened is part of what is read at the end,
// and holds everything that its device had seen by then.
func (c *checker) pages() {
	for i := range c.h.Pages {
		p := &c.h.Pages[i]
		if p.Device < 0 || p.Reason != "" {
			continue
		}
		what := fmt.Sprintf("a page of %s on device %d after %v", key(p.User, p.Stream), p.Device, p.Call)
		c.rows(what, p)
		if rows, asked := c.at[key(p.User, p.Stream)]; asked {
			for _, r := range p.Rows {
				if rows[r.Position].MessageID != r.MessageID {
					c.wrong("%s: message %s at %s, which is not in history", what, r.MessageID, r.Position)
				}
			}
		}
		c.readOwnWrites(what, p)
	}
}

// readOwnWrites: a page is the newest of a conversation, so whatever the device
// was sent before it asked is in it, unless it is older than the page.
func (c *checker) readOwnWrites(what string, p *history.Page) {
	shown := map[string]bool{}
	from := int64(-1)
	for i, r := range p.Rows {
		shown[r.Position] = true
		if i == 0 && len(p.Rows) >= p.Limit {
			_, from = history.Offset(r.Position)
		}
	}
	for i := range c.h.Frames {
		f := &c.h.Frames[i]
		if f.Device != p.Device || f.At >= p.Call || !c.isMessage(f, p.Stream) {
			continue
		}
		if _, offset := history.Offset(f.Position); offset >= from && !shown[f.Position] {
			c.wrong("%s lacks %s, which the device was sent after %v", what, f.Position, f.At)
		}
	}
}

// isMessage tells whether a frame showed a message of a conversation.
func (c *checker) isMessage(f *history.Frame, stream string) bool {
	switch f.Type {
	case "1", "2":
		return f.Stream == stream
	case "result":
		o := c.byNo[f.UniqueNo]
		return o != nil && o.Stream == stream && sends(o)
	}
	return false
}
