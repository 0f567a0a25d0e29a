package report_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/earshot-pbx/earshot/testdata/peers/contest"
	"github.com/earshot-pbx/earshot/testdata/peers/report"
)

func TestATargetIsMissedByTheMedianAndByAllocations(t *testing.T) {
	mine := &contest.Result{Name: "mine", Nanos: []float64{10, 100, 10}}
	other := &contest.Result{Name: "other", Nanos: []float64{40, 40, 40}}
	wasteful := &contest.Result{Name: "mine", Nanos: []float64{10, 100, 10}, Allocs: 1}
	for name, c := range map[string]struct {
		row    report.Row
		missed bool
	}{
		"four times as fast":        {report.Times("work", mine, other, report.Faster, 4), false},
		"not five times":            {report.Times("work", mine, other, report.Faster, 5), true},
		"a quarter of the time":     {report.Times("work", mine, other, report.Slower, 0.25), false},
		"not a fifth":               {report.Times("work", mine, other, report.Slower, 0.2), true},
		"no target":                 {report.Times("work", mine, other, report.Faster, 0), false},
		"fast enough but allocates": {without(report.Times("work", wasteful, other, report.Faster, 4)), true},
		"fast enough and does not":  {without(report.Times("work", mine, other, report.Faster, 4)), false},
	} {
		var b strings.Builder
		if err := report.Terminal(&b, []report.Row{c.row}); err != nil {
			t.Fatal(err)
		}
		if c.row.Missed() != c.missed || strings.Contains(b.String(), "MISSED") != c.missed {
			t.Errorf("%s: missed: %v\n%s", name, c.row.Missed(), b.String())
		}
		for line := range strings.Lines(b.String()) {
			if utf8.RuneCountInString(line) > 120 {
				t.Errorf("a line of %d columns", utf8.RuneCountInString(line))
			}
		}
	}
}

func without(r report.Row) report.Row {
	r.NoAllocs = true
	return r
}
