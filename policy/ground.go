package policy

import "slices"

// A grounded part of some targets has one rule on which Decide answers about each of them: the rule that grants or excludes, or none.
type grounded struct {
	rule RuleID
	set  bitset
}

// grounds divides employees by the rule on which Decide answers without a reason, in all that it is asked about the mark, but for what nobody
// does to himself: of
// MarkOwnClients where the caller is the subject's client, and of MarkKind about ObserveKind. Line is as for targets.
func (c *crowd) grounds(subject uint32, a Action, line uint32, set bitset, mark Mark) []grounded {
	if mark == MarkKind {
		a = ObserveKind
	}
	rest := slices.Clone(set)
	out, granted := c.groundsAlone(subject, a, line, rest, mark)
	for conditions, other := a.conditions(), Action(0); conditions>>other != 0; other++ {
		if !conditions.has(other) {
			continue
		}
		also := c.targetsAlone(subject, other, line)
		for i := range granted {
			refused := granted[i].set.without(also.plain)
			granted[i].set.and(also.plain)
			if !refused.empty() {
				why, _ := c.groundsAlone(subject, other, line, refused, mark)
				out = append(out, why...)
			}
		}
	}
	for _, g := range granted {
		if !g.set.empty() {
			out = append(out, g)
		}
	}
	return out
}

// groundsAlone takes the rest apart without what is a condition: what is refused with or without a rule, and what is granted.
func (c *crowd) groundsAlone(subject uint32, a Action, line uint32, rest bitset, mark Mark) (refused, granted []grounded) {
	self := c.place[subject]
	take := func(all *[]grounded, rule RuleID, of bitset) {
		if got := rest.with(of); !got.empty() {
			*all = append(*all, grounded{rule, got})
			rest.andNot(got)
		}
	}
	exclusions, grants := c.rights(subject)
	each := func(all [2][]clause, do func(*clause)) {
		for _, clauses := range all {
			for i := range clauses {
				if clauses[i].allow.has(a) {
					do(&clauses[i])
				}
			}
		}
	}
	if a.Matter() == MatterLine {
		each(exclusions, func(cl *clause) {
			if c.barsThe(cl, line) {
				take(&refused, cl.rule, rest)
			}
		})
	}
	if a.hears() && rest.meets(c.protected) {
		by := map[RuleID]bitset{}
		for i, p := range c.people {
			if p.protected {
				rule := c.protectors[uint32(i)]
				if by[rule] == nil {
					by[rule] = make(bitset, len(c.all))
				}
				by[rule].add(c.place[i])
			}
		}
		for _, rule := range sortedRules(by) {
			take(&refused, rule, by[rule])
		}
	}
	excluded := func(until unless, do func(rule RuleID, of bitset)) {
		each(exclusions, func(cl *clause) {
			if cl.unless == until {
				of := make(bitset, len(c.all))
				c.addReached(of, cl, subject)
				of.remove(self) // nobody is excepted from what is his own
				do(cl.rule, of)
			}
		})
	}
	excluded(unlessNothing, func(rule RuleID, of bitset) { take(&refused, rule, of) })
	each(grants, func(cl *clause) {
		if !c.open[cl.window] {
			return
		}
		of := make(bitset, len(c.all))
		if c.addGranted(of, cl, subject, a, line); mark == MarkOwnClients {
			of.or(c.all)
		}
		take(&granted, cl.rule, of)
	})
	take(&refused, 0, rest)
	excluded(unlessReason, func(rule RuleID, of bitset) { // which is asked for only of who may do it once he gives one
		for i := range granted {
			if got := granted[i].set.with(of); !got.empty() {
				refused = append(refused, grounded{rule, got})
				granted[i].set.andNot(got)
			}
		}
	})
	return refused, granted
}

func sortedRules(by map[RuleID]bitset) []RuleID {
	var all []RuleID
	for rule := range by {
		all = append(all, rule)
	}
	slices.Sort(all)
	return all
}

// viaOf is the assignment that brings the subject a rule of a role; the zero Rule for any other.
func (c *crowd) viaOf(subject uint32, rule RuleID) Rule {
	exclusions, grants := c.rights(subject)
	for _, clauses := range [...][]clause{exclusions[1], grants[1]} {
		for i := range clauses {
			if clauses[i].rule == rule {
				return c.via(clauses[i])
			}
		}
	}
	return Rule{}
}
