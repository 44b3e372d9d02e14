package ws

import (
	"strings"
	"time"

	"lishi/commands"
)

// admit checks token and rate.
func (c *session) admit(q *request, now time.Time) (bad *commands.Refusal, wait time.Duration) {
	if bad := c.authorise(q, now); bad != nil {
		return bad, 0
	}
	p := c.user.Load()
	if p == nil || p.id != c.actor.ID {
		if p = c.become(c.actor.ID, now); p == nil {
			return errGoing, 0
		}
	}
	if wait = c.server.hub.take(p, now); wait > 0 {
		return errRate, wait
	}
	return nil, 0
}

var errRate = refuse(commands.RateLimited, "more requests than this user's rate allows; wait, then send again")

// authorise verifies the request's token, or remembers it from the last request.
func (c *session) authorise(q *request, now time.Time) *commands.Refusal {
	v, bad := q.params.find("token")
	switch {
	case bad != nil:
		return bad
	case v.kind == kindNone:
		return refuse(commands.Unauthorized, "token is missing")
	case c.token == "" || c.keys != c.server.keys.Load() || v.kind != kindString || !v.is(c.token):
		token, bad := v.str("token")
		if bad != nil {
			return bad
		}
		keys := c.server.keys.Load() // before, or a change meanwhile would pass unseen
		claims, err := c.server.check(token, c.from, now)
		if err != nil {
			return err
		}
		if c.bound != nil && claims.UserID != c.bound.id {
			return refuse(commands.Unauthorized, "the token is another user's than the login's")
		}
		c.token, c.keys = strings.Clone(token), keys // the token alone, not its frame
		c.said(claims)
	case c.expires != 0 && now.UnixMilli() >= c.expires:
		return refuse(commands.Unauthorized, "token has expired")
	}
	return nil
}

// said takes what the token says.
func (c *session) said(claims Claims) {
	c.expires = 0
	if !claims.Expires.IsZero() {
		c.expires = claims.Expires.UnixMilli()
	}
	if actor := (commands.Actor{ID: claims.UserID, Name: claims.Name}); actor != c.actor {
		c.actor, c.known = actor, false
	}
}

// check verifies a token. Its user id must be one that the protocol can carry.
func (s *Server) check(token, from string, now time.Time) (Claims, *commands.Refusal) {
	claims, err := s.verify(token, now)
	if err != nil {
		s.o.Logger.Info("a token was refused", "from", from, "error", err)
		return claims, refuse(commands.Unauthorized, err.Error())
	}
	if claims.UserID == "" {
		return claims, refuse(commands.Unauthorized, "the token names no user")
	}
	if bad := checkID("the token's sub", claims.UserID, s.o.Limits.ID); bad != nil {
		return claims, refuse(commands.Unauthorized, bad.Detail)
	}
	if len(claims.Name) > s.o.Limits.Name {
		return claims, refuse(commands.Unauthorized, tooLong("the token's name", len(claims.Name), s.o.Limits.Name).Detail)
	}
	return claims, nil
}

// become lets the connection hold another person; nil if it is closing.
func (c *session) become(user string, now time.Time) *person {
	p := c.server.hub.enter(user, now, true)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		c.server.hub.leave(p, now)
		return nil
	}
	if old := c.user.Swap(p); old != nil {
		c.server.hub.leave(old, now)
	}
	c.actor.ID = p.id // one string for both
	return p
}
