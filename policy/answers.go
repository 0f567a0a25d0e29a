package policy

// answers are targets by the answer that Decide gives about each of them alone: employees, or lines.
type answers struct {
	plain  bitset // allowed
	given  bitset // allowed once a reason is given, with those that are plain
	client bitset // of Intercept: allowed where the caller is the subject's client, with those that are plain; nil for none
	later  bitset // refused because of the time, whatever is given
}

// marks divides the targets among the marks. Kind is on whom ObserveKind is allowed, nil where it does not matter. A mark without
// targets has no set.
func (a *answers) marks(kind bitset) (out [markEnd]bitset) {
	taken := make(bitset, len(a.plain))
	for _, of := range [...]struct {
		mark Mark
		set  bitset
	}{{MarkYes, a.plain}, {MarkReason, a.given}, {MarkOwnClients, a.client}, {MarkKind, kind}, {MarkNotNow, a.later}} {
		if of.set == nil {
			continue
		}
		if set := of.set.without(taken); !set.empty() {
			out[of.mark] = set
			taken.or(set)
		}
	}
	return out
}

// targets answers about each employee. Of a line's action it answers about a conversation with the employee on the line of that place in the
// Set; line is ignored for the others.
func (c *crowd) targets(subject uint32, a Action, line uint32) answers {
	out := c.targetsAlone(subject, a, line)
	for conditions, other := a.conditions(), Action(0); conditions>>other != 0; other++ {
		if conditions.has(other) {
			also := c.targetsAlone(subject, other, line)
			out.plain.and(also.plain)
			out.given.and(also.given)
		}
	}
	return out
}

// targetsAlone answers without what is a condition of the action, as Decide and decideAlone do about one.
func (c *crowd) targetsAlone(subject uint32, a Action, line uint32) answers {
	size, self, call := len(c.all), c.place[subject], a.Matter() == MatterCall
	out := answers{plain: make(bitset, size), given: make(bitset, size), later: make(bitset, size)}
	open, barred, asked := c.all.without(c.none(a)), make(bitset, size), make(bitset, size)
	exclusions, grants := c.rights(subject)
	for _, clauses := range exclusions {
		for i := range clauses {
			switch cl := &clauses[i]; {
			case !cl.allow.has(a):
			case a.Matter() == MatterLine && c.barsThe(cl, line):
				return out
			case cl.unless == unlessNothing:
				c.addReached(barred, cl, subject)
			default:
				c.addReached(asked, cl, subject)
			}
		}
	}
	if call {
		open.remove(self)
	} else { // nobody is excepted from what is his own
		barred.remove(self)
		asked.remove(self)
	}
	open.andNot(barred)
	anyOpen, anyClosed := false, false
	for _, clauses := range grants {
		for i := range clauses {
			cl := &clauses[i]
			if !cl.allow.has(a) {
				continue
			}
			dst := out.later
			if c.open[cl.window] {
				dst, anyOpen = out.given, true
			} else {
				anyClosed = true
			}
			c.addGranted(dst, cl, subject, a, line)
		}
	}
	if a == Intercept && anyOpen {
		out.client = open
	} else if a == Intercept && anyClosed {
		out.later.or(open)
	}
	out.given.and(open)
	out.later.and(open)
	out.later.andNot(out.given)
	copy(out.plain, out.given)
	out.plain.andNot(asked)
	if a.sees() && c.all.has(self) { // a panel has no calls
		out.plain.add(self)
		out.given.add(self)
	}
	return out
}

// none are the employees to whom nobody may do the action.
func (c *crowd) none(a Action) bitset {
	if a.hears() {
		return c.protected
	}
	return make(bitset, len(c.all))
}

// barsThe reports whether the exclusion names the line.
func (c *crowd) barsThe(cl *clause, line uint32) bool {
	return cl.unless == unlessNothing && cl.scope == scopeList && c.namesLine(cl.list, line)
}

// addGranted adds whom the grant is on, with what is one's own.
func (c *crowd) addGranted(dst bitset, cl *clause, subject uint32, a Action, line uint32) {
	matter := a.Matter()
	switch {
	case cl.scope == scopeNone:
	case matter == MatterLine && cl.scope == scopeList && c.namesLine(cl.list, line):
		dst.or(c.all)
	default:
		c.addReached(dst, cl, subject)
		if matter != MatterCall && cl.scope != scopeList {
			dst.add(c.place[subject])
		}
	}
}

// whole answers about each line as a whole.
func (c *crowd) whole(subject uint32, a Action) answers {
	out := c.wholeAlone(subject, a)
	for conditions, other := a.conditions(), Action(0); conditions>>other != 0; other++ {
		if conditions.has(other) {
			also := c.wholeAlone(subject, other)
			out.plain.and(also.plain)
			out.given.and(also.given)
		}
	}
	return out
}

func (c *crowd) wholeAlone(subject uint32, a Action) answers {
	size := len(c.allLines)
	out := answers{plain: make(bitset, size), given: make(bitset, size), later: make(bitset, size)}
	exclusions, grants := c.rights(subject)
	for _, clauses := range grants {
		for i := range clauses {
			cl := &clauses[i]
			if !cl.allow.has(a) || cl.scope == scopeNone {
				continue
			}
			dst := out.later
			if c.open[cl.window] {
				dst = out.given
			}
			reached := make(bitset, len(c.all))
			c.addReached(reached, cl, subject)
			if cl.scope != scopeList {
				reached.add(c.place[subject])
			}
			for i := range c.lines {
				if cl.scope == scopeAny || cl.scope == scopeList && c.namesLine(cl.list, uint32(i)) || c.staff[i].meets(reached) {
					dst.add(c.linePlace[i])
				}
			}
		}
	}
	for _, clauses := range exclusions {
		for i := range clauses {
			for line := range c.lines {
				if clauses[i].allow.has(a) && c.barsThe(&clauses[i], uint32(line)) {
					out.given.remove(c.linePlace[line])
					out.later.remove(c.linePlace[line])
				}
			}
		}
	}
	out.later.andNot(out.given)
	copy(out.plain, out.given)
	return out
}

// had says whether the subject has a right that is about nobody.
func (c *crowd) had(subject uint32, a Action) Mark {
	out := MarkNo
	_, grants := c.rights(subject)
	for _, clauses := range grants {
		for i := range clauses {
			switch cl := &clauses[i]; {
			case !cl.allow.has(a) || cl.scope != scopeAny:
			case c.open[cl.window]:
				return MarkYes
			default:
				out = MarkNotNow
			}
		}
	}
	return out
}
