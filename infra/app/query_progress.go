package app

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"lishi/infra/chdb"
)

// queryProgress shows on a terminal how far a statement is, in one line of stderr
// that is written over: what ClickHouse has read, then what of the answer has come.
type queryProgress struct {
	*program
	begun time.Time

	mu     sync.Mutex
	read   chdb.Progress
	answer io.Reader // once it has begun
	quiet  bool      // the answer itself goes to the terminal
	came   int64
	last   time.Time
	width  int // of what is shown now
}

// told is called with what ClickHouse says.
func (q *queryProgress) told(p chdb.Progress) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.read = p
	q.show()
}

// arriving tells that the answer has begun.
func (q *queryProgress) arriving(answer io.Reader, toTerminal bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.answer = answer
	if q.quiet = toTerminal; q.quiet {
		q.wipe()
	}
}

// Read reads the answer.
func (q *queryProgress) Read(b []byte) (int, error) {
	n, err := q.answer.Read(b)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.came += int64(n)
	if time.Since(q.last) > 200*time.Millisecond {
		q.show()
	}
	return n, err
}

// show writes the line. It needs the lock.
func (q *queryProgress) show() {
	if !q.terminal() || q.quiet || time.Since(q.begun) < 300*time.Millisecond {
		return
	}
	q.last = time.Now()
	var line strings.Builder
	fmt.Fprintf(&line, "%d rows, %.1f MB read", q.read.ReadRows, float64(q.read.ReadBytes)/1e6)
	if q.read.TotalRows > 0 {
		fmt.Fprintf(&line, ", %.0f %%", 100*min(1, float64(q.read.ReadRows)/float64(q.read.TotalRows)))
	}
	if q.came > 0 {
		fmt.Fprintf(&line, "; %.1f MB answered", float64(q.came)/1e6)
	}
	fmt.Fprintf(&line, " in %.0f s", time.Since(q.begun).Seconds())
	width := line.Len()
	fmt.Fprintf(q.err, "\r%s%s", line.String(), strings.Repeat(" ", max(0, q.width-width)))
	q.width = width
}

// wipe clears the line. It needs the lock.
func (q *queryProgress) wipe() {
	if q.width > 0 {
		fmt.Fprintf(q.err, "\r%s\r", strings.Repeat(" ", q.width))
		q.width = 0
	}
}

// end clears the line; nothing is shown any more.
func (q *queryProgress) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wipe()
	q.quiet = true
}
