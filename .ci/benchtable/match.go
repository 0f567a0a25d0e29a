package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	halfEarshot = "earshot"
	halfFloor   = "floor"
)

// pair is a benchmark and its floor.
type pair struct {
	ours, floor *series
	ratio       []float64 // of each round: ours over the floor's time, or the reverse when the target is a least rate
	target      float64   // zero: none
	least       bool      // the target is a min-ratio
}

// single is a benchmark without a floor of its own. It may be another way to do what a pair does, and is held against that pair's floor.
type single struct {
	series *series
	floor  *series // or nil
}

type table struct {
	pairs   []pair
	singles []single
}

// match puts the halves of each pair together.
func match(all []*series) (*table, error) {
	halves := map[string]*series{}
	for _, s := range all {
		halves[s.name()] = s
	}
	other := func(s *series, half string) *series {
		sibling := series{pkg: s.pkg, parts: slices.Concat(s.parts[:len(s.parts)-1], []string{half})}
		return halves[sibling.name()]
	}
	var (
		t    table
		errs []error
	)
	for _, s := range all {
		switch {
		case len(s.parts) > 1 && s.last() == halfFloor:
			if other(s, halfEarshot) == nil {
				errs = append(errs, fmt.Errorf("%s has nothing beside it", s.name()))
			}
		case len(s.parts) > 1 && s.last() == halfEarshot:
			p, err := newPair(s, other(s, halfFloor))
			if err != nil {
				errs = append(errs, err)
				continue
			}
			t.pairs = append(t.pairs, p)
		default:
			for _, unit := range []string{unitMaxRatio, unitMinRatio} {
				if _, ok, _ := s.target(unit); ok {
					errs = append(errs, fmt.Errorf("%s has a %s and no floor", s.name(), unit))
				}
			}
			one := single{series: s}
			if len(s.parts) > 1 {
				one.floor = other(s, halfFloor)
			}
			t.singles = append(t.singles, one)
		}
	}
	return &t, errors.Join(errs...)
}

func newPair(ours, floor *series) (pair, error) {
	if floor == nil {
		return pair{}, fmt.Errorf("%s has no floor", ours.name())
	}
	if ours.rounds() != floor.rounds() {
		return pair{}, fmt.Errorf("%s ran %d times and its floor %d times", ours.name(), ours.rounds(), floor.rounds())
	}
	p := pair{ours: ours, floor: floor}
	most, hasMost, err := ours.target(unitMaxRatio)
	if err != nil {
		return pair{}, err
	}
	least, hasLeast, err := ours.target(unitMinRatio)
	if err != nil {
		return pair{}, err
	}
	if hasMost && hasLeast {
		return pair{}, fmt.Errorf("%s has a max-ratio and a min-ratio", ours.name())
	}
	p.target, p.least = most+least, hasLeast
	for i, t := range ours.values[unitTime] {
		f := floor.values[unitTime][i]
		if p.least {
			t, f = f, t
		}
		p.ratio = append(p.ratio, t/f)
	}
	return p, nil
}

// slow reports whether the target of time is missed.
func (p *pair) slow() bool {
	switch {
	case p.target == 0:
		return false
	case p.least:
		return median(p.ratio) < p.target
	}
	return median(p.ratio) > p.target
}

// wasteful reports whether a round allocated more often than the benchmark's own limit. Who does not count cannot keep a limit.
func (s *series) wasteful() bool {
	most, ok, err := s.target(unitMaxAllocs)
	if err != nil {
		return true
	}
	counts := s.values[unitAllocs]
	return ok && (len(counts) == 0 || slices.Max(counts) > most)
}

// missed returns what of the targets is missed and matters.
func (t *table) missed(strict bool) error {
	var names []string
	for _, p := range t.pairs {
		if p.slow() && strict || p.ours.wasteful() {
			names = append(names, p.ours.name())
		}
	}
	for _, s := range t.singles {
		if s.series.wasteful() {
			names = append(names, s.series.name())
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("target missed: %s", strings.Join(names, ", "))
}
