package policy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/policy"
)

const trio = `
version: 1
employees:
  anna: {name: Anna, phones: [pjsip/101, Dahdi/1], numbers: ["101", "+7 (495) 765-43-21"], listen: true, intercept: own}
  boris: {phones: [PJSIP/102]}
  carol: {numbers: ["103"]}
trunks: [PJSIP/trunk]
emergency: ["112", "9-911"]
protected: {numbers: ["+7 812 123-45-67", "8800", "+49 30 123456"]}
`

func load(t testing.TB, text string) *policy.Set {
	t.Helper()
	return mustLoad(t, text)
}

// mustLoad is load for those who are no testing.TB too.
func mustLoad(t interface{ Fatalf(string, ...any) }, text string) *policy.Set {
	set, _, err := policy.Load("policy.yaml", []byte(text), day)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return set
}

func employee(t testing.TB, set *policy.Set, id string) policy.Ref {
	t.Helper()
	r, ok := set.Employee(id)
	if !ok {
		t.Fatalf("no employee %s", id)
	}
	return r
}

func TestTheZeroValueOfEverythingDenies(t *testing.T) {
	set := load(t, trio)
	anna, boris := employee(t, set, "anna"), employee(t, set, "boris")
	full := policy.Request{Subject: anna, Action: policy.Spy, Target: boris}
	if !set.Decide(&full).Allowed {
		t.Fatal("the control is refused")
	}
	var none *policy.Set
	for name, d := range map[string]policy.Decision{
		"no decision":         {},
		"nil set":             none.Decide(&full),
		"zero set":            new(policy.Set).Decide(&full),
		"nil request":         set.Decide(nil),
		"zero request":        set.Decide(&policy.Request{}),
		"no subject":          set.Decide(&policy.Request{Action: policy.Spy, Target: boris}),
		"no action":           set.Decide(&policy.Request{Subject: anna, Target: boris}),
		"no target":           set.Decide(&policy.Request{Subject: anna, Action: policy.Spy}),
		"action out of range": set.Decide(&policy.Request{Subject: anna, Action: 200, Target: boris}),
		"nobody with":         set.Decide(&policy.Request{Subject: anna, Action: policy.Spy, Target: boris, With: []policy.Ref{{}}}),
	} {
		if d.Allowed || d.Reason == policy.ReasonAllowed {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if policy.Reason(0).String() != "no_policy" || policy.Action(0).String() != "unknown" {
		t.Error("a zero value has a name that means something")
	}
	if x := none.Explain(full); x.Decision.Allowed || len(x.Statements) == 0 {
		t.Errorf("nil set: %s", x)
	}
	if x := set.Explain(policy.Request{}); x.Decision.Reason != policy.ReasonUnknownSubject || len(x.Statements) != 1 {
		t.Errorf("zero request: %s", x)
	}
}

func TestARefMeansNobodyInAPolicyWithOtherEmployees(t *testing.T) {
	set := load(t, trio)
	anna, boris := employee(t, set, "anna"), employee(t, set, "boris")
	same := load(t, trio+"unknown_phones: outside\n")
	if same.ID(anna) != "anna" || !same.Decide(&policy.Request{Subject: anna, Action: policy.Spy, Target: boris}).Allowed {
		t.Error("an edit that leaves the employees alone disturbs a Ref")
	}
	// Here the places are others, and the one who had anna's may do everything.
	other := load(t, "version: 1\nemployees:\n  zoe: {listen: true}\n  boris: {}\n  carol: {}\n  anna: {}\n")
	if other.ID(anna) != "" || other.Name(anna) != "" || other.Phones(anna) != nil {
		t.Error("a Ref of another policy is somebody")
	}
	for _, req := range []policy.Request{
		{Subject: anna, Action: policy.Spy, Target: employee(t, other, "boris")},
		{Subject: employee(t, other, "zoe"), Action: policy.Spy, Target: boris},
		{Subject: employee(t, other, "zoe"), Action: policy.Spy, Target: employee(t, other, "boris"), With: []policy.Ref{anna}},
	} {
		if d := other.Decide(&req); d.Allowed {
			t.Errorf("%+v: %+v", req, d)
		}
	}
}

func TestAddresses(t *testing.T) {
	set := load(t, trio)
	anna := employee(t, set, "anna")
	for endpoint, want := range map[string]policy.Ref{
		"PJSIP/101": anna, "pjsip/101": anna, "Pjsip/101": anna, "DAHDI/1": anna, "dahdi/1": anna,
		"PJSIP/trunk": {}, "PJSIP/10": {}, "PJSIP/1011": {}, "PJSIP": {}, "101": {}, "": {}, "SIP/101": {},
	} {
		if got, ok := set.Phone(endpoint); got != want || ok != (want != policy.Ref{}) {
			t.Errorf("Phone(%q) = %v", endpoint, set.ID(got))
		}
	}
	if !set.Trunk("PJSIP/trunk") || !set.Trunk("pjsip/trunk") || set.Trunk("PJSIP/101") || set.Trunk("PJSIP/TRUNK") {
		t.Error("Trunk")
	}
	outside := load(t, trio+"\nunknown_phones: outside\n")
	for endpoint, want := range map[string][2]bool{
		"PJSIP/trunk": {true, true}, "PJSIP/carrier": {false, true}, "PJSIP/" + strings.Repeat("c", 300): {false, true}, "PJSIP/101": {false, false}, "dahdi/1": {false, false}, "": {false, false},
	} {
		if got := [2]bool{set.Outside(endpoint), outside.Outside(endpoint)}; got != want {
			t.Errorf("Outside(%q) is %v without unknown_phones: outside and with it, not %v", endpoint, got, want)
		}
	}
	for number, want := range map[string]policy.Ref{
		"101": anna, " 1-0-1": anna, "+74957654321": anna, "+7 495 765-43-21": anna,
		"84957654321": anna, "4957654321": anna, "0074957654321": anna, "9,101": {}, "7654321": anna, "+101": anna, "101@pbx": anna,
		"10": {}, "1011": {}, "": {}, "anonymous": {}, "654321": {}, "+74957654322": {}, "+78127654321": {}, "8127654321": anna,
	} {
		if got, ok := set.ByNumber(number); got != want || ok != (want != policy.Ref{}) {
			t.Errorf("ByNumber(%q) = %v", number, set.ID(got))
		}
		if all := set.AppendByNumber(nil, number); len(all) > 1 || (len(all) == 1) != (want != policy.Ref{}) || len(all) == 1 && all[0] != want {
			t.Errorf("AppendByNumber(%q) = %v", number, all)
		}
	}
	for number, want := range map[string]bool{"112": true, "1 12": true, "9911": true, "911": false, "1122": false, "": false} {
		if set.Emergency(number) != want {
			t.Errorf("Emergency(%q) is not %v", number, want)
		}
	}
	if p, n := set.Phones(anna), set.Numbers(anna); len(p) != 2 || p[0] != "PJSIP/101" || p[1] != "DAHDI/1" || len(n) != 2 || n[1] != "+74957654321" {
		t.Errorf("anna has %v %v", p, n)
	}
	if carol := employee(t, set, "carol"); len(set.Phones(carol)) != 0 || len(set.Numbers(carol)) != 1 || set.Name(carol) != "carol" || set.Name(anna) != "Anna" {
		t.Error("carol")
	}
}

func TestAProtectedNumberIsProtectedHoweverItIsWritten(t *testing.T) {
	set := load(t, trio)
	for number, want := range map[string]bool{
		"+78121234567": true, "78121234567": true, "88121234567": true, "8121234567": true, "8 (812) 123-45-67": true,
		"0078121234567": true, "8107812123-45-67": true, "988121234567": true, "1234567": true, "9,1234567": false,
		"+78121234567@trunk": true, "78121234567;phone-context=x": true,
		"+78121234568": false, "+74951234567": false, "+12125554567": false, "234567": false, "": false,
		"8800": true, "8-800": true, "88001234567": false, "88000": false, "880": false,
		"+4930123456": true, "030123456": true, "0049 30 123456": true, "+4940223456": false,
	} {
		if set.ProtectedNumber(number) != want {
			t.Errorf("ProtectedNumber(%q) is not %v", number, want)
		}
	}
}

// Where its end is the moment from which computers count, it is no less over than with any other.
func TestWhatEndedBeforeComputersCountIsOver(t *testing.T) {
	for day, until := range map[string]bool{"1969-12-30": true, "1969-12-31": true, "1970-01-01": true, "9999-12-31": false} {
		set := load(t, "version: 1\ntimezone: UTC\nemployees:\n  anna: {spy: {to: any, until: "+day+"}, whisper: {to: any, from: "+day+"}}\n  boris: {}\n")
		req := policy.Request{Subject: employee(t, set, "anna"), Action: policy.Spy, Target: employee(t, set, "boris")}
		if set.Decide(&req).Allowed == until {
			t.Errorf("until %s: %+v", day, set.Decide(&req))
		}
		if req.Action = policy.Whisper; set.Decide(&req).Allowed != until {
			t.Errorf("from %s: %+v", day, set.Decide(&req))
		}
	}
}

func TestAnAssignmentRunsToTheEndOfItsDay(t *testing.T) {
	const text = "version: 1\ntimezone: Asia/Tokyo\nemployees:\n  anna: {}\n  boris: {}\nroles: {ear: {listen: any}, eye: {observe: any}}\n" +
		"assign:\n  - {role: ear, to: [anna], until: 2026-06-30}\n  - {role: eye, to: [everyone], until: \"2026-07-31\"}\n"
	end := time.Date(2026, 6, 30, 15, 0, 0, 0, time.UTC) // midnight in Tokyo
	set := load(t, text)
	req := policy.Request{Subject: employee(t, set, "anna"), Action: policy.Spy, Target: employee(t, set, "boris")}
	if next, ok := set.NextChange(); !ok || !next.Equal(end) {
		t.Errorf("NextChange: %v", next)
	}
	if !set.At(end.Add(-time.Nanosecond)).Decide(&req).Allowed {
		t.Error("ends before its time")
	}
	after := set.At(end)
	if after.Decide(&req).Allowed || !set.Decide(&req).Allowed {
		t.Error("does not end, or ends in the Set of before")
	}
	if next, ok := after.NextChange(); !ok || !next.Equal(end.AddDate(0, 0, 31)) {
		t.Errorf("NextChange after the first end: %v", next)
	}
	if _, ok := set.At(end.AddDate(1, 0, 0)).NextChange(); ok {
		t.Error("something ends although all is over")
	}
	if g := set.WithGeneration(7); g.Generation() != 7 || set.Generation() != 0 || g.At(end).Generation() != 7 {
		t.Error("generation")
	}
}

func TestMistakesBetweenFiles(t *testing.T) {
	parse := func(name, text string) *policy.File {
		f, err := policy.Parse(name, []byte("version: 1\n"+text))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	a := parse("a.yaml", "timezone: UTC\nemployees: {anna: {phones: [PJSIP/1]}}\ndepartments: {sales: {}}\ngroups: {g: []}\nroles: {r: {observe: {during: t}}}\ntimes: {t: {days: mon}}\nlines: {l: {queue: q}, m: {}}\n")
	b := parse("b.yaml", "timezone: Asia/Tokyo\nemployees: {anna: {}}\ndepartments: {sales: {}}\ngroups: {g: []}\nroles: {r: {observe: true}}\ntrunks: [PJSIP/1]\ntimes: {t: {days: tue}}\nlines: {l: {queue: q1}, n: {queue: m}}\n")
	set, warnings, err := policy.Compile(day, a, b)
	const want = `b.yaml:2:11: another time zone than at a.yaml:2:11
b.yaml:3:13: employee "anna" is here twice, first at a.yaml:3:13
b.yaml:4:15: department "sales" is here twice, first at a.yaml:4:15
b.yaml:5:10: group "g" is here twice, first at a.yaml:5:10
b.yaml:6:9: role "r" is here twice, first at a.yaml:6:9
b.yaml:7:10: trunks: this endpoint is anna's already, at a.yaml:3:29
b.yaml:8:9: time "t" is here twice, first at a.yaml:7:9
b.yaml:9:9: line "l" is here twice, first at a.yaml:8:9
b.yaml:9:36: lines.n.queue: this queue is m's already, at a.yaml:8:24`
	if set != nil || err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	if len(warnings) != 0 { // much may look idle only because of the mistakes
		t.Errorf("warnings: %v", warnings)
	}
	if set, _, err := policy.Compile(day); set != nil || err == nil {
		t.Error("no file is a policy")
	}
}

func TestDepartments(t *testing.T) {
	set := load(t, "version: 1\ndepartments:\n  sales: {name: Sales, head: anna}\n  north: {parent: sales}\nemployees: {anna: {department: north}, boris: {}}\n")
	anna := employee(t, set, "anna")
	var all []policy.Department
	for d := range set.Departments() {
		all = append(all, d)
	}
	want := []policy.Department{{ID: "sales", Name: "Sales", Head: anna}, {ID: "north", Name: "north", Parent: "sales"}}
	if len(all) != 2 || all[0] != want[0] || all[1] != want[1] || set.DepartmentOf(anna) != want[1] {
		t.Errorf("%+v", all)
	}
	if (set.DepartmentOf(employee(t, set, "boris")) != policy.Department{}) {
		t.Error("boris is in a department")
	}
	n := 0
	for r := range set.Employees() {
		if n++; set.ID(r) == "" {
			t.Error("an employee without an id")
		}
	}
	if n != set.Len() || n != 2 {
		t.Errorf("%d employees", n)
	}
}

func TestALookUpAllocatesNothing(t *testing.T) {
	set := load(t, trio)
	anna, boris, carol := employee(t, set, "anna"), employee(t, set, "boris"), employee(t, set, "carol")
	req := policy.Request{Subject: anna, Action: policy.Whisper, Target: boris, With: []policy.Ref{boris, carol}}
	refs := make([]policy.Ref, 0, 1)
	long := "pjsip/a-name-that-is-longer-than-the-thirty-two-bytes-of-a-temporary-string"
	if n := testing.AllocsPerRun(100, func() {
		set.Decide(&req)
		set.Employee("anna")
		set.Phone("PJSIP/101")
		set.Phone("pjsip/101")
		set.Phone(long)
		set.Trunk(long)
		set.ByNumber("+7 (495) 765-43-21 000000000000000000000000000000")
		set.ByNumber("8 (495) 765-43-21")
		refs = set.AppendByNumber(refs[:0], "8 (495) 765-43-21")
		set.Emergency("11-2")
		set.ProtectedNumber("8 (812) 123-45-67")
		set.Phones(anna)
		set.ID(anna)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A caller whom no phone rings is his responsible employee's alone, whatever the scope, and rings nobody who could exclude him until he does.
func TestACallerWhomNoPhoneRingsIsTakenByWhoIsResponsible(t *testing.T) {
	set := load(t, `
version: 1
employees:
  gus:   {phones: [PJSIP/1], intercept: {to: own, except: [egor]}}
  fay:   {phones: [PJSIP/2], intercept: {to: any, except: [egor]}}
  never: {phones: [PJSIP/3], observe: true}
  egor:  {phones: [PJSIP/4]}
  hana:  {phones: [PJSIP/5]}
protected: {employees: [hana]}
`)
	for _, c := range []struct {
		subject, responsible, rung string
		want                       policy.Reason
		pairwise                   bool
		needs                      string // part of what the other answer needs
	}{
		{"gus", "gus", "", policy.ReasonAllowed, true, "employees.gus.intercept"},
		{"fay", "fay", "", policy.ReasonAllowed, true, "employees.fay.intercept"},
		{"gus", "fay", "", policy.ReasonNotClient, true, "nobody takes but who is responsible for him"},
		{"fay", "gus", "", policy.ReasonNotClient, true, "nobody takes but who is responsible for him"},
		{"fay", "", "", policy.ReasonNotClient, true, "nobody takes but who is responsible for him"},
		{"never", "never", "", policy.ReasonNoRight, true, "write employees.never.intercept: own"},
		{"gus", "gus", "fay", policy.ReasonAllowed, true, ""},
		{"gus", "gus", "egor", policy.ReasonExcludedOther, false, "take egor out of"},
		{"gus", "gus", "hana", policy.ReasonProtectedOther, false, "take hana out of"},
		{"", "", "", policy.ReasonUnknownSubject, true, "the subject is no employee"},
	} {
		r := policy.Request{Action: policy.Intercept, Unrung: true}
		r.Subject, _ = set.Employee(c.subject)
		r.Responsible, _ = set.Employee(c.responsible)
		if c.rung != "" {
			r.With = []policy.Ref{employee(t, set, c.rung)}
		}
		if d := set.Decide(&r); d.Reason != c.want || d.Allowed != (c.want == policy.ReasonAllowed) || d.Pairwise != c.pairwise {
			t.Errorf("%+v: %v, pairwise %t", c, d.Reason, d.Pairwise)
		}
		// The explanation gives the same answer, of the same ground.
		e := set.Explain(r)
		says := func(effect policy.Effect) bool {
			return slices.ContainsFunc(e.Statements, func(st policy.Statement) bool { return st.Effect == effect })
		}
		if grants, refuses := says(policy.EffectGrants), says(policy.EffectRefuses); e.Decision != set.Decide(&r) || (grants && !refuses) != e.Decision.Allowed || len(e.Needs) == 0 {
			t.Errorf("%+v: %s", c, e)
		}
		if text := e.String(); c.needs != "" && !strings.Contains(text, c.needs) || strings.Contains(text, " on :") || strings.Contains(text, ": []") {
			t.Errorf("%+v: %s", c, text)
		}
		// Only intercept knows of it, and only where it is said.
		r.Action = policy.Spy
		if e := set.Explain(r); e.Decision.Allowed {
			t.Errorf("%+v: may spy", c)
		}
		if d := set.Decide(&r); d.Allowed {
			t.Errorf("%+v: may spy", c)
		}
		if r.Action, r.Unrung = policy.Intercept, false; set.Decide(&r).Allowed {
			t.Errorf("%+v: may intercept nobody's phone", c)
		}
	}
}
