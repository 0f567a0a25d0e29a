package policy_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/earshot-pbx/earshot/policy"
)

// What an action does not take changes no answer of it; what it takes does, sooner or later.
func TestAnActionTakesWhatItsAnswerDependsOn(t *testing.T) {
	type matters struct {
		action policy.Action
		fact   policy.Facts
	}
	seen := map[matters]bool{}
	rapid.Check(t, func(t *rapid.T) {
		m := anyCompany(t).m
		set := mustLoad(t, richer(t, m).String())
		who := func(label string) policy.Ref {
			r, _ := set.Employee(m.people[rapid.IntRange(0, len(m.people)-1).Draw(t, label)].id)
			return r
		}
		line, _ := set.Line("l0")
		change := map[policy.Facts]func(*policy.Request){
			policy.FactWith:            func(r *policy.Request) { r.With = append(r.With[:len(r.With):len(r.With)], policy.Ref{}) },
			policy.FactLine:            func(r *policy.Request) { r.Line = policy.LineRef{} },
			policy.FactResponsible:     func(r *policy.Request) { r.Responsible = r.Subject },
			policy.FactAccess:          func(r *policy.Request) { r.Access = []policy.Ref{r.Subject} },
			policy.FactParty:           func(r *policy.Request) { r.Party = !r.Party },
			policy.FactLocked:          func(r *policy.Request) { r.Locked = !r.Locked },
			policy.FactUnknownPhone:    func(r *policy.Request) { r.UnknownPhone = !r.UnknownPhone },
			policy.FactProtectedNumber: func(r *policy.Request) { r.ProtectedNumber = !r.ProtectedNumber },
			policy.FactReason:          func(r *policy.Request) { r.ReasonGiven = !r.ReasonGiven },
		}
		for _, a := range slices.Repeat(policy.Actions(), 20) {
			takes := a.Takes()
			if a == policy.Dial {
				continue // Decide refuses it
			}
			req := policy.Request{Action: a, Subject: who("subject"), Responsible: who("responsible")}
			if takes.Has(policy.FactTarget) {
				req.Target = who("target")
			}
			if takes.Has(policy.FactLine) {
				req.Line = line
			}
			if takes.Has(policy.FactWith) {
				req.With = []policy.Ref{who("with")}
			}
			base := set.Decide(&req)
			for fact, do := range change {
				other := req
				do(&other)
				switch differs := set.Decide(&other) != base; {
				case fact == policy.FactWith && !takes.Has(fact) && a.Matter() == policy.MatterLine: // is refused, as is a target
				case !differs:
				case !takes.Has(fact):
					t.Fatalf("%s does not take %b, and answers by it\n%s", a, fact, m.yaml(false))
				default:
					seen[matters{a, fact}] = true
				}
			}
		}
	})
	for _, a := range policy.Actions() {
		for fact := policy.FactWith; fact <= policy.FactReason; fact <<= 1 {
			if a != policy.Dial && a.Takes().Has(fact) && !seen[matters{a, fact}] {
				t.Errorf("%s takes %b, and never answered by it", a, fact)
			}
		}
	}
	if want := policy.FactTarget | policy.FactResponsible | policy.FactAccess; policy.Dial.Takes() != want {
		t.Errorf("dial takes %b", policy.Dial.Takes())
	}
}
