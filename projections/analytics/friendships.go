package analytics

var friendships = Figure{
	Name:  "friendships",
	Title: "New friendships",
	Doc: `Friendships that began, and those that ended. Two people who part and become friends again begin a
second time. An imported friendship begins with its first message.`,
	Chart:      Chart{Kind: Lines, X: "period", Y: []string{"begun", "ended"}},
	Parameters: []string{"period", "week", "imported"},
	Columns: []Column{
		{"period", "first day of the period, or beginning of the hour"},
		{"begun", "friendships that began in it"},
		{"ended", "friendships that ended in it"},
		{"by_import", "of those that began, the imported ones"},
	},
	sql: `
SELECT
    {{period "at"}} AS period,
    countIf(change = 'begun') AS begun,
    countIf(change = 'ended') AS ended,
    countIf(change = 'begun' AND imported) AS by_import
FROM
(
    SELECT since AS at, 'begun' AS change, imported FROM friendships
    UNION ALL
    SELECT assumeNotNull(until) AS at, 'ended' AS change, imported FROM friendships WHERE until IS NOT NULL
)
WHERE {{within "at"}}{{chosen}}
GROUP BY period
ORDER BY period {{fill}}`,
}
