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
		"CREATE OR REPLACE VIEW chat.groups AS SELECT group_id, name FROM lishi.groups",
		`CREATE OR REPLACE VIEW chat.memberships AS SELECT group_id, user, fromUnixTimestamp64Milli(recorded,'UTC') AS since, if(role='', since, NULL) AS until, true AS imported FROM lishi.group_members`,
		`CREATE OR REPLACE VIEW chat.friendships AS SELECT user AS user_a, friend AS user_b, fromUnixTimestamp64Milli(recorded,'UTC') AS since, if(not friends, since, NULL) AS until, true AS imported FROM lishi.friends WHERE user<friend`,
	} {
		projectiontest.Exec(t, db, sql)
	}
	return func(sql string) string { return view.ReplaceAllString(sql, "$1 chat.$2") }
}
