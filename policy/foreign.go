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
	own, _ := s.Employee(of.ids[r.n-1])
	return own
}

// ForeignRequest returns a request to another Set as one to s. Who is not known to s stays somebody whom it does not know, so that he
// is refused, or refuses, as a stranger. The facts about numbers and endpoints (ProtectedNumber, UnknownPhone, and whose phones With
// and Party rest on) are left as they are: they are what the other policy made of the call, and whoever can ask s about them should.
func (s *Set) ForeignRequest(of *Set, r *Request) Request {
	out := *r
	out.Subject, out.Target, out.Responsible = s.Foreign(of, r.Subject), s.Foreign(of, r.Target), s.Foreign(of, r.Responsible)
	out.With = nil
	for _, other := range r.With {
		out.With = append(out.With, s.Foreign(of, other))
	}
	return out
}

// ForeignDestination returns a destination for another Set as one for s. Whose number it is, s says by itself. Of a client's people,
// those whom s does not know fall away: the rights that they would bring are nobody's.
func (s *Set) ForeignDestination(of *Set, to *Destination) Destination {
	out := *to
	out.Employee, out.Responsible = s.Destination(to.Number).Employee, s.Foreign(of, to.Responsible)
	out.Access = nil
	for _, ref := range to.Access {
		if own := s.Foreign(of, ref); !own.IsZero() {
			out.Access = append(out.Access, own)
		}
	}
	return out
}
