package messages

import (
	"strings"
	"testing"

	"lishi/infra/torture/history"
	"lishi/infra/torture/model"
)

const pairStream, groupStream = "p|ann|bob", "g|club"

// good is a small history in which all is well: ann and bob talk, alone and in a
// group with cat, who is away for a while and leaves later. Device 0 is ann's, 1
// is bob's, 2 is cat's.
func good() *history.History {
	h := &history.History{Devices: []string{"ann", "bob", "cat"}}
	op := func(user, url, stream, text, position string, more func(*history.Op)) *history.Op {
		o := &history.Op{N: len(h.Ops), User: user, URL: url, Stream: stream, UniqueNo: "no-" + position, Text: text,
			Attempts: []history.Attempt{{Position: position, MessageID: "id-" + text}}}
		if more != nil {
			more(o)
		}
		h.Ops = append(h.Ops, o)
		return o
	}
	frame := func(f history.Frame) { h.Frames = append(h.Frames, f) }
	for d := range 3 {
		frame(history.Frame{At: 1, Device: d, Connection: 1, Type: "8", Cursor: "c0-1,u0-3"})
	}
	// tell gives an event to its writer as result and to others as push.
	tell := func(o *history.Op, kind string, writer int, others ...int) {
		a := o.Last()
		frame(history.Frame{At: 2, Device: writer, Connection: 1, Type: "result", Position: a.Position, UniqueNo: o.UniqueNo})
		for _, d := range others {
			f := history.Frame{At: 2, Device: d, Connection: 1, Type: kind, Position: a.Position, Stream: o.Stream, Sender: o.User, Text: o.Text, MessageID: a.MessageID}
			if kind == "12" {
				f.MessageID, f.Of, f.Change = "", o.Message, "edited"
				if o.URL == model.RecallMessage {
					f.Change = "recalled"
				}
			}
			frame(f)
		}
	}
	tell(op("ann", model.AddGroup, groupStream, "", "c0-2", nil), "11", 0)
	tell(op("bob", model.ApplyGroup, groupStream, "", "c0-3", joined), "11", 1, 0)
	tell(op("cat", model.ApplyGroup, groupStream, "", "c0-4", joined), "11", 2, 0, 1)
	tell(op("ann", model.SendMessage, pairStream, "hi", "c0-5", nil), "1", 0, 1)
	tell(op("bob", model.SendMessage, pairStream, "ho", "c0-6", nil), "1", 1, 0)
	tell(op("ann", model.SendGroupMessage, groupStream, "all", "c0-7", nil), "2", 0, 1)
	// cat comes back for what she missed.
	frame(history.Frame{At: 3, Device: 2, Connection: 2, Type: "8", Cursor: "c0-4,u0-3", Sent: "c0-4,u0-3"})
	frame(history.Frame{At: 3, Device: 2, Connection: 2, Type: "2", Position: "c0-7", Stream: groupStream, Sender: "ann", Text: "all", MessageID: "id-all"})
	frame(history.Frame{At: 3, Device: 2, Connection: 2, Type: "15", Cursor: "c0-7,u0-3"})
	tell(op("cat", model.QuitGroup, groupStream, "", "c0-8", nil), "11", 2, 0, 1)
	tell(op("bob", model.SendGroupMessage, groupStream, "bye", "c0-9", nil), "2", 1, 0)
	tell(op("ann", model.EditMessage, pairStream, "hi!", "c0-10", func(o *history.Op) { o.Message, o.Author = "c0-5", "ann" }), "12", 0, 1)
	refused := op("ann", model.SendMessage, pairStream, "no", "", nil)
	refused.Attempts[0] = history.Attempt{Reason: "blocked"}

	hi := history.Row{Position: "c0-5", MessageID: "id-hi", Sender: "ann", Text: "hi!", Edited: true}
	ho := history.Row{Position: "c0-6", MessageID: "id-ho", Sender: "bob", Text: "ho"}
	all := history.Row{Position: "c0-7", MessageID: "id-all", Sender: "ann", Text: "all"}
	bye := history.Row{Position: "c0-9", MessageID: "id-bye", Sender: "bob", Text: "bye"}
	page := func(user string, device int, stream string, rows ...history.Row) {
		h.Pages = append(h.Pages, history.Page{Call: 3, Return: 4, User: user, Device: device, Connection: 1, Stream: stream, Limit: 50, Rows: rows})
	}
	for _, u := range []string{"ann", "bob"} {
		page(u, -1, pairStream, hi, ho)
		page(u, -1, groupStream, all, bye)
	}
	page("cat", -1, groupStream, all)
	page("bob", 1, pairStream, history.Row{Position: "c0-5", MessageID: "id-hi", Sender: "ann", Text: "hi"}, ho)
	return h
}

func joined(o *history.Op) { o.Attempts[0].State = model.Agreed }

func TestAGoodHistory(t *testing.T) {
	if found := Check(good()); len(found) > 0 {
		t.Fatal(strings.Join(found, "\n"))
	}
}

// What was refused after an attempt in doubt may come after all, even when
// history has been read.
func TestAMessageThatComesLate(t *testing.T) {
	h := good()
	find(h, "no").Attempts = []history.Attempt{{Reason: history.Lost}, {Reason: "blocked"}}
	h.Frames = append(h.Frames, history.Frame{At: 9, Device: 1, Connection: 1, Type: "1", Position: "c0-11", Stream: pairStream, Sender: "ann", Text: "no", MessageID: "id-no"})
	if found := Check(h); len(found) > 0 {
		t.Fatal(strings.Join(found, "\n"))
	}
}

func find(h *history.History, text string) *history.Op {
	for _, o := range h.Ops {
		if o.Text == text {
			return o
		}
	}
	return nil
}

// drop takes the frames out that match.
func drop(h *history.History, match func(*history.Frame) bool) {
	var rest []history.Frame
	for _, f := range h.Frames {
		if !match(&f) {
			rest = append(rest, f)
		}
	}
	h.Frames = rest
}

func isPush(device int, position string) func(*history.Frame) bool {
	return func(f *history.Frame) bool { return f.Device == device && f.Position == position }
}

// rows changes the pages of a user's conversation.
func rows(h *history.History, user, stream string, final bool, change func([]history.Row) []history.Row) {
	for i := range h.Pages {
		if p := &h.Pages[i]; p.User == user && p.Stream == stream && (p.Device < 0) == final {
			p.Rows = change(append([]history.Row(nil), p.Rows...))
		}
	}
}

func without(position string) func([]history.Row) []history.Row {
	return func(rs []history.Row) []history.Row {
		var rest []history.Row
		for _, r := range rs {
			if r.Position != position {
				rest = append(rest, r)
			}
		}
		return rest
	}
}

func TestBadHistories(t *testing.T) {
	for name, c := range map[string]struct {
		says  string
		spoil func(*history.History)
	}{
		"a message is lost": {"lost:", func(h *history.History) {
			rows(h, "ann", pairStream, true, without("c0-6"))
		}},
		"a message is lost for a member": {"lost:", func(h *history.History) {
			rows(h, "bob", groupStream, true, without("c0-7"))
			drop(h, isPush(1, "c0-7"))
		}},
		"a message is read by who has left": {"was no member", func(h *history.History) {
			rows(h, "cat", groupStream, true, func(rs []history.Row) []history.Row {
				return append(rs, history.Row{Position: "c0-9", MessageID: "id-bye", Sender: "bob", Text: "bye"})
			})
		}},
		"a message twice in history": {"there twice", func(h *history.History) {
			rows(h, "ann", pairStream, true, func(rs []history.Row) []history.Row {
				return append(rs, history.Row{Position: "c0-11", MessageID: "id-ho", Sender: "bob", Text: "ho"})
			})
		}},
		"a message again under another id": {"acknowledged was", func(h *history.History) {
			rows(h, "ann", pairStream, true, func(rs []history.Row) []history.Row {
				return append(rs, history.Row{Position: "c0-11", MessageID: "id-2", Sender: "bob", Text: "ho"})
			})
		}},
		"history is in disorder": {"comes after", func(h *history.History) {
			rows(h, "ann", pairStream, true, func(rs []history.Row) []history.Row { rs[0], rs[1] = rs[1], rs[0]; return rs })
		}},
		"nodes differ": {"at another node", func(h *history.History) {
			p := h.Pages[1]
			p.Node, p.Rows = 1, []history.Row{p.Rows[0], {Position: "c0-9", MessageID: "id-bye", Sender: "bob", Text: "all"}}
			h.Pages = append(h.Pages, p)
		}},
		"a node lacks a message": {"another node has it", func(h *history.History) {
			p := h.Pages[1]
			p.Node, p.Rows = 1, p.Rows[:1]
			h.Pages = append(h.Pages, p)
		}},
		"what was refused is seen": {"although it was refused", func(h *history.History) {
			rows(h, "ann", pairStream, true, func(rs []history.Row) []history.Row {
				return append(rs, history.Row{Position: "c0-11", MessageID: "id-no", Sender: "ann", Text: "no"})
			})
		}},
		"what was refused is pushed": {"although it was refused", func(h *history.History) {
			h.Frames = append(h.Frames, history.Frame{At: 9, Device: 1, Connection: 1, Type: "1", Position: "c0-11", Stream: pairStream, Sender: "ann", Text: "no", MessageID: "id-no"})
		}},
		"a text that nobody wrote": {"nobody said", func(h *history.History) {
			rows(h, "bob", pairStream, true, func(rs []history.Row) []history.Row { rs[1].Text = "hö"; return rs })
		}},
		"another's message": {"is of", func(h *history.History) {
			rows(h, "bob", pairStream, true, func(rs []history.Row) []history.Row { rs[1].Sender = "ann"; return rs })
		}},
		"acknowledged twice at one position": {"two events at", func(h *history.History) {
			find(h, "ho").Attempts[0].Position = "c0-5"
		}},
		"acknowledged elsewhere": {"acknowledged was", func(h *history.History) {
			find(h, "ho").Attempts[0].Position = "c0-60"
		}},
		"one stream in two partitions": {"in partition", func(h *history.History) {
			find(h, "ho").Attempts[0].Position = "c1-6"
		}},
		"an edit is lost": {"acknowledged last", func(h *history.History) {
			rows(h, "bob", pairStream, true, func(rs []history.Row) []history.Row { rs[0].Text, rs[0].Edited = "hi", false; return rs })
		}},
		"a recall without anybody": {"by nobody", func(h *history.History) {
			rows(h, "bob", pairStream, true, func(rs []history.Row) []history.Row { rs[1].Text, rs[1].Recalled = "", true; return rs })
		}},
		"a recall without effect": {"still reads", func(h *history.History) {
			find(h, "hi!").URL = model.RecallMessage
			find(h, "hi!").Text = ""
			for i := range h.Pages {
				if p := &h.Pages[i]; p.Stream == pairStream && p.Device < 0 {
					p.Rows[0].Text, p.Rows[0].Edited = "hi", false
				}
			}
		}},
		"a push twice": {"twice:", func(h *history.History) {
			for _, f := range h.Frames {
				if f.Device == 1 && f.Position == "c0-5" {
					h.Frames = append(h.Frames, f)
					break
				}
			}
		}},
		"a push again after the result": {"order:", func(h *history.History) {
			h.Frames = append(h.Frames, history.Frame{At: 9, Device: 0, Connection: 1, Type: "1", Position: "c0-5", Stream: pairStream, Sender: "ann", Text: "hi", MessageID: "id-hi"})
		}},
		"pushes in disorder": {"order:", func(h *history.History) {
			var at []int
			for i, f := range h.Frames {
				if f.Device == 1 && (f.Position == "c0-5" || f.Position == "c0-7") {
					at = append(at, i)
				}
			}
			h.Frames[at[0]], h.Frames[at[1]] = h.Frames[at[1]], h.Frames[at[0]]
		}},
		"a push is lost": {"missed:", func(h *history.History) { drop(h, isPush(1, "c0-5")) }},
		"a push is lost in a resume": {"missed:", func(h *history.History) {
			drop(h, isPush(2, "c0-7"))
		}},
		"news of an edit is lost": {"never heard of", func(h *history.History) { drop(h, isPush(1, "c0-10")) }},
		"a push of a message that is not in history": {"does not find in history", func(h *history.History) {
			h.Frames = append(h.Frames, history.Frame{At: 9, Device: 2, Connection: 2, Type: "2", Position: "c0-9", Stream: groupStream, Sender: "bob", Text: "bye", MessageID: "id-bye"})
		}},
		"a resume that skips": {"went on from", func(h *history.History) {
			for i := range h.Frames {
				if f := &h.Frames[i]; f.Sent != "" {
					f.Cursor = "c0-6,u0-3"
				}
			}
		}},
		"a page lacks what was seen": {"lacks", func(h *history.History) {
			rows(h, "bob", pairStream, false, func(rs []history.Row) []history.Row { return rs[:1] })
		}},
		"a page shows what is gone later": {"is not in history", func(h *history.History) {
			rows(h, "bob", pairStream, true, without("c0-6"))
		}},
		"never settled": {"never settled", func(h *history.History) {
			find(h, "no").Attempts = []history.Attempt{{Reason: history.Unknown}}
		}},
		"a message in doubt twice": {"elsewhere", func(h *history.History) {
			find(h, "no").Attempts = []history.Attempt{{Reason: history.Unknown}, {Reason: "blocked"}}
			rows(h, "ann", pairStream, true, func(rs []history.Row) []history.Row {
				return append(rs, history.Row{Position: "c0-11", MessageID: "id-no", Sender: "ann", Text: "no"})
			})
			rows(h, "bob", pairStream, true, func(rs []history.Row) []history.Row {
				return append(rs, history.Row{Position: "c0-11", MessageID: "id-other", Sender: "ann", Text: "no"})
			})
		}},
		"a note":                    {"the server fell over", func(h *history.History) { h.Notes = append(h.Notes, "the server fell over") }},
		"a page refused in the end": {"unavailable", func(h *history.History) { h.Pages[0].Reason = "unavailable" }},
	} {
		t.Run(name, func(t *testing.T) {
			h := good()
			c.spoil(h)
			found := strings.Join(Check(h), "\n")
			if !strings.Contains(found, c.says) {
				t.Errorf("not found: %q in\n%s", c.says, found)
			}
		})
	}
}
