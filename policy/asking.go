package policy

// AsksReason reports whether some rule that binds the employee bars an action from him as long as he gives no reason. Where it is false, what he
// may do is the same with and without one.
func (s *Set) AsksReason(who Ref) bool {
	if s == nil || !s.known(who) {
		return false
	}
	p := &s.people[who.n-1]
	own, role := &s.entries[p.own], &s.roleEntries[p.roleSet]
	for _, clauses := range [...][]clause{s.clauses[own.start:][:own.exclusions], s.roleClauses[role.start:][:role.exclusions]} {
		for i := range clauses {
			if clauses[i].unless != unlessNothing {
				return true
			}
		}
	}
	return false
}
