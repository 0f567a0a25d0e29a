package policy

// entry is what one employee's own entry says, or a set of roles at the moment: a span of clauses, and where in it a search for an action of a live
// call begins. Most of a decision is finding out that there is nothing about the action, which these answer without looking at a clause.
type entry struct {
	span
	bars, gives starts // among the exclusions, and among the grants
}

// starts are how many clauses may be passed over when the search is for an action before Dial, or none where no clause is about it. The place of
// no action is for the others, of which all are looked at.
type starts [Dial]uint8

// none is the start of a search that finds nothing. A start is less: where so many clauses are about other actions, the search begins before the first.
const none = ^uint8(0)

// newEntry returns the entry of a span of these clauses.
func newEntry(s span, clauses []clause) entry {
	return entry{s, startsOf(clauses[s.start:][:s.exclusions]), startsOf(clauses[s.start+s.exclusions:][:s.grants])}
}

func startsOf(clauses []clause) (s starts) {
	for a := Observe; a < Dial; a++ {
		s[a] = none
		for i := range clauses {
			if clauses[i].allow.has(a) {
				s[a] = uint8(min(i, int(none)-1))
				break
			}
		}
	}
	return s
}

// searched is the place of an action in starts.
func (a Action) searched() Action {
	if a < Dial {
		return a
	}
	return 0
}

// addEntry keeps an entry and returns its place, which is zero for one that says nothing.
func (t *tables) addEntry(s span) uint32 {
	if s.exclusions+s.grants == 0 {
		return 0
	}
	t.entries = append(t.entries, newEntry(s, t.clauses))
	return uint32(len(t.entries)) - 1
}
