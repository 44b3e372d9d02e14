package history_test

import (
	"fmt"
	"strings"
	"testing"

	"lishi/projections/history"
	"lishi/projections/projectiontest"
)

// From an event to the page that shows it: a light load's delay.
func BenchmarkReadYourWrites(b *testing.B) {
	w := projectiontest.New(b, history.Projection{})
	w.Register("a", "b")
	w.Befriend("a", "b")
	for b.Loop() {
		w.Say("a", "b", "hello")
		w.Ask("a", history.LoadPair{UserID: "b", Limit: 1})
	}
}

func BenchmarkPage(b *testing.B) {
	w := projectiontest.New(b, history.Projection{})
	w.Register("a", "b")
	w.Befriend("a", "b")
	for i := range 1000 {
		w.Say("a", "b", fmt.Sprint("hello", i))
	}
	w.Settle()
	projectiontest.Loop(b, func() { w.Ask("a", history.LoadPair{UserID: "b"}) })
}

// Every fourth message of the page was edited, one of them again and again.
func BenchmarkPageWithEdits(b *testing.B) {
	w := projectiontest.New(b, history.Projection{})
	w.Register("a", "b")
	w.Befriend("a", "b")
	for i := range 1000 {
		m := w.Say("a", "b", fmt.Sprint("hello", i))
		if i%4 == 0 {
			edit(w, m, "hullo")
		}
		for range i / 996 * 200 {
			edit(w, m, "hallo")
		}
	}
	w.Settle()
	projectiontest.Loop(b, func() { w.Ask("a", history.LoadPair{UserID: "b"}) })
}

// One message of the page was edited tens of thousands of times.
func BenchmarkPageAfterAFlood(b *testing.B) {
	w := projectiontest.New(b, history.Projection{})
	w.Register("a", "b")
	w.Befriend("a", "b")
	m := w.Say("a", "b", "hello")
	text := strings.Repeat("长", 300)
	for range 20_000 {
		edit(w, m, text)
	}
	w.Settle()
	projectiontest.Loop(b, func() { w.Ask("a", history.LoadPair{UserID: "b"}) })
}
