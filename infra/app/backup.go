package app

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"lishi/events"
	"lishi/infra/broker"
	"lishi/infra/config"
)

// keyFiles are the secrets of a data directory.
var keyFiles = []string{"token.key", "audit.key"}

func (p *program) backup() *cobra.Command {
	var withoutKey, verify bool
	c := settings(&cobra.Command{
		Use:   "backup DIR",
		Short: "Back up the embedded log, also while lishi runs",
		Long: `Back up the embedded log of the data directory to DIR, also while lishi runs on
it: every event that was acknowledged before the backup began. The log is all
there is to back up; the read models are made from it again.

A backup that is there is continued: only what is new is copied. Then all of it
is read, its checksums are checked, and the SHA-256 of each partition is written
to DIR/backup.json. DIR/token.key is the HS256 key of the data directory, if it
has one: whoever can read it can be any user; DIR/audit.key signs checkpoints:
whoever can read it can sign another history (--without-key leaves both out).

--verify only reads DIR and compares it with what was written then; exit status 3
means that it is damaged. "lishi restore" makes a data directory of a backup.`,
		Args: cobra.ExactArgs(1),
	}, config.Log)
	c.Flags().BoolVar(&withoutKey, "without-key", false, "do not copy the data directory's token.key and audit.key")
	c.Flags().BoolVar(&verify, "verify", false, "change nothing, only check the backup that is there")
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, _, err := load(c)
		if err != nil {
			return err
		}
		begun := time.Now()
		progress, finish := p.progress("bytes")
		if verify {
			m, err := broker.VerifyBackup(c.Context(), filepath.Join(args[0], "log"), progress)
			finish()
			var damage *broker.Damage
			if errors.As(err, &damage) {
				return &Finding{damage.Error()}
			}
			if err != nil {
				return err
			}
			return p.backedUp("verified", args[0], m, 0, begun)
		}
		if cfg.KafkaBrokers != "" {
			return usageError{errors.New("the log is on Kafka, which keeps it on several brokers; `lishi log copy --to-data DIR` makes an embedded log of it, which can be backed up")}
		}
		m, added, err := broker.Backup(c.Context(), broker.BackupOptions{
			Dir: filepath.Join(cfg.Data, "log"), To: filepath.Join(args[0], "log"),
			// Checkpoints and looks speak of records, read marks of messages: one
			// of a record that the backup lacks would later speak of another.
			First:    []string{cfg.TopicPrefix + events.Seals.Name(), cfg.TopicPrefix + events.Audit.Name(), cfg.TopicPrefix + events.Users.Name()},
			Progress: progress,
		})
		finish()
		if err != nil {
			return err
		}
		if !withoutKey {
			if err := copyKeys(cfg.Data, args[0]); err != nil {
				return err
			}
		}
		return p.backedUp("backed up", args[0], m, added, begun)
	}
	return c
}

func (p *program) restore() *cobra.Command {
	c := settings(&cobra.Command{
		Use:   "restore DIR --data NEW",
		Short: "Make a data directory of a backup",
		Long: `Make a data directory of a backup, for lishi serve --data NEW. NEW must have no log
and no read models yet. Everything is checked, and the log appears when it is
whole; an interrupted restore is begun anew. The read models are made from the
log at the next start.`,
		Args: cobra.ExactArgs(1),
	}, config.Log)
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, _, err := load(c)
		if err != nil {
			return err
		}
		if cfg.KafkaBrokers != "" {
			return usageError{errors.New("a backup is restored to a data directory; `lishi log copy` then takes it to Kafka")}
		}
		if _, err := os.Stat(filepath.Join(cfg.Data, "clickhouse")); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s has read models already, which may know more than the backup; give another directory with --data", cfg.Data)
		}
		if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
			return err
		}
		begun := time.Now()
		progress, finish := p.progress("bytes")
		m, err := broker.Restore(c.Context(), filepath.Join(args[0], "log"), filepath.Join(cfg.Data, "log"), progress)
		finish()
		if err != nil {
			return err
		}
		if err := copyKeys(args[0], cfg.Data); err != nil {
			return err
		}
		added := int64(0)
		for _, part := range m.Partitions {
			added += part.Bytes
		}
		return p.backedUp("restored", cfg.Data, m, added, begun)
	}
	return c
}

// copyKeys copies the keys that are there, and replaces no others.
func copyKeys(from, to string) error {
	for _, name := range keyFiles {
		if err := copyKey(from, to, name); err != nil {
			return err
		}
	}
	return nil
}

func copyKey(from, to, keyFile string) error {
	key, err := os.ReadFile(filepath.Join(from, keyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	path := filepath.Join(to, keyFile)
	there, err := os.ReadFile(path)
	switch {
	case err == nil && bytes.Equal(there, key):
		return nil
	case err == nil:
		return fmt.Errorf("%s is another key than %s; remove the one that is wrong", path, filepath.Join(from, keyFile))
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(key)
	return errors.Join(err, f.Sync(), f.Close())
}

func (p *program) backedUp(done, dir string, m broker.Manifest, added int64, begun time.Time) error {
	records, size := int64(0), int64(0)
	for _, part := range m.Partitions {
		records, size = records+part.Records, size+part.Bytes
	}
	if p.asJSON {
		return p.json(map[string]any{"directory": dir, "taken": m.Taken, "records": records, "bytes": size, "added": added,
			"seconds": time.Since(begun).Seconds(), "partitions": m.Partitions})
	}
	for _, part := range m.Partitions {
		fmt.Fprintf(p.out, "%s  %d records, SHA-256 %s\n", part.Name, part.Records, part.SHA256)
	}
	_, err := fmt.Fprintf(p.out, "%s %s: %d records, %d bytes, %d of them copied now; %.1f s\n", done, dir, records, size, added, time.Since(begun).Seconds())
	return err
}
