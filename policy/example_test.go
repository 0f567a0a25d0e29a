package policy_test

import (
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/policy"
)

const example = `version: 1
departments:
  sales: {name: Sales, head: irina}
groups:
  board: [director]
employees:
  anna:
    name: Anna Petrova
    phones: [PJSIP/101]
    numbers: ["101"]
    department: sales
    observe: true
    listen: {to: any, allow: [spy, whisper], except: [group:board]}
    intercept: true
  irina:    {name: Irina, phones: [PJSIP/110], numbers: ["110"], department: sales}
  director: {name: Director, phones: [PJSIP/200], numbers: ["200"]}
roles:
  head: {observe: department, listen: department}
assign:
  - {role: head, to: [heads]}
protected: {employees: [group:board]}
trunks: [PJSIP/trunk]
`

func ExampleLoad() {
	set, warnings, err := policy.Load("policy.yaml", []byte(example), time.Now())
	if err != nil || len(warnings) > 0 {
		fmt.Println(warnings, err)
		return
	}
	irina, _ := set.Phone("PJSIP/110") // the endpoint of the leg that asks proves who asks
	anna, _ := set.Employee("anna")
	director, _ := set.Employee("director")

	d := set.Decide(&policy.Request{Subject: irina, Action: policy.Spy, Target: anna})
	fmt.Println(d.Allowed, d.Reason, set.Rule(d.Rule))

	// The same call, once the director is on it: what counts is who would be heard.
	d = set.Decide(&policy.Request{Subject: irina, Action: policy.Spy, Target: anna, With: []policy.Ref{director}})
	fmt.Println(d.Allowed, d.Reason, d.Pairwise)
	// Output:
	// true allowed policy.yaml:18:31: roles.head.listen
	// false protected_other false
}

func ExampleSet_Explain() {
	set, _, err := policy.Load("policy.yaml", []byte(example), time.Now())
	if err != nil {
		fmt.Println(err)
		return
	}
	anna, _ := set.Employee("anna")
	irina, _ := set.Employee("irina")
	director, _ := set.Employee("director")
	fmt.Println(set.Explain(policy.Request{Subject: anna, Action: policy.Spy, Target: irina, With: []policy.Ref{director}}))
	fmt.Println(set.Explain(policy.Request{Subject: irina, Action: policy.Observe, Target: anna}))
	// Output:
	// deny protected_other policy.yaml:21:13: protected.employees
	//   refuses policy.yaml:21:13: protected.employees: director is protected
	//   refuses policy.yaml:13:46: employees.anna.listen.except: excepts director
	//   grants  policy.yaml:13:5: employees.anna.listen: grants spy on any: irina is in it
	// To allow it, all of this:
	//   take director out of policy.yaml:13:46: employees.anna.listen.except (there through group:board)
	//   take director out of policy.yaml:21:13: protected.employees (there through group:board)
	// allow allowed policy.yaml:18:10: roles.head.observe
	//   grants  policy.yaml:18:10: roles.head.observe: grants observe on department: anna is in it, by policy.yaml:20:5: assign[1]
	// To refuse it:
	//   take policy.yaml:18:10: roles.head.observe away, for everybody with the role head
	//     or write employees.irina.observe: {to: none, except: [anna]}, which bars whatever grants there are
}

func ExampleSet_DecideDial() {
	const policyYAML = `version: 1
employees:
  anna:  {name: Anna, numbers: ["101"]}
  irina: {name: Irina, numbers: ["110"]}
roles:
  manager: {dial: {clients: own, employees: true, except: {numbers: ["+7 900*"]}}}
assign:
  - {role: manager, to: [everyone]}
emergency: ["112"]
`
	set, _, err := policy.Load("policy.yaml", []byte(policyYAML), time.Now())
	if err != nil {
		fmt.Println(err)
		return
	}
	anna, _ := set.Employee("anna")
	irina, _ := set.Employee("irina")
	to := set.Destination("+7 916 123-45-67")
	ask := func() {
		d := set.DecideDial(anna, &to)
		fmt.Printf("%v %s (%s)\n", d.Allowed, d.Reason, set.Rule(d.Rule))
	}
	ask()
	to.Client, to.Responsible = true, irina // as the directory says
	ask()
	to.Access = []policy.Ref{anna}
	ask()
	to = set.Destination("110")
	ask()
	to = set.Destination("112")
	ask()
	// Output:
	// false not_client ()
	// false no_right ()
	// true allowed (policy.yaml:6:20: roles.manager.dial)
	// true allowed (policy.yaml:6:34: roles.manager.dial)
	// true emergency (policy.yaml:9:13: emergency)
}

func ExampleCompile() {
	// A policy may be split over files; every mistake in each of them is told at once.
	people, _ := policy.Parse("people.yaml", []byte("version: 1\nemployees:\n  anna: {phones: [PJSIP/101], numbers: [101]}\n"))
	roles, _ := policy.Parse("roles.yaml", []byte("version: 1\nroles:\n  head: {obsreve: true}\nassign:\n  - {role: head, to: [ana]}\n"))
	_, _, err := policy.Compile(time.Now(), people, roles)
	fmt.Println(err)
	// Output:
	// people.yaml:3:41: employees.anna.numbers: a number must be in quotes (as in "101")
	// roles.yaml:3:10: roles.head: unknown key "obsreve" (did you mean "observe"?)
	// roles.yaml:5:23: assign.to: there is no employee "ana" (did you mean "anna"?)
}
