package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// The units that a target and a result are given in. The reader has made seconds of nanoseconds.
const (
	unitTime      = "sec/op"
	unitBytes     = "B/op"
	unitAllocs    = "allocs/op"
	unitMaxRatio  = "max-ratio"
	unitMinRatio  = "min-ratio"
	unitMaxAllocs = "max-allocs"
)

// series is one benchmark with what each round measured.
type series struct {
	pkg    string   // without the module's path
	parts  []string // of its name, split at the slashes
	values map[string][]float64
}

func (s *series) name() string { return s.pkg + "." + strings.Join(s.parts, "/") }

// last is what tells the halves of a pair apart.
func (s *series) last() string { return s.parts[len(s.parts)-1] }

// rounds is how often it was run.
func (s *series) rounds() int { return len(s.values[unitTime]) }

// read collects the benchmarks in the order in which they first come. It looks for signs that the run failed too: the format allows any
// text between the results, so that half a run would pass for a whole one.
func read(in io.Reader) ([]*series, error) {
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("FAIL")) || bytes.HasPrefix(line, []byte("--- FAIL")) || bytes.HasPrefix(line, []byte("panic:")) {
			return nil, fmt.Errorf("the run failed: %s", bytes.TrimSpace(line))
		}
	}
	var all []*series
	byName := map[string]*series{}
	r := benchfmt.NewReader(bytes.NewReader(text), "input")
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, rec
		case *benchfmt.Result:
			s := newSeries(rec)
			if have := byName[s.name()]; have != nil {
				s = have
			} else {
				byName[s.name()] = s
				all = append(all, s)
			}
			for _, v := range rec.Values {
				s.values[v.Unit] = append(s.values[v.Unit], v.Value)
			}
		}
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errors.New("no benchmark in the input")
	}
	for _, s := range all {
		if s.rounds() == 0 || slices.Min(s.values[unitTime]) <= 0 {
			return nil, fmt.Errorf("%s: no time for an operation", s.name())
		}
	}
	return all, nil
}

func newSeries(rec *benchfmt.Result) *series {
	base, parts := rec.Name.Parts()
	s := &series{pkg: rec.GetConfig("pkg"), parts: []string{string(base)}, values: map[string][]float64{}}
	if at := strings.Index(s.pkg, "/earshot/"); at >= 0 {
		s.pkg = s.pkg[at+len("/earshot/"):]
	}
	for _, p := range parts {
		if p[0] == '/' { // the other is the number of processors
			s.parts = append(s.parts, string(p[1:]))
		}
	}
	return s
}

// target returns the metric that a benchmark gives itself, which is the same in each round.
func (s *series) target(unit string) (float64, bool, error) {
	v := s.values[unit]
	if len(v) == 0 {
		return 0, false, nil
	}
	if len(v) != s.rounds() || slices.Min(v) != slices.Max(v) {
		return 0, false, fmt.Errorf("%s: %s is not the same in each round", s.name(), unit)
	}
	return v[0], true, nil
}

// median of nothing is zero.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
