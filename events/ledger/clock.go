package ledger

import (
	"slices"
	"time"
)

// stride is how many records lie between two of which the ledger keeps when
// they were recorded.
const stride = 1024

// clock tells when a partition had come how far: of every record whose offset is
// the last of a stride, the running maximum of recorded time, in Unix
// milliseconds. That takes 8 bytes for 1024 records.
type clock []int64

func (c *clock) tick(offset int64, at time.Time) {
	if (offset+1)%stride == 0 {
		*c = append(*c, at.UnixMilli())
	}
}

// Span says where to look for the last record that had been recorded by then: it
// is at from, or one of those after it up to upTo. By is the running maximum of
// recorded time at from. Where nothing was recorded later, from is upTo.
func (l *Ledger) Span(then time.Time) (from, upTo int64, by time.Time) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if !l.at.After(then) {
		return l.folded, l.folded, l.at
	}
	ms := then.UnixMilli()
	n, _ := slices.BinarySearch(l.clock, ms+1)
	return l.around(n)
}

// SpanOf says the same of the record at an offset: by is the running maximum of
// recorded time at from, which is not after the offset and close to it.
func (l *Ledger) SpanOf(offset int64) (from int64, by time.Time) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if offset >= l.folded {
		return l.folded, l.at
	}
	from, _, by = l.around(int((offset + 1) / stride))
	return from, by
}

// around is the span between the first n ticks and the next one.
func (l *Ledger) around(n int) (from, upTo int64, by time.Time) {
	from, upTo = int64(n)*stride-1, min(int64(n+1)*stride-1, l.folded)
	if n > 0 {
		by = time.UnixMilli(l.clock[n-1]).UTC()
	}
	return from, upTo, by
}

func (w *writer) clock(c clock) {
	w.uint(uint64(len(c)))
	before := int64(0)
	for _, ms := range c {
		w.int(ms - before)
		before = ms
	}
}

func (p *parser) clock(folded int64) clock {
	n := p.count(1)
	p.need(int64(n) == (folded+1)/stride)
	if n == 0 || p.err != nil {
		return nil
	}
	c := make(clock, n)
	before := int64(0)
	for i := range c {
		c[i] = before + p.int()
		p.need(i == 0 || c[i] >= before)
		before = c[i]
	}
	return c
}
