package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// errTaken is that somebody else listens on an address.
var errTaken = errors.New("is taken")

// listen opens the address, or says who holds it and which flag picks another.
func listen(ctx context.Context, addr, flag string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err == nil {
		return l, nil
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	by := ""
	if _, port, splitErr := net.SplitHostPort(addr); splitErr == nil {
		if n, convErr := strconv.Atoi(port); convErr == nil {
			by = holder(n)
		}
	}
	return nil, fmt.Errorf("%s %w%s; choose another address with --%s 127.0.0.1:PORT", addr, errTaken, by, flag)
}

// holder names the process that listens on a TCP port, where /proc tells.
func holder(port int) string {
	inodes := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			// sl local_address rem_address st … inode (proc(5)); state 0A is LISTEN.
			fields := strings.Fields(lines.Text())
			if len(fields) > 9 && fields[3] == "0A" && strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", port)) {
				inodes["socket:["+fields[9]+"]"] = true
			}
		}
		f.Close()
	}
	if len(inodes) == 0 {
		return ""
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil && inodes[target] {
			pid := strings.Split(fd, "/")[2]
			name, _ := os.ReadFile("/proc/" + pid + "/comm")
			return fmt.Sprintf(" by process %s (%s)", pid, strings.TrimSpace(string(name)))
		}
	}
	return ""
}
