package ws

import "sync/atomic"

// places bounds how many things are under way. While nobody waits it is two words.
type places struct {
	taken atomic.Int32
	freed atomic.Pointer[chan struct{}] // closed by the next who gives back; nil: nobody waits
}

// take takes one of limit places, if one is free.
func (p *places) take(limit int) bool {
	for {
		n := p.taken.Load()
		if int(n) >= limit {
			return false
		}
		if p.taken.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// await takes a place as soon as one is free; false if done ended before.
func (p *places) await(limit int, done <-chan struct{}) bool {
	for {
		freed := p.freed.Load()
		if freed == nil {
			c := make(chan struct{})
			if freed = &c; !p.freed.CompareAndSwap(nil, freed) {
				continue
			}
		}
		if p.take(limit) { // looked at last: who gives back looks for who waits last
			return true
		}
		select {
		case <-*freed:
		case <-done:
			return false
		}
	}
}

func (p *places) give() {
	p.taken.Add(-1)
	if freed := p.freed.Swap(nil); freed != nil {
		close(*freed)
	}
}
