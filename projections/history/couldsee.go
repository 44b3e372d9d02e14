package history

import "lishi/projections"

// couldSee joins what was said with those who were there. Memberships are
// another projection's, so their own view is asked.
func couldSee() projections.View {
	const (
		sent     = `SELECT partition, offset, conversation, offset AS original, 'sent' AS change, sender AS by, said, recorded FROM {messages}`
		versions = `SELECT partition, offset, conversation, original, toString(change) AS change, by, said, recorded FROM {versions}`
	)
	at := func(position string) string { return "toUInt64(splitByChar('-', " + position + ")[2])" }
	until := func(position string) string {
		return "if(" + position + " = '', toUInt64(-1), " + at("if("+position+" = '', 'c0-0', "+position+")") + ")"
	}
	// seen are those who were members at the offset.
	seen := func(said, memberships, also string) string {
		return `SELECT m.partition AS partition, m.offset AS offset, m.conversation AS conversation, m.original AS original, m.change AS change, m.by AS by, m.said AS said,
				m.recorded AS recorded, s.user AS user, s.since_position AS since_position, s.until_position AS until_position
			FROM (SELECT *, ` + projections.Unescaped("substring(conversation, 3)") + ` AS in_group FROM (` + said + `) WHERE startsWith(conversation, 'g|')) AS m
			INNER JOIN ` + memberships + ` AS s ON m.in_group = s.group_id
			WHERE m.offset > ` + at("s.since_position") + ` AND m.offset <= ` + until("s.until_position") + also
	}
	return projections.View{
		Name:    "could_see",
		Comment: "Who could see which message, edit or recall: one row for each who could. Ask it for a message or a user; all of it is large.",
		Group:   groupOf,
		From: `(` + seen(sent, "{chat.memberships}", "") + ` UNION ALL ` +
			// Of an edit or a recall knows who could see the message too, or made it.
			seen(versions, "(SELECT *, groupArray(("+at("since_position")+", "+until("until_position")+")) OVER (PARTITION BY group_id, user) AS stays FROM {chat.memberships})",
				" AND (m.by = s.user OR arrayExists(x -> m.original > x.1 AND m.original <= x.2, s.stays))") + `
			UNION ALL SELECT partition, offset, conversation, original, change, by, said, recorded,
				arrayJoin(arrayDistinct(arrayMap(u -> ` + projections.Unescaped("u") + `, arraySlice(splitByChar('|', conversation), 2)))), '', ''
			FROM (` + sent + ` UNION ALL ` + versions + `) WHERE startsWith(conversation, 'p|')) AS m`,
		Columns: append(projections.Placed("m"), []projections.ViewColumn{
			{Name: "conversation", Type: "String", SQL: "m.conversation", Comment: "the stream's key: p|a|b of a pair, g|id of a group"},
			{Name: "group_id", Type: "String", SQL: groupOf, Comment: "the group; empty of pairs"},
			{Name: "message", Type: "String", SQL: "concat(m.partition, '-', toString(m.original))", Comment: "position of the message that was sent, edited or recalled: messages.position"},
			{Name: "change", Type: "String", SQL: "m.change", Comment: "sent, edited or recalled"},
			{Name: "by", Type: "String", SQL: "m.by", Comment: "user id of who did it"},
			projections.Moment("said", "m.said", "when that was (of imported ones: by the file)"),
			projections.Moment("recorded", "m.recorded", "when it was put into the log"),
			{Name: "user", Type: "String", SQL: "m.user", Comment: "user id of one who could see it"},
			{Name: "since_position", Type: "String", SQL: "m.since_position", Comment: "address of the event that made the user a member; empty of pairs, whose two see all of it"},
			{Name: "until_position", Type: "String", SQL: "m.until_position", Comment: "address of the event that ended the membership later; empty: none did"},
		}...),
	}
}
