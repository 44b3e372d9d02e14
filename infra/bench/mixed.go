package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Mixed is a load with the sizes and the rhythm of real chat: pairs and groups
// that write when, and as much as, the conversations of files of it did, pressed
// together so that the rate comes out. Nights and other pauses count a minute.
type Mixed struct {
	Lines    []Line
	Rate     float64 // messages a second in all, on the average
	Pairs    int     // of people, each with one of the files' conversations of two
	Groups   int     // each with one of the files' groups
	Members  int     // of each group
	Duration time.Duration
}

// rhythm is one conversation of a file.
type rhythm struct {
	at   []time.Duration // when each message was said, from the first on
	size []int           // in bytes
	last time.Time
}

// pause is the longest silence that is kept.
const pause = time.Minute

func (r *rhythm) add(l Line) error {
	at, err := time.Parse(time.DateTime, l.Time)
	if err != nil {
		return err
	}
	clock := time.Duration(0)
	if n := len(r.at); n > 0 {
		clock = r.at[n-1] + min(max(at.Sub(r.last), 0), pause)
	}
	r.at, r.size, r.last = append(r.at, clock), append(r.size, len(l.Text)), at
	return nil
}

// when is the time of the nth message, counted from 0; the conversation begins
// again where it ends.
func (r *rhythm) when(n int64) time.Duration {
	turn, i := n/int64(len(r.at)), n%int64(len(r.at))
	return time.Duration(turn)*r.length() + r.at[i]
}

// length is that of one turn.
func (r *rhythm) length() time.Duration { return r.at[len(r.at)-1] + time.Second }

// rhythms are the conversations of the files, of two and of groups, the longest
// first.
func (l Mixed) rhythms() (pairs, groups []*rhythm, err error) {
	two, many := map[[2]string]*rhythm{}, map[string]*rhythm{}
	for _, line := range l.Lines {
		var r *rhythm
		if line.Group != "" {
			r = entry(many, line.Group)
		} else {
			r = entry(two, [2]string{min(line.From, line.To), max(line.From, line.To)})
		}
		if err := r.add(line); err != nil {
			return nil, nil, err
		}
	}
	longest := func(a, b *rhythm) int { return cmp.Compare(len(b.at), len(a.at)) }
	return slices.SortedFunc(maps.Values(two), longest), slices.SortedFunc(maps.Values(many), longest), nil
}

func entry[K comparable, V any](m map[K]*V, k K) *V {
	if m[k] == nil {
		m[k] = new(V)
	}
	return m[k]
}

// meet makes the people; each talk has its rhythm.
func (l Mixed) meet(ctx context.Context, s Server) ([]*talk, map[*talk]*rhythm, error) {
	pairs, groups, err := l.rhythms()
	switch {
	case err != nil:
		return nil, nil, err
	case l.Pairs > 0 && len(pairs) == 0:
		return nil, nil, errors.New("the files hold no conversation of two")
	case l.Groups > 0 && len(groups) == 0:
		return nil, nil, errors.New("the files hold no group")
	}
	run := nameless()
	beats := map[*talk]*rhythm{}
	var talks []*talk
	for i := range l.Pairs + l.Groups {
		members, beat := 1, (*rhythm)(nil)
		if i < l.Pairs {
			beat = pairs[i%len(pairs)]
		} else {
			members, beat = l.Members, groups[(i-l.Pairs)%len(groups)]
		}
		t, err := meet(ctx, s, fmt.Sprintf("%s-%d", run, i), members)
		if err != nil {
			return nil, nil, err
		}
		t.size = func(n int64) int { return beat.size[(n-1)%int64(len(beat.size))] }
		talks, beats[t] = append(talks, t), beat
	}
	return talks, beats, nil
}

// press is how many times longer than the files' their rhythm has to be, so that
// the rate comes out.
func (l Mixed) press(beats map[*talk]*rhythm) float64 {
	natural := 0.0 // messages a second of all, as the files have them
	for _, beat := range beats {
		natural += float64(len(beat.at)) / beat.length().Seconds()
	}
	return natural / l.Rate
}

// Run makes the people, loads, and checks as Pairs and Group do.
func (l Mixed) Run(ctx context.Context, s Server) (Report, error) {
	begun := time.Now()
	talks, beats, err := l.meet(ctx, s)
	if err != nil {
		return Report{}, err
	}
	setup := time.Since(begun).Seconds()
	press := l.press(beats)
	start := time.Now()
	r, err := load(ctx, talks, after(l.Duration), func(t *talk, over <-chan struct{}) error {
		return t.offer(start, func(n int64) time.Duration { return time.Duration(press * float64(beats[t].when(n))) }, over)
	}, nil)
	r.Load, r.Setup = fmt.Sprintf("%d pairs and %d groups of %d, %.0f/s offered in the rhythm of real chat", l.Pairs, l.Groups, l.Members, l.Rate), setup
	return r, err
}
