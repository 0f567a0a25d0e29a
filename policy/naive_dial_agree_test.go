package policy_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/earshot-pbx/earshot/policy"
)

const emergencyYAML = `emergency: ["112", "*03"]` + "\n"

func emergencyTop(text string) string {
	return strings.Replace(text, "version: 1\n", "version: 1\n"+emergencyYAML, 1)
}

func (q dialQuestion) decide(set *policy.Set) policy.Decision {
	subject, to := q.destination(set)
	return set.DecideDial(subject, &to)
}

func TestDecideDialAgreesWithTheNaiveEvaluator(t *testing.T) {
	reasons := map[policy.Reason]int{}
	rapid.Check(t, func(t *rapid.T) {
		m := models(t)
		text := m.yaml(false) + emergencyYAML
		set, turned := m.loadText(t, text), m.loadText(t, emergencyTop(m.yaml(true)))
		for _, q := range dialQuestions(t, m) {
			subject, to := q.destination(set)
			d := set.DecideDial(subject, &to)
			if want := m.allowsDial(q, emergencies); d.Allowed != want {
				t.Fatalf("%+v at %v: got %v (%s), the specification says %v\n%s", q, m.now, d.Allowed, d.Reason, want, text)
			}
			reasons[d.Reason]++
			if o := q.decide(turned); o.Allowed != d.Allowed || o.Reason != d.Reason {
				t.Fatalf("%+v: the order of the file changes the answer from %s to %s\n%s", q, d.Reason, o.Reason, text)
			}
			if x := set.ExplainDial(subject, to); x.Decision != d || !d.Pairwise || !agrees(x) {
				t.Fatalf("the explanation contradicts %+v:\n%s", d, x)
			}
		}
	})
	for _, r := range []policy.Reason{
		policy.ReasonAllowed, policy.ReasonEmergency, policy.ReasonNoRight, policy.ReasonNotClient, policy.ReasonExcluded, policy.ReasonBadNumber, policy.ReasonNotNow,
	} {
		if reasons[r] < 20 {
			t.Errorf("%s came %d times: the companies drawn are one-sided", r, reasons[r])
		}
	}
}
