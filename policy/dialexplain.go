package policy

// ExplainDial answers as DecideDial does and tells every rule that had a say, as Explain does.
func (s *Set) ExplainDial(subject Ref, to Destination) Explanation {
	e := Explanation{Decision: s.DecideDial(subject, &to)}
	x := &explainer{set: s}
	if s == nil || s.tables == nil {
		x.say(EffectRefuses, ReasonNoPolicy, Ref{}, "there is no policy")
		e.Needs = []Need{impossible(ReasonNoPolicy, "there is no policy")}
	} else {
		e.Rule = s.Rule(e.Decision.Rule)
		x.dial(subject, &to)
		e.Needs = s.dialNeeds(subject, &to, e.Decision.Allowed)
	}
	e.Statements = x.said
	return e
}

func (x *explainer) dial(subject Ref, to *Destination) {
	s := x.set
	if rule := s.emergencyRule(to.Number); rule != 0 {
		x.say(EffectGrants, ReasonEmergency, subject, "everybody may call an emergency number, always").Rule = s.Rule(rule)
		return
	}
	form, reason := s.identifyDial(subject, to)
	if reason != ReasonAllowed {
		x.say(EffectRefuses, reason, Ref{}, "%s", unjudged[reason])
		return
	}
	own, role := s.dialRights(subject)
	for _, clauses := range [...][]dialClause{own.exclusions, role.exclusions} {
		for i := range clauses {
			c := &clauses[i]
			who, barred := s.bars(c, to, form)
			switch {
			case !barred:
			case c.kind == dialEmployees:
				x.saidBy(c, x.say(EffectRefuses, ReasonExcluded, who, "excepts %s, whose number it may be", s.ID(who)))
			default:
				x.saidBy(c, x.say(EffectRefuses, ReasonExcluded, Ref{}, "excepts the number"))
			}
		}
	}
	granted := false
	for _, clauses := range [...][]dialClause{own.grants, role.grants} {
		for i := range clauses {
			granted = x.dialGrant(&clauses[i], subject, to, form) || granted
		}
	}
	if !granted {
		text := "nothing lets %s call this number"
		if form == formCode {
			text = "this is a feature code, and no list of numbers of %s names it"
		}
		reason := s.refusedDial(to, form, own.grants, role.grants)
		if x.missing() == ReasonNotNow {
			reason = ReasonNotNow
		}
		x.say(EffectNone, reason, subject, text, s.ID(subject))
	}
}

// dialGrant says what one grant comes to, and reports whether it reaches the number.
func (x *explainer) dialGrant(c *dialClause, subject Ref, to *Destination, form numberForm) bool {
	what := map[dialKind]string{dialAny: "any number", dialNumbers: "a list of numbers", dialClients: "clients", dialEmployees: "employees"}[c.kind]
	if c.kind == dialClients || c.kind == dialEmployees {
		what += " (" + scopeNames[c.scope] + ")"
	}
	if x.set.lets(c, subject, to, form) {
		if !x.set.open[c.window] {
			x.saidBy(c, x.say(EffectNone, ReasonNotNow, subject, "lets him call %s, of which this is one, but not at this time", what))
			return false
		}
		x.saidBy(c, x.say(EffectGrants, ReasonAllowed, subject, "lets him call %s: this is one", what))
		return true
	}
	reason := x.set.refusedDial(to, form, []dialClause{*c})
	x.saidBy(c, x.say(EffectNone, reason, subject, "lets him call %s: this is none", what))
	return false
}

func (x *explainer) saidBy(c *dialClause, st *Statement) {
	st.Rule, st.Via = x.set.Rule(c.rule), x.set.via(c.clause)
}
