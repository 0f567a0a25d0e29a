package gate

import (
	"cmp"
	"context"
	"slices"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// Where something runs that is asked about, and where a telephone is.

// actsOf lists an employee's acts that run, here and on other PBXs, oldest first. Caller holds the lock.
func (g *Gate) actsOf(employee string) (acts []*actForm) {
	for _, a := range g.acts {
		if a.begun && a.employee == employee && a.mode == modeNone {
			acts = append(acts, a.form())
		}
	}
	for _, a := range g.cross.acts {
		if a.form.Employee == employee && !a.over {
			acts = append(acts, &a.form)
		}
	}
	slices.SortFunc(acts, func(a, b *actForm) int { return cmp.Or(cmp.Compare(a.Asked, b.Asked), cmp.Compare(a.id(), b.id())) })
	return acts
}

// farActOf is an act of the subject's own that runs on another PBX; nil: there is none of this id. Caller holds the lock.
func (g *Gate) farActOf(s auth.Subject, id string) *actForm {
	if a := g.cross.acts[id]; a != nil && !a.over && a.form.Employee == s.Employee() {
		return &a.form
	}
	return nil
}

// answeredAfar is Answered of a supervision or an intercept on another PBX.
func (g *Gate) answeredAfar(ctx context.Context, s auth.Subject, id string) (bool, error) {
	for {
		var a *farAct
		g.locked(func(*call.Table) {
			if a = g.cross.acts[id]; a != nil && a.form.Employee != s.Employee() {
				a = nil
			}
		})
		switch {
		case a == nil:
			return false, nil
		case a.form.Supervision != nil && a.form.Supervision.State == stateActive, a.form.Intercept != nil && a.form.Intercept.State == stateTaken:
			return true, nil
		case a.over || a.form.Recording != nil:
			return false, nil
		}
		select {
		case <-a.next:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// supervisesAfar is the PBX on which a supervision of the subject's runs or, while that is out of reach, ran, if it is another and his request may go there; empty otherwise.
func (g *Gate) supervisesAfar(s auth.Subject, id string) (pbx string) {
	if !g.crosses(s) {
		return ""
	}
	g.locked(func(*call.Table) {
		if a := g.cross.acts[id]; a != nil && (!a.over || a.lost) && a.form.Supervision != nil && a.form.Employee == s.Employee() {
			pbx = a.pbx
		}
	})
	return pbx
}

// locksAfar is supervisesAfar of a lock.
func (g *Gate) locksAfar(s auth.Subject, id string) (pbx string) {
	if !g.crosses(s) {
		return ""
	}
	g.locked(func(*call.Table) {
		if k := g.cross.locks[id]; k != nil && k.form.Employee == s.Employee() {
			pbx = k.pbx
		}
	})
	return pbx
}

// tapeAfar is where a recording runs that is meant, if that is on another PBX and the subject may record that colleague's calls at all: whoever else knows the
// id learns nothing by it.
func (g *Gate) tapeAfar(s auth.Subject, ask RecordAsk) (to *afar) {
	if !g.crosses(s) {
		return nil
	}
	g.locked(func(*call.Table) {
		set, target := g.policy.Load(), ask.Target
		a := g.cross.acts[ask.ID]
		if a != nil && a.form.Recording != nil {
			target = a.form.Recording.Target
		}
		subject, known := set.Employee(s.Employee())
		of, ok := set.Employee(target)
		if !known || !ok || !g.known || !set.Decide(&policy.Request{Subject: subject, Action: policy.Record, Target: of}).Allowed {
			return
		}
		if ask.ID != "" {
			if a != nil && (!a.over || a.lost) && a.form.Recording != nil {
				to = &afar{pbx: a.pbx}
			}
			return
		}
		f, _ := g.pick(set, subject, &act{employee: s.Employee(), target: target, tape: &tape{}}, g.board[of], ask.Call, tapeable)
		if home := g.homeOf(set, of); f == nil && home != "" && g.others[home] == nil {
			to = &afar{pbx: home} // as is said to who asks for that
		}
		if f != nil && f.pbx != "" {
			to = &afar{pbx: f.pbx, target: target, call: g.handle(s.Employee(), target, f.leg, g.sight(set, subject, of, f))}
		}
	})
	return to
}

// dialsAfar is the PBX on which the subject's phones are, of which there is none here; empty where he is to be answered here.
func (g *Gate) dialsAfar(s auth.Subject, ask DialAsk) (pbx string) {
	set := g.policy.Load()
	subject, ok := set.Employee(s.Employee())
	if !ok || ask.Leg != "" || !g.crosses(s) || len(set.Phones(subject)) > 0 {
		return ""
	}
	if home := g.homeOf(set, subject); len(set.PhonesOn(subject, home)) > 0 {
		return home
	}
	return ""
}

// setAfar is the PBX that keeps what an employee sets for his telephones, if that is another and the subject may change it; empty where he is to be
// answered here.
func (g *Gate) setAfar(s auth.Subject, employee string) (pbx string) {
	set := g.policy.Load()
	subject, known := set.Employee(s.Employee())
	target, ok := set.Employee(employee)
	if !known || !ok || !g.crosses(s) || !set.Decide(&policy.Request{Subject: subject, Action: policy.SettingsUser, Target: target}).Allowed {
		return ""
	}
	return g.homeOf(set, target)
}
