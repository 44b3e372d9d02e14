package analytics

var topGroups = Figure{
	Name:  "top_groups",
	Title: "Top groups",
	Doc: `The groups in which most was said, with their names and members as they are now, whenever the messages
were said.`,
	Chart:      Chart{Kind: Ranking, X: "name", Y: []string{"messages"}},
	Parameters: []string{"imported", "limit"},
	Columns: []Column{
		{"group_id", "the group"},
		{"name", "what it is called now"},
		{"messages", "messages said in it"},
		{"users", "who said something in it"},
		{"members", "its members now"},
		{"last_said", "when the last of these messages was said"},
	},
	sql: `
SELECT group_id, g.name AS name, messages, users, s.members AS members, last_said
FROM
(
    SELECT group_id, count() AS messages, uniqExact(sender) AS users, max(said) AS last_said
    FROM messages
    WHERE kind = 'group' AND {{within "said"}}{{chosen}}
    GROUP BY group_id
    ORDER BY messages DESC, group_id
    LIMIT {limit:UInt32}
) AS m
LEFT JOIN groups AS g USING (group_id)
LEFT JOIN (SELECT group_id, count() AS members FROM memberships WHERE until IS NULL GROUP BY group_id) AS s USING (group_id)
ORDER BY messages DESC, group_id`,
}
