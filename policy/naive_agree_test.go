package policy_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/earshot-pbx/earshot/policy"
)

func TestDecideAgreesWithTheNaiveEvaluator(t *testing.T) {
	allowed, refused, reasons := map[string]int{}, map[string]int{}, map[policy.Reason]int{}
	eachMatter(t, func(t *rapid.T, d *drawing) {
		m := d.m
		text := m.yaml(false)
		set, turned := m.loadText(t, text), m.load(t, true)
		for _, q := range d.questions(t) {
			req := q.request(set)
			got, want := set.Decide(&req), m.allows(q)
			if got.Allowed != want {
				t.Fatalf("%+v at %v: got %v (%s), the specification says %v\n%s", q, m.now, got.Allowed, got.Reason, want, text)
			}
			if want {
				allowed[q.action]++
			} else {
				refused[q.action]++
			}
			reasons[got.Reason]++
			turnedReq := q.request(turned)
			if o := turned.Decide(&turnedReq); o.Allowed != got.Allowed || o.Reason != got.Reason || o.Pairwise != got.Pairwise {
				t.Fatalf("%+v: the order of the file changes the answer from %v %s to %v %s\n%s", q, got.Allowed, got.Reason, o.Allowed, o.Reason, text)
			}
			checkReason(t, m, q, got)
			checkExplanation(t, set, req, got)
			checkPairwise(t, set, req, got)
			checkOrderOfTheCall(t, set, req, got)
		}
	})
	// A generator that only ever makes one answer would prove nothing.
	for _, a := range policy.Actions() {
		if yes, no := allowed[a.String()], refused[a.String()]; a != policy.Dial && (yes*30 < yes+no || no*30 < yes+no || yes+no < 100) {
			t.Errorf("%s: %d allowed and %d refused: the companies drawn are one-sided", a, yes, no)
		}
	}
	for _, r := range []policy.Reason{
		policy.ReasonAllowed, policy.ReasonNoRight, policy.ReasonNotClient, policy.ReasonSelf, policy.ReasonParty, policy.ReasonExcluded, policy.ReasonProtected,
		policy.ReasonExcludedOther, policy.ReasonProtectedOther, policy.ReasonProtectedNumber, policy.ReasonUnknownPhone, policy.ReasonNotNow,
		policy.ReasonRequired, policy.ReasonRequiredOther, policy.ReasonCondition, policy.ReasonLocked,
	} {
		if reasons[r] == 0 {
			t.Errorf("%s never came: the companies drawn are one-sided", r)
		}
	}
}

// checkReason holds the code of a refusal against what alone would lift it.
func checkReason(t *rapid.T, m *model, q question, d policy.Decision) {
	if d.Allowed {
		return
	}
	always := *m
	always.roles, always.people = map[string][]modelRight{}, slices.Clone(m.people)
	open := func(rights []modelRight) []modelRight {
		rights = slices.Clone(rights)
		for i := range rights {
			rights[i].when = modelWhen{}
		}
		return rights
	}
	for id, rights := range m.roles {
		always.roles[id] = open(rights)
	}
	for i := range always.people {
		always.people[i].rights = open(always.people[i].rights)
	}
	given, unlocked := q, q
	given.given, unlocked.locked = true, false
	for _, c := range []struct {
		lifted bool
		want   []policy.Reason
	}{
		{always.allows(q), []policy.Reason{policy.ReasonNotNow, policy.ReasonCondition}}, // what a condition of it has at other times
		{m.allows(given), []policy.Reason{policy.ReasonRequired, policy.ReasonRequiredOther}},
		{m.allows(unlocked), []policy.Reason{policy.ReasonLocked}},
	} {
		if c.lifted && !slices.Contains(c.want, d.Reason) {
			t.Fatalf("%+v at %v: %s, but %s alone refuses it\n%s", q, m.now, d.Reason, c.want[0], m.yaml(false))
		}
	}
	switch d.Reason { //nolint:exhaustive // the others are the engine's to tell
	case policy.ReasonNotNow:
		set := always.load(t, false)
		req := q.request(set)
		if o := set.Decide(&req); o.Reason == policy.ReasonNoRight || o.Reason == policy.ReasonNotClient {
			t.Fatalf("%+v at %v: refused now, and always %s\n%s", q, m.now, o.Reason, m.yaml(false))
		}
	case policy.ReasonRequired, policy.ReasonRequiredOther:
		if !m.unexplained(q, append([]string{q.target}, q.with...)) {
			t.Fatalf("%+v: no reason need be given\n%s", q, m.yaml(false))
		}
	case policy.ReasonCondition:
		if strings.HasPrefix(q.action, "line.") && q.action != "line.grade" && q.action != "line.view" && q.action != "line.connect" && q.action != "line.change" {
			t.Fatalf("%+v has no conditions", q)
		}
	}
}

// checkExplanation holds the explanation against the decision.
func checkExplanation(t *rapid.T, set *policy.Set, req policy.Request, d policy.Decision) {
	x := set.Explain(req)
	if x.Decision != d || !agrees(x) {
		t.Fatalf("the explanation of %+v contradicts %+v:\n%s", req, d, x)
	}
}

// agrees reports whether the statements bear the decision out: what is allowed is granted and refused by nothing, what is refused is not
// granted or refused, the ground is among them, and each gives a reason that goes with what it says.
func agrees(x policy.Explanation) bool {
	grants, refuses, ground := 0, 0, false
	for _, st := range x.Statements {
		fits := true
		switch st.Effect {
		case policy.EffectGrants:
			grants++
			fits = st.Reason == policy.ReasonAllowed || st.Reason == policy.ReasonEmergency
		case policy.EffectRefuses:
			refuses++
			fits = st.Reason != policy.ReasonAllowed
		case policy.EffectTells:
			if st.Rule.Line == 0 {
				return false
			}
			continue
		case policy.EffectNone: // a rule that does not reach the target, or asks for a reason that is given
			fits = slices.Contains([]policy.Reason{
				policy.ReasonNoRight, policy.ReasonNotClient, policy.ReasonNotNow, policy.ReasonRequired, policy.ReasonRequiredOther, policy.ReasonBadNumber,
			}, st.Reason) && (!x.Decision.Allowed || st.Rule.Line != 0) // that nothing grants it is said of what is refused
		}
		if !fits {
			return false
		}
		ground = ground || st.Reason == x.Decision.Reason && st.Rule == x.Rule
	}
	return ground && x.Decision.Allowed == (grants > 0 && refuses == 0)
}

// checkPairwise: what may be shown to the subject must not depend on who else is on the call.
func checkPairwise(t *rapid.T, set *policy.Set, req policy.Request, d policy.Decision) {
	if !d.Pairwise {
		if d.Allowed {
			t.Fatalf("an allowed decision hides its ground: %+v", d)
		}
		return
	}
	with := req.With
	req.With, req.ProtectedNumber, req.UnknownPhone = nil, false, false
	if req.Action.Matter() != policy.MatterCall && slices.Contains(with, req.Subject) {
		req.With = []policy.Ref{req.Subject} // of what was said he knows that he was on it
	}
	if alone := set.Decide(&req); alone != d && !onIt(req, d) {
		t.Fatalf("%+v: shown as pairwise, but without the others %+v becomes %+v", req, d, alone)
	}
}

// onIt: of what was said anybody who was on it may have brought it into scope, and whoever is allowed it learns who was.
func onIt(req policy.Request, d policy.Decision) bool {
	return d.Allowed && req.Action.Matter() != policy.MatterCall
}

// checkOrderOfTheCall: the employees who were on what was said, or in a conversation, are told in any order.
func checkOrderOfTheCall(t *rapid.T, set *policy.Set, req policy.Request, d policy.Decision) {
	if m := req.Action.Matter(); m != policy.MatterPast && m != policy.MatterLine || len(req.With) == 0 {
		return
	}
	req.With = slices.Clone(req.With)
	last := len(req.With) - 1
	req.Target, req.With[last] = req.With[last], req.Target
	slices.Reverse(req.With)
	if o := set.Decide(&req); o.Allowed != d.Allowed {
		t.Fatalf("%+v: the order of those who were on it makes %+v of %+v", req, o, d)
	}
}

func TestSplittingAPolicyOverFilesChangesNothing(t *testing.T) {
	eachMatter(t, func(t *rapid.T, d *drawing) {
		m := d.m
		whole := m.load(t, false)
		org := model{zone: m.zone, departments: m.departments, groups: m.groups, people: m.people}
		rules := model{zone: m.zone, times: m.times, lines: m.lines, roles: m.roles, assign: m.assign, protected: m.protected, guarded: m.guarded, outside: m.outside}
		a, errA := policy.Parse("a.yaml", []byte(org.yaml(false)))
		b, errB := policy.Parse("b.yaml", []byte(rules.yaml(true)))
		if errA != nil || errB != nil {
			t.Fatalf("%v %v", errA, errB)
		}
		questions, dialled := d.questions(t), dialQuestions(t, m)
		for _, files := range [][]*policy.File{{a, b}, {b, a}} {
			split, _, err := policy.Compile(m.now, files...)
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range questions {
				x, y := q.request(whole), q.request(split)
				if one, two := whole.Decide(&x), split.Decide(&y); one.Allowed != two.Allowed || one.Reason != two.Reason {
					t.Fatalf("%+v: %v %s in one file, %v %s in two", q, one.Allowed, one.Reason, two.Allowed, two.Reason)
				}
			}
			for _, q := range dialled {
				one, two := q.decide(whole), q.decide(split)
				if one.Allowed != two.Allowed || one.Reason != two.Reason {
					t.Fatalf("%+v: %v %s in one file, %v %s in two", q, one.Allowed, one.Reason, two.Allowed, two.Reason)
				}
			}
		}
	})
}

// Whoever may observe sees the kind, and whoever sees the kind only does not observe.
func TestThePeerShowsTheKind(t *testing.T) {
	kindOnly := 0
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t, 0)
		set := d.m.load(t, false)
		for _, q := range d.questions(t) {
			peer, kind := q.request(set), q.request(set)
			peer.Action, kind.Action = policy.Observe, policy.ObserveKind
			p, k := set.Decide(&peer), set.Decide(&kind)
			if p.Allowed && !k.Allowed {
				t.Fatalf("%+v: the peer is shown and the kind is not\n%s", q, d.m.yaml(false))
			}
			if k.Allowed && !p.Allowed {
				kindOnly++
			}
		}
	})
	if kindOnly == 0 {
		t.Error("nobody is ever shown the kind only")
	}
}
