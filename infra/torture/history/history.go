// Package history is what one run leaves behind: which commands were given and
// how they were answered, what every connection was sent, what queries showed,
// and which faults there were meanwhile. Checkers read it and nothing else, so a
// history that was kept can be judged again.
package history

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Op is one command of one user, with everything that came of it: it is tried
// with the same uniqueNo until its answer is certain.
type Op struct {
	N        int    `json:"n"`
	Worker   int    `json:"worker"`
	User     string `json:"user"`
	URL      string `json:"url"`
	Stream   string `json:"stream"` // Pair or Group
	UniqueNo string `json:"uniqueNo"`

	Target      string `json:"target,omitempty"`      // whom it is about
	Application string `json:"application,omitempty"` // which one it verifies
	Applicant   string `json:"applicant,omitempty"`   // of that one: who asked, or in a group who is to join
	State       string `json:"state,omitempty"`       // applyState, role or joinMode
	Minutes     int    `json:"minutes,omitempty"`
	Message     string `json:"message,omitempty"` // position of the one edited or recalled
	Author      string `json:"author,omitempty"`  // of that one
	Text        string `json:"text,omitempty"`    // no two ops have the same

	Attempts []Attempt `json:"attempts"`
}

// Attempt is one time that an op was sent.
type Attempt struct {
	Call   time.Duration `json:"call"` // since the run began, as all times of a history
	Return time.Duration `json:"return"`
	Device int           `json:"device"`
	Node   int           `json:"node"`
	// Reason is empty for a success, Lost where no answer came, else the word of
	// the refusal.
	Reason string `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`

	Position    string `json:"position,omitempty"`
	MessageID   string `json:"messageId,omitempty"`
	Application string `json:"application,omitempty"`
	GroupID     string `json:"groupId,omitempty"`
	State       string `json:"state,omitempty"`
}

// Reasons that say nothing of the state.
const (
	Lost        = "lost" // the connection ended, or nothing came in time
	Unknown     = "unknown"
	Unavailable = "unavailable"
)

// Doubtful tells whether an attempt may have happened.
func (a *Attempt) Doubtful() bool { return a.Reason == Lost || a.Reason == Unknown }

// Fate is what is certain of an op.
type Fate int

// What became of an op.
const (
	Maybe   Fate = iota // nobody can say
	Done                // it happened
	Refused             // certainly not, and the refusal tells of the state
	Not                 // certainly not, for want of a log
)

// Fate is what the attempts say together. An op that was refused after an
// attempt in doubt may still happen: refusals are not remembered.
func (o *Op) Fate() Fate {
	doubt := false
	for i := range o.Attempts {
		a := &o.Attempts[i]
		if a.Reason == "" {
			return Done
		}
		doubt = doubt || a.Doubtful()
	}
	last := o.Last()
	switch {
	case doubt:
		return Maybe
	case last == nil || last.Reason == Unavailable:
		return Not
	}
	return Refused
}

// Last is the attempt that decided; nil if it was never sent.
func (o *Op) Last() *Attempt {
	if len(o.Attempts) == 0 {
		return nil
	}
	return &o.Attempts[len(o.Attempts)-1]
}

// Settled tells whether no attempt was left in doubt: a success, or a refusal, is
// the last answer.
func (o *Op) Settled() bool {
	last := o.Last()
	return o.Fate() != Maybe || !last.Doubtful() && last.Reason != Unavailable
}

// Frame is what a connection was sent: a push, or a result with a position.
type Frame struct {
	At         time.Duration `json:"at"`
	Device     int           `json:"device"`
	Connection int           `json:"connection"` // of the device, from 1
	Type       string        `json:"type"`       // msgType, or "result"
	Position   string        `json:"position,omitempty"`
	Cursor     string        `json:"cursor,omitempty"` // of 8 and 15
	UniqueNo   string        `json:"uniqueNo,omitempty"`
	Sent       string        `json:"sent,omitempty"` // of 8: the cursor that the login had

	Stream    string `json:"stream,omitempty"` // of 1, 2 and 12
	Sender    string `json:"sender,omitempty"`
	Text      string `json:"text,omitempty"`
	MessageID string `json:"messageId,omitempty"`
	Of        string `json:"of,omitempty"` // of 12: the message's position
	Change    string `json:"change,omitempty"`
}

// Page is what a query of a conversation's messages showed.
type Page struct {
	Call       time.Duration `json:"call"`
	Return     time.Duration `json:"return"`
	User       string        `json:"user"`
	Device     int           `json:"device"` // -1: after the run, with everything seen
	Connection int           `json:"connection"`
	Node       int           `json:"node"`
	Stream     string        `json:"stream"`
	Limit      int           `json:"limit"` // 0: all pages together
	Reason     string        `json:"reason,omitempty"`
	Rows       []Row         `json:"rows"`
}

// Row is one message of a page.
type Row struct {
	Position  string `json:"position"`
	MessageID string `json:"messageId"`
	Sender    string `json:"sender"`
	Text      string `json:"text"`
	Edited    bool   `json:"edited,omitempty"`
	Recalled  bool   `json:"recalled,omitempty"`
}

// Relations is what queries showed of a stream after the run: of a pair, who are
// each one's friends; of a group, the members with their roles.
type Relations struct {
	Call    time.Duration     `json:"call"`
	Return  time.Duration     `json:"return"`
	User    string            `json:"user"`
	Node    int               `json:"node"`
	Stream  string            `json:"stream"`
	Friends bool              `json:"friends,omitempty"`
	Blocked bool              `json:"blocked,omitempty"` // by the user
	Members map[string]string `json:"members,omitempty"` // role by user; nil where it was refused
	Reason  string            `json:"reason,omitempty"`
}

// Fault is one that was done to the system.
type Fault struct {
	At     time.Duration `json:"at"`
	Until  time.Duration `json:"until"`
	Kind   string        `json:"kind"`
	Target string        `json:"target"`
	Error  string        `json:"error,omitempty"`
}

// History is a run's. Ops belong to their workers while it lasts.
type History struct {
	Seed      uint64
	Shape     string
	Devices   []string // the user of each
	Ops       []*Op
	Frames    []Frame
	Pages     []Page
	Relations []Relations
	Faults    []Fault
	Notes     []string // what no client should ever see

	begun time.Time
	mu    sync.Mutex
}

// New begins a history now.
func New(seed uint64, shape string) *History {
	return &History{Seed: seed, Shape: shape, begun: time.Now()}
}

// Now is the time since the run began, by the monotonic clock.
func (h *History) Now() time.Duration { return time.Since(h.begun) }

// Begin enters an op.
func (h *History) Begin(o *Op) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o.N = len(h.Ops)
	h.Ops = append(h.Ops, o)
}

// Saw enters a frame.
func (h *History) Saw(f Frame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Frames = append(h.Frames, f)
}

// Read enters a page.
func (h *History) Read(p Page) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Pages = append(h.Pages, p)
}

// Related enters relations.
func (h *History) Related(r Relations) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Relations = append(h.Relations, r)
}

// Faulted enters a fault.
func (h *History) Faulted(f Fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Faults = append(h.Faults, f)
}

// Notef enters what is a violation by itself.
func (h *History) Notef(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Notes = append(h.Notes, fmt.Sprintf(format, args...))
}

// Pair names the conversation of two users.
func Pair(a, b string) string {
	if b < a {
		a, b = b, a
	}
	return "p|" + a + "|" + b
}

// Group names a group's conversation.
func Group(id string) string { return "g|" + id }

// GroupID is the group of a stream; empty for a pair.
func GroupID(stream string) string {
	id, ok := strings.CutPrefix(stream, "g|")
	if !ok {
		return ""
	}
	return id
}

// Two are the users of a pair's stream.
func Two(stream string) (string, string) {
	parts := strings.Split(stream, "|")
	if len(parts) != 3 {
		return "", ""
	}
	return parts[1], parts[2]
}

// Offset parts a position.
func Offset(position string) (prefix string, offset int64) {
	prefix, n, _ := strings.Cut(position, "-")
	offset, err := strconv.ParseInt(n, 10, 64)
	if err != nil {
		return position, -1
	}
	return prefix, offset
}

// Cursor is what a client keeps: the greatest offset of each prefix. It is
// written from the protocol's text alone, apart from the program's own.
type Cursor map[string]int64

// Merge takes in a position, or a cursor.
func (c Cursor) Merge(positions string) {
	for p := range strings.SplitSeq(positions, ",") {
		if prefix, n := Offset(p); n >= 0 {
			if have, ok := c[prefix]; !ok || n > have {
				c[prefix] = n
			}
		}
	}
}

// String is the cursor as a login takes it.
func (c Cursor) String() string {
	parts := make([]string, 0, len(c))
	for prefix, n := range c {
		parts = append(parts, prefix+"-"+strconv.FormatInt(n, 10))
	}
	sort.Strings(parts)
	return strings.Join(parts, ",")
}
