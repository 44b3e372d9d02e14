package app

import (
	"context"
	"errors"
	"fmt"
	"io"

	"lishi/infra/console"
	sqlapi "lishi/infra/sql"
	"lishi/projections/analytics"
)

// selects runs the SELECTs of figures as people's SQL is run: over the same views,
// with the same rights and limits.
type selects struct{ sql *sqlapi.Endpoint }

// Select implements console.Selects.
func (f selects) Select(ctx context.Context, c console.Caller, s analytics.Statement, format string, w io.Writer) error {
	if f.sql == nil {
		return console.Refuse(console.Unavailable, "ClickHouse is reached here by its native protocol; sql-clickhouse must say how over http")
	}
	params := map[string]string{}
	for _, a := range s.Args {
		params[a.Name] = fmt.Sprint(a.Value)
	}
	answer, err := f.sql.Open(ctx, sqlapi.Caller{ID: c.ID, Name: c.Name, Role: string(c.Role), Reason: c.Reason},
		sqlapi.Statement{SQL: s.SQL, Params: params, Format: format, Looked: true})
	if err == nil {
		_, err = io.Copy(w, answer)
		answer.Close()
	}
	var refused *sqlapi.Error
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Code {
	case 60, 81: // the views are not made yet
		return console.Refuse(console.Unavailable, "the read models are not filled yet; try again later")
	case 159, 160:
		return console.Refuse(console.Timeout, "it took too long and was given up; ask for a shorter time")
	case 202, 241:
		return console.Refuse(console.Unavailable, "it takes more than ClickHouse has at the moment; ask for a shorter time, or later")
	}
	return console.Refuse(console.SQLRefused, "%s", refused.Error())
}
