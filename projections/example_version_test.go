package projections_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"lishi/projections"
	"lishi/projections/projectiontest"
)

// coarse is a later version of hours.
type coarse struct{ hours }

func (coarse) Version() int { return 2 }

// A program with another version fills a new build by itself. Whoever asks
// meanwhile is answered from the old one, and then from the new one.
func TestHoursInAnotherVersion(t *testing.T) {
	db := &projectiontest.Faulty{DB: projectiontest.DB(t)}
	w := projectiontest.Still(t, db, projectiontest.NewLog(projectiontest.Layout), hours{})
	w.Start()
	w.Register("ann")
	group := w.Create("g", "ann")
	for range 300 {
		w.Tell("ann", group, "hello")
	}
	ask := func() string { return fmt.Sprint(w.Ask("ann", Busy{GroupID: "g"}).List) }
	want := ask()
	w.Settle()
	w.Stop()

	asked := make(chan struct{})
	db.Set(func(c projectiontest.Call) error {
		if c.Table == "hours_b2" {
			<-asked // the new build waits until somebody was answered from the old one
		}
		return nil
	}, nil)
	w.Projections = []projections.Projection{coarse{}}
	w.Start()
	for range 3 {
		if got := ask(); got != want || w.Engine.Live("hours") != 1 {
			t.Fatalf("while the new build is filled, build %d answers %s, want %s", w.Engine.Live("hours"), got, want)
		}
	}
	close(asked)
	projectiontest.Eventually(t, "the new build is live", func() bool {
		if got := ask(); got != want {
			t.Fatalf("the answer is %s, want %s", got, want)
		}
		return w.Engine.Live("hours") == 2
	})
	w.Tell("ann", group, "hello") // and it goes on
	if got := ask(); got == want {
		t.Error("the new build does not follow the log")
	}
}

// docs/projections.md shows what is compiled and tested here, and the engine's
// contract as it stands.
func TestDocsShowTheExample(t *testing.T) {
	doc, err := os.ReadFile("../docs/projections.md")
	if err != nil {
		t.Fatal(err)
	}
	var sources []string
	for _, name := range []string{"example_test.go", "projection.go", "reader.go"} {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, string(raw))
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(doc), -1)
	if len(blocks) < 4 {
		t.Fatalf("%d blocks of Go", len(blocks))
	}
	all := strings.Join(sources, "\n")
	for _, block := range blocks {
		if !strings.Contains(all, block[1]) {
			t.Errorf("docs/projections.md shows what is not in the sources:\n%s", block[1])
		}
	}
	if n := strings.Count(sources[0], "\n"); n > 100 {
		t.Errorf("the example has %d lines", n)
	}
}
