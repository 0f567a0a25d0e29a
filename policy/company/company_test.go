package company_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/company"
)

// moscow is a Monday in office hours, when most grants of the company hold.
var moscow = time.Date(2026, 6, 1, 12, 0, 0, 0, time.FixedZone("MSK", 3*3600))

func load(t testing.TB, data []byte) (*policy.Set, policy.Problems) {
	t.Helper()
	set, warnings, err := policy.Load("company.yaml", data, moscow)
	if err != nil {
		t.Fatal(err)
	}
	return set, warnings
}

func TestTheSameSizeAndSeedMakeTheSameCompany(t *testing.T) {
	one := company.New(500, 7).YAML()
	if !bytes.Equal(one, company.New(500, 7).YAML()) {
		t.Error("two companies of one size and seed differ")
	}
	if bytes.Equal(one, company.New(500, 8).YAML()) {
		t.Error("another seed makes the same company")
	}
}

func TestACompanyOfAnySizeIsAPolicy(t *testing.T) {
	for _, n := range []int{-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 50, 300, 1500} {
		c := company.New(n, 3)
		set, warnings := load(t, c.YAML())
		if want := max(n, 1); set.Len() != want || len(c.Employees) != want {
			t.Errorf("%d: %d employees in the policy and %d in the company", n, set.Len(), len(c.Employees))
		}
		// A small company has no use for some of its roles, and in a large one somebody has a right twice.
		warnings = slices.DeleteFunc(warnings, func(w policy.Problem) bool { return strings.Contains(w.Error(), "already") })
		if n >= 1000 && len(warnings) > 0 {
			t.Errorf("%d: %v", n, warnings)
		}
	}
}

func TestTheCompanyIsThreeDeepWithHeads(t *testing.T) {
	c := company.New(1500, 3)
	set, _ := load(t, c.YAML())
	levels := [3]int{}
	parents := map[string]string{}
	for d := range set.Departments() {
		parents[d.ID] = d.Parent
		if d.Head.IsZero() || set.DepartmentOf(d.Head).ID != d.ID {
			t.Errorf("%s has no head, or one from elsewhere", d.ID)
		}
	}
	for id := range parents {
		level := 0
		for up := parents[id]; up != ""; up = parents[up] {
			level++
		}
		levels[level]++
	}
	if levels[0] < 5 || levels[1] < 4*levels[0] || levels[2] < 4*levels[1] {
		t.Errorf("%v divisions, departments and teams", levels)
	}
	for _, l := range c.Lines {
		ref, ok := set.Line(l.ID)
		members := 0
		for e := range set.Employees() {
			if set.Works(e, ref) {
				members++
			}
		}
		if !ok || members < 40 {
			t.Errorf("the line %s has %d members", l.ID, members)
		}
	}
	if len(c.Lines) < 5 {
		t.Errorf("%d lines", len(c.Lines))
	}
}

// Each action is allowed to somebody, so that a large company measures the whole language.
func TestSomebodyMayDoEachAction(t *testing.T) {
	c := company.New(1500, 3)
	set, _ := load(t, c.YAML())
	questions := ask(c, set, 100_000)
	for r := range set.Employees() {
		for _, a := range policy.Actions() {
			if a.Matter() == policy.MatterNothing {
				questions = append(questions, policy.Request{Subject: r, Action: a})
			}
		}
	}
	night := set.At(moscow.Add(12 * time.Hour))
	allowed, refused := map[policy.Action]int{}, map[policy.Reason]int{}
	for i := range questions {
		for _, s := range []*policy.Set{set, night} {
			if d := s.Decide(&questions[i]); d.Allowed {
				allowed[questions[i].Action]++
			} else {
				refused[d.Reason]++
			}
		}
	}
	for _, a := range policy.Actions() {
		if a != policy.Dial && allowed[a] == 0 {
			t.Errorf("nobody may %s", a)
		}
	}
	for _, reason := range []policy.Reason{
		policy.ReasonNoRight, policy.ReasonExcluded, policy.ReasonExcludedOther, policy.ReasonProtected, policy.ReasonNotNow,
		policy.ReasonRequired,
	} {
		if refused[reason] == 0 {
			t.Errorf("nothing is refused for %s", reason)
		}
	}
	dials := 0
	for r := range set.Employees() {
		if set.DecideDial(r, &policy.Destination{Number: "+79161234567", Client: true, Responsible: r}).Allowed {
			dials++
		}
	}
	if dials < set.Len()/10 || dials > set.Len()*9/10 {
		t.Errorf("%d may call their clients", dials)
	}
}
