package messages

import (
	"fmt"

	"lishi/infra/torture/history"
	"lishi/infra/torture/model"
)

// device is what one client came to see over all its connections.
type device struct {
	*checker
	number int
	user   string
	start  history.Cursor    // where it began
	last   history.Cursor    // of pushes, and of successes that came in their order
	pushed map[string]string // msgType by position
	told   map[string]bool   // positions of successes
	ready  bool
}

// devices: every push once and in order, nothing missing, nothing that is not there.
func (c *checker) devices() {
	all := make([]*device, len(c.h.Devices))
	for i, user := range c.h.Devices {
		all[i] = &device{
			checker: c, number: i, user: user,
			start: history.Cursor{}, last: history.Cursor{}, pushed: map[string]string{}, told: map[string]bool{},
		}
	}
	for i := range c.h.Frames {
		all[c.h.Frames[i].Device].take(&c.h.Frames[i])
	}
	for _, d := range all {
		d.missed()
	}
}

func (d *device) String() string { return fmt.Sprintf("device %d of %s", d.number, d.user) }

func (d *device) take(f *history.Frame) {
	switch f.Type {
	case "8":
		d.login(f)
		return
	case "15":
		return
	case "result":
		d.told[f.Position] = true
		// A repeat is answered from the log, in no order with the pushes.
		if o := d.byNo[f.UniqueNo]; o == nil || len(o.Attempts) > 1 {
			return
		}
	default:
		if f.Position == "" {
			d.wrong("%s: a push %s without a position", d, f.Type)
			return
		}
		if before := d.pushed[f.Position]; before != "" {
			d.wrong("twice: %s got %s as push %s and as %s", d, f.Position, before, f.Type)
		}
		d.pushed[f.Position] = f.Type
		d.content(f)
	}
	prefix, offset := history.Offset(f.Position)
	if before, ok := d.last[prefix]; ok && offset <= before {
		d.wrong("order: %s got %s %s after %s-%d", d, f.Type, f.Position, prefix, before)
	}
	d.last.Merge(f.Position)
}

// login: the first one says where the device begins, a later one goes on from
// its own cursor and no other.
func (d *device) login(f *history.Frame) {
	got := history.Cursor{}
	got.Merge(f.Cursor)
	if !d.ready {
		d.ready = true
		d.start.Merge(f.Cursor)
		d.last.Merge(f.Cursor)
		return
	}
	sent := history.Cursor{}
	sent.Merge(f.Sent)
	for prefix, offset := range sent {
		if got[prefix] != offset {
			d.wrong("%s resumed with %s, the login went on from %s", d, f.Sent, f.Cursor)
			return
		}
	}
}

// content: a pushed message is the one that history has there.
func (d *device) content(f *history.Frame) {
	switch f.Type {
	case "1", "2":
		d.said(fmt.Sprintf("push to %s", d), f.Stream, history.Row{Position: f.Position, MessageID: f.MessageID, Sender: f.Sender, Text: f.Text})
		if rows, asked := d.at[key(d.user, f.Stream)]; asked {
			if r, ok := rows[f.Position]; !ok && d.mayBeLate(f.Text) {
				return
			} else if !ok {
				d.wrong("%s got %q at %s, which %s does not find in history", d, f.Text, f.Position, d.user)
			} else if r.MessageID != f.MessageID || r.Sender != f.Sender {
				d.wrong("%s got %+v, history has %+v", d, *f, r)
			}
		}
	case "12":
		if f.Change == "edited" {
			if o := d.byText[f.Text]; o == nil || !happened(o) || o.Message != f.Of {
				d.wrong("%s was told that %s was edited to %q, which nobody did", d, f.Of, f.Text)
			}
		}
	}
}

// mayBeLate tells whether a message may have come into the log after history was
// read for the last time: one that was refused after an attempt in doubt.
func (d *device) mayBeLate(text string) bool {
	o := d.byText[text]
	return o != nil && o.Fate() == history.Maybe
}

// saw tells whether the device learned of an event after its beginning.
func (d *device) saw(position string) bool {
	prefix, offset := history.Offset(position)
	return offset <= d.start[prefix] || d.pushed[position] != "" || d.told[position]
}

// missed: everything that concerns the user came.
func (d *device) missed() {
	if !d.ready {
		d.wrong("%s was never logged in", d)
		return
	}
	for _, stream := range d.streams() {
		for position, r := range d.at[key(d.user, stream)] {
			if !d.saw(position) {
				d.wrong("missed: %s never got message %s at %s in %s", d, r.MessageID, position, stream)
			}
		}
	}
	for _, o := range d.h.Ops {
		if o.Fate() == history.Done && concerns(o, d.user) && !d.saw(o.Last().Position) {
			d.wrong("missed: %s never heard of %s at %s", d, name(o), o.Last().Position)
		}
	}
}

func (d *device) streams() []string {
	var out []string
	seen := map[string]bool{}
	for i := range d.h.Pages {
		if p := &d.h.Pages[i]; p.Device < 0 && p.User == d.user && !seen[p.Stream] {
			seen[p.Stream] = true
			out = append(out, p.Stream)
		}
	}
	return out
}

// concerns tells whether a command's event is pushed to a user whatever else is
// so: the one whom it is about.
func concerns(o *history.Op, user string) bool {
	switch o.URL {
	case model.ApplyFriend, model.DeleteFriend, model.InvitationGroup, model.RemoveUserGroup:
		return o.Target == user
	case model.VerifyFriend, model.GroupVerify:
		return o.Applicant == user
	case model.EditMessage, model.RecallMessage:
		a, b := history.Two(o.Stream)
		return user == a || user == b
	}
	return false
}
