package app

import (
	"fmt"
	"slices"
	"testing"

	"lishi/infra/console"
	"lishi/infra/telemetry"
)

// What is wrong is found, the worst first, and nothing is found where all is well.
func TestProblems(t *testing.T) {
	well := func() console.Overview {
		return console.Overview{
			Checks:      []console.Check{{Name: "log", Ready: true}, {Name: "tokens", Ready: true}},
			Projections: []console.Projection{{Name: "history", Seconds: 2}},
			Partitions:  []console.Partition{{Partition: "c0", Behind: 100}},
			Resources:   console.Resources{DiskFree: 50 << 30, DiskSize: 100 << 30, Descriptors: 100, DescriptorLimit: 1000},
		}
	}
	for name, tc := range map[string]struct {
		spoil func(*console.Overview)
		last  telemetry.Sample
		want  []string
	}{
		"all well":     {func(*console.Overview) {}, telemetry.Sample{}, nil},
		"not ready":    {func(o *console.Overview) { o.Checks[0] = console.Check{Name: "log", Detail: "away"} }, telemetry.Sample{}, []string{"bad not_ready log"}},
		"old keys":     {func(o *console.Overview) { o.Checks[1].Detail = "the issuer is away" }, telemetry.Sample{}, []string{"old_keys tokens"}},
		"lag":          {func(o *console.Overview) { o.Projections[0].Seconds = 12 }, telemetry.Sample{}, []string{"lagging history"}},
		"long lag":     {func(o *console.Overview) { o.Projections[0].Seconds = 61 }, telemetry.Sample{}, []string{"bad lagging history"}},
		"behind":       {func(o *console.Overview) { o.Partitions[0].Behind = 20_000 }, telemetry.Sample{}, []string{"falling_behind c0"}},
		"failing":      {func(*console.Overview) {}, telemetry.Sample{Failed: 3}, []string{"failing "}},
		"failing much": {func(*console.Overview) {}, telemetry.Sample{Failed: 30}, []string{"bad failing "}},
		"slow reader":  {func(*console.Overview) {}, telemetry.Sample{SlowReaders: 1}, []string{"slow_readers "}},
		"disk":         {func(o *console.Overview) { o.Resources.DiskFree = 10 << 30 }, telemetry.Sample{}, []string{"disk_full "}},
		"disk full":    {func(o *console.Overview) { o.Resources.DiskFree = 1 << 20 }, telemetry.Sample{}, []string{"bad disk_full "}},
		"descriptors":  {func(o *console.Overview) { o.Resources.Descriptors = 900 }, telemetry.Sample{}, []string{"few_descriptors "}},
		"the worst first": {func(o *console.Overview) {
			o.Projections[0].Seconds = 12
			o.Resources.DiskFree = 1 << 20
		}, telemetry.Sample{}, []string{"bad disk_full ", "lagging history"}},
	} {
		o := well()
		tc.spoil(&o)
		var got []string
		for _, p := range problems(o, telemetry.Sample{}, telemetry.Sample{}, tc.last) {
			word := ""
			if p.Bad {
				word = "bad "
			}
			got = append(got, fmt.Sprintf("%s%s %s", word, p.What, p.Subject))
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, not %q", name, got, tc.want)
		}
	}
}
