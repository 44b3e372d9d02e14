// Package analytics counts what the read models hold: messages, active people,
// friendships, groups, answers. Each figure is one file: its name, what it says,
// its parameters, how it is drawn, and one SELECT over the stable views, which
// people see and can paste into any ClickHouse client.
//
// Figures are computed from rows that are idempotent when they are asked for, and
// never summed up while rows are written: what is inserted twice, or again by a
// rebuild, counts once.
package analytics

import (
	"slices"

	"lishi/commands"
)

// Figure is one question about the chat as a whole.
type Figure struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	// Doc says in sentences what is counted, and what is not.
	Doc   string `json:"doc"`
	Chart Chart  `json:"chart"`
	// Parameters are those that it takes beside from, to and zone, which all take.
	Parameters []string `json:"parameters"`
	Columns    []Column `json:"columns"`

	// sql is the SELECT as a template; see statement.go.
	sql string
}

// Column is one column of a figure's answer.
type Column struct {
	Name string `json:"name"`
	Doc  string `json:"doc"`
}

// Chart says how a figure is drawn.
type Chart struct {
	Kind string `json:"kind"`
	// X is the column along the axis; of a heat map the one across.
	X string `json:"x"`
	// Y are the columns that are drawn; of a heat map the one downwards, then the
	// one that colours.
	Y []string `json:"y"`
	// Unit is what Y counts in where it isn't a number of things: "s".
	Unit string `json:"unit,omitempty"`
}

// Kinds of charts.
const (
	Lines   = "lines"
	Bars    = "bars"    // stacked
	HeatMap = "heatmap" // X across, Y[0] downwards, Y[1] as colour
	Ranking = "ranking" // horizontal bars, the greatest first
)

// figures in the order in which they are shown.
var figures = []*Figure{
	&messages, &activeUsers, &activeUsersRolling, &friendships, &groupActivity, &responseTimes, &hoursOfWeek, &topGroups,
}

// Figures lists all figures.
func Figures() []*Figure { return slices.Clone(figures) }

// Find gives a figure by its name, or a refusal.
func Find(name string) (*Figure, error) {
	for _, f := range figures {
		if f.Name == name {
			return f, nil
		}
	}
	return nil, commands.ErrNotFound.With("there is no figure of this name")
}

func (f *Figure) takes(parameter string) bool { return slices.Contains(f.Parameters, parameter) }
