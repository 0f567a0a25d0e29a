package policy

import (
	"fmt"
	"slices"
)

// An Effect is what a statement says about a request. The zero value says nothing either way.
type Effect uint8

const (
	// EffectNone is of a rule about the action that does not reach the target.
	EffectNone Effect = iota
	// EffectGrants is of a rule that grants the request.
	EffectGrants
	// EffectRefuses is of a rule that refuses it, whatever grants there are.
	EffectRefuses
	// EffectTells is of a rule that wants the target told of the act. It neither grants nor refuses.
	EffectTells
)

// String returns none, grants, refuses or tells.
func (e Effect) String() string {
	switch e {
	case EffectGrants:
		return "grants"
	case EffectRefuses:
		return "refuses"
	case EffectTells:
		return "tells"
	default:
		return "none"
	}
}

// A Statement is one rule that spoke about a request, or one ground that lies in the language itself.
type Statement struct {
	Effect Effect
	Reason Reason
	Rule   Rule // zero for a ground of the language itself
	Via    Rule // the assignment that brings the rule; zero when it stands in the subject's own entry
	About  Ref  // the employee it is about; nobody when it is about none
	Text   string
}

// String returns the statement with its place, on one line.
func (st Statement) String() string {
	out := st.Text
	if r := st.Rule.String(); r != "" {
		out = r + ": " + out
	}
	if v := st.Via.String(); v != "" {
		out += ", by " + v
	}
	return out
}

// An Explanation is a decision with everything that was said for and against it. It names everybody on the call, so it is
// for administrators and not for the subject.
type Explanation struct {
	Decision   Decision
	Rule       Rule // of the decision
	Statements []Statement
	// Needs is what the other answer needs, all of it together.
	Needs []Need
}

// String returns one line for the decision, beginning with allow or deny, an indented one for each statement, and then what the other
// answer needs.
func (e Explanation) String() string {
	out := "deny"
	if e.Decision.Allowed {
		out = "allow"
	}
	out += " " + e.Decision.Reason.String()
	if e.Rule.Line != 0 {
		out += " " + e.Rule.String()
	}
	for _, st := range e.Statements {
		out += fmt.Sprintf("\n  %-7s %s", st.Effect, st)
	}
	return out + e.otherAnswer()
}

// Explain answers the request as Decide does and tells every rule that had a say, not only the first: an allowed request
// has at least one statement that grants and none that refuses; a refused one has no grant or a refusal. Unlike Decide it looks at
// every role and every employee, so it is for answering people.
func (s *Set) Explain(req Request) Explanation {
	e := Explanation{Decision: s.Decide(&req)}
	if s == nil || s.tables == nil {
		e.Statements = []Statement{{Effect: EffectRefuses, Reason: ReasonNoPolicy, Text: "there is no policy"}}
		e.Needs = []Need{impossible(ReasonNoPolicy, "there is no policy")}
		return e
	}
	e.Rule = s.Rule(e.Decision.Rule)
	if reason := e.Decision.Reason; unknownText(reason, req.Action) != "" {
		e.Statements = []Statement{{Effect: EffectRefuses, Reason: reason, Text: unknownText(reason, req.Action)}}
		e.Needs = []Need{impossible(reason, unknownText(reason, req.Action))}
		return e
	}
	if req.Unrung = req.Unrung && req.Action == Intercept; req.Unrung {
		req.Target = Ref{}
	}
	x := &explainer{set: s, req: &req}
	if req.Action == 0 || req.Action >= Dial {
		x.explainOther()
	} else {
		x.explain()
	}
	e.Statements = x.said
	e.Needs = s.needs(&req, e.Decision.Allowed)
	return e
}

// unknownText says what the request does not name.
func unknownText(reason Reason, action Action) string {
	if reason == ReasonUnknownAction && action == Dial {
		return "dialling is about a number and not about an employee"
	}
	if reason == ReasonUnknownTarget && action.Matter() == MatterLine && !action.Conversation() {
		return "this is about the whole line and about nobody's conversation"
	}
	return map[Reason]string{
		ReasonUnknownSubject: "the subject is no employee of this policy",
		ReasonUnknownTarget:  "the target is no employee of this policy",
		ReasonUnknownLine:    "the line is none of this policy",
		ReasonUnknownAction:  "there is no such action",
	}[reason]
}

type explainer struct {
	set  *Set
	req  *Request
	said []Statement
}

func (x *explainer) say(effect Effect, reason Reason, about Ref, format string, args ...any) *Statement {
	x.said = append(x.said, Statement{Effect: effect, Reason: reason, About: about, Text: fmt.Sprintf(format, args...)})
	return &x.said[len(x.said)-1]
}

func (x *explainer) explain() {
	s, req := x.set, x.req
	switch {
	case req.Unrung: // about nobody
	case req.Subject == req.Target && req.Action.sees():
		x.say(EffectGrants, ReasonAllowed, req.Target, "everybody sees his own calls")
		return
	case req.Subject == req.Target:
		x.say(EffectRefuses, ReasonSelf, req.Target, "nobody does this to himself")
		return
	case req.Action.sees() && req.Party:
		x.say(EffectGrants, ReasonAllowed, req.Subject, "who is on the call sees the other side")
		return
	}
	if !req.Unrung {
		x.about(req.Target, req.Target)
	}
	x.others()
	x.told()
	_, grants := s.rightsOf(req.Subject)
	granted := false
	for _, clauses := range grants {
		granted = x.grants(clauses) || granted
	}
	if granted {
		return
	}
	x.idle()
	if req.Unrung {
		x.say(EffectNone, x.missing(), Ref{}, "nothing lets %s take this caller, whom no phone rings", s.ID(req.Subject)).Rule = x.taker()
		return
	}
	x.say(EffectNone, x.missing(), req.Target, "nothing grants %s to %s on %s", req.Action, s.ID(req.Subject), s.ID(req.Target))
}

// missing is why no grant reaches, when all have been said: the one that comes nearest tells.
func (x *explainer) missing() Reason {
	reason := ReasonNoRight
	for _, st := range x.said {
		if st.Effect == EffectNone && (st.Reason == ReasonNotNow || st.Reason == ReasonNotClient && reason != ReasonNotNow) {
			reason = st.Reason
		}
	}
	return reason
}

// taker is the rule of the overlay that took the action from the subject; zero when none did.
func (x *explainer) taker() Rule {
	return x.set.Rule(x.set.taker(&x.set.people[x.req.Subject.n-1], x.req.Action))
}

// rightsOf returns what binds the subject and what is granted to him, in his own entry and by his roles.
func (s *Set) rightsOf(subject Ref) (exclusions, grants [2][]clause) {
	p := &s.people[subject.n-1]
	own, role := &s.entries[p.own], &s.roleEntries[p.roleSet]
	return [2][]clause{s.clauses[own.start:][:own.exclusions], s.roleClauses[role.start:][:role.exclusions]},
		[2][]clause{s.clauses[own.start+own.exclusions:][:own.grants], s.roleClauses[role.start+role.exclusions:][:role.grants]}
}

// idle says which assignments would bring the subject something on the action at another time.
func (x *explainer) idle() {
	s := x.set
	set := s.roleSets[s.people[x.req.Subject.n-1].roleSet]
	for _, item := range s.setItems[set.start:][:set.grants] {
		a := s.assigned[item]
		role := s.roles[a.role]
		if s.open[a.window] || !slices.ContainsFunc(s.allRoles[role.start+role.exclusions:][:role.grants], func(c clause) bool { return c.allow.has(x.req.Action) }) {
			continue
		}
		x.say(EffectNone, ReasonNoRight, x.req.Subject, "the role %s does not hold for %s at this time", s.roleNames[a.role], s.ID(x.req.Subject)).Rule = s.Rule(a.rule)
	}
}

// about says what stands against the request on account of one employee, who is the target or somebody else.
func (x *explainer) about(who, target Ref) {
	s, req := x.set, x.req
	i := who.n - 1
	protected, other := ReasonProtected, who != target
	if other {
		protected = ReasonProtectedOther
	}
	if req.Action.hears() && s.people[i].protected {
		x.say(EffectRefuses, protected, who, "%s is protected", s.ID(who)).Rule = s.Rule(s.protectors[i])
	}
	exclusions, _ := s.rightsOf(req.Subject)
	for _, c := range slices.Concat(exclusions[0], exclusions[1]) {
		if !c.allow.has(req.Action) || c.scope == scopeList && !s.contains(c.list, i) {
			continue
		}
		var st *Statement
		reason := ReasonExcluded
		if c.unless == unlessReason {
			reason = ReasonRequired
		}
		if other {
			reason = reason.ofOther()
		}
		switch {
		case c.unless == unlessNothing:
			st = x.say(EffectRefuses, reason, who, "excepts %s", s.ID(who))
		case req.ReasonGiven:
			st = x.say(EffectNone, reason, who, "asks for a reason about %s, and one is given", s.ID(who))
		default:
			st = x.say(EffectRefuses, reason, who, "asks for a reason about %s", s.ID(who))
		}
		st.Rule, st.Via = s.Rule(c.rule), s.via(c)
	}
}

// told says how the target is told of a supervision, and which rules want that.
func (x *explainer) told() {
	s, req := x.set, x.req
	if !req.Action.Supervises() || !s.known(req.Subject) || !s.known(req.Target) || req.Subject == req.Target {
		return
	}
	lifted := s.unnoticed(req)
	for t, via := range s.tellings(req.Subject) {
		if !t.allow.has(req.Action) || t.how == 0 {
			continue
		}
		format := "wants %s told: %s"
		if lifted {
			format = "wants %s told: %s; but the subject may do it unnoticed"
		}
		st := x.say(EffectTells, ReasonAllowed, req.Target, format, s.ID(req.Target), t.how)
		st.Rule, st.Via = s.Rule(t.rule), s.Rule(via)
	}
}

func (x *explainer) others() {
	s, req := x.set, x.req
	supervises := req.Action.Supervises()
	if supervises && req.Party {
		x.say(EffectRefuses, ReasonParty, req.Subject, "who is on the call cannot supervise it")
	}
	for _, other := range req.With {
		switch {
		case other == req.Target:
		case other == req.Subject:
			if supervises {
				x.say(EffectRefuses, ReasonParty, other, "the subject would hear himself")
			}
		case !s.known(other):
			x.say(EffectRefuses, ReasonUnknownParty, Ref{}, "somebody on the call is no employee of this policy")
		default:
			x.about(other, req.Target)
		}
	}
	if req.ProtectedNumber && req.Action != Intercept && req.Action != ObserveKind {
		x.say(EffectRefuses, ReasonProtectedNumber, Ref{}, "a protected number is on the call").Rule = s.Rule(s.guardRule)
	}
	if supervises && req.Locked {
		x.say(EffectRefuses, ReasonLocked, Ref{}, "the call is locked")
	}
	if supervises && req.UnknownPhone && !s.unknownOutside {
		why := "the policy does not say unknown_phones: outside"
		if s.beside.noOutside {
			why = "unknown_phones: outside does not hold beside a PBX that the policy does not name"
		}
		x.say(EffectRefuses, ReasonUnknownPhone, Ref{}, "an unknown phone is on the call, and %s", why)
	}
}

// grants says what each grant of the action comes to, and reports whether one reaches.
func (x *explainer) grants(clauses []clause) bool {
	s, req := x.set, x.req
	granted := false
	for i := range clauses {
		c := &clauses[i]
		if !c.allow.has(req.Action) {
			if req.Action == Observe && c.allow.has(ObserveKind) && s.reaches(c, req.Subject.n-1, req.Target.n-1) {
				st := x.say(EffectNone, ReasonNoRight, req.Target, "shows of %s's calls the kind only", s.ID(req.Target))
				st.Rule, st.Via = s.Rule(c.rule), s.via(*c)
			}
			continue
		}
		scope, target := scopeNames[c.scope], s.ID(req.Target)
		var st *Statement
		reached, client := !req.Unrung && s.reaches(c, req.Subject.n-1, req.Target.n-1), req.Action == Intercept && req.Responsible == req.Subject
		switch {
		case (reached || client) && !s.open[c.window]:
			st = x.say(EffectNone, ReasonNotNow, req.Target, "grants %s on %s, but not at this time", req.Action, scope)
		case reached:
			st = x.say(EffectGrants, ReasonAllowed, req.Target, "grants %s on %s: %s is in it", req.Action, scope, target)
		case client:
			st = x.say(EffectGrants, ReasonAllowed, req.Target, "grants intercept of one's own clients, and the caller is one")
		case req.Unrung:
			st = x.say(EffectNone, ReasonNotClient, Ref{}, "grants intercept on %s: where no phone rings it is of one's own clients, and the caller is none", scope)
		case req.Action == Intercept:
			st = x.say(EffectNone, ReasonNotClient, req.Target, "grants intercept on %s: %s is not in it, and the caller is not the subject's client", scope, target)
		default:
			st = x.say(EffectNone, ReasonNoRight, req.Target, "grants %s on %s: %s is not in it", req.Action, scope, target)
		}
		st.Rule, st.Via = s.Rule(c.rule), s.via(*c)
		granted = granted || st.Effect == EffectGrants
	}
	return granted
}

func (s *Set) via(c clause) Rule {
	if c.via == 0 {
		return Rule{}
	}
	return s.Rule(s.assigned[c.via-1].rule)
}
