package groups

import "lishi/projections"

// Views implements projections.Viewer.
func (Projection) Views() []projections.View {
	return []projections.View{{
		Name:    "groups",
		Comment: "Every group once, also those that were deleted.",
		From:    "{groups} AS g",
		Group:   "g.group_id",
		By:      "g.group_id",
		Columns: []projections.ViewColumn{
			{Name: "group_id", Type: "String", SQL: "g.group_id", Comment: "the group's id"},
			{Name: "name", Type: "String", SQL: "argMax(g.name, g.offset)", Comment: "its name now", Written: true},
			{Name: "notice", Type: "String", SQL: "argMax(g.notice, g.offset)", Comment: "its notice now", Written: true},
			{Name: "join_mode", Type: "String", SQL: "toString(argMax(g.join_mode, g.offset))", Comment: "0 by invitation, 1 by application, 9 open"},
			{Name: "creator", Type: "String", SQL: "any(g.creator)", Comment: "user id of who made it"},
			projections.Moment("created", "any(g.created)", "when it was made"),
			{Name: "deleted", Type: "Bool", SQL: "max(g.deleted)", Comment: "it was deleted"},
			projections.End("deleted_at", "max(g.deleted)", "maxIf(g.said, g.deleted)", "when it was deleted; NULL: it was not"),
			{Name: "position", Type: "String", SQL: "concat(any(g.partition), '-', toString(min(g.offset)))", Comment: "address of the event that made it"},
		},
	}, {
		Name:    "memberships",
		Comment: "Every membership of a group: one row a spell, so who left and came back has two.",
		Group:   "s.group_id",
		From: `(SELECT r.group_id AS group_id, r.user AS user, r.joined AS joined, any(r.partition) AS partition, argMin(r.said, r.offset) AS since, argMin(r.recorded, r.offset) AS recorded,
			argMin(r.by, r.offset) AS begun_by, argMin(toString(r.how), r.offset) AS begun_how, argMin(r.imported, r.offset) AS imported, argMax(toString(r.role), r.offset) AS role,
			argMax(r.muted_until, r.offset) AS muted_until, argMax(r.end_said, r.offset) AS end_said, argMax(r.end_offset, r.offset) AS end_offset, argMax(r.end_by, r.offset) AS end_by,
			argMax(r.end_how, r.offset) AS end_how, argMax(r.over, r.offset) AS over
			FROM (SELECT *, leadInFrame(said) OVER w AS end_said, leadInFrame(offset) OVER w AS end_offset, leadInFrame(by) OVER w AS end_by, leadInFrame(toString(how)) OVER w AS end_how,
				leadInFrame(1) OVER w AS over FROM {group_members} WINDOW w AS (PARTITION BY group_id, user ORDER BY offset ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)) AS r
			WHERE r.role != '' GROUP BY r.group_id, r.user, r.joined) AS s`,
		Columns: []projections.ViewColumn{
			{Name: "group_id", Type: "String", SQL: "s.group_id", Comment: "the group"},
			{Name: "user", Type: "String", SQL: "s.user", Comment: "the member"},
			{Name: "role", Type: "String", SQL: "s.role", Comment: "the newest role: 1 member, 5 admin, 9 owner"},
			{Name: "muted_until", Type: "Nullable(DateTime64(3, 'UTC'))", SQL: "if(s.muted_until > 0, fromUnixTimestamp64Milli(s.muted_until, 'UTC'), NULL)", Comment: "until when the member may not speak; NULL: never muted"},
			projections.Moment("since", "s.since", "when the membership began (of imported ones: by the file)"),
			projections.End("until", "s.over = 1", "s.end_said", "when it ended; NULL: it lasts"),
			projections.Moment("recorded", "s.recorded", "when the beginning was put into the log"),
			{Name: "since_position", Type: "String", SQL: "concat(s.partition, '-', toString(s.joined))", Comment: "address of the event that began it"},
			{Name: "until_position", Type: "String", SQL: "if(s.over = 1, concat(s.partition, '-', toString(s.end_offset)), '')", Comment: "address of the event that ended it; empty: none did"},
			{Name: "begun_by", Type: "String", SQL: "s.begun_by", Comment: "user id of who let the member in, or joined"},
			{Name: "begun_how", Type: "String", SQL: "s.begun_how", Comment: "type of the event that began it"},
			{Name: "ended_by", Type: "String", SQL: "if(s.over = 1, s.end_by, '')", Comment: "user id of who ended it; empty: nobody did"},
			{Name: "ended_how", Type: "String", SQL: "if(s.over = 1, s.end_how, '')", Comment: "type of the event that ended it"},
			{Name: "imported", Type: "Bool", SQL: "s.imported", Comment: "it came by lishi import"},
		},
	}}
}
