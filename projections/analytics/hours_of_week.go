package analytics

var hoursOfWeek = Figure{
	Name:  "hours_of_week",
	Title: "Hours of the week",
	Doc: `On which days of the week and at which hours people speak, by the zone's clock. All weeks of the
time asked for are added up. Where clocks go back, both hours of the same name count as that hour.`,
	Chart:      Chart{Kind: HeatMap, X: "hour", Y: []string{"weekday", "messages"}},
	Parameters: []string{"group", "imported"},
	Columns: []Column{
		{"weekday", "1 is Monday, 7 is Sunday"},
		{"hour", "0 to 23"},
		{"messages", "messages said then"},
		{"users", "who said something then"},
	},
	sql: `
SELECT
    toDayOfWeek(toDate(said, {zone:String})) AS weekday,
    toHour(said, {zone:String}) AS hour,
    count() AS messages,
    uniqExact(sender) AS users
FROM messages
WHERE {{within "said"}}{{chosen}}
GROUP BY weekday, hour
ORDER BY weekday WITH FILL FROM 1 TO 8, hour WITH FILL FROM 0 TO 24`,
}
