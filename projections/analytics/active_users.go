package analytics

var activeUsers = Figure{
	Name:  "active_users",
	Title: "Active users",
	Doc: `Active is who said something in the period, each counted once; a period of a day, a week or a
month gives what is called DAU, WAU and MAU. Who only read is not counted.`,
	Chart:      Chart{Kind: Lines, X: "period", Y: []string{"users", "in_pairs", "in_groups"}},
	Parameters: []string{"period", "week", "group", "imported"},
	Columns: []Column{
		{"period", "first day of the period, or beginning of the hour"},
		{"users", "who said something in it"},
		{"in_pairs", "of these, who said something to one person"},
		{"in_groups", "of these, who said something in a group"},
	},
	sql: `
SELECT
    {{period "said"}} AS period,
    uniqExact(sender) AS users,
    uniqExactIf(sender, kind = 'pair') AS in_pairs,
    uniqExactIf(sender, kind = 'group') AS in_groups
FROM messages
WHERE {{within "said"}}{{chosen}}
GROUP BY period
ORDER BY period {{fill}}`,
}

var activeUsersRolling = Figure{
	Name:  "active_users_rolling",
	Title: "Active users, rolling",
	Doc: `For each day, who said something on it, in the seven days that end with it, and in the thirty days
that end with it. Days before from are looked at where the thirty days need them, and the first day counts from its
beginning; the last one counts as far as to.`,
	Chart:      Chart{Kind: Lines, X: "day", Y: []string{"on_the_day", "in_7_days", "in_30_days"}},
	Parameters: []string{"group", "imported"},
	Columns: []Column{
		{"day", "the day that the others end with"},
		{"on_the_day", "who said something on it"},
		{"in_7_days", "who said something in the seven days"},
		{"in_30_days", "who said something in the thirty days"},
	},
	sql: `
SELECT day, on_the_day, in_7_days, in_30_days
FROM
(
    SELECT
        day,
        uniqExactMerge(senders) OVER (ORDER BY day ROWS BETWEEN CURRENT ROW AND CURRENT ROW) AS on_the_day,
        uniqExactMerge(senders) OVER (ORDER BY day ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS in_7_days,
        uniqExactMerge(senders) OVER (ORDER BY day ROWS BETWEEN 29 PRECEDING AND CURRENT ROW) AS in_30_days
    FROM
    (
        SELECT toDate(said, {zone:String}) AS day, uniqExactState(sender) AS senders
        FROM messages
        WHERE said >= {from:DateTime64(3, 'UTC')} - INTERVAL 31 DAY AND said < {to:DateTime64(3, 'UTC')}{{chosen}}
        GROUP BY day
        ORDER BY day WITH FILL FROM {first:Date} - 29 TO {end:Date} STEP INTERVAL 1 DAY
    )
)
WHERE day >= {first:Date}
ORDER BY day`,
}
