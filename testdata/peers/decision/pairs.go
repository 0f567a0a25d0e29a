package decision

import (
	"slices"

	"github.com/earshot-pbx/earshot/testdata/peers/company"
)

// pairs is one floor: every pair of whom the policy allows anything is in a map of maps, with a bit for each action. It has no rules left that could
// be looked at, so it cannot say why, and each change of the policy makes it anew.
type pairs map[string]map[string]uint8

func newPairs(c *company.Company) (Engine, error) {
	n := pairs{}
	const observe, supervise, all = 1, 14, 15
	give := func(subject, target string, bits uint8) {
		if n[subject] == nil {
			n[subject] = map[string]uint8{}
		}
		n[subject][target] |= bits
	}
	take := func(subject, target string, bits uint8) {
		if have, ok := n[subject][target]; ok {
			n[subject][target] = have &^ bits
		}
	}
	head := map[string]string{}
	for _, d := range c.Departments {
		head[d.ID] = d.Head
	}
	for _, e := range c.Employees {
		give(head[e.Department], e.ID, all)
		give(e.ID, e.ID, observe)
		for _, target := range e.Observes {
			give(e.ID, target, observe)
		}
		for _, subject := range c.Groups["quality"] {
			give(subject, e.ID, all)
		}
	}
	for _, subject := range c.Groups["trainers"] {
		for _, target := range c.Groups["trainees"] {
			give(subject, target, 1<<1|1<<2)
		}
	}
	for _, subject := range c.Groups["quality"] {
		for _, target := range c.Groups["legal"] {
			take(subject, target, supervise)
		}
	}
	for _, e := range c.Employees {
		take(e.ID, e.ID, supervise)
		for _, target := range e.Barred {
			take(e.ID, target, supervise)
		}
		for _, target := range c.Groups["board"] {
			take(e.ID, target, supervise)
		}
	}
	return n, nil
}

// Ready has the actions as their bits already.
func (n pairs) Ready(questions []company.Question) (func() int, error) {
	type ask struct {
		subject, target string
		bit             uint8
	}
	asks := make([]ask, len(questions))
	for i, q := range questions {
		asks[i] = ask{q.Subject, q.Target, 1 << slices.Index(company.Actions, q.Action)}
	}
	return func() (allowed int) {
		for i := range asks {
			a := &asks[i]
			if n[a.subject][a.target]&a.bit != 0 {
				allowed++
			}
		}
		return allowed
	}, nil
}
