package sql

import (
	"slices"
	"strings"

	"lishi/projections"
	"lishi/projections/friends"
	"lishi/projections/groups"
	"lishi/projections/history"
	"lishi/projections/records"
)

// Views are all that SQL people read, by name.
func Views() []projections.View {
	var all []projections.View
	for _, v := range []projections.Viewer{friends.Projection{}, groups.Projection{}, history.Projection{}, records.Projection{}} {
		all = append(all, v.Views()...)
	}
	slices.SortFunc(all, func(a, b projections.View) int { return strings.Compare(a.Name, b.Name) })
	return all
}
