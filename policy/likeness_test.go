package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/earshot-pbx/earshot/policy"
)

// What is told is the same, to the rule, whether everything is compared or only what may differ.
func TestWhatIsNotComparedDoesNotDiffer(t *testing.T) {
	spared, told := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		oldText, newText := pairOf(t)
		d := policy.Compare(mustLoad(t, oldText), mustLoad(t, newText), anyMoment(t))
		got, want := slices.Collect(d.People()), d.Everything()
		if a, b := tellPeople(got), tellPeople(want); a != b {
			t.Fatalf("told\n%s\nand of everything\n%s\n%s\n--\n%s", a, b, oldText, newText)
		}
		told += len(got)
		if all := len(d.Joined) + len(d.Left); all == 0 && d.Work() < len(policy.Actions()) {
			spared++
		}
	})
	if spared < 10 || told < 100 {
		t.Errorf("work was spared %d times, and %d people told", spared, told)
	}
}

// tellPeople tells every change of everybody in full.
func tellPeople(all []policy.Person) string {
	var b strings.Builder
	for _, p := range all {
		for _, c := range p.Changes {
			fmt.Fprintln(&b, p.ID, p.Name, p.Joined, p.Left, c.Kind, c.Action, c.From, c.To, c.Since, c.Lines, c.Text(), slices.Collect(c.Targets()), c.Was, c.Is)
		}
	}
	return b.String()
}

// The work of a comparison is bounded by what has changed, whatever the size of the company and however many moments there are.
func TestTheWorkOfADifferenceIsWhatHasChanged(t *testing.T) {
	const n = 5000
	text := bigCompany(n) + "timezone: UTC\ntimes: {night: {hours: \"22:00-06:00\"}}\n"
	text = strings.Replace(text, "assign:\n", "assign:\n  - {role: head, to: [everyone], during: night}\n", 1)
	before := mustLoad(t, text)
	for _, c := range []struct {
		name, old, new string
		least, most    int
	}{
		{"nothing", "statistics: own", "statistics: own", 0, 0},
		{"a role of everybody", "statistics: own", "statistics: department", n, 2 * n}, // by day and by night
		{"an assignment to one more", "to: [department:department3]", "to: [department:department3, employee1]", 1, 100},
	} {
		changed := strings.Replace(text, c.old, c.new, 1)
		if !strings.Contains(text, c.old) {
			t.Fatalf("%s: the company has no %q", c.name, c.old)
		}
		d := policy.Compare(before, mustLoad(t, changed), day)
		if got := d.Work(); got < c.least || got > c.most {
			t.Errorf("%s: %d actions were compared, want %d to %d", c.name, got, c.least, c.most)
		}
	}
}
