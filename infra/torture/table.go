package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"lishi/infra/torture/history"
	"lishi/infra/torture/model"
	"lishi/infra/torture/nemesis"
)

// table adds runs up.
type table struct {
	runs, violated          int
	kills, stops            int
	pauses, cuts            int
	commands, messages      int
	unknowns, settled, late int // late: refused after an attempt in doubt
	pushes, pages, resumes  int
	slowest                 time.Duration
	waits                   map[string][]time.Duration
}

func (t *table) add(o *outcome) {
	h := o.history
	t.runs++
	if len(o.violations) > 0 {
		t.violated++
	}
	for _, f := range h.Faults {
		switch word, _, _ := strings.Cut(f.Kind, " "); word {
		case "kill":
			t.kills++
		case "stop":
			t.stops++
		case "pause":
			t.pauses++
		default:
			t.cuts++
		}
	}
	for _, op := range h.Ops {
		t.commands++
		done := op.Fate() == history.Done
		if done && (op.URL == model.SendMessage || op.URL == model.SendGroupMessage) {
			t.messages++
		}
		if slices.ContainsFunc(op.Attempts, func(a history.Attempt) bool { return a.Doubtful() }) {
			t.unknowns++
			switch {
			case done:
				t.settled++
			case op.Settled():
				t.late++
			}
		}
	}
	for _, f := range h.Frames {
		switch {
		case f.Type == "8" && f.Sent != "":
			t.resumes++
		case f.Type != "result":
			t.pushes++
		}
	}
	t.pages += len(h.Pages)
	if t.waits == nil {
		t.waits = map[string][]time.Duration{}
	}
	for _, f := range h.Faults {
		kind := nemesis.Kind(f.Kind)
		if kind == nemesis.KillNode || kind == nemesis.KillBroker || kind == nemesis.PauseBroker {
			if d, ok := waitAfter(h, f.At); ok {
				t.waits[f.Kind] = append(t.waits[f.Kind], d)
			}
		}
	}
	t.slowest = max(t.slowest, o.took)
}

// waitAfter is how long after a moment the last of the devices had a success
// again: of each, the first that came after that moment. Other faults meanwhile
// lengthen it.
func waitAfter(h *history.History, at time.Duration) (time.Duration, bool) {
	first := make([]time.Duration, len(h.Devices))
	for _, op := range h.Ops {
		if op.Fate() != history.Done {
			continue
		}
		if a := op.Last(); a.Return > at && (first[op.Worker] == 0 || a.Return < first[op.Worker]) {
			first[op.Worker] = a.Return
		}
	}
	worst := slices.Max(first)
	return worst - at, worst > 0
}

func (t *table) write(w io.Writer) {
	fmt.Fprintf(w, "runs %d, of them with violations %d (longest %.0f s)\n", t.runs, t.violated, t.slowest.Seconds())
	fmt.Fprintf(w, "faults: kills %d, orderly stops %d, pauses %d, cuts and delays %d\n", t.kills, t.stops, t.pauses, t.cuts)
	fmt.Fprintf(w, "commands %d, messages acknowledged %d, in doubt %d: settled as done %d, refused at last %d, never %d\n",
		t.commands, t.messages, t.unknowns, t.settled, t.late, t.unknowns-t.settled-t.late)
	fmt.Fprintf(w, "pushes %d, pages %d, logins with a cursor %d\n", t.pushes, t.pages, t.resumes)
	for _, kind := range []nemesis.Kind{nemesis.KillNode, nemesis.KillBroker, nemesis.PauseBroker} {
		if ds := t.waits[string(kind)]; len(ds) > 0 {
			slices.Sort(ds)
			fmt.Fprintf(w, "until every device had a success again after %q: median %.1f s, worst %.1f s (%d times)\n",
				string(kind), ds[len(ds)/2].Seconds(), ds[len(ds)-1].Seconds(), len(ds))
		}
	}
}
