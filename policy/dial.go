package policy

import "slices"

// A Destination is what is known of a number that somebody wants to call: verified facts only. The zero Destination is refused.
type Destination struct {
	// Number in its normal form: a plus and digits (E.164), or up to six digits of the PBX's own. Whoever asks has taken off
	// formatting, prefixes of routes and technology before, because what is dialled otherwise must not be judged otherwise.
	// Nothing but an emergency number is allowed in any other form, save for a feature code that the policy names.
	Number string

	Employee    Ref   // whose very number it is; nobody's when zero. Set.Destination finds him
	Client      bool  // the directory has it as a client's
	Responsible Ref   // that client's responsible employee, or nobody
	Access      []Ref // who has access to that client beside him
}

// Destination returns what the policy itself knows of a number: its form without spaces, hyphens, dots and brackets, and whose
// number it is. It compares exactly, unlike ByNumber, because what follows from a Destination may grant; so the policy should have
// its employees' outside numbers with a plus. The number is not normalised beyond that: the policy knows no country.
func (s *Set) Destination(number string) Destination {
	to := Destination{Number: number}
	if plain, ok := canonicalNumber(number); ok {
		to.Number = plain
	}
	if s == nil || s.tables == nil {
		return to
	}
	if i, ok := findNumber(&s.byNo, to.Number); ok {
		to.Employee = s.ref(s.numOf[i])
	}
	return to
}

// dialClause is one exclusion from dialling or one grant of it. Of the clause that it is, list and scope are about the employee
// whose number it is or who is responsible for the client.
type dialClause struct {
	clause
	kind            dialKind
	whole, prefixes part // of numbers
}

// DecideDial answers whether the subject may call the number. Like Decide it allocates nothing, takes no lock and may be called by
// any number of goroutines. Its ground may always be shown to the subject.
//
// An emergency number passes whatever else holds, for a subject whom the policy does not know too; it is compared exactly,
// formatting aside. An exception bars an employee on every number that may be his, whether Destination.Employee says so or not. A
// number that is protected is dialled like any other.
func (s *Set) DecideDial(subject Ref, to *Destination) Decision {
	if s == nil || s.tables == nil || to == nil {
		return Decision{}
	}
	if rule := s.emergencyRule(to.Number); rule != 0 {
		return Decision{Allowed: true, Reason: ReasonEmergency, Rule: rule, Pairwise: true}
	}
	form, reason := s.identifyDial(subject, to)
	if reason != ReasonAllowed {
		return Decision{Reason: reason, Pairwise: true}
	}
	own, role := s.dialRights(subject)
	for _, clauses := range [...][]dialClause{own.exclusions, role.exclusions} {
		for i := range clauses {
			if _, barred := s.bars(&clauses[i], to, form); barred {
				return Decision{Reason: ReasonExcluded, Rule: clauses[i].rule, Pairwise: true}
			}
		}
	}
	reason = s.refusedDial(to, form, own.grants, role.grants)
	for _, clauses := range [...][]dialClause{own.grants, role.grants} {
		for i := range clauses {
			switch c := &clauses[i]; {
			case !s.lets(c, subject, to, form):
			case !s.open[c.window]:
				reason = ReasonNotNow
			default:
				return Decision{Allowed: true, Reason: ReasonAllowed, Rule: clauses[i].rule, Pairwise: true}
			}
		}
	}
	return Decision{Reason: reason, Pairwise: true}
}

// Dials reports whether there is a number that the subject may call, emergency numbers and exceptions aside: for a panel that draws a button.
func (s *Set) Dials(subject Ref) bool {
	if s == nil || s.tables == nil || !s.known(subject) {
		return false
	}
	own, role := s.dialRights(subject)
	open := func(c dialClause) bool { return s.open[c.window] }
	return slices.ContainsFunc(own.grants, open) || slices.ContainsFunc(role.grants, open)
}

// identifyDial returns the form of the number, and why it cannot be judged at all, or ReasonAllowed.
func (s *Set) identifyDial(subject Ref, to *Destination) (numberForm, Reason) {
	form := formOf(to.Number)
	switch {
	case !s.known(subject):
		return form, ReasonUnknownSubject
	case form == formBad:
		return form, ReasonBadNumber
	case !to.Employee.IsZero() && !s.known(to.Employee): // he may be excluded
		return form, ReasonUnknownTarget
	}
	return form, ReasonAllowed
}

// dialRules are the clauses from one source.
type dialRules struct{ exclusions, grants []dialClause }

func dialRulesOf(all []dialClause, s span) dialRules {
	middle := s.start + s.exclusions
	return dialRules{all[s.start:middle], all[middle : middle+s.grants]}
}

// dialRights returns what the subject's own entry and his roles say of dialling.
func (s *Set) dialRights(subject Ref) (own, role dialRules) {
	i := subject.n - 1
	if len(s.dialOf) > 0 && s.dialOf[i] != 0 {
		own = dialRulesOf(s.dials, s.dialSpans[s.dialOf[i]-1])
	}
	if len(s.roleDialSpans) > 0 {
		role = dialRulesOf(s.roleDialClauses, s.roleDialSpans[s.people[i].roleSet])
	}
	return own, role
}

// refusedDial returns why the number is refused if no grant reaches it.
func (s *Set) refusedDial(to *Destination, form numberForm, grants ...[]dialClause) Reason {
	if form == formCode {
		return ReasonBadNumber
	}
	for _, clauses := range grants {
		for i := range clauses {
			if clauses[i].kind == dialClients && !to.Client && s.open[clauses[i].window] {
				return ReasonNotClient
			}
		}
	}
	return ReasonNoRight
}

// bars reports whether the exclusion is about the number, or about an employee whose number it may be, and who he is.
func (s *Set) bars(c *dialClause, to *Destination, form numberForm) (Ref, bool) {
	if c.kind == dialNumbers {
		return Ref{}, s.matches(c.whole, c.prefixes, to.Number, form)
	}
	if !to.Employee.IsZero() && s.contains(c.list, to.Employee.n-1) {
		return to.Employee, true
	}
	var told, kept [maxAddress]byte
	digits := numberDigits(told[:0], to.Number)
	for _, t := range s.tailed(digits) {
		if sameNumber(numberDigits(kept[:0], s.byNo.at(t.number)), digits) && s.contains(c.list, s.numOf[t.number]) {
			return s.ref(s.numOf[t.number]), true
		}
	}
	return Ref{}, false
}

// lets reports whether the grant reaches the number, at whatever time.
func (s *Set) lets(c *dialClause, subject Ref, to *Destination, form numberForm) bool {
	switch {
	case c.kind == dialNumbers:
		return s.matches(c.whole, c.prefixes, to.Number, form)
	case form == formCode: // whatever else is known of it, only its name grants it
		return false
	case c.kind == dialEmployees:
		return !to.Employee.IsZero() && s.reaches(&c.clause, subject.n-1, to.Employee.n-1)
	case c.kind == dialClients:
		return to.Client && s.clientOf(&c.clause, subject, to)
	}
	return c.kind == dialAny
}

// clientOf reports whether the client is in the scope. Every scope but none begins with one's own clients.
func (s *Set) clientOf(c *clause, subject Ref, to *Destination) bool {
	return c.scope == scopeAny || to.Responsible == subject || slices.Contains(to.Access, subject) ||
		s.known(to.Responsible) && s.reaches(c, subject.n-1, to.Responsible.n-1)
}

// dialsNow returns what the roles say of dialling at the Set's moment: for each role set its span of clauses. Nothing when no role speaks of
// it.
func (s *Set) dialsNow() (spans []span, clauses []dialClause) {
	if len(s.allDials) == 0 {
		return nil, nil
	}
	spans = make([]span, len(s.roleSets))
	for i, set := range s.roleSets {
		out := span{start: uint32(len(clauses))}
		items := s.setItems[set.start : set.start+set.grants]
		for _, exclusions := range [...]bool{true, false} {
			for _, item := range items {
				a := s.assigned[item]
				if !s.open[a.window] {
					continue
				}
				rules := dialRulesOf(s.allDials, s.roleDials[a.role])
				some := rules.grants
				if exclusions {
					some = rules.exclusions
				}
				for _, c := range some {
					c.via = item + 1
					clauses = append(clauses, c)
				}
			}
			if exclusions {
				out.exclusions = uint32(len(clauses)) - out.start
			}
		}
		out.grants = uint32(len(clauses)) - out.start - out.exclusions
		spans[i] = out
	}
	return spans, clauses
}
