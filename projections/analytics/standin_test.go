package analytics_test

import (
	"regexp"
	"testing"

	"lishi/projections"
	"lishi/projections/projectiontest"
)

var view = regexp.MustCompile(`(FROM|JOIN) (messages|groups|friendships|memberships)\b`)

func standIn(t testing.TB, db projections.DB) func(string) string {
	for _, sql := range []string{
		"CREATE DATABASE IF NOT EXISTS chat",
		`CREATE OR REPLACE VIEW chat.messages AS SELECT m.partition, m.offset, conversation, if(startsWith(conversation,'g|'),'group','pair') AS kind,
			if(kind='group', receiver, '') AS group_id, sender, fromUnixTimestamp64Milli(m.said,'UTC') AS said, imported,
			(conversation, offset) IN (SELECT conversation, original FROM lishi.versions WHERE change='edited') AS edited,
			(conversation, offset) IN (SELECT conversation, original FROM lishi.versions WHERE change='recalled') AS recalled FROM lishi.messages AS m`,
		"CREATE OR REPLACE VIEW chat.groups AS SELECT group_id, argMax(name, offset) AS name FROM lishi.groups GROUP BY group_id",
		`CREATE OR REPLACE VIEW chat.memberships AS SELECT group_id, user, fromUnixTimestamp64Milli(since,'UTC') AS since, if(ended, fromUnixTimestamp64Milli(ends,'UTC'), NULL) AS until, imported FROM (
			SELECT group_id, user, joined, argMin(said, offset) AS since, argMin(imported, offset) AS imported, argMax(next, offset) AS ends, argMax(has, offset) AS ended FROM (
			SELECT *, leadInFrame(said) OVER w AS next, leadInFrame(1) OVER w AS has FROM lishi.group_members
			WINDOW w AS (PARTITION BY group_id, user ORDER BY offset ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)) WHERE role != '' GROUP BY group_id, user, joined)`,
		`CREATE OR REPLACE VIEW chat.friendships AS SELECT user AS user_a, friend AS user_b, fromUnixTimestamp64Milli(said,'UTC') AS since, if(has, fromUnixTimestamp64Milli(next,'UTC'), NULL) AS until, imported FROM (
			SELECT *, leadInFrame(said) OVER w AS next, leadInFrame(1) OVER w AS has FROM lishi.friends WHERE user < friend
			WINDOW w AS (PARTITION BY user, friend ORDER BY offset ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)) WHERE friends`,
	} {
		projectiontest.Exec(t, db, sql)
	}
	return func(sql string) string { return view.ReplaceAllString(sql, "$1 chat.$2") }
}
