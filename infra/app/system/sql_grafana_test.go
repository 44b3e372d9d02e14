package system

import (
	"context"
	"strings"
	"testing"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
)

// grafana asks as Grafana's data source for ClickHouse does over HTTP: by
// database/sql, packed, with its limits and a zone, and first for what there is.
//
// Source: grafana/clickhouse-datasource, pkg/plugin/driver.go and src/data/CHDatasource.ts.
func (s *sqlServer) grafana(t *testing.T) {
	db := ch.OpenDB(&ch.Options{
		Protocol: ch.HTTP, Addr: []string{strings.Trim(strings.TrimPrefix(s.sql, "http://"), "/")}, Auth: ch.Auth{Database: "chat", Username: "any", Password: s.token("analyst")},
		Compression: &ch.Compression{Method: ch.CompressionGZIP}, DialTimeout: 10 * time.Second, ReadTimeout: time.Minute,
		Settings: ch.Settings{"limit": "1000", "max_execution_time": "10"},
	})
	defer db.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	ctx = ch.Context(ctx, ch.WithUserLocation(shanghai), ch.WithClientInfo(ch.ClientInfo{Comment: []string{"grafana_user:ann"}}))
	if err := db.PingContext(ctx); err != nil {
		t.Fatal(err)
	}
	for sql, least := range map[string]int{
		"SELECT version()":                             1,
		"SHOW DATABASES":                               1,
		"SHOW TABLES":                                  8,
		`SHOW TABLES FROM "chat"`:                      8,
		`DESC TABLE "chat"."messages"`:                 10,
		"SELECT name, type, table FROM system.columns": 50,
		"SELECT name, is_aggregate, case_insensitive, alias_to, origin, description, syntax, arguments, returned_value, examples, categories FROM system.functions LIMIT 10000": 1000,
		"select distinct sender from chat.messages limit 1000": 2,
		"SELECT toStartOfInterval(said, INTERVAL 3600 second) AS time, count() AS n FROM chat.messages WHERE said >= 1735689600 GROUP BY time ORDER BY time": 1,
	} {
		rows, err := db.QueryContext(ctx, sql)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		columns, _ := rows.ColumnTypes()
		n := 0
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			if err := rows.Scan(values...); err != nil {
				t.Errorf("%s: %v", sql, err)
			}
			n++
		}
		if err := rows.Err(); err != nil || n < least {
			t.Errorf("%s: %d rows, %v", sql, n, err)
		}
		rows.Close()
	}
	if _, err := db.ExecContext(ctx, "ALTER TABLE chat.messages DELETE WHERE 1"); err == nil || !strings.Contains(err.Error(), "497") {
		t.Errorf("it deletes: %v", err)
	}
}
