package gate

import (
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// Me is who the subject is to Earshot.
type Me struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Department string   `json:"department,omitempty"`
	Phones     []string `json:"phones" nullable:"false" doc:"His own phones, the first being the one rung when none is named"`
	Actions    []string `json:"actions" nullable:"false" doc:"What he may do to at least one colleague, dial if he may call anybody at all, and lock if he may lock his own calls, so a panel need not draw the other buttons"`
}

// Me tells the subject who he is.
func (g *Gate) Me(s auth.Subject) (Me, error) {
	set := g.policy.Load()
	ref, ok := set.Employee(s.Employee())
	if !ok {
		return Me{}, refusedSubject()
	}
	return g.me(set, ref), nil
}

func (g *Gate) me(set *policy.Set, ref policy.Ref) Me {
	m := Me{ID: set.ID(ref), Name: set.Name(ref), Department: set.DepartmentOf(ref).ID, Phones: append([]string{}, set.Phones(ref)...), Actions: []string{}}
	for _, action := range abilities {
		if action == policy.Dial || action == policy.Lock {
			if action == policy.Dial && set.Dials(ref) || action == policy.Lock && mayLock(set, ref).Allowed {
				m.Actions = append(m.Actions, action.String())
			}
			continue
		}
		for target := range set.Employees() {
			if target == ref {
				continue
			}
			if r := utmost(ref, target, action, true); set.Decide(&r).Allowed {
				m.Actions = append(m.Actions, action.String())
				break
			}
		}
	}
	return m
}

// Employees is the board as the subject may see it now.
func (g *Gate) Employees(s auth.Subject) (Board, error) {
	var p *picture
	err := error(nil)
	g.locked(func(*call.Table) {
		set := g.policy.Load()
		me, ok := set.Employee(s.Employee())
		if !ok {
			err = refusedSubject()
			return
		}
		p = g.view(set, me, nil)
		g.secondBoard(s)
	})
	if err != nil {
		return Board{}, err
	}
	r := reader{gate: g, tag: g.secret.tag(tagSubject, s.Employee())}
	return r.board(p), nil
}
