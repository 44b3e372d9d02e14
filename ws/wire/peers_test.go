package wire

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"testing"
)

// peersEnv makes the test program a client that holds connections, so that
// what is measured in the server's process is the server's alone.
const peersEnv = "LISHI_WIRE_PEERS"

// holdConnections is the client's whole life, where the environment asks for
// it: it opens connections, has one message echoed on each, says so, and reads
// whatever comes until its standard input ends; some read nothing.
func holdConnections() bool {
	var addr string
	var n, stopped int
	if _, err := fmt.Sscan(os.Getenv(peersEnv), &addr, &n, &stopped); err != nil {
		return false
	}
	fail := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	var silent []net.Conn // kept: who is forgotten is closed
	hello := join(text(filler[:50]))
	for i := range n {
		nc, err := net.Dial("tcp", addr)
		fail(err)
		_, err = nc.Write([]byte(handshake))
		fail(err)
		r := bufio.NewReaderSize(nc, 512)
		for line := ""; line != "\r\n"; {
			line, err = r.ReadString('\n')
			fail(err)
		}
		_, err = nc.Write(hello)
		fail(err)
		_, err = io.ReadFull(r, make([]byte, len(hello)-4))
		fail(err)
		if i < stopped {
			fail(nc.(*net.TCPConn).SetReadBuffer(1))
			silent = append(silent, nc)
			continue
		}
		go func() {
			b := make([]byte, 16<<10)
			for {
				if _, err := nc.Read(b); err != nil {
					return
				}
			}
		}()
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(silent)
	return true
}

// peers lets n clients of another process connect, the first of which, as many as
// stopped says, read nothing.
func (s *server) peers(tb testing.TB, n, stopped int) {
	tb.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d", peersEnv, s.addr, n, stopped))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { in.Close(); cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		tb.Fatalf("the peers say %q, %v", line, err)
	}
	eventually(tb, "all peers", func() bool { return s.Len() == n })
}
