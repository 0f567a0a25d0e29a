package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/policy"
)

// told is what an explanation says of the other answer, without files and places.
func told(x policy.Explanation) string {
	var all []string
	for _, n := range x.Needs {
		ways := []string{n.Text}
		for i, w := range n.Ways {
			if i == 0 {
				ways = nil
			}
			ways = append(ways, w.String())
		}
		all = append(all, strings.Join(ways, " | "))
	}
	return strings.Join(all, "\n")
}

func TestAnExplanationTellsTheMomentAtWhichItHoldsAgain(t *testing.T) {
	set := load(t, `
version: 1
timezone: UTC
times:
  morning: {hours: "08:00-10:00"}
  early:   {hours: "09:00-10:00"}
  sunday:  {days: sun}
  late:    {hours: "20:00-21:00"}
employees:
  anna:  {listen: {to: [boris], during: morning}}
  boris: {}
  carl:  {grade: {to: any, during: late}, journal: {to: any, during: morning}}
  dora:  {grade: {to: any, during: late}, journal: true}
  emil:  {dial: {numbers: ["200"], during: morning}}
  fred:  {}
  gina:  {dial: {numbers: ["200"], during: sunday}}
roles:
  head:   {listen: {to: any, during: early}, dial: {employees: [boris], during: early}}
  shy:    {listen: {to: none, except: [boris]}, dial: {to: none, except: {numbers: ["200"]}}}
  asking: {listen: {to: none, reason: [boris]}}
assign:
  - {role: head, to: [fred], during: sunday}
  - {role: shy, to: [anna, emil], during: early}
  - {role: asking, to: [fred], from: 2026-06-01, until: 2026-06-10}
`)
	// It is Monday, noon.
	for _, c := range []struct{ subject, action, want string }{
		{"anna", "spy", "wait: it holds again from 2026-06-02 08:00 UTC"},
		{"dora", "grade", "wait: it holds again from 2026-06-01 20:00 UTC"},
		{"fred", "spy", "give a reason | take boris out of policy.yaml:20:31: roles.asking.listen.reason, for everybody with the role asking"},
		{"fred", "spy", "\nwait: it holds again from 2026-06-07 09:00 UTC"},
		{"carl", "grade", "\nwrite roles.carl-grade: {grade: [boris]}; and assign {role: carl-grade, to: [carl]}"}, // at no moment he has both
	} {
		if got := told(set.Explain(request(t, set, []string{c.subject, c.action, "boris"}))); !strings.Contains(got, c.want) || c.subject == "carl" && strings.Contains(got, "wait") {
			t.Errorf("%s %s: %s\nwant %s", c.subject, c.action, got, c.want)
		}
	}
	for subject, want := range map[string]string{
		"emil": "wait: it holds again from 2026-06-02 08:00 UTC", "gina": "wait: it holds again from 2026-06-07 00:00 UTC",
	} {
		if got := told(set.ExplainDial(employee(t, set, subject), set.Destination("200"))); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", subject, got)
		}
	}
}

func TestAMomentAtWhichMoreStandsAgainstItIsNotTold(t *testing.T) {
	set := load(t, `
version: 1
timezone: UTC
times:
  morning: {hours: "08:00-10:00"}
  long:    {hours: "07:00-11:00"}
employees:
  anna:  {listen: {to: [boris], during: morning}, dial: {numbers: ["200"], during: morning}}
  boris: {}
  carl:  {listen: {to: [boris], during: morning}}
roles:
  shy:    {listen: {to: none, except: [boris]}, dial: {to: none, except: {numbers: ["200"]}}}
  asking: {listen: {to: none, reason: [boris]}}
assign:
  - {role: shy, to: [anna], during: long}
  - {role: asking, to: [carl], during: long}
`)
	for _, subject := range []string{"anna", "carl"} {
		if got := told(set.Explain(request(t, set, []string{subject, "spy", "boris"}))); strings.Contains(got, "wait") || got == "" {
			t.Errorf("%s: %s", subject, got)
		}
	}
	if got := told(set.ExplainDial(employee(t, set, "anna"), set.Destination("200"))); strings.Contains(got, "wait") || got == "" {
		t.Errorf("dial: %s", got)
	}
}

func TestTheWayThatGivesTheLeastComesFirst(t *testing.T) {
	set := load(t, `
version: 1
departments: {sales: {head: anna}, support: {}}
employees:
  anna:  {department: sales, listen: {to: department, allow: [spy]}}
  boris: {department: support}
  carl:  {department: sales}
roles:
  chief: {all: true}
  tutor: {whisper: [boris]}
  boss:  {listen: true}
assign:
  - {role: chief, to: [carl]}
`)
	x := set.Explain(request(t, set, []string{"anna", "whisper", "boris"}))
	want := "write employees.anna.whisper: [boris]" +
		" | assign {role: tutor, to: [anna]}, for policy.yaml:10:11: roles.tutor.whisper" +
		" | assign {role: boss, to: [anna]}, for policy.yaml:11:11: roles.boss.listen" +
		" | assign {role: chief, to: [anna]}, for policy.yaml:9:11: roles.chief.all"
	if got := told(x); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// The mode that is missing can be allowed where the grant reaches already.
	x = set.Explain(request(t, set, []string{"anna", "whisper", "carl"}))
	if got := told(x); !strings.Contains(got, "let policy.yaml:5:30: employees.anna.listen allow whisper too") {
		t.Error(got)
	}
}

func TestWhatNoPolicyChangesIsTold(t *testing.T) {
	set := load(t, "version: 1\nemployees:\n  anna: {lock: true, spy: true}\n  boris: {}\nemergency: [\"112\"]\n")
	anna, boris := employee(t, set, "anna"), employee(t, set, "boris")
	for name, x := range map[string]policy.Explanation{
		"nobody does this to himself":       set.Explain(policy.Request{Subject: anna, Action: policy.Spy, Target: anna}),
		"cannot supervise it":               set.Explain(policy.Request{Subject: anna, Action: policy.Spy, Target: boris, Party: true}),
		"somebody on the call is no":        set.Explain(policy.Request{Subject: anna, Action: policy.Spy, Target: boris, With: []policy.Ref{{}}}),
		"the target is no employee":         set.Explain(policy.Request{Subject: anna, Action: policy.Spy}),
		"the subject is no employee":        set.Explain(policy.Request{Action: policy.Spy, Target: boris}),
		"nobody does this for somebody":     set.Explain(policy.Request{Subject: anna, Action: policy.Lock, Target: boris}),
		"who is on a call sees it":          set.Explain(policy.Request{Subject: boris, Action: policy.Observe, Target: boris}),
		"stands under emergency, at policy": set.ExplainDial(boris, set.Destination("112")),
		"the number cannot be judged":       set.ExplainDial(boris, set.Destination("89161112233")),
		"named whole by a policy":           set.ExplainDial(boris, set.Destination("98*")),
		"there is no policy":                (*policy.Set)(nil).Explain(policy.Request{}),
	} {
		if len(x.Needs) != 1 || len(x.Needs[0].Ways) != 0 || !strings.Contains(x.Needs[0].Text, name) {
			t.Errorf("%s: %+v", name, x.Needs)
		}
	}
}

// Somebody may be protected in several files, and an exception may reach him in several ways; all of it must go.
func TestEveryListAndEveryWayIntoItIsTold(t *testing.T) {
	parse := func(name, text string) *policy.File {
		f, err := policy.Parse(name, []byte("version: 1\n"+text))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	set, _, err := policy.Compile(day,
		parse("a", "departments: {sales: {}}\ngroups: {board: [boris]}\nemployees:\n  anna: {spy: {except: [subtree:sales, group:board, boris]}}\n  boris: {department: sales}\n"),
		parse("b", "protected: {employees: [boris]}\n"),
		parse("c", "protected: {employees: [department:sales]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	x := set.Explain(request(t, set, []string{"anna", "spy", "boris"}))
	want := "take boris out of a:5:16: employees.anna.spy.except (there through department:sales, group:board, boris; a department may stand there as a subtree)\n" +
		"take boris out of b:2:13: protected.employees\n" +
		"take boris out of c:2:13: protected.employees (there through department:sales; a department may stand there as a subtree)"
	if got := told(x); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	e := x.Needs[0].Ways[0].Edits[0]
	if got := fmt.Sprint(e.Kind, e.Path, e.Names, e.Through); got != "take_out [employees anna spy except] [boris] [department:sales group:board boris]" {
		t.Error(got)
	}
}

// What is told of the number may name somebody whom the policy does not know it of.
func TestAnExceptionOfWhoseNumberItIsToldToBe(t *testing.T) {
	set := load(t, "version: 1\nemployees:\n  anna: {dial: {except: {employees: [boris]}}}\n  boris: {numbers: [\"102\"]}\n")
	to := set.Destination("+4930123456")
	to.Employee = employee(t, set, "boris")
	const want = "take boris out of policy.yaml:3:26: employees.anna.dial.except"
	if got := told(set.ExplainDial(employee(t, set, "anna"), to)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
