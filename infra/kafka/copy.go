package kafka

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"lishi/events"
)

// CopyOptions says which log is copied to where.
type CopyOptions struct {
	From, To Options // To.Layout is not looked at: it is that of From
	// Progress is told how far the copy is, one call at a time; it may be nil.
	Progress func(CopyProgress)
}

// CopyProgress counts the records of one of the three passes: "checking" what
// the target holds already, "copying", "verifying".
type CopyProgress struct {
	Phase       string
	Done, Total int64
}

// CopyResult says what was copied.
type CopyResult struct {
	LogID      string
	Partitions []CopiedPartition
}

// CopiedPartition has the roots of one partition's Merkle tree as read from both
// sides (package merkle), in hexadecimal digits.
type CopiedPartition struct {
	Partition      events.Partition
	Records        int64
	There          int64 // of the records, those that the target held before
	Source, Target string
	next           int64
}

// DiffersError means that the target holds what the source does not.
type DiffersError struct {
	Partition events.Partition
	Problem   string
	Remedy    string
}

func (e *DiffersError) Error() string {
	return fmt.Sprintf("%s of the target is not the source's: %s. %s", e.Partition, e.Problem, e.Remedy)
}

// Copy copies a log to topics that are empty, are not there yet, or hold the
// beginning of the same log: every record at the same offset, its key, headers
// and value byte for byte, into the same number of partitions. Then it reads
// both sides and compares.
//
// Nothing else may write to either side. While it is not finished, a topic
// lishi.copying stands beside the others, with which Open refuses the target; a
// copy that was interrupted is continued by the same call. *TopicError: a side
// can't be copied, with what helps. *DiffersError: the target holds something
// else. Nothing is ever deleted but that topic.
func Copy(ctx context.Context, o CopyOptions) (CopyResult, error) {
	to := o.To.withDefaults()
	c := &copier{progress: o.Progress, patience: to.Patience, replication: to.Replication}
	c.from, c.to = attachReader(o.From), attach(to)
	defer c.from.conn.close()
	defer c.to.conn.close()
	if err := c.openSource(ctx); err != nil {
		return CopyResult{}, fmt.Errorf("source: %w", err)
	}
	if err := c.openTarget(ctx, to); err != nil {
		return CopyResult{}, fmt.Errorf("target: %w", err)
	}
	defer c.to.appender.close()
	return c.run(ctx)
}

type copier struct {
	from, to    *Log
	patience    time.Duration
	replication int // of topics that are made

	ps     []*CopiedPartition
	ready  map[string]bool // topics that the target has
	marked bool            // and that say that they are not whole

	mu       sync.Mutex
	progress func(CopyProgress)
	at       CopyProgress
}

// openSource finds the log that is to be copied, whole and of one piece.
func (c *copier) openSource(ctx context.Context) error {
	info, err := c.from.look(ctx)
	for _, p := range info.Partitions() {
		c.ps = append(c.ps, &CopiedPartition{Partition: p, Records: info.Records[p]})
	}
	return err
}

// Info is what a log says of itself.
type Info struct {
	LogID   string
	Layout  events.Layout
	Records map[events.Partition]int64 // of the partitions that are there
}

// Partitions are those of the chat, and those beside it that are there.
func (i Info) Partitions() []events.Partition {
	return slices.DeleteFunc(i.Layout.WithBeside(), func(p events.Partition) bool { _, there := i.Records[p]; return !there })
}

func (l *Log) look(ctx context.Context) (Info, error) {
	found, err := l.findTopics(ctx)
	if err != nil {
		return Info{}, err
	}
	for _, t := range events.Topics {
		if name := l.topic(t); found[name] == 0 {
			return Info{}, &TopicError{name, "it is not there", "name a log that is"}
		}
	}
	l.learn(found)
	if _, err := l.checkTopics(ctx, l.there()); err != nil {
		return Info{}, err
	}
	for i, p := range l.partitions() {
		opened, err := l.firstRecord(ctx, p)
		if err != nil {
			return Info{}, err
		}
		if i == 0 {
			l.id = opened.LogID
		}
		if err := l.checkOpened(p, l.id, opened); err != nil {
			return Info{}, err
		}
	}
	bounds, err := l.bounds(ctx, l.there())
	info := Info{LogID: l.id, Layout: l.layout, Records: map[events.Partition]int64{}}
	for p, b := range bounds {
		info.Records[p] = b.end
	}
	return info, err
}

// firstRecord reads log.opened, and writes none.
func (l *Log) firstRecord(ctx context.Context, p events.Partition) (events.LogOpened, error) {
	rs, err := l.readOnce(ctx, p, 0, 1, time.Millisecond)
	if len(rs) > 0 {
		err = nil // what comes behind it is no matter here
	}
	if err != nil {
		return events.LogOpened{}, err
	}
	if len(rs) > 0 {
		if opened, ok := rs[0].Body.(events.LogOpened); ok {
			return opened, nil
		}
	}
	return events.LogOpened{}, &TopicError{l.topic(p.Topic), fmt.Sprintf("%s does not begin with log.opened", p), "name topics that are a log of lishi"}
}

// run does the three passes.
func (c *copier) run(ctx context.Context) (CopyResult, error) {
	trees := make([]*recordTree, len(c.ps)) // of the source, as far as it was read
	for i := range trees {
		trees[i] = &recordTree{}
	}
	index := func(p *CopiedPartition) int { return slices.Index(c.ps, p) }

	c.phase("checking", func(p *CopiedPartition) int64 { return 2 * p.There })
	err := c.each(ctx, func(ctx context.Context, p *CopiedPartition) error {
		return c.check(ctx, p, trees[index(p)])
	})
	if err != nil {
		return CopyResult{}, err
	}
	if err := c.makeTopics(ctx); err != nil {
		return CopyResult{}, fmt.Errorf("target: %w", err)
	}
	c.phase("copying", func(p *CopiedPartition) int64 { return p.Records - p.There })
	err = c.each(ctx, func(ctx context.Context, p *CopiedPartition) error {
		return c.copy(ctx, p, trees[index(p)])
	})
	if err != nil {
		return CopyResult{}, fmt.Errorf("%w (the copy is not finished: run it again, and it goes on)", err)
	}
	c.phase("verifying", func(p *CopiedPartition) int64 { return p.Records })
	err = c.each(ctx, func(ctx context.Context, p *CopiedPartition) error {
		target := &recordTree{}
		if err := c.to.records(ctx, p.Partition, 0, p.Records, c.counting(target.add)); err != nil {
			return fmt.Errorf("target: %w", err)
		}
		p.Source, p.Target = trees[index(p)].root(), target.root()
		if p.Source != p.Target {
			return &DiffersError{p.Partition, fmt.Sprintf("after the copy, the root of the source is %s, of the target %s", p.Source, p.Target), c.to.deleteTopics()}
		}
		return nil
	})
	if err != nil {
		return CopyResult{}, err
	}
	if err := c.finish(ctx); err != nil {
		return CopyResult{}, err
	}
	res := CopyResult{LogID: c.from.id}
	for _, p := range c.ps {
		res.Partitions = append(res.Partitions, *p)
	}
	return res, nil
}

// check compares what the target holds with the beginning of the source.
func (c *copier) check(ctx context.Context, p *CopiedPartition, source *recordTree) error {
	if p.There == 0 {
		return nil
	}
	if opened, err := c.to.firstRecord(ctx, p.Partition); err != nil {
		return fmt.Errorf("target: %w", err)
	} else if opened.LogID != c.from.id {
		return &DiffersError{p.Partition, fmt.Sprintf("it belongs to log %s, the source is log %s", opened.LogID, c.from.id),
			"Copy under another topic prefix, or d" + c.to.deleteTopics()[1:]}
	}
	if p.There > p.Records {
		return &DiffersError{p.Partition, fmt.Sprintf("it holds %d records, the source %d", p.There, p.Records), c.to.deleteTopics()}
	}
	target := &recordTree{}
	for _, side := range []struct {
		name string
		*Log
		tree *recordTree
	}{{"source", c.from, source}, {"target", c.to, target}} {
		if err := side.records(ctx, p.Partition, 0, p.There, c.counting(side.tree.add)); err != nil {
			return fmt.Errorf("%s: %w", side.name, err)
		}
	}
	if source.root() != target.root() {
		return &DiffersError{p.Partition, fmt.Sprintf("the root of its %d records is %s, that of the source's first %d is %s",
			p.There, target.root(), p.There, source.root()), c.to.deleteTopics()}
	}
	return nil
}

// finish lets the target be opened, unless the source has grown.
func (c *copier) finish(ctx context.Context) error {
	for _, side := range []struct {
		name string
		*Log
	}{{"source", c.from}, {"target", c.to}} {
		bounds, err := side.bounds(ctx, side.there())
		if err != nil {
			return fmt.Errorf("%s: %w", side.name, err)
		}
		for _, p := range c.ps {
			if end := bounds[p.Partition].end; end != p.Records {
				return fmt.Errorf("%s of the %s has %d records where %d were copied: something writes to it. Stop all nodes and copy again; the copy goes on",
					p.Partition, side.name, end, p.Records)
			}
		}
	}
	return c.unmark(ctx)
}

// each runs f for all partitions, several at once.
func (c *copier) each(ctx context.Context, f func(context.Context, *CopiedPartition) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(copyAtOnce)
	for _, p := range c.ps {
		group.Go(func() error { return f(ctx, p) })
	}
	return group.Wait()
}

const copyAtOnce = 8 // partitions, each with one answer and one batch in memory

func (c *copier) phase(name string, records func(*CopiedPartition) int64) {
	c.at = CopyProgress{Phase: name}
	for _, p := range c.ps {
		c.at.Total += records(p)
	}
	c.count(0)
}

func (c *copier) count(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at.Done += n
	if c.progress != nil {
		c.progress(c.at)
	}
}

// counting tells the progress of every thousandth record.
func (c *copier) counting(each func(copiedRecord) error) func(copiedRecord) error {
	n := int64(0)
	return func(r copiedRecord) error {
		if n++; n == 1000 || r.last {
			c.count(n)
			n = 0
		}
		return each(r)
	}
}
