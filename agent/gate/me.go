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
	Actions    []string `json:"actions" nullable:"false" doc:"What he may do to at least one colleague, dial if he may call anybody at all, lock if he may lock his own calls, and settings.permissions if he may look at and change the policy, so a panel need not draw the other buttons. Without a phone of his own there is nothing that would ring one"`
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
	m := Me{ID: set.ID(ref), Name: set.Name(ref), Department: set.DepartmentOf(ref).ID, Phones: append([]string{}, g.phones(set, ref)...), Actions: []string{}}
	if g.cfg.Cluster != nil {
		m.PBX = set.PBX(ref)
	}
	for _, action := range abilities {
		if (len(m.Phones) > 0 || !needsPhone(action)) && able(set, ref, action) {
			m.Actions = append(m.Actions, action.String())
		}
	}
	return m
}

// phones are an employee's own, wherever he looks from.
func (g *Gate) phones(set *policy.Set, ref policy.Ref) []string {
	if pbx := set.PBX(ref); pbx != "" && g.cfg.Cluster != nil {
		return set.PhonesOn(ref, pbx)
	}
	return set.Phones(ref)
}

// needsPhone reports whether an action is done by a phone of one's own, so that there is nothing in it for who has none. A call of one's own, to be locked,
// is on one too.
func needsPhone(action policy.Action) bool {
	return deedOf(action) != 0 || action == policy.Dial || action == policy.LineJoin || action == policy.Lock
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
