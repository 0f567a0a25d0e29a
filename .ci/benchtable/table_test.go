package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

const header = "goos: linux\ngoarch: amd64\npkg: github.com/earshot-pbx/earshot/policy\ncpu: some\n"

// tables is what run prints for an input that is in order.
func tables(t *testing.T, in string, strict bool) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(strings.NewReader(in), &out, strict)
	return out.String(), err
}

func TestABenchmarkIsPrintedBesideItsFloor(t *testing.T) {
	var in strings.Builder
	// Three rounds, as a script runs them: each with its own header. The machine is half as fast in the second, for both.
	for _, slow := range []float64{1, 2, 1} {
		in.WriteString(header)
		fmt.Fprintf(&in, "BenchmarkDecide/employees=100/floor-2\t100\t%g ns/op\t0 B/op\t0 allocs/op\n", 40*slow)
		fmt.Fprintf(&in, "BenchmarkDecide/employees=100/earshot-2\t100\t%g ns/op\t1.500 max-ratio\t0 max-allocs\t0 B/op\t0 allocs/op\n", 50*slow)
		fmt.Fprintf(&in, "BenchmarkDecide/employees=100/by-ref-2\t100\t%g ns/op\t0 B/op\t0 allocs/op\n", 20*slow)
		in.WriteString("BenchmarkLoad-2\t1\t3000000 ns/op\t4096 B/op\t12 allocs/op\nPASS\n")
		in.WriteString("pkg: github.com/earshot-pbx/earshot/agent/feed\n")
		fmt.Fprintf(&in, "BenchmarkFanOut/subscribers=10/earshot-2\t100\t%g ns/op\t0.7500 min-ratio\n", 125*slow)
		fmt.Fprintf(&in, "BenchmarkFanOut/subscribers=10/floor-2\t100\t%g ns/op\nPASS\n", 100*slow)
	}
	got, err := tables(t, in.String(), true)
	if err != nil {
		t.Fatal(err)
	}
	want := `
what               size            ours     floor    ratio  from    to                   target                  allocs  
policy Decide      employees=100   50.00ns  40.00ns  1.25   1.25    1.25                 at most 1.5, 0 allocs   0       ok
agent/feed FanOut  subscribers=10  125.0ns  100.0ns  0.80   0.80    0.80                 rate at least 0.75      -       ok

without a floor  size                  ours     bytes  allocs  to the pair's floor  
policy Decide    employees=100 by-ref  20.00ns  0      0       0.50                 
policy Load      -                     3.000ms  4096   12                           
`
	if squeeze(got) != squeeze(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// squeeze leaves the columns and forgets how wide they are.
func squeeze(s string) string {
	var lines []string
	for line := range strings.Lines(strings.TrimSpace(s)) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

func TestATargetIsMissedOrHeld(t *testing.T) {
	const floor = "BenchmarkX/floor-2\t1\t100 ns/op\n"
	for name, c := range map[string]struct {
		in           string
		says         string // in the row
		fails, loose bool   // with -strict, and without
	}{
		"at the limit":           {floor + "BenchmarkX/earshot-2\t1\t150 ns/op\t1.5 max-ratio\n", "ok", false, false},
		"over the limit":         {floor + "BenchmarkX/earshot-2\t1\t151 ns/op\t1.5 max-ratio\n", "MISSED", true, false},
		"fast enough":            {floor + "BenchmarkX/earshot-2\t1\t133 ns/op\t0.75 min-ratio\n", "ok", false, false},
		"not fast enough":        {floor + "BenchmarkX/earshot-2\t1\t134 ns/op\t0.75 min-ratio\n", "MISSED", true, false},
		"no target":              {floor + "BenchmarkX/earshot-2\t1\t900 ns/op\n", "no target", false, false},
		"allocations held":       {floor + "BenchmarkX/earshot-2\t1\t900 ns/op\t2 max-allocs\t9 B/op\t2 allocs/op\n", "ok", false, false},
		"too many allocations":   {floor + "BenchmarkX/earshot-2\t1\t100 ns/op\t9 max-ratio\t2 max-allocs\t9 B/op\t3 allocs/op\n", "MISSED", true, true},
		"allocations not known":  {floor + "BenchmarkX/earshot-2\t1\t100 ns/op\t0 max-allocs\n", "MISSED", true, true},
		"alone and too many":     {"BenchmarkX-2\t1\t100 ns/op\t0 max-allocs\t9 B/op\t1 allocs/op\n", "MISSED", true, true},
		"alone and allowed":      {"BenchmarkX-2\t1\t100 ns/op\t1 max-allocs\t9 B/op\t1 allocs/op\n", "ok", false, false},
		"too many in one of two": {strings.Repeat(floor, 2) + "BenchmarkX/earshot-2\t1\t100 ns/op\t0 max-allocs\t0 B/op\t0 allocs/op\nBenchmarkX/earshot-2\t1\t100 ns/op\t0 max-allocs\t9 B/op\t1 allocs/op\n", "MISSED", true, true},
	} {
		for _, strict := range []bool{true, false} {
			got, err := tables(t, header+c.in, strict)
			if want := c.loose || strict && c.fails; (err != nil) != want {
				t.Errorf("%s, strict %v: %v", name, strict, err)
			}
			if !strings.Contains(got, c.says) || strings.Contains(got, "MISSED") != (c.says == "MISSED") {
				t.Errorf("%s: no %q in\n%s", name, c.says, got)
			}
		}
	}
}

func TestWhatCannotBeReadOrPairedIsAnError(t *testing.T) {
	const ours, floor = "BenchmarkX/n=1/earshot-2\t1\t100 ns/op\n", "BenchmarkX/n=1/floor-2\t1\t100 ns/op\n"
	for name, c := range map[string]struct{ in, want string }{
		"nothing":                {"", "no benchmark in the input"},
		"text":                   {"PASS\nok\tpolicy\t1s\nhello\n", "no benchmark in the input"},
		"no floor":               {ours, "policy.X/n=1/earshot has no floor"},
		"nothing but a floor":    {floor, "policy.X/n=1/floor has nothing beside it"},
		"a floor of another n":   {ours + "BenchmarkX/n=2/floor-2\t1\t100 ns/op\n", "has no floor"},
		"a floor elsewhere":      {ours + "pkg: github.com/earshot-pbx/earshot/ami\n" + floor, "has no floor"},
		"a round without floor":  {ours + floor + ours, "ran 2 times and its floor 1 times"},
		"no number":              {"BenchmarkX-2\t1\tfast ns/op\n", "input:5"},
		"cut off":                {floor + "BenchmarkX/n=1/earshot-2\t1\t100\n", "input:6"},
		"no time":                {"BenchmarkX-2\t1\t100 B/op\n", "no time for an operation"},
		"took no time":           {ours + "BenchmarkX/n=1/floor-2\t1\t0 ns/op\n", "no time for an operation"},
		"took less than none":    {ours + "BenchmarkX/n=1/floor-2\t1\t-1 ns/op\n", "no time for an operation"},
		"a target without floor": {"BenchmarkX-2\t1\t100 ns/op\t1.5 max-ratio\n", "has a max-ratio and no floor"},
		"two targets":            {"BenchmarkX/n=1/earshot-2\t1\t100 ns/op\t1.5 max-ratio\t0.75 min-ratio\n" + floor, "a max-ratio and a min-ratio"},
		"a target that moves": {floor + floor + "BenchmarkX/n=1/earshot-2\t1\t100 ns/op\t1.5 max-ratio\nBenchmarkX/n=1/earshot-2\t1\t100 ns/op\t2 max-ratio\n",
			"max-ratio is not the same in each round"},
		"a test that failed":   {ours + floor + "--- FAIL: BenchmarkY\n", "the run failed: --- FAIL: BenchmarkY"},
		"a package that fails": {ours + floor + "FAIL\tpolicy\t1s\n", "the run failed"},
		"a panic":              {ours + floor + "panic: oh\n", "the run failed: panic: oh"},
	} {
		got, err := tables(t, header+c.in, false)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if got != "" {
			t.Errorf("%s: a table all the same:\n%s", name, got)
		}
	}
	if err := run(io.MultiReader(strings.NewReader(header+ours+floor), broken{}), io.Discard, false); err != io.ErrUnexpectedEOF {
		t.Errorf("a broken input: %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestTheRatioIsTheMedianOfTheRounds(t *testing.T) {
	// Somebody else's work fell into the first half of the second round and into the second of the fourth.
	ours, floor := []float64{120, 120, 130, 360, 110}, []float64{100, 300, 100, 100, 100}
	in := header
	for i := range ours {
		in += fmt.Sprintf("BenchmarkX/floor-2\t1\t%g ns/op\nBenchmarkX/earshot-2\t1\t%g ns/op\t1.5 max-ratio\n", floor[i], ours[i])
	}
	got, err := tables(t, in, true)
	if err != nil || !strings.Contains(squeeze(got), "120.0ns 100.0ns 1.20 0.40 3.60 at most 1.5 - ok") {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{7}, 7}, {[]float64{9, 1}, 5}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 100, 2}, 3}} {
		kept := slices.Clone(c.of)
		if got := median(c.of); got != c.want {
			t.Errorf("%v: %v", c.of, got)
		}
		if !slices.Equal(kept, c.of) {
			t.Errorf("%v became %v", kept, c.of)
		}
	}
}
