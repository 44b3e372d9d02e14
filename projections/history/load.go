package history

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"lishi/events"
	"lishi/projections"
	"lishi/projections/friends"
)

// Place is where a message stands: its conversation and its offset there.
type Place struct {
	Stream events.Stream
	Offset int64
}

// Load reads messages by their places, for queries that find them elsewhere and
// have made sure that the caller may see them: each as Versions has it. Places
// where no message stands are left out of the map.
func Load(ctx context.Context, r projections.Reader, caller string, places []Place) (map[Place]Message, error) {
	found := make(map[Place]Message, len(places))
	if len(places) == 0 {
		return found, nil
	}
	in, args := In(places)
	sql := fmt.Sprintf("SELECT %s, conversation FROM %s WHERE (conversation, offset) IN %s", fields, r.Table("messages"), in)
	err := r.Select(ctx, sql, args, func(row projections.RowScanner) error {
		var key string
		m, offset, err := scan(row, &key)
		if err != nil {
			return err
		}
		s, err := events.ParseKey(key)
		if err != nil {
			return err
		}
		m.Position = events.Position{Partition: r.Book.Layout().Partition(s), Offset: int64(offset)}.String()
		found[Place{s, int64(offset)}] = m
		return nil
	})
	if err != nil {
		return nil, err
	}
	profile, err := friends.Profiles(ctx, r, senders(maps.Values(found)))
	if err != nil {
		return nil, err
	}
	versions, err := Versions(ctx, r, caller, places)
	for p, m := range found {
		m.dress(r, profile, caller, p.Stream)
		m.amend(versions[p])
		found[p] = m
	}
	return found, err
}

// In writes places as a list of (conversation, offset), and the args it needs.
func In(places []Place) (list string, args []projections.Arg) {
	names := map[events.Stream]int{}
	parts := make([]string, len(places))
	for i, p := range places {
		n, ok := names[p.Stream]
		if !ok {
			n = len(names)
			names[p.Stream] = n
			args = append(args, projections.Arg{Name: fmt.Sprintf("c%d", n), Value: p.Stream.Key()})
		}
		parts[i] = fmt.Sprintf("({c%d:String}, %d)", n, p.Offset)
	}
	return "(" + strings.Join(parts, ", ") + ")", args
}
