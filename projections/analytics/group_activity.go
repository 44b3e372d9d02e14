package analytics

var groupActivity = Figure{
	Name:  "group_activity",
	Title: "Group activity",
	Doc: `What happens in groups: how many of them are alive, how much is said, by how many, and who comes and
goes. Who leaves and comes back joins again; the end of a group ends all memberships in it.`,
	Chart:      Chart{Kind: Lines, X: "period", Y: []string{"active_groups", "users", "joins", "leaves"}},
	Parameters: []string{"period", "week", "group", "imported"},
	Columns: []Column{
		{"period", "first day of the period, or beginning of the hour"},
		{"active_groups", "groups in which something was said"},
		{"messages", "messages said in groups"},
		{"users", "who said something in a group"},
		{"joins", "memberships that began"},
		{"leaves", "memberships that ended"},
	},
	sql: `
SELECT
    {{period "at"}} AS period,
    uniqExactIf(group_id, what = 'said') AS active_groups,
    countIf(what = 'said') AS messages,
    uniqExactIf(user, what = 'said') AS users,
    countIf(what = 'joined') AS joins,
    countIf(what = 'left') AS leaves
FROM
(
    SELECT said AS at, 'said' AS what, group_id, sender AS user, imported FROM messages WHERE kind = 'group'
    UNION ALL
    SELECT since AS at, 'joined' AS what, group_id, user, imported FROM memberships
    UNION ALL
    SELECT assumeNotNull(until) AS at, 'left' AS what, group_id, user, imported FROM memberships WHERE until IS NOT NULL
)
WHERE {{within "at"}}{{chosen}}
GROUP BY period
ORDER BY period {{fill}}`,
}
