package policy

// Foreign returns the employee of s who has the id that r has in another Set; nobody when either of them does not know him. It is
// for asking two policies the same question: a Ref belongs to one Set.
func (s *Set) Foreign(of *Set, r Ref) Ref {
	if s.known(r) {
		return r // the same employees in the same order
	}
	if !of.known(r) {
		return Ref{}
	}
	own, _ := s.Employee(of.id(r.n - 1))
	return own
}

// ForeignRequest returns a request to another Set as one to s. Who is not known to s stays somebody whom it does not know, so that he
// is refused, or refuses, as a stranger. The facts about numbers and endpoints (ProtectedNumber, UnknownPhone, and whose phones With
// and Party rest on) are left as they are: they are what the other policy made of the call, and whoever can ask s about them should.
func (s *Set) ForeignRequest(of *Set, r *Request) Request {
	out := *r
	out.Subject, out.Target, out.Responsible = s.Foreign(of, r.Subject), s.Foreign(of, r.Target), s.Foreign(of, r.Responsible)
	out.With, out.Access = s.foreigners(of, r.With), s.foreigners(of, r.Access)
	out.Line, _ = s.Line(of.LineID(r.Line))
	return out
}

func (s *Set) foreigners(of *Set, refs []Ref) (own []Ref) {
	for _, r := range refs {
		own = append(own, s.Foreign(of, r))
	}
	return own
}
