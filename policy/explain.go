package policy

import "fmt"

// An Effect is what a statement says about a request. The zero value says nothing either way.
type Effect uint8

const (
	// EffectNone is of a rule about the action that does not reach the target.
	EffectNone Effect = iota
	// EffectGrants is of a rule that grants the request.
	EffectGrants
	// EffectRefuses is of a rule that refuses it, whatever grants there are.
	EffectRefuses
)

// String returns none, grants or refuses.
func (e Effect) String() string {
	switch e {
	case EffectGrants:
		return "grants"
	case EffectRefuses:
		return "refuses"
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
}

// String returns one line for the decision, beginning with allow or deny, and an indented one for each statement.
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
	return out
}

// Explain answers the request as Decide does and tells every rule that had a say, not only the first: an allowed request
// has at least one statement that grants and none that refuses; a refused one has no grant or a refusal.
func (s *Set) Explain(req Request) Explanation {
	e := Explanation{Decision: s.Decide(&req)}
	if s == nil || s.tables == nil {
		e.Statements = []Statement{{Effect: EffectRefuses, Reason: ReasonNoPolicy, Text: "there is no policy"}}
		return e
	}
	e.Rule = s.Rule(e.Decision.Rule)
	if reason := s.identify(&req); reason != ReasonAllowed {
		text := map[Reason]string{
			ReasonUnknownSubject: "the subject is no employee of this policy",
			ReasonUnknownTarget:  "the target is no employee of this policy",
			ReasonUnknownAction:  "there is no such action",
		}[reason]
		if reason == ReasonUnknownAction && req.Action == Dial {
			text = "dialling is about a number and not about an employee"
		}
		e.Statements = []Statement{{Effect: EffectRefuses, Reason: reason, Text: text}}
		return e
	}
	x := &explainer{set: s, req: &req}
	x.explain()
	e.Statements = x.said
	return e
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
	x.about(req.Target, ReasonProtected, ReasonExcluded)
	x.others()
	own, role := s.people[req.Subject.n-1].own, s.roleSpans[s.people[req.Subject.n-1].roleSet]
	granted := x.grants(s.clauses[own.start+own.exclusions:][:own.grants])
	if x.grants(s.roleClauses[role.start+role.exclusions:][:role.grants]) || granted {
		return
	}
	reason := ReasonNoRight
	for _, st := range x.said {
		if st.Reason == ReasonNotClient {
			reason = ReasonNotClient
		}
	}
	x.say(EffectNone, reason, req.Target, "nothing grants %s to %s on %s", req.Action, s.ID(req.Subject), s.ID(req.Target))
}

// about says what excludes one employee.
func (x *explainer) about(who Ref, protected, excluded Reason) {
	s, req := x.set, x.req
	i := who.n - 1
	if !req.Action.sees() && s.people[i].protected {
		x.say(EffectRefuses, protected, who, "%s is protected", s.ID(who)).Rule = s.Rule(s.protectors[i])
	}
	own, role := s.people[req.Subject.n-1].own, s.roleSpans[s.people[req.Subject.n-1].roleSet]
	for _, clauses := range [][]clause{s.clauses[own.start:][:own.exclusions], s.roleClauses[role.start:][:role.exclusions]} {
		for _, c := range clauses {
			if c.allow.has(req.Action) && s.contains(c.list, i) {
				st := x.say(EffectRefuses, excluded, who, "excepts %s", s.ID(who))
				st.Rule, st.Via = s.Rule(c.rule), s.via(c)
			}
		}
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
			x.about(other, ReasonProtectedOther, ReasonExcludedOther)
		}
	}
	if req.ProtectedNumber && req.Action != Intercept && req.Action != ObserveKind {
		x.say(EffectRefuses, ReasonProtectedNumber, Ref{}, "a protected number is on the call").Rule = s.Rule(s.guardRule)
	}
	if supervises && req.UnknownPhone && !s.unknownOutside {
		x.say(EffectRefuses, ReasonUnknownPhone, Ref{}, "an unknown phone is on the call, and the policy does not say unknown_phones: outside")
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
		switch {
		case s.reaches(c, req.Subject.n-1, req.Target.n-1):
			st = x.say(EffectGrants, ReasonAllowed, req.Target, "grants %s on %s: %s is in it", req.Action, scope, target)
		case req.Action == Intercept && req.Responsible == req.Subject:
			st = x.say(EffectGrants, ReasonAllowed, req.Target, "grants intercept of one's own clients, and the caller is one")
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
