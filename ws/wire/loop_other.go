//go:build !linux

package wire

import (
	"net"
	"time"
)

// loops are for Linux.
type loops struct{}

func newLoops(time.Duration) *loops { return nil }

func (u *Upgrader) hold(c *Conn, nc net.Conn) socket { return newStream(c, nc) }
