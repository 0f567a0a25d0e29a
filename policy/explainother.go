package policy

// explainOther says what stands for and against a request that is not about a live call.
func (x *explainer) explainOther() {
	s, req, matter := x.set, x.req, x.req.Action.Matter()
	if matter == MatterNothing && !req.Target.IsZero() && req.Target != req.Subject {
		x.say(EffectRefuses, ReasonNoRight, req.Target, "nobody does this for somebody else")
		return
	}
	if matter != MatterNothing {
		x.against()
	}
	if s.opened(req) {
		x.say(EffectGrants, ReasonAllowed, req.Subject, "who has access to the client has it to his conversations")
	}
	_, grants := s.rightsOf(req.Subject)
	granted := s.opened(req)
	for _, clauses := range grants {
		for i := range clauses {
			granted = x.gives(&clauses[i]) || granted
		}
	}
	if !granted {
		x.idle()
		x.say(EffectNone, x.missing(), req.Target, "nothing grants %s to %s%s", req.Action, s.ID(req.Subject), x.on()).Rule = x.taker()
	}
	for conditions, a := req.Action.conditions(), Action(0); conditions>>a != 0; a++ {
		if !conditions.has(a) {
			continue
		}
		also := *req
		also.Action = a
		if c := s.decideAlone(&also); !c.Allowed {
			x.say(EffectRefuses, ReasonCondition, req.Target, "%s is a condition of %s, and that is refused: %s", a, req.Action, c.Reason).Rule = s.Rule(c.Rule)
		}
	}
}

// on says what the request is about.
func (x *explainer) on() string {
	s, req := x.set, x.req
	on := ""
	if req.Action.Matter() == MatterLine {
		on = " on the line " + s.LineID(req.Line)
	}
	if !req.Target.IsZero() && req.Action.Matter() != MatterNothing {
		on += " on " + s.ID(req.Target)
	}
	return on
}

// against says what bars the request whatever grants there are.
func (x *explainer) against() {
	s, req := x.set, x.req
	if req.Action.Matter() == MatterLine {
		exclusions, _ := s.rightsOf(req.Subject)
		for _, clauses := range exclusions {
			for _, c := range clauses {
				if c.allow.has(req.Action) && c.scope == scopeList && c.unless == unlessNothing && s.namesLine(c.list, req.Line.n-1) {
					st := x.say(EffectRefuses, ReasonExcluded, Ref{}, "excepts the line %s", s.LineID(req.Line))
					st.Rule, st.Via = s.Rule(c.rule), s.via(c)
				}
			}
		}
	}
	for _, who := range append([]Ref{req.Target}, req.others()...) {
		switch {
		case who.IsZero() && who == req.Target:
		case !s.known(who):
			x.say(EffectRefuses, ReasonUnknownParty, Ref{}, "somebody on the call is no employee of this policy")
		case who != req.Subject:
			x.about(who, req.Target)
		case req.Action.hears() && s.people[who.n-1].protected:
			reason := ReasonProtected
			if who != req.Target {
				reason = ReasonProtectedOther
			}
			x.say(EffectRefuses, reason, who, "%s is protected", s.ID(who)).Rule = s.Rule(s.protectors[who.n-1])
		}
	}
	if req.ProtectedNumber && guarded(req) {
		x.say(EffectRefuses, ReasonProtectedNumber, Ref{}, "a protected number is on the call").Rule = s.Rule(s.guardRule)
	}
}

// gives says what one grant of the action comes to, and reports whether it reaches.
func (x *explainer) gives(c *clause) bool {
	s, req := x.set, x.req
	if !c.allow.has(req.Action) {
		return false
	}
	var st *Statement
	reached := s.gives(c, req)
	switch {
	case reached && s.open[c.window]:
		st = x.say(EffectGrants, ReasonAllowed, req.Target, "grants %s on %s", req.Action, scopeNames[c.scope])
	case reached:
		st = x.say(EffectNone, ReasonNotNow, req.Target, "grants %s on %s, but not at this time", req.Action, scopeNames[c.scope])
	default:
		st = x.say(EffectNone, ReasonNoRight, req.Target, "grants %s on %s: this is not in it", req.Action, scopeNames[c.scope])
	}
	st.Rule, st.Via = s.Rule(c.rule), s.via(*c)
	return reached && st.Effect == EffectGrants
}
