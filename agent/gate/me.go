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
	PBX        string   `json:"pbx,omitempty" doc:"With several PBXs, the one on which his phones are; absent where they are on any"`
	Actions    []string `json:"actions" nullable:"false" doc:"What he may do to at least one colleague, dial if he may call anybody at all, lock if he may lock his own calls, and settings.permissions if he may look at and change the policy, so a panel need not draw the other buttons"`
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
	if pbx := set.PBX(ref); pbx != "" && g.cfg.Cluster != nil { // he has them wherever he looks from
		m.PBX, m.Phones = pbx, append([]string{}, set.PhonesOn(ref, pbx)...)
	}
	for _, action := range abilities {
		if able(set, ref, action) {
			m.Actions = append(m.Actions, action.String())
		}
	}
	return m
}

// able reports whether the subject may do an action at all: to at least one colleague, where it is done to one.
func able(set *policy.Set, ref policy.Ref, action policy.Action) bool {
	switch {
	case action == policy.Dial:
		return set.Dials(ref)
	case action == policy.Lock:
		return mayLock(set, ref).Allowed
	case action == policy.SettingsPermissions:
		return set.Decide(&policy.Request{Subject: ref, Action: action}).Allowed
	}
	for target := range set.Employees() {
		if target == ref {
			continue
		}
		if r := utmost(ref, target, action, true); set.Decide(&r).Allowed {
			return true
		}
	}
	return false
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
