package app

import (
	"context"
	"errors"
	"fmt"
	"io"

	"lishi/infra/chdb"
	"lishi/infra/clickhouse"
	"lishi/infra/console"
	"lishi/projections/analytics"
)

// selects runs the SELECTs of figures over the views that people read.
type selects struct{ db *clickhouse.DB }

// limits of one figure. They are frozen by readonly.
var figureLimits = []chdb.Setting{{Name: "max_execution_time", Value: "60"}, {Name: "max_memory_usage", Value: "536870912"}, {Name: "readonly", Value: "1"}}

// Select implements console.Selects.
func (f selects) Select(ctx context.Context, _ console.Caller, s analytics.Statement, format string, w io.Writer) error {
	engine := f.db.Engine()
	if engine == nil {
		return console.Refuse(console.Unavailable, "figures are served by the embedded ClickHouse alone; ask the server itself with the SQL that docs/sql.md lists")
	}
	var params []chdb.Param
	for _, a := range s.Args {
		params = append(params, chdb.Param{Name: a.Name, Value: fmt.Sprint(a.Value)})
	}
	err := engine.Query(ctx, chdb.Session{Database: "chat", Settings: figureLimits}, s.SQL, format, params, func(p []byte) error {
		_, err := w.Write(p)
		return err
	})
	var refused *chdb.Error
	if errors.As(err, &refused) {
		switch refused.Code {
		case 60, 81: // the views are not made yet
			return console.Refuse(console.Unavailable, "the read models are not filled yet; try again later")
		case 159:
			return console.Refuse(console.Timeout, "it took too long and was given up; ask for a shorter time")
		case 241:
			return console.Refuse(console.Unavailable, "it takes more memory than there is at the moment; ask for a shorter time, or later")
		}
	}
	return err
}
