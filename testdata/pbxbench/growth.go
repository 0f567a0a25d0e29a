package main

import "context"

// growth is the same work at three sizes of one thing.
type growth struct {
	What string // panels, calls, employees
	Runs []streamed
}

// sizes are of the parts; those of a quick trial are small.
type sizes struct {
	panels, employees int
	traffic           traffic
	rounds            int // of the comparison of panels

	morePanels, moreEmployees []int
	rates                     []float64
	growthCalls               int

	audioRounds                     int
	endCalls, endSupervisions, ends int
	tables, policies, live          []int
}

// grow measures growth with panels, with calls and with employees; what two of them have in common is measured once.
func (c *company) grow(ctx context.Context, z sizes, say func(string, ...any)) (all []growth, err error) {
	type key struct {
		where             string
		panels, employees int
		rate              float64
	}
	done := map[key]streamed{}
	one := func(where string, panels, employees int, rate float64) (streamed, error) {
		k := key{where, panels, employees, rate}
		if s, ok := done[k]; ok {
			return s, nil
		}
		t := z.traffic
		t.calls, t.rate = int(float64(z.growthCalls)*rate/z.traffic.rate), rate
		s, err := c.stream(ctx, where, panels, employees, t)
		if err == nil {
			err = c.empty(ctx)
		}
		if err == nil {
			done[k] = s
			say("%s", s.line())
		}
		return s, err
	}
	panels, calls, employees := growth{What: "panels"}, growth{What: "calls"}, growth{What: "employees"}
	for _, where := range []string{onAsterisk, onEarshot} {
		for _, n := range z.morePanels {
			s, err := one(where, n, z.employees, z.traffic.rate)
			if err != nil {
				return nil, err
			}
			panels.Runs = append(panels.Runs, s)
		}
		for _, rate := range z.rates {
			s, err := one(where, z.panels, z.employees, rate)
			if err != nil {
				return nil, err
			}
			calls.Runs = append(calls.Runs, s)
		}
	}
	for _, n := range z.moreEmployees {
		s, err := one(onEarshot, z.panels, n, z.traffic.rate)
		if err != nil {
			return nil, err
		}
		employees.Runs = append(employees.Runs, s)
	}
	return []growth{panels, calls, employees}, nil
}
