// Package broker runs a Kafka-protocol broker in this process, with its log on
// disk: franz-go's kfake, which takes the requests and writes the segments, and
// what kfake leaves to us: durability (errors of fsync end in errors, not in
// lost records), a lock, a format version, and segments that are verified
// before they are opened.
//
// What it promises: records that Sync confirmed survive kill -9 and the power
// loss of a disk that honours fsync. A damaged log is refused, never shortened.
package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"golang.org/x/sync/errgroup"
)

// Options says where and how a broker runs.
type Options struct {
	Dir          string        // made if missing, private, and locked while open
	SegmentBytes int64         // a segment is closed when it has reached this size; 64 MiB if 0
	Logger       *slog.Logger  // slog.Default if nil
	EndInterval  time.Duration // how often the recorded ends are made durable; a second if 0

	fsync func(*os.File) error // tests let it fail
}

// Broker is a running broker. All methods may be called concurrently.
type Broker struct {
	dir      directory
	cluster  *kfake.Cluster
	addr     string
	password string
	sync     *syncer
	inside   *listener
	log      *slog.Logger

	stop  chan struct{}
	tick  sync.WaitGroup
	close sync.Once
	err   error
}

const user = "lishi"

// Open verifies the directory and starts a broker on it, on a free loopback
// port. It fails if another process has the directory open, if a newer lishi
// wrote it, and with *Damage if acknowledged records are not there or not as
// they were written.
func Open(ctx context.Context, o Options) (_ *Broker, err error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 64 << 20
	}
	if o.EndInterval == 0 {
		o.EndInterval = time.Second
	}
	if o.fsync == nil {
		o.fsync = (*os.File).Sync
	}
	path, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	d, err := openDirectory(path)
	if err != nil {
		return nil, err
	}
	b := &Broker{dir: d, sync: newSyncer(d, o.fsync), log: o.Logger, password: rand.Text(), stop: make(chan struct{})}
	defer func() {
		if err != nil {
			if b.cluster != nil {
				b.cluster.Close()
			}
			b.sync.close()
			d.unlock()
		}
	}()
	if err := b.verify(ctx); err != nil {
		return nil, err
	}
	// kfake would prefer the password of the last run, which it keeps on disk.
	if err := os.Remove(filepath.Join(d.kafka(), "sasl.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	b.cluster, err = kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ClusterID("lishi"),
		kfake.DataDir(d.kafka()),
		kfake.WithLogger(kfakeLogger{o.Logger}),
		kfake.ListenFn(b.listen),
		kfake.EnableSASL(),
		kfake.Superuser("PLAIN", user, b.password),
		kfake.BrokerConfigs(map[string]string{
			"log.retention.ms":  "-1", // kfake's own default forgets after a week
			"log.segment.bytes": strconv.FormatInt(o.SegmentBytes, 10),
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	for _, dir := range []string{d.kafka(), d.path} {
		if err := syncDirectory(dir); err != nil {
			return nil, err
		}
	}
	b.addr = b.cluster.ListenAddrs()[0]
	b.tick.Go(func() { b.keepEnds(o.EndInterval) })
	return b, nil
}

// verify reads all partitions, makes what is whole durable, and hands it to the
// syncer.
func (b *Broker) verify(ctx context.Context) error {
	names, err := b.dir.checkState()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, name := range names {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return b.verifyPartition(name)
		})
	}
	return group.Wait()
}

func (b *Broker) verifyPartition(name string) error {
	ends, recorded, err := openEndFile(filepath.Join(b.dir.ends(), name))
	if err != nil {
		return err
	}
	p, err := verifyPartition(filepath.Join(b.dir.kafka(), "partitions", name), b.dir.aside(), recorded)
	if err != nil {
		ends.f.Close()
		return err
	}
	if p.cut != "" {
		b.log.Warn("an unfinished batch was cut from the log; nobody had been told that it was in it", "partition", name, "offset", p.end, "kept", p.cut)
	}
	if err := p.writeSnapshot(); err != nil {
		ends.f.Close()
		return err
	}
	return b.sync.add(name, p, ends, recorded)
}

// Addr is the broker's address, host:port on loopback.
func (b *Broker) Addr() string { return b.addr }

// Credentials are what a client must show by SASL PLAIN: the port is open to
// everybody on the machine, the log is not. The password is new at each Open.
func (b *Broker) Credentials() (username, password string) { return user, b.password }

// Sync returns when everything in the partition before offset end is durable. It
// is to be called after the broker has answered for these records. An error
// other than the context's means that they may or may not survive, and that the
// partition takes no more records until it is opened again.
func (b *Broker) Sync(ctx context.Context, topic string, partition int32, end int64) error {
	return b.sync.wait(ctx, b.sync.partition(topic, partition), end)
}

// Synced is the durable end: every record before it is on disk.
func (b *Broker) Synced(topic string, partition int32) int64 {
	return b.sync.partition(topic, partition).synced.Load()
}

// Written is the offset after the last record in the partition's files, durable
// or not. It tells whether a produce request that failed left anything behind.
func (b *Broker) Written(topic string, partition int32) (int64, error) {
	return b.sync.partition(topic, partition).written(b.sync)
}

// Writable tells why a partition takes no more records; nil if it does.
func (b *Broker) Writable(topic string, partition int32) error {
	if failed := b.sync.partition(topic, partition).failed.Load(); failed != nil {
		return *failed
	}
	return nil
}

func (b *Broker) keepEnds(every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if err := b.sync.syncEnds(); err != nil {
				b.log.Error("recording the log's end", "error", err)
			}
		case <-b.stop:
			return
		}
	}
}

// Close stops the broker. What Sync confirmed is durable with or without it.
func (b *Broker) Close() error {
	b.close.Do(func() {
		close(b.stop)
		b.tick.Wait()
		b.cluster.Close()
		b.err = b.sync.close()
		b.dir.unlock()
	})
	return b.err
}

type kfakeLogger struct{ log *slog.Logger }

func (l kfakeLogger) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		to = slog.LevelWarn
	}
	if l.log.Enabled(context.Background(), to) {
		l.log.Log(context.Background(), to, "embedded broker: "+fmt.Sprintf(format, args...))
	}
}
