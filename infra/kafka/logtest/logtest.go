// Package logtest is the conformance suite of events.AsyncLog. A back end passes
// it in a few lines: see TestEmbedded in package kafka.
package logtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"lishi/events"
)

// Backend opens logs to be tested.
type Backend struct {
	// Open makes a new log, or opens the one that was made under that name. It
	// is closed by Close, or by the end of the test.
	Open  func(t *testing.T, name string) (events.AsyncLog, error)
	Close func(t *testing.T, log events.AsyncLog)
	// Alter changes a setting of a topic of an open log.
	Alter func(t *testing.T, log events.AsyncLog, topic events.Topic, setting, value string)
	// Restart stops all brokers in order and starts them again; nil where they
	// are part of the log and restart with it.
	Restart func(t *testing.T)
}

// Run runs the suite. Every test has a log of its own.
func Run(t *testing.T, b Backend) {
	open := func(t *testing.T, name string) suite {
		s := suite{Backend: b, name: fmt.Sprintf("%s-%d", strings.ToLower(name), rand.Uint32())}
		s.log = s.open(t)
		return s
	}
	t.Run("All", func(t *testing.T) { all(t, open) })
	t.Run("SurvivesRestartOfBrokers", func(t *testing.T) { survivesRestart(t, open(t, "restart"), b.Restart) })
}

func all(t *testing.T, open func(t *testing.T, name string) suite) {
	for name, test := range map[string]func(*testing.T, suite){
		"BeginsWithLogOpened":      beginsWithLogOpened,
		"ReadsWhatWasAppended":     readsWhatWasAppended,
		"KeepsOrderPerPartition":   keepsOrderPerPartition,
		"AsyncKeepsOrderOfCalls":   asyncKeepsOrderOfCalls,
		"ReadsFromAnyOffset":       readsFromAnyOffset,
		"FollowsTheTail":           followsTheTail,
		"RefusesOffsetBeyondEnd":   refusesOffsetBeyondEnd,
		"RefusesUnknownPartition":  refusesUnknownPartition,
		"EndCoversWhatWasAppended": endCoversWhatWasAppended,
		"AtReadsOneRecord":         atReadsOneRecord,
		"RefusesWhatIsTooLarge":    refusesWhatIsTooLarge,
		"EndedContextAppendsNone":  endedContextAppendsNone,
		"EachEndsReading":          eachEndsReading,
		"RefusesSettings":          refusesSettings,
		"LargeAppends":             largeAppends,
		"SurvivesReopening":        func(t *testing.T, s suite) { survivesRestart(t, s, nil) },
		"ClosedLogRefuses":         closedLogRefuses,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t, name))
		})
	}
}

type suite struct {
	Backend
	name string
	log  events.AsyncLog
}

// Message is an event as any other, n of the stream.
func Message(s events.Stream, n int) events.Event {
	no := fmt.Sprint(n)
	return events.Event{
		ID: events.NewID(s.Key(), "alice", no), Stream: s, Basis: int64(n),
		Actor: "alice", ActorName: "爱丽丝", Request: no, Time: time.UnixMilli(1_700_000_000_000 + int64(n)).UTC(),
		Body: events.MessageSent{Content: events.Content{Plain: "你好 " + no}},
	}
}

func group(n int) events.Stream { return events.GroupStream(fmt.Sprint("g", n)) }

func context1(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func (s suite) open(t *testing.T) events.AsyncLog {
	t.Helper()
	log, err := s.Open(t, s.name)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func (s suite) append(t *testing.T, es ...events.Event) []events.Position {
	t.Helper()
	ps, err := s.log.Append(context1(t), es...)
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

var errEnough = errors.New("enough")

// Read reads after the cursor until the cursor until is covered.
func Read(ctx context.Context, log events.Log, after, until events.Cursor) (map[events.Partition][]events.Recorded, error) {
	var mu sync.Mutex
	got := map[events.Partition][]events.Recorded{}
	at := after.Clone()
	if at.Covers(until) {
		return got, nil
	}
	err := log.Read(ctx, after, func(p events.Partition, rs []events.Recorded) error {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range rs {
			if r.Position.Partition != p || r.Position.Offset != at[p]+1 {
				return fmt.Errorf("%s came after %s-%d", r.Position, p, at[p])
			}
			at.Advance(r.Position)
		}
		got[p] = append(got[p], rs...)
		if at.Covers(until) {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		return got, fmt.Errorf("reading ended at %s, before %s: %w", at, until, err)
	}
	return got, nil
}

// Beginning is the cursor before everything.
func Beginning(l events.Layout) events.Cursor {
	c := events.Cursor{}
	for _, p := range l.Partitions() {
		c[p] = events.Start
	}
	return c
}

func (s suite) read(t *testing.T, after events.Cursor) map[events.Partition][]events.Recorded {
	t.Helper()
	ctx := context1(t)
	end, err := s.log.End(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for p := range end {
		if _, asked := after[p]; !asked {
			delete(end, p)
		}
	}
	got, err := Read(ctx, s.log, after, end)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
