package ws

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"lishi/events"
)

// memoryLog is a log in memory that orders as the real one does: events are
// queued, become durable later in the order of their partition, and are read back
// decoded from their records.
type memoryLog struct {
	layout events.Layout
	mu     sync.Mutex
	parts  map[events.Partition][]events.Recorded
	grown  chan struct{} // closed when something was appended
	queue  []queued
	wake   chan struct{}
	paused bool
	down   error // what Append and End answer
	at     time.Time
}

type queued struct {
	event events.Event
	done  func(events.Position, error)
}

func newMemoryLog(l events.Layout) *memoryLog {
	m := &memoryLog{layout: l, parts: map[events.Partition][]events.Recorded{}, grown: make(chan struct{}), wake: make(chan struct{}, 1), at: time.Date(2020, 7, 30, 4, 0, 0, 0, time.UTC)}
	for _, p := range l.Partitions() {
		opened := events.Event{ID: events.NewID("log", p.String(), "opened"), Stream: events.SystemStream(), Time: m.at,
			Body: events.LogOpened{LogID: "test", Partitions: l.Count(p.Topic), Format: 1}}
		if _, err := m.write(p, opened); err != nil {
			panic(err)
		}
	}
	return m
}

// write appends one event; the caller holds mu, or is alone.
func (m *memoryLog) write(p events.Partition, e events.Event) (events.Position, error) {
	r, err := events.Encode(e)
	if err != nil {
		return events.Position{}, err
	}
	r.Headers = append(r.Headers, events.Header{Key: events.HeaderRecordedTime, Value: []byte(strconv.FormatInt(m.at.UnixMilli(), 10))})
	pos := events.Position{Partition: p, Offset: int64(len(m.parts[p]))}
	rec, err := events.Decode(pos, r)
	if err != nil {
		return events.Position{}, err
	}
	m.parts[p] = append(m.parts[p], rec)
	return pos, nil
}

// run is the appender; it ends with ctx.
func (m *memoryLog) run(ctx context.Context) {
	for {
		m.mu.Lock()
		var batch []queued
		if !m.paused {
			batch, m.queue = m.queue, nil
		}
		answers := make([]func(), 0, len(batch))
		for _, q := range batch {
			pos, err := events.Position{}, m.down
			if err == nil {
				pos, err = m.write(m.layout.Partition(q.event.Stream), q.event)
			}
			answers = append(answers, func() { q.done(pos, err) })
		}
		if len(batch) > 0 {
			close(m.grown)
			m.grown = make(chan struct{})
		}
		m.mu.Unlock()
		for _, a := range answers {
			a()
		}
		if len(batch) > 0 {
			continue
		}
		select {
		case <-m.wake:
		case <-ctx.Done():
			return
		}
	}
}

func (m *memoryLog) AppendAsync(e events.Event, done func(events.Position, error)) {
	m.mu.Lock()
	m.queue = append(m.queue, queued{e, done})
	m.mu.Unlock()
	m.poke()
}

func (m *memoryLog) poke() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// pause keeps what is appended from becoming durable, until it is called with false.
func (m *memoryLog) pause(on bool) {
	m.mu.Lock()
	m.paused = on
	m.mu.Unlock()
	m.poke()
}

// waiting is the number of events that a paused log has not taken yet.
func (m *memoryLog) waiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.queue)
}

func (m *memoryLog) fail(err error) {
	m.mu.Lock()
	m.down = err
	m.mu.Unlock()
}

func (m *memoryLog) Append(ctx context.Context, es ...events.Event) ([]events.Position, error) {
	ps := make([]events.Position, len(es))
	errs := make(chan error, len(es))
	for i, e := range es {
		m.AppendAsync(e, func(p events.Position, err error) { ps[i] = p; errs <- err })
	}
	for range es {
		select {
		case err := <-errs:
			if err != nil {
				return nil, err
			}
		case <-ctx.Done():
			return nil, events.ErrUnknown
		}
	}
	return ps, nil
}

// pass lets time go by: later records have a later recorded time.
func (m *memoryLog) pass(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at = m.at.Add(d)
}

func (m *memoryLog) Read(ctx context.Context, after events.Cursor, each func(events.Partition, []events.Recorded) error) error {
	next := after.Clone()
	for {
		m.mu.Lock()
		grown := m.grown
		found := map[events.Partition][]events.Recorded{}
		for p, o := range next {
			if rs := m.parts[p]; int64(len(rs)) > o+1 {
				found[p] = append([]events.Recorded(nil), rs[o+1:]...)
			}
		}
		m.mu.Unlock()
		for p, rs := range found {
			if err := each(p, rs); err != nil {
				return err
			}
			next[p] = rs[len(rs)-1].Position.Offset
		}
		if len(found) > 0 {
			continue
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m *memoryLog) End(context.Context) (events.Cursor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := events.Cursor{}
	for _, p := range m.layout.Partitions() {
		c[p] = int64(len(m.parts[p])) - 1
	}
	return c, m.down
}

func (m *memoryLog) At(_ context.Context, p events.Position) (events.Recorded, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if rs := m.parts[p.Partition]; p.Offset < int64(len(rs)) {
		return rs[p.Offset], nil
	}
	return events.Recorded{}, fmt.Errorf("nothing at %s", p)
}

func (m *memoryLog) Layout() events.Layout { return m.layout }
