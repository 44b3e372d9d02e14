package projections

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"lishi/events"
)

// A build is one filling of a projection's tables from the log. Its tables are
// named <table>_b<build> and never renamed, so whoever reads them is never
// overtaken by a swap. Three small tables keep the books:
//
//	lishi_builds       which builds were begun, of which version; dropped counts
//	lishi_checkpoints  how far each came; the greatest counts
//	lishi_live         which one answers; the latest swap counts
//
// Rows are only added, and of several the greatest counts, so nodes need no
// transactions: what two of them write at once is the same, or one of it holds.
type build struct {
	number     uint32
	projection string
	version    int
	dropped    bool
	idle       time.Duration // since a node that needs it said so, by ClickHouse's clock
	stage      stage
	named      string // if it is to be looked at only: it never becomes live
	upTo       string // as of this cursor, if it is named
}

// stage is what becomes of a build; the greatest counts.
type stage uint8

const (
	begun     stage = iota // with a version; dropped where it is not needed
	replaying              // by a replay, which goes on with it if it was interrupted
	finished               // was live once, or is a named one that is complete
)

// checkpoint says that the rows of every event up to offset are in the tables.
// event is the last admitted one that was looked at: a log that has another
// event there is not the log that the build was made from.
type checkpoint struct {
	offset      int64
	event       events.ID
	eventOffset int64
}

// swap is one row of lishi_live: build answers now, previous did before.
type swap struct {
	build, previous uint32
	number          uint64
}

type books struct {
	builds      []build
	checkpoints map[uint32]map[events.Partition]checkpoint
	live        map[string]swap
}

var bookTables = []string{
	`CREATE TABLE IF NOT EXISTS lishi_builds (build UInt32, name String, version UInt32, dropped UInt8)
		ENGINE = ReplacingMergeTree(dropped) ORDER BY build` + durable,
	`ALTER TABLE lishi_builds ADD COLUMN IF NOT EXISTS touched DateTime`,
	`ALTER TABLE lishi_builds ADD COLUMN IF NOT EXISTS stage UInt8, ADD COLUMN IF NOT EXISTS named String, ADD COLUMN IF NOT EXISTS up_to String`,
	`CREATE TABLE IF NOT EXISTS lishi_checkpoints (build UInt32, partition LowCardinality(String), offset UInt64, event String, event_offset Int64)
		ENGINE = ReplacingMergeTree(offset) ORDER BY (build, partition)` + durable,
	`CREATE TABLE IF NOT EXISTS lishi_live (name String, build UInt32, previous UInt32, swap UInt64)
		ENGINE = ReplacingMergeTree(swap) ORDER BY name` + durable,
}

// durable has a server sync what it acknowledges, as the embedded engine does
// anyhow. A checkpoint says that rows are there: after a power cut it must not
// have outlived them.
const durable = ` SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1`

// makeBooks makes the bookkeeping tables where they are missing.
func makeBooks(ctx context.Context, db DB) error {
	for _, sql := range bookTables {
		if err := db.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// readBooks reads all of them. They hold a few rows, so FINAL costs nothing here.
func readBooks(ctx context.Context, db DB) (books, error) {
	b := books{live: map[string]swap{}}
	err := each(ctx, db, `SELECT build, name, version, max(dropped) = 1, dateDiff('second', max(touched), now()), max(stage), max(named), max(up_to)
		FROM lishi_builds GROUP BY build, name, version ORDER BY build`, nil, func(s RowScanner) error {
		var r build
		var version uint32
		var idle int64
		var at uint8
		if err := s.Scan(&r.number, &r.projection, &version, &r.dropped, &idle, &at, &r.named, &r.upTo); err != nil {
			return err
		}
		r.stage = stage(at)
		r.version, r.idle = int(version), time.Duration(idle)*time.Second
		b.builds = append(b.builds, r)
		return nil
	})
	if err != nil {
		return b, err
	}
	if b.checkpoints, err = readCheckpoints(ctx, db); err != nil {
		return b, err
	}
	err = each(ctx, db, `SELECT name, build, previous, swap FROM lishi_live FINAL`, nil, func(s RowScanner) error {
		var name string
		var r swap
		if err := s.Scan(&name, &r.build, &r.previous, &r.number); err != nil {
			return err
		}
		b.live[name] = r
		return nil
	})
	return b, err
}

func (b *books) build(number uint32) *build {
	for i := range b.builds {
		if b.builds[i].number == number {
			return &b.builds[i]
		}
	}
	return nil
}

func readCheckpoints(ctx context.Context, db DB) (map[uint32]map[events.Partition]checkpoint, error) {
	all := map[uint32]map[events.Partition]checkpoint{}
	return all, each(ctx, db, `SELECT build, toString(partition), offset, event, event_offset FROM lishi_checkpoints FINAL`, nil, func(s RowScanner) error {
		var number uint32
		var partition, id string
		var offset uint64
		var c checkpoint
		if err := s.Scan(&number, &partition, &offset, &id, &c.eventOffset); err != nil {
			return err
		}
		p, err := events.ParsePosition(partition + "-" + strconv.FormatUint(offset, 10))
		if err == nil {
			c.event, err = events.ParseID(id)
		}
		if err != nil {
			return fmt.Errorf("projections: lishi_checkpoints: %w", err)
		}
		c.offset = p.Offset
		if all[number] == nil {
			all[number] = map[events.Partition]checkpoint{}
		}
		all[number][p.Partition] = c
		return nil
	})
}

// each runs a query and hands on its rows.
func each(ctx context.Context, db DB, sql string, args []Arg, row func(RowScanner) error) error {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func physical(table string, build uint32) string { return table + "_b" + strconv.Itoa(int(build)) }

// createTables makes a build's tables where they are missing.
func createTables(ctx context.Context, db DB, tables []Table, number uint32) error {
	for _, t := range tables {
		var b strings.Builder
		fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS `%s` (partition LowCardinality(String), offset UInt64", physical(t.Name, number))
		for _, f := range t.Fields {
			fmt.Fprintf(&b, ", %s %s", f.Name, f.Type)
			if f.Codec != "" {
				fmt.Fprintf(&b, " CODEC(%s)", f.Codec)
			}
		}
		for _, index := range t.Indexes {
			b.WriteString(", INDEX " + index)
		}
		fmt.Fprintf(&b, ") ENGINE = ReplacingMergeTree(offset) ORDER BY (%s)", strings.Join(t.Key, ", "))
		b.WriteString(durable)
		if t.Granularity > 0 {
			// Few rows are read at a time, so little is to be unpacked for them.
			fmt.Fprintf(&b, ", index_granularity = %d, min_compress_block_size = 8192", t.Granularity)
		}
		if err := db.Exec(ctx, b.String()); err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
	}
	return nil
}

// recordBuild writes down that a build was begun, is needed, has got on, or is
// dropped. Of several rows the last is kept, so none takes a stage back that
// another node has seen.
func recordBuild(ctx context.Context, db DB, b build) error {
	return db.Exec(ctx, `INSERT INTO lishi_builds (build, name, version, dropped, touched, stage, named, up_to)
		SELECT {build:UInt32}, {name:String}, {version:UInt32}, {dropped:Bool}, now(),
			greatest({stage:UInt8}, (SELECT max(stage) FROM lishi_builds WHERE build = {build:UInt32})), {named:String}, {upTo:String}`,
		Arg{"build", b.number}, Arg{"name", b.projection}, Arg{"version", uint32(b.version)}, Arg{"dropped", b.dropped},
		Arg{"stage", uint8(b.stage)}, Arg{"named", b.named}, Arg{"upTo", b.upTo})
}

// recordSwap makes a build the one that answers. This one row is the swap.
func recordSwap(ctx context.Context, db DB, projection string, s swap) error {
	return db.Exec(ctx, `INSERT INTO lishi_live (name, build, previous, swap)
		SELECT {name:String}, {build:UInt32}, {previous:UInt32}, {swap:UInt64}`,
		Arg{"name", projection}, Arg{"build", s.build}, Arg{"previous", s.previous}, Arg{"swap", s.number})
}

// showViews gives SQL users the tables' names for the live build's rows, each
// key once.
func showViews(ctx context.Context, db DB, tables []Table, number uint32) error {
	for _, t := range tables {
		sql := fmt.Sprintf("CREATE OR REPLACE VIEW `%s` AS SELECT * FROM `%s` FINAL", t.Name, physical(t.Name, number))
		if err := db.Exec(ctx, sql); err != nil {
			return fmt.Errorf("view %s: %w", t.Name, err)
		}
	}
	return nil
}

// missing names a table of a build that should be there and is not.
func missing(ctx context.Context, db DB, tables []Table, number uint32) (name string, err error) {
	there, err := tableNames(ctx, db)
	for _, t := range tables {
		if name := physical(t.Name, number); err == nil && !there[name] {
			return name, nil
		}
	}
	return "", err
}

func tableNames(ctx context.Context, db DB) (map[string]bool, error) {
	names := map[string]bool{}
	return names, each(ctx, db, `SELECT name FROM system.tables WHERE database = currentDatabase()`, nil, func(s RowScanner) error {
		var name string
		err := s.Scan(&name)
		names[name] = true
		return err
	})
}

// sweep drops the tables of all builds of the projections but those to keep.
// That a build is dropped is written down first: its checkpoints stay behind, and
// nobody may go on from them. The books are read after the tables are listed, so
// that they know of every build whose table was seen.
func sweep(ctx context.Context, db DB, ps []Projection, keep func(b *books, p Projection, number uint32) bool) error {
	there, err := tableNames(ctx, db)
	if err != nil {
		return err
	}
	b, err := readBooks(ctx, db)
	if err != nil {
		return err
	}
	for _, p := range ps {
		recorded := map[uint32]bool{}
		for name := range there {
			number, ok := buildOf(name, p.Tables())
			if !ok || keep(&b, p, number) {
				continue
			}
			if !recorded[number] {
				gone := build{number: number, projection: p.Name()}
				if r := b.build(number); r != nil {
					gone = *r
				}
				gone.dropped = true
				if err := recordBuild(ctx, db, gone); err != nil {
					return err
				}
				recorded[number] = true
			}
			if err := db.Exec(ctx, fmt.Sprintf("DROP TABLE IF EXISTS `%s` SYNC", name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// buildOf is the build that a physical table belongs to, if it is one of these.
func buildOf(name string, tables []Table) (number uint32, ok bool) {
	for _, t := range tables {
		suffix, ok := strings.CutPrefix(name, t.Name+"_b")
		n, err := strconv.ParseUint(suffix, 10, 32)
		if ok && err == nil && physical(t.Name, uint32(n)) == name {
			return uint32(n), true
		}
	}
	return 0, false
}
