package gate

import (
	"slices"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/policy"
)

// What is in here asks the second policy what the one in force has just answered. It is called after that, under the same lock where there
// is one, and changes nothing but the scratch and what is kept for it alone.

// beside is the second policy; nil when there is none.
func (g *Gate) beside() *policy.Set {
	if g.cfg.Shadow == nil {
		return nil
	}
	return g.cfg.Shadow.policy.Load()
}

// SetShadow puts another second policy beside the one in force, or none. What runs and what is on the board is compared anew. Without a
// Shadow in the Config it does nothing.
func (g *Gate) SetShadow(set *policy.Set) {
	if g.cfg.Shadow == nil {
		return
	}
	g.locked(func(t *call.Table) {
		g.cfg.Shadow.policy.Store(set)
		live := g.policy.Load()
		for id, p := range g.parts {
			if l := t.Leg(id); l != nil {
				p.reread(set, l)
			}
		}
		for _, e := range g.board {
			for i := range e.legs {
				f := &e.legs[i]
				if l := t.Leg(f.leg); l != nil {
					g.scratch.legs = t.Call(g.scratch.legs[:0], l)
					g.scratch.peers = t.Peers(g.scratch.peers[:0], l)
					g.reread(live, e, l, f)
				}
			}
			g.stage(e)
		}
		for _, a := range g.acts {
			if !a.ended && a.leg != "" {
				g.renewed(t, live, a, g.weigh(t, live, a).Decision)
			}
		}
	})
}

// comparison is what both policies said of an act when it was last decided.
type comparison struct {
	live, shadow *policy.Set
	now, then    policy.Reason
}

// secondBegin compares the decision of a request. Where the policy in force was asked about the call, or would not let it come to that but
// the second would, the second is asked about the call too; else only about subject and target.
func (g *Gate) secondBegin(t *call.Table, live *policy.Set, a *act, ask Ask, fits fit, d policy.Decision) {
	shadow := g.beside()
	if shadow == nil || a.target == "" { // nobody of the policy, or nothing was decided
		return
	}
	subject, _ := live.Employee(a.employee)
	target, _ := live.Employee(a.target)
	if a.leg == "" {
		r := shadow.ForeignRequest(live, &policy.Request{Subject: subject, Action: a.action, Target: target, Responsible: subject, ReasonGiven: a.given != ""})
		then := shadow.Decide(&r)
		if d.Allowed || !then.Allowed || g.ownPhone(shadow, r.Subject, a, ask.Phone) != nil || !g.aim(t, live, subject, target, a, ask, fits) {
			g.contrast(live, shadow, a, a.action, d, then, false)
			return
		}
	}
	g.second(t, live, a, a.action, d)
}

// secondOffer is secondBegin for an offer. One that is another's, is over or never was is compared by what the subject may do with any of his.
func (g *Gate) secondOffer(t *call.Table, live *policy.Set, a *act, ask Ask, d policy.Decision) {
	shadow := g.beside()
	if shadow == nil || d.Reason == policy.ReasonNoPolicy { // nothing was decided
		return
	}
	subject, _ := live.Employee(a.employee)
	switch {
	case a.target != "": // it rings
		o := g.offerOf(subject, ask.Call)
		ask.Call = o.shown.Call
		g.secondBegin(t, live, a, ask, rings, d)
		return
	case a.leg == "":
		r := shadow.ForeignRequest(live, &policy.Request{Subject: subject, Action: a.action, Unrung: true, Responsible: subject})
		then, o := shadow.Decide(&r), g.offerOf(subject, ask.Call)
		if d.Allowed || !then.Allowed || g.ownPhone(shadow, r.Subject, a, ask.Phone) != nil || o == nil || len(o.at) > 0 || t.Leg(o.caller) == nil {
			g.contrast(live, shadow, a, a.action, d, then, false)
			return
		}
		a.waits, a.leg = true, o.caller
	}
	g.second(t, live, a, a.action, d)
}

// aim finds the leg that a refused request would have been about.
func (g *Gate) aim(t *call.Table, live *policy.Set, subject, target policy.Ref, a *act, ask Ask, fits fit) bool {
	f, p := g.pick(live, subject, a, g.board[target], ask.Call, fits)
	if p != nil || t.Leg(f.leg) == nil {
		return false
	}
	a.leg = f.leg
	return true
}

// second compares a decision about an act and its call.
func (g *Gate) second(t *call.Table, live *policy.Set, a *act, action policy.Action, d policy.Decision) {
	if shadow := g.beside(); shadow != nil {
		v := g.weigh(t, shadow, a)
		a.compared = comparison{live, shadow, d.Reason, v.Reason}
		g.contrast(live, shadow, a, action, d, v.Decision, false)
	}
}

// renewed compares a renewed decision about an act that runs, if one of the two is another than it was.
func (g *Gate) renewed(t *call.Table, live *policy.Set, a *act, d policy.Decision) {
	shadow := g.beside()
	if shadow == nil {
		return
	}
	v := g.weigh(t, shadow, a)
	is := comparison{live, shadow, d.Reason, v.Reason}
	if a.compared == is || v.unsure { // the directory is being asked
		return
	}
	a.compared = is
	g.contrast(live, shadow, a, a.action, d, v.Decision, true)
}

// contrast counts two answers about an act, and has it told when they differ.
func (g *Gate) contrast(live, shadow *policy.Set, a *act, action policy.Action, now, then policy.Decision, running bool) {
	g.cfg.Shadow.compare(pair{
		id: a.id, subject: a.employee, target: a.target, action: action, running: running,
		live: live, shadow: shadow, now: now, then: then,
	})
}

// secondDial compares the decision of a call that somebody wants made. The number is read by the second policy too; the directory is not
// asked again, nor about a number about which it was not.
func (g *Gate) secondDial(live *policy.Set, a *act, ask DialAsk, to Destination, d policy.Decision) {
	shadow := g.beside()
	if shadow == nil {
		return
	}
	p := pair{id: a.id, subject: a.employee, action: policy.Dial, destination: to.kind(d), live: live, shadow: shadow, now: d}
	p.target = live.ID(to.Employee)
	subject, number, problem := g.whom(shadow, a, ask)
	switch {
	case problem == nil:
		_, p.then = g.decideNow(shadow, subject, number, func(number string) (clients.Client, clients.Answer) {
			if number == to.asked {
				return to.found, to.client
			}
			return clients.Client{}, clients.Stranger
		})
	case subject.IsZero():
		p.then.Reason = policy.ReasonUnknownSubject
	default:
		p.then.Reason = policy.ReasonUnknownTarget
	}
	g.cfg.Shadow.compare(p)
}

// second is what the second policy makes of an employee's leg.
type second struct {
	reading
	theirs bool // the phone is the same employee's by it
}

// reread works out what the second policy makes of a leg; scratch has its call and its peers.
func (g *Gate) reread(live *policy.Set, e *entry, l *call.Leg, f *legFacts) {
	shadow := g.beside()
	if shadow == nil {
		f.second = nil
		return
	}
	if f.second == nil {
		f.second = &second{}
	}
	s := f.second
	s.company.reset()
	s.rung, s.responsible = s.rung[:0], policy.Ref{}
	ref, ok := shadow.Phone(l.Endpoint())
	s.theirs = ok && ref == shadow.Foreign(live, e.ref)
	for _, o := range g.scratch.legs {
		s.company.join(&g.part(live, o).second)
	}
	if l.Phase() != call.PhaseRinging {
		return
	}
	s.rung = g.rung(s.rung, shadow, g.scratch.legs)
	if o := g.foremost(g.scratch.peers); o != nil {
		if outside := g.outside(shadow, o); outside != "" {
			s.responsible = g.responsible(shadow, outside)
		}
	}
}

// reread works out who is on a leg by the second policy.
func (p *part) reread(shadow *policy.Set, l *call.Leg) {
	p.second.reset()
	if shadow != nil {
		p.second.add(shadow, l, p.seen.supervises)
	}
}

// same reports whether everybody's sight of a leg must be what it was by the second policy.
func (s *second) same(was *second) bool {
	if s == nil || was == nil {
		return s == was
	}
	return s.theirs == was.theirs && s.reading.same(&was.reading)
}

// stage has Run compare what the watchers are shown of a row, which has changed.
func (g *Gate) stage(e *entry) {
	e.scene = nil
	if len(g.watchers) > 0 {
		if sc := g.scene(e); sc != nil {
			// Cut short, the list is one that nobody changes: who comes is put behind it, and who goes is taken out of a copy.
			g.cfg.Shadow.push(task{scenes: []*scene{sc}, watchers: g.watchers[:len(g.watchers):len(g.watchers)]})
		}
	}
}

// secondBoard has Run compare what somebody is shown who has come to look at the board.
func (g *Gate) secondBoard(s auth.Subject) {
	if g.beside() == nil {
		return
	}
	t := task{subject: s.Employee()}
	for _, e := range g.board {
		if sc := g.scene(e); sc != nil {
			t.scenes = append(t.scenes, sc)
		}
	}
	if len(t.scenes) > 0 {
		g.cfg.Shadow.push(t)
	}
}

// scene is the row as it is now; nil when nothing is to be seen there, or there is no second policy.
func (g *Gate) scene(e *entry) *scene {
	shadow := g.beside()
	if e.scene != nil || len(e.legs) == 0 || shadow == nil {
		return e.scene
	}
	sc := &scene{live: g.policy.Load(), shadow: shadow, target: e.ref, legs: make([]sceneLeg, 0, len(e.legs))}
	for i := range e.legs {
		if f := &e.legs[i]; f.second != nil {
			sc.legs = append(sc.legs, sceneLeg{f.clone(), second{f.second.clone(), f.second.theirs}})
		}
	}
	e.scene = sc
	return sc
}

// clone is the reading in memory of its own.
func (r *reading) clone() reading {
	c := *r
	c.company.present, c.company.claimed, c.rung = slices.Clone(r.company.present), slices.Clone(r.company.claimed), slices.Clone(r.rung)
	return c
}
