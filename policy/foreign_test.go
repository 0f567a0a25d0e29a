package policy_test

import (
	"slices"
	"testing"

	"github.com/earshot-pbx/earshot/policy"
)

// next is trio after a change: somebody is new and before the others, carol has left, and anna's right has become boris's.
const next = `
version: 1
employees:
  abel:  {phones: [PJSIP/100]}
  anna:  {phones: [PJSIP/101], numbers: ["101"], dial: {clients: own}}
  boris: {phones: [PJSIP/102], numbers: ["103"], listen: true, intercept: own, dial: {clients: true}}
`

func TestAnEmployeeIsCarriedOverByHisIDAlone(t *testing.T) {
	was, is := load(t, trio), load(t, next)
	for _, id := range []string{"anna", "boris"} {
		if got := is.Foreign(was, employee(t, was, id)); got != employee(t, is, id) {
			t.Errorf("%s becomes %q", id, is.ID(got))
		}
		if got := was.Foreign(is, employee(t, is, id)); got != employee(t, was, id) {
			t.Errorf("%s becomes %q on the way back", id, was.ID(got))
		}
	}
	same := load(t, trio)
	if anna := employee(t, was, "anna"); same.Foreign(was, anna) != anna || same.Foreign(is, anna) != anna {
		t.Error("who is of the set already is not himself in it")
	}
	var none *policy.Set
	for name, got := range map[string]policy.Ref{
		"who has left":       is.Foreign(was, employee(t, was, "carol")),
		"who is new":         was.Foreign(is, employee(t, is, "abel")),
		"nobody":             is.Foreign(was, policy.Ref{}),
		"another set's":      is.Foreign(same, employee(t, load(t, callers), "anna")),
		"of a nil set":       is.Foreign(none, employee(t, was, "anna")),
		"for a nil set":      none.Foreign(was, employee(t, was, "anna")),
		"of a zero set":      is.Foreign(new(policy.Set), employee(t, was, "anna")),
		"for a zero set too": new(policy.Set).Foreign(was, employee(t, was, "anna")),
	} {
		if !got.IsZero() {
			t.Errorf("%s is somebody", name)
		}
	}
}

func TestARequestCarriedOverIsTheSameQuestion(t *testing.T) {
	was, is := load(t, trio), load(t, next)
	old := func(id string) policy.Ref { return employee(t, was, id) }
	for name, tc := range map[string]struct {
		r         policy.Request
		here, now policy.Reason
	}{
		"the right that has gone": {policy.Request{Subject: old("anna"), Action: policy.Spy, Target: old("boris")}, policy.ReasonAllowed, policy.ReasonNoRight},
		"the right that has come": {policy.Request{Subject: old("boris"), Action: policy.Spy, Target: old("anna")}, policy.ReasonNoRight, policy.ReasonAllowed},
		"of one who has left":     {policy.Request{Subject: old("carol"), Action: policy.Spy, Target: old("anna")}, policy.ReasonNoRight, policy.ReasonUnknownSubject},
		"on one who has left":     {policy.Request{Subject: old("boris"), Action: policy.Spy, Target: old("carol")}, policy.ReasonNoRight, policy.ReasonUnknownTarget},
		"with one who has left":   {policy.Request{Subject: old("boris"), Action: policy.Spy, Target: old("anna"), With: []policy.Ref{old("anna"), old("carol")}}, policy.ReasonNoRight, policy.ReasonUnknownParty},
		"with the target alone":   {policy.Request{Subject: old("boris"), Action: policy.Spy, Target: old("anna"), With: []policy.Ref{old("anna")}}, policy.ReasonNoRight, policy.ReasonAllowed},
		"as a party":              {policy.Request{Subject: old("boris"), Action: policy.Spy, Target: old("anna"), Party: true}, policy.ReasonNoRight, policy.ReasonParty},
		"with a protected number": {policy.Request{Subject: old("boris"), Action: policy.Spy, Target: old("anna"), ProtectedNumber: true}, policy.ReasonNoRight, policy.ReasonProtectedNumber},
		"for one's own client":    {policy.Request{Subject: old("boris"), Action: policy.Intercept, Target: old("anna"), Responsible: old("boris")}, policy.ReasonNoRight, policy.ReasonAllowed},
		"for another's client":    {policy.Request{Subject: old("boris"), Action: policy.Intercept, Target: old("anna"), Responsible: old("carol")}, policy.ReasonNoRight, policy.ReasonNotClient},
	} {
		with := slices.Clone(tc.r.With)
		moved := is.ForeignRequest(was, &tc.r)
		if here, now := was.Decide(&tc.r).Reason, is.Decide(&moved).Reason; here != tc.here || now != tc.now {
			t.Errorf("%s: %s and then %s", name, here, now)
		}
		if !slices.Equal(with, tc.r.With) {
			t.Errorf("%s: the request itself has changed", name)
		}
	}
}
