package auth

// Resumer knows subjects again by what the record says of them, after a restart. What it returns holds now.
type Resumer interface {
	// Resume returns the employee's subject whose Credential was called so; false when it is not there any more, has ended, or
	// cannot be known by its name alone.
	Resume(credential, employee string) (Subject, bool)
}

var (
	_ Resumer = (*Tokens)(nil)
	_ Resumer = (*Sessions)(nil)
	_ Resumer = Chain(nil)
)

// Resume implements [Resumer].
func (t *Tokens) Resume(credential, employee string) (Subject, bool) {
	for _, h := range t.set.Load().byHash {
		if h.subject.credential != credential {
			continue
		}
		named := ""
		if h.subject.panel != "" {
			named = employee
		}
		s, ok := h.as(named)
		if ok && s.employee == employee && t.known(employee) && !t.expired(s) {
			return s, true
		}
	}
	return Subject{}, false
}

// Resume implements [Resumer]. Sessions that are kept in memory alone are gone after a restart.
func (s *Sessions) Resume(credential, employee string) (Subject, bool) {
	for _, v := range s.o.Store.AppendSessions(nil, employee) {
		if who, ok := s.subject(v); ok && who.credential == credential && !s.expired(who) && !s.stale() {
			return who, true
		}
	}
	return Subject{}, false
}

// Resume implements [Resumer], by those of its authenticators that are one. A JSON web token is kept nowhere, so what was begun with one is not
// taken up again.
func (c Chain) Resume(credential, employee string) (Subject, bool) {
	for _, a := range c {
		if r, ok := a.(Resumer); ok {
			if s, ok := r.Resume(credential, employee); ok {
				return s, true
			}
		}
	}
	return Subject{}, false
}
