package app

import (
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"
)

// crowd bounds the connections of the chat's address, sockets among them: each
// takes a descriptor, and one that is missing elsewhere stops the log or a read
// model. Whoever comes when all places are taken is cut off at once, before a
// byte of theirs is read.
type crowd struct {
	most    int64
	sockets func() int // those that are no matter of net/http any more
	refused func()
	logger  *slog.Logger

	plain  atomic.Int64 // net/http's
	warned atomic.Int64 // when the log was told, in Unix seconds
}

// state is the server's ConnState.
func (c *crowd) state(conn net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		if c.plain.Add(1)+int64(c.sockets()) > c.most {
			conn.Close() // net/http notices and says StateClosed
			c.refuse()
		}
	case http.StateHijacked, http.StateClosed:
		c.plain.Add(-1)
	}
}

func (c *crowd) refuse() {
	c.refused()
	now, last := time.Now().Unix(), c.warned.Load()
	if now-last >= 60 && c.warned.CompareAndSwap(last, now) {
		c.logger.Warn("connections are refused: as many are open as max-connections or the limit of descriptors allows", "most", c.most)
	}
}

// mostConnections is how many the chat's address serves: as many as asked for (0:
// any number), but so many descriptors are kept for everything else.
func mostConnections(asked int) int64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		limit.Cur = 1024
	}
	most := keptFree(int64(min(limit.Cur, 1<<40)))
	if asked > 0 {
		most = min(most, int64(asked))
	}
	return most
}

// keptFree is what a limit of descriptors leaves to connections: the log, the
// engine's parts and the other addresses need some hundreds.
func keptFree(limit int64) int64 { return max(32, limit-limit/64-512) }
