package chdb

import (
	"slices"
	"strings"
	"time"
)

// Session is what a statement finds set: its database and ClickHouse settings.
// "readonly" is set after all others, so that a session can carry limits and
// freeze them. With a role a statement may do what the role may, and only read
// (see admit).
type Session struct {
	Database string
	Role     string
	Settings []Setting
}

// Setting is one ClickHouse setting, e.g. {"max_execution_time", "5"}.
type Setting struct{ Name, Value string }

func (s Session) equal(t Session) bool {
	return s.Database == t.Database && s.Role == t.Role && slices.Equal(s.Settings, t.Settings)
}

// apply sets the session up on a new connection.
func (c *conn) apply(s Session) error {
	discard := func([]byte) error { return nil }
	if s.Database != "" {
		if err := c.execute("USE "+quoteIdentifier(s.Database), "Null", nil, discard); err != nil {
			return err
		}
	}
	settings := slices.Clone(s.Settings)
	slices.SortStableFunc(settings, func(a, b Setting) int { return last(a) - last(b) })
	if s.Role != "" {
		if err := c.execute("SET ROLE "+quoteIdentifier(s.Role), "Null", nil, discard); err != nil {
			return err
		}
	}
	for _, set := range settings {
		if err := c.execute("SET "+quoteIdentifier(set.Name)+" = "+quoteString(set.Value), "Null", nil, discard); err != nil {
			return err
		}
	}
	c.session, c.spoiled = s, false
	return nil
}

func last(s Setting) int {
	if s.Name == "readonly" {
		return 1
	}
	return 0
}

func quoteIdentifier(name string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
}

func quoteString(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

// take finds an idle connection of this session or makes one; idle connections
// of other sessions make room.
func (e *Engine) take(s Session) (*conn, error) {
	e.mu.Lock()
	var found, surplus *conn
	for i := len(e.idle) - 1; i >= 0 && found == nil; i-- {
		if e.idle[i].session.equal(s) {
			found = e.idle[i]
			e.idle = slices.Delete(e.idle, i, i+1)
		}
	}
	if found == nil && len(e.idle) >= cap(e.slots) {
		surplus = e.idle[0]
		e.idle = slices.Delete(e.idle, 0, 1)
	}
	e.mu.Unlock()
	if surplus != nil {
		surplus.close()
	}
	if found != nil {
		return found, nil
	}
	return e.connect(s)
}

func (e *Engine) giveBack(c *conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.idle = append(e.idle, c)
}

// kill ends the statement with the tag. It may not have reached the engine yet,
// or be at a place that does not look, so it is asked until it has ended.
func (e *Engine) kill(tag string, ended <-chan struct{}) {
	sql := "KILL QUERY WHERE startsWith(query, " + quoteString(tag) + ") ASYNC"
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		select {
		case <-ended:
			return
		default:
		}
		e.controlLock.Lock()
		if e.control != nil {
			_ = e.control.execute(sql, "Null", nil, func([]byte) error { return nil })
		}
		e.controlLock.Unlock()
		select {
		case <-ended:
			return
		case <-time.After(wait):
		}
	}
}
