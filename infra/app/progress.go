package app

import (
	"fmt"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress shows on stderr how far a long work is: a bar for each of its phases
// on a terminal, a line now and then elsewhere. The work calls the first function
// as often as it likes, one call at a time, and the second at its end.
func (p *program) progress(unit string) (func(phase string, done, total int64), func()) {
	if !p.terminal() {
		var begun, last time.Time
		current := ""
		return func(phase string, done, total int64) {
			if phase != current {
				current, begun, last = phase, time.Now(), time.Now()
			}
			if time.Since(last) > 5*time.Second {
				last = time.Now()
				fmt.Fprintf(p.err, "%s: %d of %d %s, %.0f/s\n", phase, done, total, unit, float64(done)/time.Since(begun).Seconds())
			}
		}, func() {}
	}
	bars := mpb.New(mpb.WithOutput(p.err), mpb.WithWidth(40))
	var bar *mpb.Bar
	current := ""
	end := func() {
		if bar != nil {
			bar.Abort(false)
		}
	}
	return func(phase string, done, total int64) {
			if phase != current {
				end()
				current = phase
				bar = bars.AddBar(total, mpb.PrependDecorators(decor.Name(phase+" "), decor.CountersNoUnit("%d / %d "+unit)),
					mpb.AppendDecorators(decor.AverageSpeed(0, "%.0f/s "), decor.AverageETA(decor.ET_STYLE_GO)))
			}
			bar.SetCurrent(done)
		}, func() {
			end()
			bars.Wait()
		}
}
