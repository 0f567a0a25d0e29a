package policy

import "slices"

// excepts returns the exclusions of one side that are about the action.
func (s side) excepts(a Action) []clause {
	if s.who < 0 {
		return nil
	}
	exclusions, _ := s.rights(uint32(s.who))
	all := slices.Concat(exclusions[0], exclusions[1])
	return slices.DeleteFunc(all, func(c clause) bool { return !c.allow.has(a) })
}

// barring compares whose presence on a call bars the action on everybody. Changed are those of whom another change tells already.
func (x *comparison) barring(a Action, changed bitset) {
	old, now := x.old.excepts(a), x.now.excepts(a)
	if len(old)+len(now) == 0 {
		return
	}
	marks := func(s side, clauses []clause) [markEnd]bitset {
		return s.marksOf(len(x.company.ids), func(who uint32) (out [markEnd]bitset) {
			barred, asked := newBitset(len(x.company.ids)), newBitset(len(x.company.ids))
			for i := range clauses {
				if clauses[i].unless == unlessNothing {
					s.addReached(barred, &clauses[i], who)
				} else {
					s.addReached(asked, &clauses[i], who)
				}
			}
			out[MarkReason] = asked.without(barred)
			out[MarkYes] = x.company.all.without(barred)
			out[MarkYes].andNot(asked)
			return out
		})
	}
	differ(marks(x.old, old), marks(x.now, now), func(from, to Mark, set bitset) {
		set.andNot(changed)
		set.remove(x.place)
		x.employeesOf(toldKey{kind: ChangeOthers, action: a, from: from, to: to, line: -1}, set, nil)
	})
}

// barrers divides employees by the rule that bars the action while they are on the call.
func (s side) barrers(a Action, set bitset) []grounded {
	var out []grounded
	rest := slices.Clone(set)
	take := func(rule RuleID, of bitset) {
		if got := rest.with(of); !got.empty() {
			out = append(out, grounded{rule, got})
			rest.andNot(got)
		}
	}
	clauses := s.excepts(a)
	for _, until := range [...]unless{unlessNothing, unlessReason} {
		for i := range clauses {
			if clauses[i].unless == until {
				of := make(bitset, len(set))
				s.addReached(of, &clauses[i], uint32(s.who))
				take(clauses[i].rule, of)
			}
		}
	}
	take(0, rest)
	return out
}

// barringLines compares which lines an exception names, for those who reach its conversations by their access to a client.
func (x *comparison) barringLines(a Action) {
	for line, id := range x.lineIDs {
		bars := func(s side, at int32) RuleID {
			for _, c := range s.excepts(a) {
				if at >= 0 && s.barsThe(&c, uint32(at)) {
					return c.rule
				}
			}
			return 0
		}
		was, is := bars(x.old, x.lineWas[line]), bars(x.now, x.lineIs[line])
		from, to := MarkYes, MarkYes
		if was != 0 {
			from = MarkNo
		}
		if is != 0 {
			to = MarkNo
		}
		_, told := x.told[toldKey{ChangeLines, a, from, to, line}]
		if from == to || told || x.lineIs[line] < 0 || x.lineWas[line] < 0 || !x.first(toldKey{ChangeOthers, a, from, to, line}) {
			continue
		}
		x.addLine(Change{
			Kind: ChangeOthers, Action: a, From: from, To: to, Since: x.since, Lines: []string{id},
			Was: x.ground(x.old, was), Is: x.ground(x.now, is),
		})
	}
}
