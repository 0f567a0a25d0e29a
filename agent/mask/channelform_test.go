package mask_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/agent/mask"
)

func TestAChannelOfSomebodyOutsideStandsForTheColleagueOnTheOtherSide(t *testing.T) {
	list := func(all ...mask.Channel) []mask.Channel { return all }
	trunk := mask.Channel{ID: "t", Linked: "t", Endpoint: "PJSIP/trunk", Out: true}
	in := func(bridge string, c mask.Channel) mask.Channel { c.Bridge = bridge; return c }
	rung := func(by string, c mask.Channel) mask.Channel { c.DialledBy = by; return c }
	leg := func(id, employee, linked string) mask.Channel {
		return mask.Channel{ID: id, Linked: linked, Employee: employee, Endpoint: "PJSIP/" + employee}
	}
	for name, c := range map[string]struct {
		all  []mask.Channel
		want string // whose
	}{
		"one talks to him":                   {list(in("b", trunk), in("b", leg("1", "anna", "t")), leg("2", "boris", "x")), "anna"},
		"one talks, another only belongs":    {list(in("b", trunk), in("b", leg("1", "anna", "t")), leg("2", "boris", "t")), "anna"},
		"one talks, and one is elsewhere":    {list(in("b", trunk), in("b", leg("1", "anna", "t")), in("c", leg("2", "boris", "t"))), "anna"},
		"two in a conference with him":       {list(in("b", trunk), in("b", leg("1", "anna", "t")), in("b", leg("2", "boris", "t"))), ""},
		"two of one colleague's":             {list(in("b", trunk), in("b", leg("1", "anna", "t")), in("b", leg("2", "anna", "t"))), ""},
		"he rings one":                       {list(trunk, rung("t", leg("1", "anna", "t"))), "anna"},
		"he rings two":                       {list(trunk, rung("t", leg("1", "anna", "t")), rung("t", leg("2", "boris", "t"))), ""},
		"he is rung":                         {list(rung("1", mask.Channel{ID: "t", Linked: "1"}), leg("1", "anna", "1"), leg("2", "boris", "1")), "anna"},
		"he belongs to one's call":           {list(trunk, leg("1", "anna", "t"), leg("2", "boris", "2")), "anna"},
		"nobody is with him":                 {list(trunk, leg("2", "boris", "2")), ""},
		"the bridge of a call that is alone": {list(in("b", trunk), in("c", leg("1", "anna", "1"))), ""},
	} {
		got := mask.EmployeesLeg(c.all, &c.all[0])
		if (got != nil) != (c.want != "") || got != nil && got.Employee != c.want {
			t.Errorf("%s: it stands for %+v, not %q's", name, got, c.want)
		}
	}
	own := list(leg("1", "anna", "1"))
	if got := mask.EmployeesLeg(own, &own[0]); got != &own[0] {
		t.Error("a colleague's own does not stand for itself")
	}
}
