package ws

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"lishi/commands"
)

// When keys change, connections whose login is refused now are closed with 4001,
// the others stay, and a token that was remembered is verified anew.
func TestWithdrawnKeys(t *testing.T) {
	w := newWorld(t, settings{})
	var withdrawn atomic.Bool // the key of alice and carol
	verify := w.server.verify
	w.server.verify = func(token string, now time.Time) (Claims, error) {
		c, err := verify(token, now)
		if err == nil && withdrawn.Load() && c.UserID != "bob" {
			err = errors.New("signed with a key that is not known here")
		}
		return c, err
	}
	alice, bob, quiet := w.as("alice"), w.as("bob"), w.connect()
	quiet.do("/user/updateUser", "token", "carol", "uniqueNo", "1", "nickName", "A") // no login

	w.server.KeysChanged()
	alice.do("/user/updateUser", "token", "alice", "uniqueNo", "2", "nickName", "B")

	withdrawn.Store(true)
	w.server.KeysChanged()
	if code := alice.closeCode(); code != 4001 {
		t.Errorf("closed with %d", code)
	}
	quiet.refused(commands.Unauthorized, "/user/updateUser", "token", "carol", "uniqueNo", "3", "nickName", "C")
	bob.do("/user/updateUser", "token", "bob", "uniqueNo", "4", "nickName", "D")
}

// A key that goes between a token's check and the login's end is not missed.
func TestAKeyWithdrawnDuringTheLogin(t *testing.T) {
	w := newWorld(t, settings{})
	var gone atomic.Bool
	verify := w.server.verify
	w.server.verify = func(token string, now time.Time) (Claims, error) {
		c, err := verify(token, now)
		if gone.Swap(true) {
			return c, errors.New("signed with a key that is not known here")
		}
		w.server.KeysChanged() // nobody is logged in yet
		return c, err
	}
	c := w.connect()
	c.request(pathLogin, "token", "alice")
	if code := c.closeCode(); code != 4001 {
		t.Errorf("closed with %d", code)
	}
}
