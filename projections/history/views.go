package history

import "lishi/projections"

var groupOf = projections.GroupOf("m.conversation")

// Views implements projections.Viewer.
func (Projection) Views() []projections.View {
	about := append(projections.Placed("m"), []projections.ViewColumn{
		{Name: "conversation", Type: "String", SQL: "m.conversation", Comment: "the stream's key: p|a|b of a pair, g|id of a group"},
		{Name: "kind", Type: "String", SQL: "if(startsWith(m.conversation, 'g|'), 'group', 'pair')", Comment: "pair or group"},
		{Name: "group_id", Type: "String", SQL: groupOf, Comment: "the group; empty of pairs"},
	}...)
	return []projections.View{{
		Name:    "messages",
		Comment: "Every message once, as it is now: with the newest edit, and without text once it was recalled.",
		Group:   groupOf,
		From: `{messages} AS m LEFT ANY JOIN (SELECT conversation, original, argMaxIf(content, offset, change = 'edited') AS text, countIf(change = 'edited') AS edits,
			countIf(change = 'recalled') AS recalls FROM {versions} GROUP BY conversation, original) AS v ON m.conversation = v.conversation AND m.offset = v.original`,
		Columns: append(about[:len(about):len(about)], []projections.ViewColumn{
			{Name: "id", Type: "String", SQL: "m.id", Comment: "the message's id"},
			{Name: "sender", Type: "String", SQL: "m.sender", Comment: "user id of who wrote it"},
			{Name: "receiver", Type: "String", SQL: "m.receiver", Comment: "user id of the other one, or the group's id"},
			projections.Moment("said", "m.said", "when it was sent (of imported ones: by the file)"),
			projections.Moment("recorded", "m.recorded", "when it was put into the log"),
			{Name: "imported", Type: "Bool", SQL: "m.imported", Comment: "it came by lishi import"},
			{Name: "edited", Type: "Bool", SQL: "v.edits > 0", Comment: "it was edited"},
			{Name: "recalled", Type: "Bool", SQL: "v.recalls > 0", Comment: "it was taken back"},
			{Name: "content", Type: "String", SQL: "multiIf(v.recalls > 0, '', v.edits > 0, v.text, m.content)", Comment: "the text as it is now; empty of recalled ones (message_versions has what it was)", Written: true},
			{Name: "content_type", Type: "String", SQL: "toString(m.content_type)", Comment: "what the sender said that the content is"},
			{Name: "content_bytes", Type: "UInt64", SQL: "length(multiIf(v.recalls > 0, '', v.edits > 0, v.text, m.content))", Comment: "length of the text in bytes (UTF-8)"},
			{Name: "reply_to", Type: "String", SQL: "m.reply_to", Comment: "id of the message that it replies to; empty: none"},
			{Name: "at_users", Type: "Array(String)", SQL: "m.at_users", Comment: "user ids that it names with @"},
		}...),
	}, {
		Name:    "message_versions",
		Comment: "Every version of every message: as it was sent, each edit, its recall. Nothing is hidden here.",
		Group:   groupOf,
		From: `(SELECT partition, offset, conversation, offset AS original, 'sent' AS change, content, sender AS by, said, recorded FROM {messages}
			UNION ALL SELECT partition, offset, conversation, original, toString(change), content, by, said, recorded FROM {versions}) AS m`,
		Columns: append(about[:len(about):len(about)], []projections.ViewColumn{
			{Name: "message", Type: "String", SQL: "concat(m.partition, '-', toString(m.original))", Comment: "position of the message that it is a version of: messages.position"},
			{Name: "change", Type: "String", SQL: "m.change", Comment: "sent, edited or recalled"},
			{Name: "by", Type: "String", SQL: "m.by", Comment: "user id of who did it"},
			projections.Moment("said", "m.said", "when that was"),
			projections.Moment("recorded", "m.recorded", "when it was put into the log"),
			{Name: "content", Type: "String", SQL: "m.content", Comment: "the text of this version; empty of a recall", Written: true},
			{Name: "content_bytes", Type: "UInt64", SQL: "length(m.content)", Comment: "length of the text in bytes (UTF-8)"},
		}...),
	}, couldSee()}
}
