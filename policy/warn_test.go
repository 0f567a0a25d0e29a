package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/policy"
)

// What is wrong in the same way in a whole company is told twenty times and then counted.
func TestWarningsOfOneKindAreCountedAfterAWhile(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 1\ntrunks: [PJSIP/trunk]\nemployees:\n  one: {phones: [PJSIP/1]}\n")
	for i := range 50 {
		fmt.Fprintf(&b, "  e%d: {spy: [one]}\n", i)
	}
	_, warnings, err := policy.Load("p", []byte(b.String()), day)
	if err != nil || len(warnings) != 21 {
		t.Fatalf("%d warnings, %v", len(warnings), err)
	}
	if got, want := warnings[20].String(), "p:54:3: 30 more of this kind: supervisors without a phone"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A misspelt name makes much look idle: of that nothing is said until it is right.
func TestAPolicyWithMistakesIsNotWarnedOfAsAWhole(t *testing.T) {
	const text = "version: 1\ngroups: {board: [%s]}\nemployees:\n  anna: {}\n"
	_, warnings, err := policy.Load("p", fmt.Appendf(nil, text, "anna"), day)
	if err != nil || len(warnings) != 1 {
		t.Fatalf("%v %v", warnings, err)
	}
	if _, warnings, err = policy.Load("p", fmt.Appendf(nil, text, "ana"), day); err == nil || len(warnings) != 0 {
		t.Fatalf("%v %v", warnings, err)
	}
}

// Numbers and groups are judged over all files together.
func TestWarningsLookAtAllFiles(t *testing.T) {
	people, _ := policy.Parse("people.yaml", []byte("version: 1\ngroups: {board: [anna]}\nemployees:\n  anna: {phones: [PJSIP/1], spy: true}\n  boris: {}\n"))
	rules, _ := policy.Parse("rules.yaml", []byte("version: 1\nroles: {loud: {listen: true}}\nassign:\n  - {role: loud, to: [group:board]}\n"))
	_, warnings, err := policy.Compile(day, people, rules)
	if got, want := lines(warnings), "people.yaml:4:29: employees.anna.spy: all of this is granted by rules.yaml:2:16: roles.loud.listen already (leave it out, or narrow the other)"; err != nil || len(got) != 1 || warnings[0].String() != want {
		t.Errorf("%v %v", got, err)
	}
}
