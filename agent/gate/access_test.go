package gate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"
)

// bureau is a company with lines, recordings and one for whom a reason must be given.
const bureau = `
version: 1
departments: {sales: {name: Sales, head: irina}}
employees:
  anna:  {name: Anna,  phones: [PJSIP/101], numbers: ["101"], department: sales, dial: {employees: true}, lock: true}
  boris: {name: Boris, phones: [PJSIP/102], department: sales}
  irina: {name: Irina, phones: [PJSIP/103], numbers: ["103"], department: sales, observe: department, listen: {to: department, except: [boris]}, statistics: department, recordings: {to: department, except: [kurt], reason: [anna]}, journal: department, line.view: department, line.connect: department, line.history: department}
  kurt:  {name: Kurt,  phones: [PJSIP/104], numbers: ["104"]}
  root:  {name: Root,  phones: [PJSIP/105], numbers: ["105"], settings.telephony: true}
lines:
  support: {name: Support, members: [anna]}
  vip:     {name: VIP, members: [kurt]}
protected: {numbers: ["+7 495 765-43-21"]}
trunks: [PJSIP/trunk]
emergency: ["112"]
`

func (o *office) evaluate(subject, action string, on gate.Resource, reason bool) gate.Answer {
	o.t.Helper()
	return o.gate.Evaluate(o.t.Context(), who(subject), gate.Question{Action: action, Resource: on, Reason: reason})
}

func (o *office) search(subject string, on gate.Resource) []string {
	return o.gate.SearchActions(o.t.Context(), who(subject), on)
}

func employee(id string) gate.Resource { return gate.Resource{Type: gate.ResourceEmployee, ID: id} }

func TestAQuestionIsAnsweredByThePolicyInForce(t *testing.T) {
	o := newOffice(t, bureau)
	past := func(employees ...string) gate.Resource {
		return gate.Resource{Type: gate.ResourceRecording, ID: "r1", Employees: employees}
	}
	line := func(id string, employees ...string) gate.Resource {
		return gate.Resource{Type: gate.ResourceLine, ID: id, Employees: employees}
	}
	number := func(n string) gate.Resource { return gate.Resource{Type: gate.ResourceNumber, ID: n} }
	system := gate.Resource{Type: gate.ResourceSystem, ID: gate.System}
	for _, c := range []struct {
		subject, action string
		on              gate.Resource
		reason          bool
		refusal         string // empty: allowed
		rule            bool
	}{
		{subject: "irina", action: "statistics", on: employee("anna")},
		{subject: "irina", action: "statistics", on: gate.Resource{Type: gate.ResourceUser, ID: "anna"}},
		{subject: "irina", action: "statistics", on: employee("kurt"), refusal: "no_right"},
		{subject: "irina", action: "statistics", on: employee("nobody"), refusal: "unknown_target"},
		{subject: "nobody", action: "statistics", on: employee("anna"), refusal: "unknown_subject"},
		{subject: "irina", action: "fly", on: employee("anna"), refusal: "unknown_action"},
		{subject: "irina", action: "", on: employee("anna"), refusal: "unknown_action"},
		{subject: "irina", action: "statistics", on: gate.Resource{Type: "document", ID: "anna"}, refusal: "unknown_resource"},
		{subject: "irina", action: "dial", on: gate.Resource{Type: "document", ID: "103"}, refusal: "unknown_resource"},
		{subject: "irina", action: "statistics", on: gate.Resource{}, refusal: "unknown_resource"},
		{subject: "irina", action: "line.view", on: employee("anna"), refusal: "not_for_this_resource"},
		{subject: "irina", action: "observe", on: employee("anna")},
		{subject: "irina", action: "observe", on: employee("irina")},
		{subject: "irina", action: "observe", on: employee("kurt"), refusal: "no_right"},
		{subject: "irina", action: "observe", on: line("support"), refusal: "not_for_this_resource"},
		{subject: "anna", action: "observe", on: number("103"), refusal: "not_for_this_resource"},

		{subject: "irina", action: "spy", on: employee("anna"), refusal: "not_talking"},
		{subject: "irina", action: "spy", on: employee("boris"), refusal: "excluded", rule: true},
		{subject: "irina", action: "spy", on: employee("irina"), refusal: "self"},
		{subject: "irina", action: "spy", on: employee("kurt"), refusal: "no_right"},
		{subject: "irina", action: "spy", on: system, refusal: "not_for_this_resource"},

		{subject: "irina", action: "play", on: past("boris")},
		{subject: "irina", action: "play", on: past("kurt", "boris"), refusal: "excluded", rule: true},
		{subject: "irina", action: "play", on: past("boris", "kurt"), refusal: "not_for_this_call"},
		{subject: "irina", action: "play", on: past("anna"), refusal: "reason_required", rule: true},
		{subject: "irina", action: "play", on: past("anna"), reason: true},
		{subject: "irina", action: "journal", on: past("anna", "kurt")},
		{subject: "irina", action: "journal", on: past("anna", "nobody"), refusal: "unknown_party"},
		{subject: "irina", action: "journal", on: past(), refusal: "unknown_target"},
		{subject: "irina", action: "statistics", on: past("anna"), refusal: "not_for_this_resource"},
		{subject: "irina", action: "play", on: gate.Resource{Type: gate.ResourcePastCall, Employees: []string{"boris"}, Numbers: []string{other}}},
		{subject: "irina", action: "play", on: gate.Resource{Type: gate.ResourcePastCall, Employees: []string{"boris"}, Numbers: []string{other, secret}}, refusal: "not_for_this_call"},
		{subject: "irina", action: "journal", on: employee("anna")},
		{subject: "anna", action: "journal", on: employee("anna"), refusal: "no_right"},

		{subject: "irina", action: "line.view", on: line("support")},
		{subject: "irina", action: "line.view", on: line("vip"), refusal: "no_right"},
		{subject: "irina", action: "line.view", on: line("none"), refusal: "no_right"},
		{subject: "irina", action: "line.history", on: line("vip", "kurt", "boris")},
		{subject: "irina", action: "line.history", on: line("vip", "kurt"), refusal: "no_right"},

		{subject: "root", action: "settings.telephony", on: system},
		{subject: "root", action: "settings.telephony", on: employee("root")},
		{subject: "root", action: "settings.telephony", on: employee("anna"), refusal: "no_right"},
		{subject: "root", action: "settings.telephony", on: gate.Resource{Type: gate.ResourceSystem, ID: "other"}, refusal: "unknown_resource"},
		{subject: "anna", action: "settings.telephony", on: system, refusal: "no_right"},
		{subject: "anna", action: "lock", on: system},

		{subject: "anna", action: "dial", on: number("103")},
		{subject: "anna", action: "dial", on: number("112")},
		{subject: "anna", action: "dial", on: number(other), refusal: "no_right"},
		{subject: "anna", action: "dial", on: number("*98"), refusal: "bad_number"},
		{subject: "anna", action: "dial", on: employee("irina")},
		{subject: "anna", action: "dial", on: employee("boris"), refusal: "no_number"},
		{subject: "anna", action: "dial", on: employee("nobody"), refusal: "unknown_target"},
		{subject: "anna", action: "dial", on: line("support"), refusal: "not_for_this_resource"},
		{subject: "kurt", action: "dial", on: number("103"), refusal: "no_right"},
		{subject: "kurt", action: "dial", on: number("112")},
	} {
		a := o.evaluate(c.subject, c.action, c.on, c.reason)
		if a.Allowed != (c.refusal == "") || a.Reason != c.refusal || (a.Rule != "") != c.rule {
			t.Errorf("%s %s %+v: %+v, want %q", c.subject, c.action, c.on, a, c.refusal)
		}
		// What a search finds is what the same question with a reason allows.
		found := slices.Contains(o.search(c.subject, c.on), c.action)
		if with := o.evaluate(c.subject, c.action, c.on, true); found != with.Allowed {
			t.Errorf("%s %s %+v: found %v, and %+v", c.subject, c.action, c.on, found, with)
		}
	}
	if n := len(o.log.all()); n != 0 {
		t.Errorf("%d things happened or were recorded: %v", n, o.log.all())
	}
}

// lodge has a line of which some may do something and none but head may see that it is there.
const lodge = `
version: 1
employees:
  anna: {name: Anna, phones: [PJSIP/101], department: sales}
  noel: {name: Noel, phones: [PJSIP/102]}
  conn: {name: Conn, phones: [PJSIP/103], line.connect: true}
  exce: {name: Exce, phones: [PJSIP/104], line.view: {to: any, except: ["line:vip"]}, line.connect: true, line.history: {to: any, except: [anna]}}
  head: {name: Head, phones: [PJSIP/105], line.view: true, line.connect: true, line.history: {to: any, except: [anna]}}
departments: {sales: {name: Sales}}
lines: {vip: {name: VIP, members: [anna]}}
`

// Which lines there are is for those to see who may: to all others each answer is the one about a line that there is not.
func TestWhoMayNotViewALineIsNotToldThatItIsThere(t *testing.T) {
	o := newOffice(t, lodge)
	line := func(id string, employees []string) gate.Resource {
		return gate.Resource{Type: gate.ResourceLine, ID: id, Employees: employees}
	}
	for _, subject := range []string{"anna", "noel", "conn", "exce"} {
		for _, action := range policy.Actions() {
			for _, employees := range [][]string{nil, {"anna"}, {"nobody"}, {"noel", "anna"}} {
				for _, reason := range []bool{false, true} {
					is, isNot := o.evaluate(subject, action.String(), line("vip", employees), reason), o.evaluate(subject, action.String(), line("nil", employees), reason)
					if is != isNot && !is.Allowed {
						t.Errorf("%s %s of %v: %+v where there is one, %+v where there is none", subject, action, employees, is, isNot)
					}
				}
			}
		}
	}
	// Who may view it is told the ground.
	if a := o.evaluate("head", "line.history", line("vip", []string{"anna"}), false); a.Reason != "excluded" || a.Rule == "" {
		t.Errorf("%+v", a)
	}
	if a := o.evaluate("head", "line.history", line("nil", []string{"anna"}), false); a.Reason != "no_right" || a.Rule != "" {
		t.Errorf("%+v", a)
	}
}

func TestASearchListsAllThatMayBeDone(t *testing.T) {
	o := newOffice(t, bureau)
	o.talk("x", ivanov, "PJSIP/101")
	for _, c := range []struct {
		subject string
		on      gate.Resource
		want    string
	}{
		{"irina", employee("anna"), "observe observe.kind spy whisper barge play download journal statistics"},
		{"irina", employee("boris"), "observe observe.kind play download journal statistics"},
		{"irina", employee("kurt"), ""},
		{"irina", employee("nobody"), ""},
		{"irina", gate.Resource{Type: gate.ResourceCall, ID: o.row("irina", "anna").Calls[0].ID}, "observe observe.kind spy whisper barge"},
		{"anna", gate.Resource{Type: gate.ResourceCall, ID: o.row("anna", "anna").Calls[0].ID}, "observe observe.kind lock"},
		{"irina", gate.Resource{Type: gate.ResourceLine, ID: "support"}, "line.view line.connect line.history"},
		{"irina", gate.Resource{Type: gate.ResourceRecording, Employees: []string{"anna"}}, "play download journal"},
		{"anna", gate.Resource{Type: gate.ResourceNumber, ID: "103"}, "dial"},
		{"root", gate.Resource{Type: gate.ResourceSystem, ID: gate.System}, "settings.telephony"},
		{"nobody", employee("anna"), ""},
	} {
		if got := strings.Join(o.search(c.subject, c.on), " "); got != c.want {
			t.Errorf("%s on %+v: %q, want %q", c.subject, c.on, got, c.want)
		}
	}
}

func TestAQuestionAboutACallIsAboutWhatOneIsShownOfIt(t *testing.T) {
	o := newOffice(t, house)
	call1 := func(subject, target string) gate.Resource {
		return gate.Resource{Type: gate.ResourceCall, ID: o.row(subject, target).Calls[0].ID}
	}
	is := func(subject, action string, on gate.Resource, refusal string) {
		t.Helper()
		if a := o.evaluate(subject, action, on, false); a.Allowed != (refusal == "") || a.Reason != refusal || (a.Rule != "") != (refusal == "excluded") {
			t.Errorf("%s %s: %+v, want %q", subject, action, a, refusal)
		}
	}
	o.talk("x", "PJSIP/108", "PJSIP/101") // hana, who is protected, and anna
	// Who sees her is told that it will not work, and not why; who does not is told what his button says.
	is("carl", "observe", call1("carl", "anna"), "")
	is("carl", "spy", call1("carl", "anna"), "not_for_this_call")
	is("carl", "spy", employee("anna"), "not_for_this_call")
	is("dora", "observe", call1("dora", "anna"), "no_right")
	is("dora", "spy", call1("dora", "anna"), "")
	is("dora", "whisper", call1("dora", "anna"), "no_right")
	o.hangUp("x")
	is("carl", "spy", employee("anna"), "not_talking")

	o.talk("y", "PJSIP/103", "PJSIP/101")
	is("carl", "spy", employee("anna"), "party")
	is("carl", "spy", call1("carl", "anna"), "party")
	is("carl", "intercept", employee("anna"), "not_ringing")
	theirs := call1("dora", "anna")
	for _, of := range []gate.Resource{theirs, {Type: gate.ResourceCall, ID: "none"}, {Type: gate.ResourceCall}, {Type: gate.ResourceCall, ID: strings.Repeat("c", len(theirs.ID))}} {
		is("carl", "spy", of, "no_such_call") // another's handle, and none
		is("carl", "observe", of, "no_such_call")
		if found := o.search("carl", of); len(found) != 0 {
			t.Errorf("%q", found)
		}
	}
	is("dora", "play", theirs, "not_for_this_resource")
	o.hangUp("y")
	is("dora", "spy", theirs, "no_such_call")

	o.rings("z", ivanov, "PJSIP/102")
	is("gus", "intercept", employee("boris"), "")
	is("gus", "observe", call1("gus", "boris"), "") // his client's
	is("fay", "intercept", call1("fay", "boris"), "")
	is("fay", "spy", call1("fay", "boris"), "no_right")
	is("carl", "spy", call1("carl", "boris"), "not_talking")
	o.hangUp("z")
	o.rings("w", other, "PJSIP/102")
	is("gus", "intercept", employee("boris"), "not_client")
	is("gus", "intercept", employee("egor"), "excluded")
	o.hangUp("w")

	// A call that rings at egor too is hidden from gus and from fay, so the answer is what the policy says without it, whoever calls.
	for i, from := range []string{ivanov, other} {
		name := fmt.Sprint("both", i)
		o.rings(name, from, "PJSIP/102", "PJSIP/105")
		is("gus", "intercept", employee("boris"), "not_client")
		is("gus", "intercept", call1("gus", "boris"), "not_client")
		is("fay", "intercept", employee("boris"), "")
		is("carl", "intercept", employee("boris"), "")
		o.gone(name+".0", name+".1", name+".2")
	}

	// Of several calls each has its own.
	o.talk("one", ivanov, "PJSIP/101")
	o.rings("two", other, "PJSIP/101")
	for i, want := range []string{"observe observe.kind spy whisper barge", "observe observe.kind intercept"} {
		if got := strings.Join(o.search("carl", gate.Resource{Type: gate.ResourceCall, ID: o.row("carl", "anna").Calls[i].ID}), " "); got != want {
			t.Errorf("call %d: %q, want %q", i, got, want)
		}
	}
}

// Whether the PBX is out of reach or the gate is closed: nothing can be said of what goes on, and the rest is as before.
func TestWhatIsNotKnownIsRefused(t *testing.T) {
	o := newOffice(t, bureau)
	o.talk("x", ivanov, "PJSIP/101")
	if a := o.evaluate("irina", "spy", employee("anna"), false); !a.Allowed {
		t.Fatalf("%+v", a)
	}
	o.ingest(call.Event{Kind: call.LinkLost})
	if a := o.evaluate("irina", "spy", employee("anna"), false); a.Allowed || a.Reason != "state_unknown" {
		t.Errorf("%+v", a)
	}
	if got := strings.Join(o.search("irina", employee("anna")), " "); got != "observe observe.kind play download journal statistics" {
		t.Errorf("%q", got)
	}
}

func TestADirectoryThatHasToAskIsWaitedFor(t *testing.T) {
	o, b := dialOffice(t)
	to := gate.Resource{Type: gate.ResourceNumber, ID: "8 916 000-00-01"}
	done := make(chan gate.Answer)
	go func() { done <- o.evaluate("cli", "dial", to, false) }()
	b.learns(<-b.asked)
	o.gate.Learned("+79160000001")
	if a := <-done; !a.Allowed {
		t.Errorf("%+v", a)
	}
}

// found is a directory that tells which numbers it was asked about.
type found struct {
	book
	numbers []string
}

func (f *found) Find(number string) (clients.Client, clients.Answer) {
	f.numbers = append(f.numbers, number)
	return f.book.Find(number)
}

func TestTheDirectoryIsNotAskedForWhoMayDialNothing(t *testing.T) {
	of := &found{book: book{known: map[string]clients.Client{ivanov: {Number: ivanov, Responsible: "cli"}}}}
	o := newOffice(t, callers, func(c *gate.Config) {
		c.Clients, c.Dialling = of, gate.Dialling{Context: "phones", Numbering: clients.Numbering{Region: "RU"}}
	})
	number := func(n string) gate.Resource { return gate.Resource{Type: gate.ResourceNumber, ID: n} }
	for _, n := range []string{ivanov, other} {
		if a := o.evaluate("non", "dial", number(n), false); a != (gate.Answer{Reason: "no_right"}) {
			t.Errorf("%+v", a)
		}
		o.search("non", number(n))
	}
	if a := o.evaluate("non", "dial", number("112"), false); !a.Allowed {
		t.Errorf("an emergency number: %+v", a)
	}
	if len(of.numbers) != 0 {
		t.Errorf("it was asked about %v", of.numbers)
	}
	if a := o.evaluate("cli", "dial", number(ivanov), false); !a.Allowed || !slices.Equal(of.numbers, []string{ivanov}) {
		t.Errorf("%+v, asked about %v", a, of.numbers)
	}
}

// The figures have actions and outcomes, and nothing that who asks has made up.
func TestQuestionsAreCounted(t *testing.T) {
	reg := prometheus.NewRegistry()
	o := newOffice(t, bureau, func(c *gate.Config) { c.Metrics = gate.NewMetrics(reg) })
	o.evaluate("irina", "statistics", employee("anna"), false)
	o.evaluate("irina", "statistics", employee("kurt"), false)
	o.evaluate("irina", "made up", employee("anna"), false)
	o.search("irina", employee("anna"))
	const want = `# HELP earshot_action_searches_total Searches by other software for what may be done to something.
# TYPE earshot_action_searches_total counter
earshot_action_searches_total 1
# HELP earshot_questions_total Questions about the policy that other software asked, by action and outcome (allow, deny).
# TYPE earshot_questions_total counter
earshot_questions_total{action="statistics",outcome="allow"} 1
earshot_questions_total{action="statistics",outcome="deny"} 1
earshot_questions_total{action="unknown",outcome="deny"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "earshot_questions_total", "earshot_action_searches_total"); err != nil {
		t.Error(err)
	}
}

// In any world the search finds on an employee the buttons of his row, on each call what of them is about it, and nothing that one is not told to
// be able to do to somebody.
func TestASearchFindsTheButtonsOfTheRow(t *testing.T) {
	phones := []string{"PJSIP/101", "PJSIP/102", "PJSIP/103", "PJSIP/105", "PJSIP/108", "PJSIP/999", ivanov, other, "+79160000105", secret}
	legs := []string{"a", "b", "c", "d", "e", "f"}
	policies := []string{
		house, strings.ReplaceAll(house, "except: [egor]", "except: [boris]"),
		strings.Replace(house, "listen: {to: any, allow: [spy], except: [egor]}", "listen: {to: any, reason: [boris, egor]}, observe: kind", 1),
		strings.Replace(house, "trunks:", "unknown_phones: outside\ntrunks:", 1),
	}
	for i := range policies { // carl may call all but one, and dora all
		policies[i] = strings.NewReplacer("observe: true, listen: true", "dial: {employees: true, except: {employees: [anna]}}, observe: true, listen: true",
			"listen: {to: any, allow: [spy]", "dial: any, listen: {to: any, allow: [spy]").Replace(policies[i])
	}
	isButton := func(action string) bool {
		return slices.Contains([]string{"spy", "whisper", "barge", "intercept", "dial"}, action)
	}
	filled, empty, shown, called := 0, 0, 0, 0
	rapid.Check(t, func(r *rapid.T) {
		o := newOffice(t, rapid.SampledFrom(policies).Draw(r, "policy"), func(c *gate.Config) {
			c.Clients = directory{ivanov: clients.Client{Number: ivanov, Name: "Ivanov Ltd", Responsible: "gus"}}
		})
		defer o.close()
		there := func(id string) bool { return o.ch(id).ID != "" }
		for range rapid.IntRange(1, 12).Draw(r, "n") {
			id, other := rapid.SampledFrom(legs).Draw(r, "leg"), rapid.SampledFrom(legs).Draw(r, "other")
			switch op := rapid.IntRange(0, 8).Draw(r, "op"); {
			case op <= 2 && !there(id):
				s := rapid.SampledFrom([]call.State{call.StateDown, call.StateRing, call.StateUp}).Draw(r, "state")
				o.leg(id, rapid.SampledFrom(phones).Draw(r, "phone"), s, "7")
			case op == 3 && there(id):
				o.gone(id)
			case op <= 5 && there(id):
				o.state(id, call.StateUp)
				o.enter(rapid.SampledFrom([]string{"x", "y"}).Draw(r, "bridge"), id)
			case op <= 7 && there(id) && there(other) && id != other:
				o.dial(id, other, "7")
				o.state(other, call.StateRinging)
			case op == 8 && there(id):
				o.ingest(call.Event{Kind: rapid.SampledFrom([]call.Kind{call.LegHeld, call.LegUnheld}).Draw(r, "hold"), Channel: o.ch(id)})
			}
		}
		for _, subject := range []string{"carl", "dora", "fay", "gus", "ivo", "anna"} {
			b, err := o.gate.Employees(who(subject))
			if err != nil {
				r.Fatal(err)
			}
			for _, row := range b.Employees {
				found := slices.DeleteFunc(o.search(subject, employee(row.ID)), func(a string) bool { return !isButton(a) || a == "dial" && row.ID == subject })
				if !slices.Equal(found, row.Can) {
					r.Fatalf("%s on %s: found %q, and the row says %q", subject, row.ID, found, row.Can)
				}
				if len(found) > 0 && found[0] != "dial" {
					filled++
				} else if len(row.Calls) > 0 {
					empty++
				}
				var ofCalls []string
				for _, c := range row.Calls {
					of := gate.Resource{Type: gate.ResourceCall, ID: c.ID}
					for _, a := range o.search(subject, of) {
						if isButton(a) {
							ofCalls = append(ofCalls, a)
						}
						if answer := o.evaluate(subject, a, of, true); !answer.Allowed {
							r.Fatalf("%s %s: found, and refused for %s", subject, a, answer.Reason)
						}
					}
					if o.evaluate(subject, "observe", of, false).Allowed == c.Hidden {
						r.Fatalf("%s on %s: %+v", subject, row.ID, c)
					}
					if !c.Hidden {
						shown++
					}
				}
				if dial := slices.Contains(row.Can, "dial"); dial {
					called++
				} else if o.evaluate(subject, "dial", employee(row.ID), true).Allowed && row.ID != subject {
					r.Fatalf("%s may call %s, and the row does not say so", subject, row.ID)
				}
				for _, a := range []string{"spy", "whisper", "barge", "intercept"} {
					can := slices.Contains(row.Can, a)
					if can != slices.Contains(ofCalls, a) || can != o.evaluate(subject, a, employee(row.ID), true).Allowed {
						r.Fatalf("%s %s %s: the row says %v, of the calls %q", subject, a, row.ID, can, ofCalls)
					}
					if can && !slices.Contains(b.Me.Actions, a) {
						r.Fatalf("%s may %s %s, and is told to be able to %q", subject, a, row.ID, b.Me.Actions)
					}
				}
			}
		}
	})
	if filled < 50 || empty < 50 || shown < 50 || called < 50 {
		t.Fatal(fmt.Sprint(filled, empty, shown, called), " rows with buttons, with none, calls that are shown, and rows of whom one may call: too few to say anything")
	}
}
