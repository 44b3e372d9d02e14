package ws

import (
	"container/heap"
	"sync"
	"time"
)

// deadlines are when sessions are to be looked at: one at most for each, in a heap
// with one timer, for many thousands wait for hours.
type deadlines struct {
	epoch time.Time // what the times count from

	mu    sync.Mutex
	first sessionHeap
	timer *time.Timer
}

// centuries is longer than anybody waits, and can be added to a time.
const centuries = 1 << 62 * time.Nanosecond

type deadline struct {
	at      time.Duration
	session *session
}

// set lets the session's late be called after a while, in place of what was set before.
func (d *deadlines) set(c *session, after time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := time.Since(d.epoch) + min(after, centuries)
	if c.place > 0 {
		d.first[c.place-1].at = at
		heap.Fix(&d.first, int(c.place-1))
	} else {
		heap.Push(&d.first, deadline{at, c})
	}
	d.wind()
}

// drop forgets the session.
func (d *deadlines) drop(c *session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.place > 0 {
		heap.Remove(&d.first, int(c.place-1))
	}
	if len(d.first) == 0 {
		d.first = nil // what many needed is not kept
		if d.timer != nil {
			d.timer.Stop()
		}
	}
}

// wind sets the timer for the first. The caller holds mu.
func (d *deadlines) wind() {
	if len(d.first) == 0 {
		return
	}
	after := d.first[0].at - time.Since(d.epoch)
	if d.timer == nil {
		d.timer = time.AfterFunc(after, d.ring)
	} else {
		d.timer.Reset(after)
	}
}

func (d *deadlines) ring() {
	var late []*session
	d.mu.Lock()
	for now := time.Since(d.epoch); len(d.first) > 0 && d.first[0].at <= now; {
		late = append(late, heap.Pop(&d.first).(deadline).session)
	}
	d.wind()
	d.mu.Unlock()
	for _, c := range late {
		c.late()
	}
}

// sessionHeap is a heap.Interface. Each session knows its place in it, from 1.
type sessionHeap []deadline

func (h sessionHeap) Len() int           { return len(h) }
func (h sessionHeap) Less(i, j int) bool { return h[i].at < h[j].at }

func (h sessionHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].session.place, h[j].session.place = int32(i+1), int32(j+1)
}

func (h *sessionHeap) Push(x any) {
	d := x.(deadline)
	*h = append(*h, d)
	d.session.place = int32(len(*h))
}

func (h *sessionHeap) Pop() any {
	last := len(*h) - 1
	d := (*h)[last]
	(*h)[last] = deadline{}
	*h = (*h)[:last]
	d.session.place = 0
	return d
}
