package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/policy"
)

// somePanels is the sample with panels.
func somePanels(t *testing.T) *policy.Set {
	t.Helper()
	set, warnings, err := policy.Load("panel.yaml", read(t, "../testdata/policies/good/panel.yaml"), day)
	if err != nil || len(warnings) != 0 {
		t.Fatal(err, warnings)
	}
	return set
}

func TestAPanelIsNobodysColleague(t *testing.T) {
	set := somePanels(t)
	var ids []string
	for ref := range set.Employees() {
		ids = append(ids, set.ID(ref))
		if set.Panel(ref) {
			t.Errorf("%s is a panel", set.ID(ref))
		}
	}
	if want := []string{"anna", "boris"}; !slices.Equal(ids, want) || set.Len() != len(want) {
		t.Errorf("the employees are %v, %d of them", ids, set.Len())
	}
	wall, ok := set.Employee("wall")
	if !ok || !set.Panel(wall) || set.Name(wall) != "The screen in the hall" {
		t.Errorf("the panel is not found: %v", ok)
	}
	if set.Panel(policy.Ref{}) || (*policy.Set)(nil).Panel(wall) {
		t.Error("nobody is a panel")
	}
}

// The matrix has no row of a panel unless one asks for it, and no column; in all else it says what Decide says, of panels too.
func TestTheMatrixHasPanelsOnlyWhereTheyAreNamed(t *testing.T) {
	set := somePanels(t)
	wall, _ := set.Employee("wall")
	desk, _ := set.Employee("desk")
	for row := range set.Matrix(policy.Filter{}) {
		if set.Panel(row.Subject) || row.Mark(wall) != policy.MarkNo || row.Mark(desk) != policy.MarkNo {
			t.Errorf("a panel is in the row of %s, %s", set.ID(row.Subject), row.Action)
		}
		if text := row.Text(policy.MarkYes); strings.Contains(text, "wall") || strings.Contains(text, "(4)") {
			t.Errorf("the row of %s, %s is told as %q", set.ID(row.Subject), row.Action, text)
		}
	}
	rows := 0
	for row := range set.Matrix(policy.Filter{Subjects: []policy.Ref{wall, desk}}) {
		if m := row.Action.Matter(); m != policy.MatterCall && m != policy.MatterPast {
			continue
		}
		for _, id := range []string{"anna", "boris", "wall", "desk"} {
			target, _ := set.Employee(id)
			d := set.Decide(&policy.Request{Subject: row.Subject, Action: row.Action, Target: target})
			if d.Allowed != (row.Mark(target) == policy.MarkYes) {
				t.Errorf("%s, %s, %s: Decide says %v, the matrix %v", set.ID(row.Subject), row.Action, id, d.Allowed, row.Mark(target))
			}
		}
		rows++
	}
	if rows < 3 {
		t.Errorf("the panels have %d rows", rows)
	}
}

func TestADifferenceTellsWhatAPanelMayDo(t *testing.T) {
	before := somePanels(t)
	text := strings.Replace(string(read(t, "../testdata/policies/good/panel.yaml")), "observe: {to: any, except: [boris]}", "observe: [boris]", 1)
	after, _, err := policy.Load("panel.yaml", []byte(text), day)
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for p := range policy.Compare(before, after, day).People() {
		if p.ID != "wall" || len(p.Changes) == 0 {
			t.Errorf("of %s is told %v", p.ID, p.Changes)
		}
		told++
	}
	if told != 1 {
		t.Errorf("%d have changed", told)
	}
}
