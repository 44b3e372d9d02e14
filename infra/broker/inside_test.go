package broker

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// A connection from within is guarded as those over the port are, and ends with
// the broker; none is made after that.
func TestInsideIsGuarded(t *testing.T) {
	b, err := Open(context.Background(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	dial := func() net.Conn {
		t.Helper()
		c, err := b.Dial(context.Background(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(30 * time.Second))
		return c
	}
	greedy, silent := dial(), dial()
	if _, err := greedy.Write([]byte("\xff\xff\xff\xff")); err != nil {
		t.Fatal(err)
	}
	if _, err := greedy.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatalf("a request of 4 GiB: %v", err)
	}
	// The port is as it was.
	over, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer over.Close()
	over.SetDeadline(time.Now().Add(30 * time.Second))
	over.Write([]byte("\xff\xff\xff\xff"))
	if _, err := over.Read(make([]byte, 1)); err == nil {
		t.Fatal("a request of 4 GiB over the port was taken")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := silent.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatalf("after the broker's end: %v", err)
	}
	if _, err := b.Dial(context.Background(), "", ""); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("a closed broker was reached: %v", err)
	}
}
