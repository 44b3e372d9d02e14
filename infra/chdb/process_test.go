package chdb_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"lishi/infra/chdb"
)

// hold opens the directory and says so, until it is killed: the other process
// of the tests about ownership.
func hold(dir string) {
	if _, err := chdb.Open(chdb.Options{Dir: dir}); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("held")
	select {}
}

// reopen opens and closes engines one after the other: the other process of the
// test about that.
func reopen(dir string) {
	for i := range 6 {
		e, err := chdb.Open(chdb.Options{Dir: filepath.Join(dir, strconv.Itoa(i%2))})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		var count strings.Builder
		for _, sql := range []string{
			"CREATE TABLE IF NOT EXISTS system_is_not_here (x UInt8) ENGINE = MergeTree ORDER BY x",
			"INSERT INTO system_is_not_here VALUES (1)",
			"SELECT count() FROM system_is_not_here",
		} {
			err := e.Query(context.Background(), chdb.Session{}, sql, "TabSeparated", nil, func(b []byte) error {
				count.Write(b)
				return nil
			})
			if err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
		}
		fmt.Print(count.String())
		if err := e.Close(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		if err := e.Query(context.Background(), chdb.Session{}, "SELECT 1", "Null", nil, nil); !errors.Is(err, chdb.ErrClosed) {
			fmt.Println("a closed engine says", err)
		}
	}
}

// closeUnder closes an engine while a statement runs.
func closeUnder(dir string) {
	e, err := chdb.Open(chdb.Options{Dir: dir})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	begun := make(chan struct{})
	ended := make(chan error, 1)
	var once sync.Once
	go func() {
		ended <- e.Query(context.Background(), chdb.Session{}, "SELECT number FROM numbers(100000000000)", "Native", nil, func([]byte) error {
			once.Do(func() { close(begun) })
			return nil
		})
	}()
	<-begun
	if err := e.Close(); err != nil {
		fmt.Println(err)
	}
	if err := <-ended; errors.Is(err, chdb.ErrClosed) {
		fmt.Println("closed under it")
	} else {
		fmt.Println(err)
	}
}

func TestOneEngineAProcess(t *testing.T) {
	if _, err := chdb.Open(chdb.Options{Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "one a process") {
		t.Errorf("second engine: %v", err)
	}
}

func TestOneAfterTheOther(t *testing.T) {
	command := exec.Command(os.Args[0], "-test.run=^$")
	command.Env = append(os.Environ(), "CHDB_TEST_REOPEN="+t.TempDir())
	if out, err := command.CombinedOutput(); string(out) != "1\n1\n2\n2\n3\n3\n" || err != nil {
		t.Errorf("%s, %v", out, err)
	}
}

func TestCloseEndsStatements(t *testing.T) {
	// In a process of its own as well: the engine of this one goes on.
	command := exec.Command(os.Args[0], "-test.run=^$")
	command.Env = append(os.Environ(), "CHDB_TEST_CLOSE="+t.TempDir())
	if out, err := command.CombinedOutput(); string(out) != "closed under it\n" || err != nil {
		t.Errorf("%s, %v", out, err)
	}
}

func TestOneProcessADirectory(t *testing.T) {
	dir := t.TempDir()
	start := func() (*exec.Cmd, string) {
		command := exec.Command(os.Args[0], "-test.run=^$")
		command.Env = append(os.Environ(), "CHDB_TEST_HOLD="+dir)
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { command.Process.Kill(); command.Wait() })
		line := make([]byte, 1000)
		n, _ := out.Read(line)
		return command, strings.TrimSpace(string(line[:n]))
	}
	holder, said := start()
	if said != "held" {
		t.Fatal(said)
	}
	if _, said := start(); !strings.Contains(said, "in use by process "+strconv.Itoa(holder.Process.Pid)) {
		t.Errorf("the second process was told %q, not the holder's pid", said)
	}
	holder.Process.Kill()
	holder.Wait()
	if _, said := start(); said != "held" {
		t.Errorf("after kill -9 of the holder: %s", said)
	}
}
