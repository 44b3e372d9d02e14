package projections

import (
	"context"
	"errors"
	"fmt"
	"reflect"
)

// ErrUnavailable means that the database could not be asked: it is down, out
// of reach, or did not answer in time. Nothing is wrong with the statement, so
// the same call can succeed later. Whether an interrupted Exec or Insert took
// effect is not known; both are written so that repeating them is harmless.
//
// Any other error of a DB is an answer: the database read the statement and
// refused it, and will refuse it again.
var ErrUnavailable = errors.New("clickhouse unavailable")

// ErrMemory is the ErrUnavailable of a statement that took more memory than
// ClickHouse would give it. The same statement fits later, where others have given
// theirs back, or never; parts of it fit sooner.
var ErrMemory = fmt.Errorf("%w: not enough memory for the statement", ErrUnavailable)

// DB is what projections and queries need of ClickHouse. It is safe for
// concurrent use.
//
// SQL names its parameters with their types, as ClickHouse does:
//
//	SELECT content FROM history WHERE conversation = {c:String} AND position < {p:UInt64} LIMIT {n:UInt32}
//
// Values travel beside the SQL and never become part of it.
// See https://clickhouse.com/docs/sql-reference/syntax#defining-and-using-query-parameters.
type DB interface {
	// Exec runs one statement that answers nothing: DDL, a single-row INSERT.
	Exec(ctx context.Context, sql string, args ...Arg) error

	// Query runs one statement and streams its rows: memory does not grow with
	// the result. The caller closes the scanner. The context governs the whole
	// stream, not just the call.
	Query(ctx context.Context, sql string, args ...Arg) (RowScanner, error)

	// Insert writes all columns as one durable INSERT: on nil every row is
	// there, on an answered error (not ErrUnavailable) none is. Columns have
	// the same number of rows; none at all is nil at once. The slices are the
	// caller's again when it returns, to be filled anew. The table may be
	// qualified ("db.table") and is quoted where that is needed.
	Insert(ctx context.Context, table string, columns []Column, how ...Insertion) error
}

// Insertion says something about the rows of an Insert.
type Insertion byte

// Distinct says that no two of the rows have the same key: ClickHouse need not
// look for such rows before it writes them.
const Distinct Insertion = 1

// Arg is the value of one parameter {Name:Type} of a statement: a string,
// bool, any integer or float, a slice of those (for Array(…)), or nil for NULL
// where the type is Nullable.
type Arg struct {
	Name  string
	Value any
}

// Column is one column of an insert: its name, its ClickHouse type ("UInt64",
// "Array(String)", "LowCardinality(String)", "Nullable(Int64)") and its values,
// a slice of the matching Go type: []string, []int64, []uint64, []int32,
// []uint32, []uint8, []bool (for Bool), [][]string, []*int64 …. Strings may be
// packed as Texts, Symbols (of LowCardinality) and Lists are. Times are Int64
// milliseconds since 1970 everywhere.
type Column struct {
	Name string
	Type string
	Data any
}

// Len is the number of values; an error says that Data is none of the above.
func (c Column) Len() (int, error) {
	switch d := c.Data.(type) {
	case Texts:
		return d.n, nil
	case Symbols:
		return len(d.Rows), nil
	case Lists:
		return len(d.Ends), nil
	}
	v := reflect.ValueOf(c.Data)
	if v.Kind() != reflect.Slice {
		return 0, fmt.Errorf("column %s is a %T, not a slice", c.Name, c.Data)
	}
	return v.Len(), nil
}

// RowScanner walks over the rows of a Query, like sql.Rows: Next, then Scan
// into pointers of the columns' Go types. Err tells after the last Next
// whether the rows ended or broke off. It is for one goroutine.
type RowScanner interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close() error
}
