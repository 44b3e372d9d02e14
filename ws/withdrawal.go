package ws

// KeysChanged is to be called when tokens that were valid may not be any more: an
// issuer withdrew a key. Connections whose login's token is refused now are
// closed with 4001; of the others, the next request's token is verified anew.
func (s *Server) KeysChanged() {
	s.keys.Add(1)
	for p := range s.hub.everybody() {
		for _, c := range p.connections() {
			c.recheck()
		}
	}
}

// recheck verifies the login's token again.
func (c *session) recheck() {
	c.mu.Lock()
	token := c.login
	c.mu.Unlock()
	if token == "" {
		return // it is being logged in, and looks for itself
	}
	if _, bad := c.server.check(token, c.from, c.server.o.Now()); bad != nil {
		c.conn.Close(CloseTokenExpired, "the token is not valid any more")
	}
}
