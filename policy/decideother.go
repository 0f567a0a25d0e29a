package policy

import "slices"

// decideOther answers what is not about a live call. A refusal may be shown to the subject when it is the same whoever else was on it.
func (s *Set) decideOther(req *Request) Decision {
	d := s.decideFully(req)
	if d.Allowed || !d.Pairwise || len(req.With) == 0 {
		return d
	}
	alone := *req
	alone.With, alone.ProtectedNumber = nil, false
	if i := slices.Index(req.With, req.Subject); i >= 0 { // which he knows
		alone.With = req.With[i : i+1]
	}
	d.Pairwise = s.decideFully(&alone) == d
	return d
}

// decideFully answers with what is a condition of the action.
func (s *Set) decideFully(req *Request) Decision {
	d := s.decideAlone(req)
	if !d.Allowed {
		return d
	}
	for conditions, a := req.Action.conditions(), Action(0); conditions>>a != 0; a++ {
		if !conditions.has(a) {
			continue
		}
		also := *req
		also.Action = a
		if c := s.decideAlone(&also); !c.Allowed {
			return Decision{Reason: ReasonCondition, Rule: c.Rule, Pairwise: c.Pairwise}
		}
	}
	return d
}

// decideAlone answers without what is a condition of the action.
func (s *Set) decideAlone(req *Request) Decision {
	refuse := func(reason Reason, rule RuleID) Decision { return Decision{Reason: reason, Rule: rule, Pairwise: true} }
	matter := req.Action.Matter()
	switch {
	case !s.known(req.Subject):
		return refuse(ReasonUnknownSubject, 0)
	case matter < MatterPast:
		return refuse(ReasonUnknownAction, 0)
	case matter == MatterNothing && !req.Target.IsZero() && req.Target != req.Subject:
		return refuse(ReasonNoRight, 0) // one locks one's own call
	case matter == MatterLine && !s.knownLine(req.Line):
		return refuse(ReasonUnknownLine, 0)
	case (matter != MatterNothing && matter != MatterLine || !req.Target.IsZero()) && !s.target(req.Target),
		matter == MatterLine && !req.Action.Conversation() && (!req.Target.IsZero() || len(req.With) > 0):
		return refuse(ReasonUnknownTarget, 0)
	}
	subject := &s.people[req.Subject.n-1]
	// A reason is asked for only of who may do it once he gives one.
	given := *req
	given.ReasonGiven = true
	if matter != MatterNothing {
		if d := s.barred(subject, &given); d.Reason != ReasonAllowed {
			return d
		}
	}
	d := s.grantedOther(subject, req)
	if d.Allowed && matter != MatterNothing && !req.ReasonGiven {
		if asks := s.barred(subject, req); asks.Reason != ReasonAllowed {
			return asks
		}
	}
	return d
}

// grantedOther answers what is not about a live call by the grants alone.
func (s *Set) grantedOther(subject *person, req *Request) Decision {
	if s.opened(req) {
		return Decision{Allowed: true, Reason: ReasonAllowed, Pairwise: true}
	}
	own, role := &s.entries[subject.own], &s.roleEntries[subject.roleSet]
	reason := ReasonNoRight
	for _, clauses := range [...][]clause{s.clauses[own.start+own.exclusions:][:own.grants], s.roleClauses[role.start+role.exclusions:][:role.grants]} {
		for i := range clauses {
			switch c := &clauses[i]; {
			case !c.allow.has(req.Action) || !s.gives(c, req):
			case s.open[c.window]:
				return Decision{Allowed: true, Reason: ReasonAllowed, Rule: c.rule, Pairwise: true}
			default:
				reason = ReasonNotNow
			}
		}
	}
	return Decision{Reason: reason, Rule: s.taker(subject, req.Action), Pairwise: true}
}

// others are the employees whom the request is about beside its target: what is about one employee is about nobody else.
func (req *Request) others() []Ref {
	if req.Action.Matter() == MatterEmployee {
		return nil
	}
	return req.With
}

// takesPart reports whether the subject is one of those whom the request is about.
func takesPart(req *Request) bool {
	return req.Target == req.Subject || slices.Contains(req.With, req.Subject)
}

// opened reports whether access to the client opens the conversation, whatever rights there are on the line. The line as a whole it does not
// open.
func (s *Set) opened(req *Request) bool {
	return !req.Target.IsZero() && (req.Action == LineHistory || req.Action == LineJoin) && (req.Responsible == req.Subject || slices.Contains(req.Access, req.Subject))
}

// barred returns what stands against the request whatever grants there are, or ReasonAllowed. Nobody is excepted from what is his own.
func (s *Set) barred(subject *person, req *Request) Decision {
	if req.Action.Matter() == MatterLine {
		if rule := s.barsLine(subject, req); rule != 0 {
			return Decision{Reason: ReasonExcluded, Rule: rule, Pairwise: true}
		}
	}
	if !req.Target.IsZero() {
		if d := s.barredFrom(subject, req, req.Target); d.Reason != ReasonAllowed {
			return d
		}
	}
	for _, other := range req.others() {
		switch {
		case other == req.Target:
		case !s.known(other):
			return Decision{Reason: ReasonUnknownParty}
		default:
			if d := s.barredFrom(subject, req, other); d.Reason == ReasonProtected {
				return Decision{Reason: ReasonProtectedOther, Rule: d.Rule}
			} else if d.Reason != ReasonAllowed {
				return Decision{Reason: d.Reason.ofOther(), Rule: d.Rule}
			}
		}
	}
	if req.ProtectedNumber && guarded(req) {
		return Decision{Reason: ReasonProtectedNumber, Rule: s.guardRule}
	}
	return Decision{Reason: ReasonAllowed}
}

// barredFrom says what stands against the request on account of one employee.
func (s *Set) barredFrom(subject *person, req *Request, who Ref) Decision {
	i := who.n - 1
	if req.Action.hears() && s.people[i].protected {
		return Decision{Reason: ReasonProtected, Rule: s.protectors[i], Pairwise: true}
	}
	if who != req.Subject {
		if rule, reason := s.excludes(subject, req, i); rule != 0 {
			return Decision{Reason: reason, Rule: rule, Pairwise: true}
		}
	}
	return Decision{Reason: ReasonAllowed}
}

// guarded reports whether a protected number bars the action: nobody hears who talks to it, and only those who were on the call see it.
func guarded(req *Request) bool {
	if setOf(Play, Download, Record, LineJoin).has(req.Action) {
		return true
	}
	return setOf(Journal, LineHistory).has(req.Action) && !takesPart(req)
}

// barsLine returns the rule that excludes the line itself, or zero.
func (s *Set) barsLine(subject *person, req *Request) RuleID {
	own, role := &s.entries[subject.own], &s.roleEntries[subject.roleSet]
	for _, clauses := range [...][]clause{s.clauses[own.start:][:own.exclusions], s.roleClauses[role.start:][:role.exclusions]} {
		for i := range clauses {
			c := &clauses[i]
			if c.allow.has(req.Action) && c.scope == scopeList && c.unless == unlessNothing && s.namesLine(c.list, req.Line.n-1) {
				return c.rule
			}
		}
	}
	return 0
}

// gives reports whether the grant reaches what the request is about, at whatever time. Of several employees one in its scope is enough. Every
// scope but none and a list begins with what is one's own.
func (s *Set) gives(c *clause, req *Request) bool {
	matter := req.Action.Matter()
	switch {
	case c.scope == scopeNone:
		return false
	case c.scope == scopeAny:
		return true
	case matter == MatterNothing:
		return false
	case matter == MatterLine && c.scope == scopeList && s.namesLine(c.list, req.Line.n-1):
		return true
	case matter == MatterLine && req.Target.IsZero():
		for _, who := range s.lineMembers(req.Line) {
			if c.scope != scopeList && who == req.Subject.n-1 || s.reaches(c, req.Subject.n-1, who) {
				return true
			}
		}
		return false
	case c.scope != scopeList && (req.Target == req.Subject || slices.Contains(req.others(), req.Subject)):
		return true
	case s.reaches(c, req.Subject.n-1, req.Target.n-1):
		return true
	}
	for _, who := range req.others() {
		if s.reaches(c, req.Subject.n-1, who.n-1) { // barred has seen that he is known
			return true
		}
	}
	return false
}
