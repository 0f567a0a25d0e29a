package policy

// A Request is one question. Which fields it needs the action's Matter says; the zero Request is refused.
type Request struct {
	Subject Ref
	Action  Action
	Target  Ref     // whom it is about; of MatterLine nobody, but for one conversation
	Line    LineRef // of MatterLine

	// With is every other employee whom the act would reach. For spy, whisper and barge: all within earshot of the call,
	// through bridges, Local channels, conferences and other supervisions. For observe: the others on the call. For intercept:
	// the others whose phones the call rings. Of what is past: the others who were on it. Subject and Target may be among them.
	With []Ref

	// Party says that the subject is himself on the live call: ringing, up or on hold. It matters to observe (a party sees whom he
	// talks to) and to supervision (a party cannot supervise).
	Party bool

	// Unrung says that it is about a caller whom no phone rings, and so about nobody: Target is not looked at. It matters to intercept, and only the
	// client's responsible employee may do it then, whatever his scope.
	Unrung bool

	// Responsible is the employee responsible for the client on the other side, when that is known to be one; nobody otherwise. It
	// matters to intercept, for a caller from outside, and to line.history and line.join.
	Responsible Ref
	// Access is who has access to that client beside him. It matters to line.history and line.join.
	Access []Ref

	// ProtectedNumber says that a number of the call is protected, as ProtectedNumber of the Set reports.
	ProtectedNumber bool

	// UnknownPhone says that an endpoint on the live call is neither a phone nor a trunk. What follows from it the policy says.
	UnknownPhone bool

	// Locked says that somebody who may has locked the live call against supervision.
	Locked bool

	// ReasonGiven says that the subject has said why he asks.
	ReasonGiven bool
}

// A Decision is the answer and its ground. The zero Decision refuses.
type Decision struct {
	Allowed bool
	Reason  Reason
	Rule    RuleID // see Set.Rule; zero when the ground lies in the language itself

	// Pairwise reports whether reason and rule follow from the subject, the target and what the subject knows of himself
	// alone. Only then may the subject be shown them: otherwise they tell who else is on the call. It is true of what is allowed: whoever
	// may do it learns who is there.
	Pairwise bool
}

// Decide answers the request. It allocates nothing, takes no lock and may be called by any number of goroutines.
//
// What follows from subject and target alone is looked at first, so that a refusal on that ground is the same whoever
// else is on the call.
func (s *Set) Decide(req *Request) Decision {
	if s == nil || s.tables == nil || req == nil {
		return Decision{}
	}
	if req.Action == 0 || req.Action >= Dial {
		return s.decideOther(req)
	}
	if req.Action == Intercept && req.Unrung {
		return s.decideUnrung(req)
	}
	// All but the rare is decided here, since a call costs as much as a look at a clause.
	people, i, target := s.people, req.Subject.n-1, req.Target.n-1
	if req.Subject.tag != s.tag || req.Target.tag != s.tag || i >= uint32(len(people)) || target >= uint32(len(people)) || people[target].panel {
		return Decision{Reason: s.identify(req), Pairwise: true}
	}
	if i == target {
		if req.Action.sees() {
			return Decision{Allowed: true, Reason: ReasonAllowed, Pairwise: true}
		}
		return Decision{Reason: ReasonSelf, Pairwise: true}
	}
	if req.Action.sees() && req.Party {
		return Decision{Allowed: true, Reason: ReasonAllowed, Pairwise: true}
	}
	subject := &people[i]
	if !req.Action.sees() && people[target].protected {
		return Decision{Reason: ReasonProtected, Rule: s.protectors[target], Pairwise: true}
	}
	own, roles := &s.entries[subject.own], &s.roleEntries[subject.roleSet]
	var excluded RuleID
	var why Reason
	if own.bars[req.Action]&roles.bars[req.Action] != none {
		if excluded, why = s.excludes(subject, req, target); why == ReasonExcluded {
			return Decision{Reason: why, Rule: excluded, Pairwise: true}
		}
	}
	if own.gives[req.Action]&roles.gives[req.Action] == none {
		return Decision{Reason: ReasonNoRight, Pairwise: true}
	}
	granted, reason := s.grants(subject, req, target)
	if granted == 0 {
		return Decision{Reason: reason, Pairwise: true}
	}
	if excluded != 0 { // a reason is asked for only of who may do it once he gives one
		return Decision{Reason: why, Rule: excluded, Pairwise: true}
	}
	if len(req.With) > 0 || req.Party || req.ProtectedNumber || req.UnknownPhone || req.Locked {
		if refusal := s.others(subject, req); refusal.Reason != ReasonAllowed {
			return refusal
		}
	}
	return Decision{Allowed: true, Reason: ReasonAllowed, Rule: granted, Pairwise: true}
}

// nobody is in the place of a target where there is none: no scope holds him.
const nobody = ^uint32(0)

// decideUnrung answers an intercept of a caller whom no phone rings. With may have whose phones ring him meanwhile.
func (s *Set) decideUnrung(req *Request) Decision {
	if !s.known(req.Subject) {
		return Decision{Reason: ReasonUnknownSubject, Pairwise: true}
	}
	subject, alone := &s.people[req.Subject.n-1], *req
	alone.Target = Ref{}
	granted, reason := s.grants(subject, &alone, nobody)
	if granted == 0 {
		return Decision{Reason: reason, Rule: s.taker(subject, req.Action), Pairwise: true}
	}
	if refusal := s.others(subject, &alone); refusal.Reason != ReasonAllowed {
		return refusal
	}
	return Decision{Allowed: true, Reason: ReasonAllowed, Rule: granted, Pairwise: true}
}

// identify returns why the request does not name two employees of this Set, or ReasonAllowed.
func (s *Set) identify(req *Request) Reason {
	switch {
	case !s.known(req.Subject):
		return ReasonUnknownSubject
	case !s.target(req.Target):
		return ReasonUnknownTarget
	}
	return ReasonAllowed
}

// others refuses on account of whoever else is on the call, or returns ReasonAllowed. Nothing of it but the party's own
// presence may be shown to the subject.
func (s *Set) others(subject *person, req *Request) Decision {
	supervises := req.Action.Supervises()
	if supervises && req.Party {
		// He knows that he is on the call.
		return Decision{Reason: ReasonParty, Pairwise: true}
	}
	for _, other := range req.With {
		switch {
		case other == req.Target:
		case other == req.Subject:
			// Within earshot without being on the call: somebody listens to him, which he must not learn from this.
			if supervises {
				return Decision{Reason: ReasonParty}
			}
		case !s.known(other):
			return Decision{Reason: ReasonUnknownParty}
		default:
			if !req.Action.sees() && s.people[other.n-1].protected {
				return Decision{Reason: ReasonProtectedOther, Rule: s.protectors[other.n-1]}
			}
			if rule, reason := s.excludes(subject, req, other.n-1); rule != 0 {
				return Decision{Reason: reason.ofOther(), Rule: rule}
			}
		}
	}
	switch {
	case req.Action == Intercept, req.Action == ObserveKind: // the number and the phones are about being heard, and seen by name
	case req.ProtectedNumber:
		return Decision{Reason: ReasonProtectedNumber, Rule: s.guardRule}
	case supervises && req.Locked:
		return Decision{Reason: ReasonLocked}
	case supervises && req.UnknownPhone && !s.unknownOutside:
		return Decision{Reason: ReasonUnknownPhone}
	}
	return Decision{Reason: ReasonAllowed}
}

// ofOther is the reason when it comes from somebody else than the target.
func (r Reason) ofOther() Reason {
	if r == ReasonRequired {
		return ReasonRequiredOther
	}
	return ReasonExcludedOther
}

// excludes returns the first rule that excludes the employee from the subject's action, and why: for good, or until he gives a reason. It
// returns zero when there is none.
func (s *Set) excludes(subject *person, req *Request, who uint32) (rule RuleID, reason Reason) {
	own, role, a := &s.entries[subject.own], &s.roleEntries[subject.roleSet], req.Action.searched()
	if own.bars[a]&role.bars[a] == none { // neither says anything about it
		return 0, ReasonNoPolicy
	}
	if from := own.bars[a]; from != none {
		rule, reason = s.excluding(s.clauses[own.start+uint32(from):own.start+own.exclusions], req, who)
	}
	if from := role.bars[a]; from != none && reason != ReasonExcluded {
		if more, why := s.excluding(s.roleClauses[role.start+uint32(from):role.start+role.exclusions], req, who); rule == 0 || why == ReasonExcluded {
			rule, reason = more, why
		}
	}
	return rule, reason
}

func (s *Set) excluding(clauses []clause, req *Request, who uint32) (rule RuleID, reason Reason) {
	for i := range clauses {
		switch c := &clauses[i]; {
		case !c.allow.has(req.Action), c.scope == scopeList && !s.contains(c.list, who):
		case c.unless == unlessNothing:
			return c.rule, ReasonExcluded
		case !req.ReasonGiven && rule == 0:
			rule, reason = c.rule, ReasonRequired
		}
	}
	return rule, reason
}

// grants returns the first rule that grants the action on the target, or zero and why there is none.
func (s *Set) grants(subject *person, req *Request, target uint32) (RuleID, Reason) {
	reason := ReasonNoRight
	own, role, a := &s.entries[subject.own], &s.roleEntries[subject.roleSet], req.Action.searched()
	if from := own.gives[a]; from != none {
		start := own.start + own.exclusions
		if rule := s.granting(s.clauses[start+uint32(from):start+own.grants], req, target, &reason); rule != 0 {
			return rule, ReasonAllowed
		}
	}
	if from := role.gives[a]; from != none {
		start := role.start + role.exclusions
		if rule := s.granting(s.roleClauses[start+uint32(from):start+role.grants], req, target, &reason); rule != 0 {
			return rule, ReasonAllowed
		}
	}
	return 0, reason
}

func (s *Set) granting(clauses []clause, req *Request, target uint32, reason *Reason) RuleID {
	for i := range clauses {
		c := &clauses[i]
		if !c.allow.has(req.Action) {
			continue
		}
		// Every scope of intercept but none begins with one's own clients.
		switch {
		case target != nobody && s.reaches(c, req.Subject.n-1, target) || req.Action == Intercept && req.Responsible == req.Subject:
			if c.window == 0 || s.open[c.window] {
				return c.rule
			}
			*reason = ReasonNotNow
		case req.Action == Intercept && *reason == ReasonNoRight:
			*reason = ReasonNotClient
		}
	}
	return 0
}

// reaches reports whether the clause's scope holds the target.
func (s *Set) reaches(c *clause, subject, target uint32) bool {
	switch c.scope {
	case scopeNone, scopeOwn: // what is one's own is decided by itself
	case scopeAny:
		return true
	case scopeList:
		return s.contains(c.list, target)
	case scopeDepartment:
		d := s.people[target].department
		return d >= 0 && (d == s.people[subject].department || s.departments[d].head == int32(subject))
	case scopeSubtree:
		own := s.people[subject].department
		for d := s.people[target].department; d >= 0; d = s.departments[d].parent {
			if d == own || s.departments[d].head == int32(subject) {
				return true
			}
		}
	}
	return false
}

// contains reports whether the list names the employee.
func (t *tables) contains(list, who uint32) bool {
	l := &t.lists[list]
	items := t.listItems[l.start:]
	if l.departments > 0 {
		d := t.people[who].department
		for _, item := range items[:l.departments] {
			if int64(item) == int64(d) {
				return true
			}
		}
		items = items[l.departments:]
	}
	if l.groups > 0 {
		for _, g := range items[:l.groups] {
			members := &t.groups[g]
			if holds(t.members[members.start:][:members.grants], who) {
				return true
			}
		}
		items = items[l.groups:]
	}
	return l.people > 0 && holds(items[:l.people], who)
}

// holds looks into a sorted slice. Where the employee stands in it nobody foresees, and so it does nothing that hangs on that: a branch which the
// processor guesses wrong costs more than the whole of a short list.
func holds(sorted []uint32, who uint32) bool {
	from, n := 0, len(sorted)
	for n > 8 {
		half := n / 2
		behind := (int64(who) - int64(sorted[from+half])) >> 63 // -1 when he stands before the half, otherwise 0
		from += half &^ int(behind)
		n -= half
	}
	found := int64(0)
	for _, w := range sorted[from : from+n] {
		found |= int64(w^who) - 1 // below zero when they are equal
	}
	return found < 0
}
