package analytics

var messages = Figure{
	Name:  "messages",
	Title: "Messages",
	Doc: `Messages by the time they were said. A message counts once, where it was said, however
often it was edited since; recalled ones count too, and have a column of their own.`,
	Chart:      Chart{Kind: Bars, X: "period", Y: []string{"in_pairs", "in_groups"}},
	Parameters: []string{"period", "week", "group", "imported"},
	Columns: []Column{
		{"period", "first day of the period, or beginning of the hour"},
		{"messages", "messages said in it"},
		{"in_pairs", "of these, between two people"},
		{"in_groups", "of these, in groups"},
		{"conversations", "pairs and groups in which something was said"},
		{"since_edited", "of the messages, those edited since"},
		{"since_recalled", "of the messages, those recalled since"},
		{"by_import", "of the messages, those that were imported"},
	},
	sql: `
SELECT
    {{period "said"}} AS period,
    count() AS messages,
    countIf(kind = 'pair') AS in_pairs,
    countIf(kind = 'group') AS in_groups,
    uniqExact(conversation) AS conversations,
    countIf(edited) AS since_edited,
    countIf(recalled) AS since_recalled,
    countIf(imported) AS by_import
FROM messages
WHERE {{within "said"}}{{chosen}}
GROUP BY period
ORDER BY period {{fill}}`,
}
