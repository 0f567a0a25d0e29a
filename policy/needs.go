package policy

import (
	"slices"
	"time"
)

// needs returns what the answer needs to become the other one, of a request that names what its action needs.
func (s *Set) needs(req *Request, allowed bool) []Need {
	w := &whatIf{set: s, req: req, acts: setOf(req.Action) | req.Action.conditions()}
	if allowed {
		return w.refuse()
	}
	if never := w.never(); len(never) > 0 {
		return never
	}
	b := w.barriers(s)
	needs := b.needs(w)
	for a := range w.acts.all() {
		if req.Unrung && req.Responsible != req.Subject {
			needs = append(needs, impossible(ReasonNotClient, "whom no phone rings nobody takes but who is responsible for him, whatever the policy says"))
		} else if !w.has(s, a) {
			needs = append(needs, Need{Reason: ReasonNoRight, Ways: w.grant(a, b)})
		}
	}
	return needs
}

// all yields the actions of the set.
func (s actionSet) all() func(func(Action) bool) {
	return func(yield func(Action) bool) {
		for a := Action(1); a < actionEnd; a++ {
			if s.has(a) && !yield(a) {
				return
			}
		}
	}
}

// whatIf is a request with all actions that must be allowed for it.
type whatIf struct {
	set  *Set
	req  *Request
	acts actionSet
}

// never returns what no policy changes about a refusal.
func (w *whatIf) never() (all []Need) {
	s, req, a := w.set, w.req, w.req.Action
	switch matter := a.Matter(); {
	case matter == MatterCall && req.Subject == req.Target:
		return []Need{impossible(ReasonSelf, "nobody does this to himself, whatever the policy says")}
	case matter == MatterNothing && !req.Target.IsZero() && req.Target != req.Subject:
		return []Need{impossible(ReasonNoRight, "nobody does this for somebody else, whatever the policy says")}
	case matter == MatterNothing:
		return nil
	}
	if a.Supervises() && (req.Party || slices.Contains(req.With, req.Subject)) {
		all = append(all, impossible(ReasonParty, "who is on the call cannot supervise it, whatever the policy says"))
	}
	if slices.ContainsFunc(req.With, func(r Ref) bool { return r != req.Target && r != req.Subject && !s.known(r) }) {
		all = append(all, impossible(ReasonUnknownParty, "somebody on the call is no employee of this policy"))
	}
	return all
}

// others yields everybody whom exceptions may be about, each once.
func (w *whatIf) others() (all []uint32) {
	if w.req.Action.Matter() == MatterNothing {
		return nil
	}
	for _, r := range append([]Ref{w.req.Target}, w.req.others()...) {
		if w.set.known(r) && r != w.req.Subject && !slices.Contains(all, r.n-1) {
			all = append(all, r.n-1)
		}
	}
	return all
}

// barrier is one rule that stands against the request, and whom it names of those on the call.
type barrier struct {
	c    clause
	who  []uint32
	line bool
}

type barriers struct{ hard, reasons []barrier }

// barriers returns what binds the subject at the moment of the Set.
func (w *whatIf) barriers(s *Set) (b barriers) {
	exclusions, _ := s.rightsOf(w.req.Subject)
	for _, clauses := range exclusions {
		for _, c := range clauses {
			x, bars := w.bars(c)
			if !bars {
				continue
			}
			to := &b.hard
			if c.unless == unlessReason {
				to = &b.reasons
			}
			// A role that is assigned twice binds by one rule.
			if !slices.ContainsFunc(*to, func(o barrier) bool { return o.c.rule == c.rule }) {
				*to = append(*to, x)
			}
		}
	}
	return b
}

// bars reports whether an exclusion is about the request.
func (w *whatIf) bars(c clause) (barrier, bool) {
	out := barrier{c: c}
	if c.allow&w.acts == 0 || c.unless == unlessReason && w.req.ReasonGiven {
		return out, false
	}
	for _, i := range w.others() {
		if c.scope != scopeList || w.set.contains(c.list, i) {
			out.who = append(out.who, i)
		}
	}
	out.line = w.req.Action.Matter() == MatterLine && c.scope == scopeList && c.unless == unlessNothing && w.set.namesLine(c.list, w.req.Line.n-1)
	return out, len(out.who) > 0 || out.line
}

// within reports whether whatever stands against the request here does so there too.
func (b barriers) within(o barriers) bool {
	in := func(some, all []barrier) bool {
		return !slices.ContainsFunc(some, func(x barrier) bool {
			return !slices.ContainsFunc(all, func(y barrier) bool { return x.c.rule == y.c.rule })
		})
	}
	return in(b.hard, o.hard) && in(b.reasons, o.reasons)
}

// needs returns how to get past the barriers, and past what protects those on the call.
func (b barriers) needs(w *whatIf) (all []Need) {
	s, req := w.set, w.req
	for _, x := range b.hard {
		all = append(all, Need{Reason: ReasonExcluded, Ways: []Way{{Edits: w.lift(x)}}})
	}
	if len(b.reasons) > 0 {
		var lift Way
		for _, x := range b.reasons {
			lift.Edits = append(lift.Edits, w.lift(x)...)
		}
		give := one(Edit{Kind: EditAsk, Path: []string{"reason"}, Text: "give a reason"})
		all = append(all, Need{Reason: ReasonRequired, Ways: []Way{give, lift}})
	}
	all = append(all, w.shielded()...)
	ask := func(reason Reason, key, text string) {
		all = append(all, Need{Reason: reason, Ways: []Way{one(Edit{Kind: EditAsk, Path: []string{key}, Text: text})}})
	}
	if req.ProtectedNumber && w.guarded() {
		ask(ReasonProtectedNumber, "protected_number", "take the protected number that is on the call out of protected.numbers")
	}
	if req.Action.Supervises() && req.Locked {
		ask(ReasonLocked, "locked", "the lock of the call must be taken off by those who are on it: no policy opens it")
	}
	if req.Action.Supervises() && req.UnknownPhone && !s.unknownOutside {
		all = append(all, w.stranger())
	}
	return all
}

// stranger is the need of a call with an unknown phone.
func (w *whatIf) stranger() Need {
	ways := []Way{one(Edit{Kind: EditAsk, Path: []string{"unknown_phone"}, Text: "name the unknown phone under its employee's phones, or under trunks"})}
	if !w.set.beside.noOutside {
		ways = append(ways, one(Edit{Kind: EditSet, Path: []string{"unknown_phones"}, Value: "outside", Text: "write unknown_phones: outside, which is about all unknown phones"}))
	}
	return Need{Reason: ReasonUnknownPhone, Ways: ways}
}

// guarded reports whether a protected number bars one of the actions.
func (w *whatIf) guarded() bool {
	for a := range w.acts.all() {
		req := *w.req
		req.Action = a
		if a.Matter() == MatterCall && a != Intercept && a != ObserveKind || a.Matter() != MatterCall && guarded(&req) {
			return true
		}
	}
	return false
}

// lift takes the people, or the line, out of an exception, or a reason for everybody away.
func (w *whatIf) lift(b barrier) (all []Edit) {
	s := w.set
	if b.c.scope != scopeList {
		rule := s.Rule(b.c.rule)
		return []Edit{{Kind: EditRemove, Rule: rule, Path: s.path(b.c.rule), Text: "take " + rule.String() + " away" + s.ofRole(b.c.rule)}}
	}
	if len(b.who) > 0 {
		all = append(all, s.takeOut(b.c.rule, b.c.list, b.who))
	}
	if b.line {
		line := "line:" + s.LineID(w.req.Line)
		rule := s.Rule(b.c.rule)
		all = append(all, Edit{
			Kind: EditTakeOut, Rule: rule, Path: s.path(b.c.rule), Names: []string{line}, Through: []string{line},
			Text: "take " + line + " out of " + rule.String() + s.ofRole(b.c.rule),
		})
	}
	return all
}

// shielded returns what protects those on the call.
func (w *whatIf) shielded() (all []Need) {
	s := w.set
	hears := false
	for a := range w.acts.all() {
		hears = hears || a.hears()
	}
	if !hears {
		return nil
	}
	who := w.others()
	// Of a call that is over, or of a line's, the subject himself may be who is protected.
	if m := w.req.Action.Matter(); (m == MatterPast || m == MatterLine) && takesPart(w.req) {
		who = append(who, w.req.Subject.n-1)
	}
	for _, sh := range s.shields {
		in := slices.DeleteFunc(slices.Clone(who), func(i uint32) bool { return !s.contains(sh.list, i) })
		if len(in) > 0 {
			all = append(all, Need{Reason: ReasonProtected, Ways: []Way{one(s.takeOut(sh.rule, sh.list, in))}})
		}
	}
	return all
}

// reaches reports whether a grant of the action reaches what the request is about, at whatever time.
func (w *whatIf) reaches(c *clause, a Action) bool {
	req := *w.req
	req.Action = a
	if a.Matter() != MatterCall {
		return w.set.gives(c, &req)
	}
	return !req.Unrung && w.set.reaches(c, req.Subject.n-1, req.Target.n-1) || a == Intercept && req.Responsible == req.Subject
}

// has reports whether the action is granted at the moment of the Set, exceptions aside.
func (w *whatIf) has(s *Set, a Action) bool {
	req := *w.req
	req.Action = a
	return s.opened(&req) || len(w.granting(s, a)) > 0
}

// granting returns the rules that grant the action, each once.
func (w *whatIf) granting(s *Set, a Action) (all []clause) {
	_, grants := s.rightsOf(w.req.Subject)
	for _, clauses := range grants {
		for i := range clauses {
			c := &clauses[i]
			if c.allow.has(a) && s.open[c.window] && w.reaches(c, a) && !slices.ContainsFunc(all, func(o clause) bool { return o.rule == c.rule }) {
				all = append(all, *c)
			}
		}
	}
	return all
}

// opens returns the next moment at which all actions are granted and nothing more stands against them than now.
func (w *whatIf) opens(now barriers) (time.Time, bool) {
	s := w.set
	var moments []time.Time
	consider := func(windows ...uint16) {
		if t, ok := s.together(windows...); ok {
			moments = append(moments, t)
		}
	}
	wanted := func(c *clause) bool {
		for a := range w.acts.all() {
			if c.allow.has(a) && w.reaches(c, a) {
				return true
			}
		}
		return false
	}
	p := &s.people[w.req.Subject.n-1]
	own := &s.entries[p.own]
	for _, c := range s.clauses[own.start+own.exclusions:][:own.grants] {
		if !s.open[c.window] && wanted(&c) {
			consider(c.window)
		}
	}
	set := s.roleSets[p.roleSet]
	for _, item := range s.setItems[set.start:][:set.grants] {
		a := s.assigned[item]
		role := s.roles[a.role]
		for _, c := range s.allRoles[role.start+role.exclusions:][:role.grants] {
			if (!s.open[a.window] || !s.open[c.window]) && wanted(&c) {
				consider(a.window, c.window)
			}
		}
	}
	slices.SortFunc(moments, time.Time.Compare)
next:
	for _, t := range moments {
		then := s.At(t)
		for a := range w.acts.all() {
			if !w.has(then, a) {
				continue next
			}
		}
		if w.barriers(then).within(now) {
			return t, true
		}
	}
	return time.Time{}, false
}

// together returns the next moment at which all the windows are open.
func (s *Set) together(windows ...uint16) (time.Time, bool) {
	t := s.at
	for range 1000 { // windows of a week that meet do so within it
		var later time.Time
		closed := false
		for _, n := range windows {
			if n == 0 {
				continue
			}
			open, next := s.windows[n-1].at(t)
			if open {
				continue
			}
			if next.IsZero() {
				return time.Time{}, false
			}
			closed = true
			if next.After(later) {
				later = next
			}
		}
		if !closed {
			return t, true
		}
		t = later
	}
	return time.Time{}, false
}

// wait is the way to ask at another time.
func wait(t time.Time, location *time.Location) Way {
	t = t.In(location)
	return one(Edit{Kind: EditAsk, Path: []string{"at"}, Value: t.Format(time.RFC3339), Text: "wait: it holds again from " + t.Format("2006-01-02 15:04 MST")})
}
