// Package decisiontest holds a policy to what its administrators expect of it: tests written in YAML beside the policy, each of which says
// who may do what to whom, or may not.
//
//	version: 1
//	policy: [policy.yaml]           # files and folders, relative to this file; left out: sales.yaml for sales.test.yaml
//	at: 2026-06-01T12:00:00+03:00   # the clock of all tests
//	tests:
//	  - name: a head listens to her people
//	    who: irina
//	    may: [spy, whisper]
//	    to: [anna, boris]
//	  - who: [irina, anna]
//	    may_not: spy
//	    to: director
//	    because: protected
//	    by: protected.employees
//	  - who: anna
//	    may: dial
//	    to: "+7 916 111-22-33"
//	    client_of: anna
//
// Every combination of the lists under who, may or may_not, to and line is one decision. With names the others who would be within earshot, or
// who were on the call; client_of, client and access tell of the client on the other side; party, locked, unknown_phone, protected_number
// and reason are facts of [policy.Request]. At sets the clock for one test. Because is the code of a [policy.Reason], and by the text of
// the [policy.Rule] on which the decision rests; what is left out may be any.
//
// The one invariant: a test that cannot fail is a mistake. A name that the policy does not have, a key that means nothing for the action, a
// file without tests: each is reported with its place, all at once, and nothing is decided then. The clock is that of the file, so no test
// depends on the day on which it is run.
package decisiontest
