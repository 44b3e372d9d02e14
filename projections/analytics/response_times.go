package analytics

var responseTimes = Figure{
	Name:  "response_times",
	Title: "Response times",
	Doc: `How long it took until somebody else spoke. Messages of one person in a row are a turn; the next turn
answers it, and the time runs from the beginning of the one to the beginning of the other. It counts in the period
of the answer. Whoever speaks after more than a day begins anew and answers nothing: these are told apart. Messages
are in the order in which they were said; of their exact times, sorted, the one at half and the one at nine tenths is shown.`,
	Chart:      Chart{Kind: Lines, X: "period", Y: []string{"median", "p90", "median_in_groups"}, Unit: "s"},
	Parameters: []string{"period", "week", "group", "imported"},
	Columns: []Column{
		{"period", "first day of the period, or beginning of the hour, of the answer"},
		{"answers", "answers between two people"},
		{"median", "seconds until half of these had come"},
		{"p90", "seconds until nine of ten had come"},
		{"later", "turns between two people that came after more than a day"},
		{"answers_in_groups", "the same in groups, where anybody else answers"},
		{"median_in_groups", "seconds until half of these had come"},
		{"p90_in_groups", "seconds until nine of ten had come"},
	},
	sql: `
SELECT
    {{period "said"}} AS period,
    countIf(kind = 'pair' AND waited <= 86400) AS answers,
    quantileExactOrNullIf(0.5)(waited, kind = 'pair' AND waited <= 86400) AS median,
    quantileExactOrNullIf(0.9)(waited, kind = 'pair' AND waited <= 86400) AS p90,
    countIf(kind = 'pair' AND waited > 86400) AS later,
    countIf(kind = 'group' AND waited <= 86400) AS answers_in_groups,
    quantileExactOrNullIf(0.5)(waited, kind = 'group' AND waited <= 86400) AS median_in_groups,
    quantileExactOrNullIf(0.9)(waited, kind = 'group' AND waited <= 86400) AS p90_in_groups
FROM
(
    SELECT kind, said, dateDiff('millisecond', lagInFrame(toNullable(said)) OVER turns, said) / 1000 AS waited
    FROM
    (
        SELECT conversation, kind, said, offset, sender, lagInFrame(sender) OVER talk AS before
        FROM messages
        WHERE said < {to:DateTime64(3, 'UTC')}{{chosen}}
        WINDOW talk AS (PARTITION BY conversation ORDER BY said, offset ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
    )
    WHERE sender != before
    WINDOW turns AS (PARTITION BY conversation ORDER BY said, offset ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
WHERE said >= {from:DateTime64(3, 'UTC')} AND waited IS NOT NULL
GROUP BY period
ORDER BY period {{fill}}`,
}
