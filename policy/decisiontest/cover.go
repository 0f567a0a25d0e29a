package decisiontest

import (
	"cmp"
	"slices"

	"github.com/earshot-pbx/earshot/policy"
)

// A Cover is which rules of the policies under test spoke for or against something that a test asked. The zero Cover is of no policy. It is
// owned by one goroutine.
type Cover struct {
	spoke map[policy.Rule]bool // every rule is in it
}

// Add takes in the policy of a Suite and what spoke in its results.
func (c *Cover) Add(s *Suite, results []Result) {
	if c.spoke == nil {
		c.spoke = map[policy.Rule]bool{}
	}
	guarded, guards := false, []policy.Rule(nil)
	for _, rule := range rules(s.set) {
		if _, known := c.spoke[rule]; !known {
			c.spoke[rule] = false
		}
		if rule.Text == "protected.numbers" {
			guards = append(guards, rule)
		}
	}
	for _, r := range results {
		spoke := []policy.Rule{r.Explanation.Rule}
		for _, st := range r.Explanation.Statements {
			if st.Effect != policy.EffectNone {
				spoke = append(spoke, st.Rule, st.Via)
			}
		}
		for _, rule := range spoke {
			if rule.Line != 0 {
				c.spoke[rule] = true
			}
			guarded = guarded || rule.Text == "protected.numbers"
		}
	}
	// That a protected number is on the call is all that a request tells; which one it is makes no difference.
	for _, rule := range guards {
		c.spoke[rule] = c.spoke[rule] || guarded
	}
}

// Len returns how many rules there are.
func (c *Cover) Len() int { return len(c.spoke) }

// Silent returns the rules that never spoke, in the order of their places.
func (c *Cover) Silent() []policy.Rule {
	var all []policy.Rule
	for rule, spoke := range c.spoke {
		if !spoke {
			all = append(all, rule)
		}
	}
	slices.SortFunc(all, func(a, b policy.Rule) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Text, b.Text))
	})
	return all
}
