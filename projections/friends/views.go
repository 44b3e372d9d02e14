package friends

import "lishi/projections"

// Views implements projections.Viewer.
func (Projection) Views() []projections.View {
	return []projections.View{{
		Name:    "users",
		Comment: "Every user once.",
		From:    "{users} AS u",
		By:      "u.user",
		Columns: []projections.ViewColumn{
			{Name: "user", Type: "String", SQL: "u.user", Comment: "the user's id"},
			{Name: "nickname", Type: "String", SQL: "if(countIf(u.named) > 0, argMaxIf(u.nickname, u.offset, u.named), argMax(u.nickname, u.offset))", Comment: "the nickname now", Written: true},
			{Name: "avatar", Type: "String", SQL: "argMax(u.avatar, u.offset)", Comment: "address of the picture; empty: none", Written: true},
			projections.Moment("registered", "min(u.said)", "when the user first appeared"),
			{Name: "position", Type: "String", SQL: "concat(any(u.partition), '-', toString(min(u.offset)))", Comment: "address of the event that registered the user"},
		},
	}, {
		Name:    "friendships",
		Comment: "Every friendship: one row a spell, so a pair that parted and became friends again has two.",
		From: `(SELECT *, leadInFrame(said) OVER w AS end_said, leadInFrame(recorded) OVER w AS end_recorded, leadInFrame(offset) OVER w AS end_offset, leadInFrame(by) OVER w AS end_by,
			leadInFrame(toString(how)) OVER w AS end_how, leadInFrame(1) OVER w AS over FROM {friends} WHERE user < friend
			WINDOW w AS (PARTITION BY user, friend ORDER BY offset ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)) AS f WHERE f.friends`,
		Columns: []projections.ViewColumn{
			{Name: "user_a", Type: "String", SQL: "f.user", Comment: "the one of the two whose id is smaller, bytewise"},
			{Name: "user_b", Type: "String", SQL: "f.friend", Comment: "the other one"},
			projections.Moment("since", "f.said", "when they became friends (of imported ones: by the file)"),
			projections.End("until", "f.over = 1", "f.end_said", "when they parted; NULL: they are friends"),
			projections.Moment("recorded", "f.recorded", "when the beginning was put into the log"),
			{Name: "since_position", Type: "String", SQL: "concat(f.partition, '-', toString(f.offset))", Comment: "address of the event that made them friends"},
			{Name: "until_position", Type: "String", SQL: "if(f.over = 1, concat(f.partition, '-', toString(f.end_offset)), '')", Comment: "address of the event that ended it; empty: none did"},
			{Name: "begun_by", Type: "String", SQL: "f.by", Comment: "user id of who agreed"},
			{Name: "begun_how", Type: "String", SQL: "toString(f.how)", Comment: "type of the event that made them friends"},
			{Name: "ended_by", Type: "String", SQL: "if(f.over = 1, f.end_by, '')", Comment: "user id of who ended it; empty: nobody did"},
			{Name: "ended_how", Type: "String", SQL: "if(f.over = 1, f.end_how, '')", Comment: "type of the event that ended it"},
			{Name: "imported", Type: "Bool", SQL: "f.imported", Comment: "it came by lishi import"},
		},
	}}
}
