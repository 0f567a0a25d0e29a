package policy_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/policy"
)

const callers = `
version: 1
employees:
  anna:  {numbers: ["101", "+7 916 000-01-01"], dial: true}
  boris: {numbers: ["102", "8 (916) 000-01-02"], dial: {except: {employees: [carol, boris]}}}
  carol: {numbers: ["103", "8 (916) 000-01-03"], dial: {clients: [boris], employees: [boris]}}
  dina:  {}
emergency: ["112", "+7 495 000-01-12", "*103"]
protected: {numbers: ["+7 812 123-45-67"], employees: [carol]}
`

func TestNothingIsDialledWithoutAGround(t *testing.T) {
	set := load(t, callers)
	anna, dina := employee(t, set, "anna"), employee(t, set, "dina")
	good := policy.Destination{Number: "+74951112233"}
	if !set.DecideDial(anna, &good).Allowed {
		t.Fatal("the control is refused")
	}
	stranger := employee(t, load(t, trio), "boris") // in the place that boris has here
	var none *policy.Set
	for name, got := range map[string]struct {
		d    policy.Decision
		want policy.Reason
	}{
		"nil set":            {none.DecideDial(anna, &good), policy.ReasonNoPolicy},
		"zero set":           {new(policy.Set).DecideDial(anna, &good), policy.ReasonNoPolicy},
		"nil destination":    {set.DecideDial(anna, nil), policy.ReasonNoPolicy},
		"zero destination":   {set.DecideDial(anna, &policy.Destination{}), policy.ReasonBadNumber},
		"no subject":         {set.DecideDial(policy.Ref{}, &good), policy.ReasonUnknownSubject},
		"another policy's":   {set.DecideDial(stranger, &good), policy.ReasonUnknownSubject},
		"another's employee": {set.DecideDial(anna, &policy.Destination{Number: "101", Employee: stranger}), policy.ReasonUnknownTarget},
		"another's client":   {set.DecideDial(employee(t, set, "carol"), &policy.Destination{Number: "+74951112233", Client: true, Responsible: stranger}), policy.ReasonNoRight},
		"no right":           {set.DecideDial(dina, &good), policy.ReasonNoRight},
		"decided elsewhere":  {set.Decide(&policy.Request{Subject: anna, Action: policy.Dial, Target: dina}), policy.ReasonUnknownAction},
	} {
		if got.d.Allowed || got.d.Reason != got.want {
			t.Errorf("%s: %v %s, want %s", name, got.d.Allowed, got.d.Reason, got.want)
		}
	}
	if x := none.ExplainDial(anna, good); x.Decision.Allowed || len(x.Statements) != 1 || x.Statements[0].Effect != policy.EffectRefuses {
		t.Errorf("nil set: %s", x)
	}
	for _, req := range []policy.Request{{Subject: anna, Action: policy.Dial, Target: dina}, {Action: policy.Dial, Target: dina}} {
		if x := set.Explain(req); x.Decision.Allowed || len(x.Statements) != 1 || x.Statements[0].Reason != x.Decision.Reason {
			t.Errorf("%s", x)
		}
	}
}

func TestANumberThatCannotBeJudgedIsRefused(t *testing.T) {
	set := load(t, callers)
	anna := employee(t, set, "anna")
	for number, want := range map[string]policy.Reason{
		"+74951112233": policy.ReasonAllowed, "+1234567": policy.ReasonAllowed, "+123456789012345": policy.ReasonAllowed,
		"1": policy.ReasonAllowed, "123456": policy.ReasonAllowed, "000000": policy.ReasonAllowed,
		"+78121234567": policy.ReasonAllowed, // protected: from being heard and shown
		"1234567":      policy.ReasonBadNumber, "+123456": policy.ReasonBadNumber, "+1234567890123456": policy.ReasonBadNumber,
		"+04951112233": policy.ReasonBadNumber, "+": policy.ReasonBadNumber, "": policy.ReasonBadNumber, "++74951112233": policy.ReasonBadNumber,
		"7+4951112233": policy.ReasonBadNumber, "+7 4951112233": policy.ReasonBadNumber, "+7495111223x": policy.ReasonBadNumber,
		"101@trunk": policy.ReasonBadNumber, "PJSIP/101": policy.ReasonBadNumber, "101&102": policy.ReasonBadNumber, "٣": policy.ReasonBadNumber,
		"*98": policy.ReasonBadNumber, "101#": policy.ReasonBadNumber, "+7495*112233": policy.ReasonBadNumber, "\x00": policy.ReasonBadNumber,
	} {
		if d := set.DecideDial(anna, &policy.Destination{Number: number}); d.Reason != want || d.Allowed != (want == policy.ReasonAllowed) {
			t.Errorf("%q: %v %s, want %s", number, d.Allowed, d.Reason, want)
		}
	}
}

func TestAnEmergencyNumberAlwaysPasses(t *testing.T) {
	set := load(t, callers)
	for _, who := range []policy.Ref{{}, employee(t, set, "dina"), employee(t, load(t, trio), "anna")} {
		for _, number := range []string{"112", "1-1-2", "+74950000112", "*103"} {
			d := set.DecideDial(who, &policy.Destination{Number: number})
			if !d.Allowed || d.Reason != policy.ReasonEmergency || set.Rule(d.Rule).Text != "emergency" {
				t.Errorf("%q: %+v %s", number, d, set.Rule(d.Rule))
			}
		}
		for _, number := range []string{"1121", "11", "+112", "4950000112", "103#"} {
			if d := set.DecideDial(who, &policy.Destination{Number: number}); d.Allowed {
				t.Errorf("%q: %+v", number, d)
			}
		}
	}
	barred := load(t, `{version: 1, employees: {anna: {dial: {to: none, except: {numbers: ["112", "1*"]}}}}, emergency: ["112"]}`)
	anna := employee(t, barred, "anna")
	if d := barred.DecideDial(anna, &policy.Destination{Number: "112"}); !d.Allowed {
		t.Errorf("an exception bars it: %+v", d)
	}
	if d := barred.DecideDial(anna, &policy.Destination{Number: "113"}); d.Reason != policy.ReasonExcluded {
		t.Errorf("113: %+v", d)
	}
}

// Who is excepted is excepted on every number that may be his, in whatever form the policy has it; but such a number proves nobody.
func TestANumberThatMayBeHisBarsAndGrantsNothing(t *testing.T) {
	set := load(t, callers)
	boris, carol := employee(t, set, "boris"), employee(t, set, "carol")
	for number, want := range map[string]policy.Reason{
		"103": policy.ReasonExcluded, "+79160000103": policy.ReasonExcluded, "+79160000102": policy.ReasonExcluded,
		"101": policy.ReasonAllowed, "+79160000101": policy.ReasonAllowed, "+79160000203": policy.ReasonAllowed,
	} {
		if d := set.DecideDial(boris, &policy.Destination{Number: number}); d.Reason != want {
			t.Errorf("boris %s: %s, want %s", number, d.Reason, want)
		}
	}
	if x := set.ExplainDial(boris, policy.Destination{Number: "+79160000103"}); x.Statements[0].About != carol {
		t.Errorf("the explanation does not name carol: %s", x)
	}
	if d := set.DecideDial(boris, &policy.Destination{Number: "+74951112233", Employee: carol}); d.Reason != policy.ReasonExcluded {
		t.Errorf("a number verified to be carol's: %s", d.Reason)
	}
	if d := set.DecideDial(carol, &policy.Destination{Number: "+79160000102"}); d.Allowed {
		t.Errorf("a number that may be boris's grants: %+v", d)
	}
	if d := set.DecideDial(carol, &policy.Destination{Number: "102", Employee: boris}); !d.Allowed {
		t.Errorf("boris's own: %+v", d)
	}
	if d := set.DecideDial(carol, &policy.Destination{Number: "*102", Employee: boris}); d.Reason != policy.ReasonBadNumber {
		t.Errorf("a feature code with boris's number: %+v", d)
	}
}

func TestAListOfNumbersInAnyOrder(t *testing.T) {
	set := load(t, `{version: 1, employees: {anna: {numbers: ["31", "41", "51"], dial: ["300", "41*", "4*", "100", "200", "51*", "31*", "*9"]}}}`)
	anna := employee(t, set, "anna")
	for number, want := range map[string]bool{
		"300": true, "100": true, "200": true, "4": true, "41": true, "415": true, "42": true, "31": true, "319": true, "51": true, "*9": true,
		"3": false, "30": false, "3001": false, "101": false, "5": false, "50": false, "52": false, "6": false, "+4951112233": false, "41*1": false, "*91": false,
	} {
		if d := set.DecideDial(anna, &policy.Destination{Number: number}); d.Allowed != want {
			t.Errorf("%s: %s", number, d.Reason)
		}
	}
}

func TestTheExplanationTellsEveryRule(t *testing.T) {
	set := load(t, `{version: 1, employees: {anna: {numbers: ["10"], dial: {clients: any, employees: any, numbers: ["1*"], except: {employees: [anna], numbers: ["10"]}}}}}`)
	anna, to := employee(t, set, "anna"), set.Destination("10")
	to.Client = true
	x := set.ExplainDial(anna, to)
	grants, refuses := 0, 0
	for _, st := range x.Statements {
		switch st.Effect {
		case policy.EffectGrants:
			grants++
		case policy.EffectRefuses:
			refuses++
		case policy.EffectNone, policy.EffectTells:
			t.Errorf("%s", st)
		}
	}
	if grants != 3 || refuses != 2 {
		t.Errorf("%d grants, %d refuse:\n%s", grants, refuses, x)
	}
}

func TestADestinationIsCompared(t *testing.T) {
	set := load(t, callers)
	anna, boris := employee(t, set, "anna"), employee(t, set, "boris")
	for number, want := range map[string]policy.Destination{
		"1-01": {Number: "101", Employee: anna}, "+7 (916) 000.01.01": {Number: "+79160000101", Employee: anna},
		"89160000102": {Number: "89160000102", Employee: boris}, "+79160000102": {Number: "+79160000102"},
		"555": {Number: "555"}, "anna": {Number: "anna"}, "": {},
	} {
		if got := set.Destination(number); got.Number != want.Number || got.Employee != want.Employee || got.Client {
			t.Errorf("%q: %+v", number, got)
		}
	}
	var none *policy.Set
	if got := none.Destination("1 01"); got.Number != "101" || !got.Employee.IsZero() {
		t.Errorf("nil set: %+v", got)
	}
}

func TestAnAssignmentThatEndsTakesItsDialling(t *testing.T) {
	const text = "version: 1\ntimezone: UTC\nemployees: {anna: {}}\nroles: {out: {dial: any}, bar: {dial: {to: none, except: {numbers: [\"+7*\"]}}}}\n" +
		"assign:\n  - {role: out, to: [anna], until: 2026-07-31}\n  - {role: bar, to: [everyone], until: 2026-06-30}\n"
	set := load(t, text)
	anna, to := employee(t, set, "anna"), &policy.Destination{Number: "+74951112233"}
	for _, moment := range []struct {
		months int
		want   policy.Reason
		rule   string
	}{{0, policy.ReasonExcluded, "roles.bar.dial.except"}, {1, policy.ReasonAllowed, "roles.out.dial"}, {2, policy.ReasonNoRight, ""}} {
		at := set.At(day.AddDate(0, moment.months, 0))
		if d := at.DecideDial(anna, to); d.Reason != moment.want || at.Rule(d.Rule).Text != moment.rule {
			t.Errorf("after %d months: %s %s", moment.months, d.Reason, at.Rule(d.Rule))
		}
	}
	if x := set.ExplainDial(anna, *to); len(x.Statements) != 2 || x.Statements[0].Via.Text != "assign[2]" || x.Statements[1].Via.Text != "assign[1]" {
		t.Errorf("%s", x)
	}
}

func TestDiallingIsDecidedWithoutAllocating(t *testing.T) {
	set := load(t, callers)
	boris, carol := employee(t, set, "boris"), employee(t, set, "carol")
	client := policy.Destination{Number: "+74951112233", Client: true, Responsible: boris, Access: []policy.Ref{carol}}
	barred, bad, code := policy.Destination{Number: "+79160000103"}, policy.Destination{Number: "8 916"}, policy.Destination{Number: "*98"}
	emergency := policy.Destination{Number: "1-1-2"}
	if n := testing.AllocsPerRun(100, func() {
		for _, who := range [...]policy.Ref{boris, carol} {
			for _, to := range [...]*policy.Destination{&client, &barred, &bad, &code, &emergency} {
				set.DecideDial(who, to)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
