package seals

import (
	"fmt"
	"strings"
	"time"
)

// ClockTolerance is how far recorded times may be from what they should be
// before anybody is told.
const ClockTolerance = 2 * time.Second

// Clock looks at the recorded times of one partition, which the nodes' clocks
// gave. Times may not run back (Back), not be ahead of the clock of whoever reads
// (Ahead), and, where records are read as they come, not be older than the last
// reading (Behind): then their writer's clock is slow against the reader's.
type Clock struct {
	Back, Ahead, Behind Skew

	newest      int64 // running maximum
	now, before int64 // when this reading began, and the one before if it was live; 0: not known
	told        [3]int64
}

// Skew counts records with a wrong time.
type Skew struct {
	Records int64 `json:"records"`
	Most    int64 `json:"mostMs"` // milliseconds beyond what is right
	First   int64 `json:"first"`  // offset
}

func (s *Skew) add(offset, by int64) {
	if s.Records == 0 {
		s.First = offset
	}
	s.Records++
	s.Most = max(s.Most, by)
}

// begin says when a reading began, and whether it follows upon the last one.
func (c *Clock) begin(now time.Time, live bool) {
	before := c.now
	c.now, c.before = now.UnixMilli(), 0
	if live {
		c.before = before
	}
	c.told = [3]int64{c.Back.Records, c.Ahead.Records, c.Behind.Records}
}

// Record looks at one record; at is 0 if it has no time.
func (c *Clock) Record(offset, at int64) {
	tolerance := ClockTolerance.Milliseconds()
	if at == 0 {
		return
	}
	switch {
	case c.newest-at > tolerance:
		c.Back.add(offset, c.newest-at)
	case c.now > 0 && at-c.now > tolerance && at-time.Now().UnixMilli() > tolerance:
		c.Ahead.add(offset, at-c.now)
	case c.before > 0 && c.before-at > tolerance:
		c.Behind.add(offset, c.before-at)
	}
	c.newest = max(c.newest, at)
}

// end says what this reading found, nothing if all is right.
func (c *Clock) end() string {
	var found []string
	for i, s := range []struct {
		Skew
		what string
	}{{c.Back, "back behind the record before"}, {c.Ahead, "ahead of this node's clock"}, {c.Behind, "behind this node's clock"}} {
		if n := s.Records - c.told[i]; n > 0 {
			found = append(found, fmt.Sprintf("%d recorded times are %s, by up to %d ms, the first ever at offset %d", n, s.what, s.Most, s.First))
		}
	}
	return strings.Join(found, "; ")
}
