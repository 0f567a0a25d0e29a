package policy

// clients compares what one may do to the conversations on a line whose history the access to a client opens, though no right does, and returns
// with whom that is another. Changed are those of whom another change tells already.
func (x *comparison) clients(a Action, line int, changed bitset) bitset {
	size := len(x.company.ids)
	marks := func(s side, at int32) [markEnd]bitset {
		return s.marksOf(size, func(who uint32) [markEnd]bitset {
			if at < 0 {
				return [markEnd]bitset{}
			}
			alone := s.targetsAlone(who, a, uint32(at))
			return alone.marks(nil)
		})
	}
	shut := x.old.shut(size, x.lineWas[line]).with(x.now.shut(size, x.lineIs[line]))
	all := newBitset(size)
	differ(marks(x.old, x.lineWas[line]), marks(x.now, x.lineIs[line]), func(from, to Mark, set bitset) {
		set.andNot(changed)
		set.andNot(shut)
		all.or(set)
		x.employeesOf(toldKey{ChangeClients, a, from, to, line}, set, []string{x.lineIDs[line]})
	})
	return all
}

// shut are those whose conversations on a line an exception keeps from one's sight, whatever access to clients one has.
func (s side) shut(size int, line int32) bitset {
	out := newBitset(size)
	for _, c := range s.excepts(LineHistory) {
		if line >= 0 && s.barsThe(&c, uint32(line)) {
			out.or(s.all)
		} else if c.unless == unlessNothing {
			s.addReached(out, &c, uint32(s.who))
			out.remove(s.place[s.who])
		}
	}
	return out
}
