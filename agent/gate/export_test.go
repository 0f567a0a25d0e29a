package gate

import (
	"context"
	"slices"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// Naive is what a subject is to be shown of every employee, worked out in the plainest way: from the table and not from the board, each sight and
// each button decided by itself, each row written for him alone. Only since when an employee is idle is the board's to know.
func (g *Gate) Naive(subject string) (rows []mask.Row) {
	g.locked(func(t *call.Table) {
		set := g.policy.Load()
		me, ok := set.Employee(subject)
		if !ok {
			return
		}
		for ref := range set.Employees() {
			r := mask.Row{ID: set.ID(ref), Name: set.Name(ref), Department: set.DepartmentOf(ref).ID, DepartmentName: set.DepartmentOf(ref).Name, Calls: []mask.View{}, Can: []string{}}
			var can, without [4]bool
			for _, phone := range set.Phones(ref) {
				for _, l := range t.LegsOf(nil, phone) {
					if l.Phase() == call.PhaseNone || !g.known {
						continue
					}
					var f legFacts
					g.plainly(t, set, ref, l, &f)
					s := g.sight(set, me, ref, &f)
					r.Calls = append(r.Calls, mask.Of(&f.facts, s, g.handle(subject, r.ID, f.leg, s)))
					g.naively(set, me, ref, &f, s, true, &can)
					g.naively(set, me, ref, &f, s, false, &without)
				}
			}
			for i, name := range [...]string{"spy", "whisper", "barge", "intercept"} {
				r.ReasonRequired = r.ReasonRequired || i < 3 && can[i] && !without[i]
				if can[i] {
					r.Can = append(r.Can, name)
				}
			}
			if number, p := numberOf(set, r.ID); p == nil && me != ref && g.known {
				if _, d := g.DecideDial(context.Background(), set, me, number); d.Allowed {
					r.Can = append(r.Can, "dial")
				}
			}
			r.Sum(g.board[ref].idleSince)
			rows = append(rows, r)
		}
	})
	return rows
}

func (g *Gate) naively(set *policy.Set, me, ref policy.Ref, f *legFacts, s mask.Sight, reason bool, can *[4]bool) {
	if me == ref || slices.Contains(f.company.present, me) {
		return
	}
	for i, action := range [...]policy.Action{policy.Spy, policy.Whisper, policy.Barge, policy.Intercept} {
		r := policy.Request{Subject: me, Target: ref, Action: action, ReasonGiven: reason}
		up := f.facts.Phase == call.PhaseTalking || f.facts.Phase == call.PhaseHeld
		switch {
		case action != policy.Intercept && up:
			if s.Peer() {
				r.With, r.ProtectedNumber, r.UnknownPhone = f.company.everyone(nil), f.company.protected, f.company.unknown
				r.Locked = f.locked
			}
		case action == policy.Intercept && f.facts.Phase == call.PhaseRinging && f.facts.Direction == call.In:
			if s.Peer() {
				r.With, r.Responsible = f.rung, f.responsible
			}
		default:
			continue
		}
		can[i] = can[i] || set.Decide(&r).Allowed
	}
}

// plainly is gather without anything that is kept from before.
func (g *Gate) plainly(t *call.Table, set *policy.Set, owner policy.Ref, l *call.Leg, f *legFacts) {
	f.leg, f.facts = l.ID(), mask.Facts{Direction: direction(l), Phase: l.Phase(), Since: l.Since()}
	if a := g.byLeg[l.ID()]; a != nil && a.supervision {
		f.facts.Supervision = a.id
	}
	legs := t.Call(nil, l)
	for _, o := range legs {
		f.company.add(set, o, g.supervises(o.ID()))
	}
	f.alone = f.company.only(owner)
	for _, a := range g.acts {
		if slices.Contains(a.told.panel, set.ID(owner)) && slices.Contains(a.earshot, l.ID()) {
			f.facts.Supervised = true
		}
	}
	for _, k := range g.locks {
		for _, o := range legs {
			if _, lies := k.legs[o.ID()]; lies && k.begun {
				f.locked = true
				if _, lies := k.legs[l.ID()]; lies && k.employee == set.ID(owner) {
					f.facts.Locked = true
				}
			}
		}
	}
	var outside call.Number
	if o := g.foremost(t.Peers(nil, l)); o != nil {
		f.facts.Peer, outside, _ = g.introduce(set, o)
		f.facts.Kind = kind(set, o, legs)
	}
	if l.Phase() == call.PhaseRinging {
		f.rung = g.rung(nil, set, legs)
		if outside != "" {
			f.responsible = g.responsible(set, outside)
		}
	}
}

// Ending reports whether an act has to end, or has ended.
func (g *Gate) Ending(id string) (ending bool) {
	g.locked(func(*call.Table) { a := g.acts[id]; ending = a == nil || a.ended })
	return ending
}

// LockedLegs are the locker's own legs of an employee's locks.
func (g *Gate) LockedLegs(employee string) (legs []call.LegID) {
	g.locked(func(*call.Table) {
		for _, k := range g.locks {
			if k.employee == employee {
				legs = append(legs, k.leg)
			}
		}
	})
	return legs
}

// Parts is of how many legs something is kept.
func (g *Gate) Parts() (n int) {
	g.locked(func(*call.Table) { n = len(g.parts) })
	return n
}

// Compared is a number in the form in which numbers are compared.
func Compared(number, region string) string {
	g := Gate{cfg: Config{Dialling: Dialling{Numbering: clients.Numbering{Region: region}}}}
	return g.compared(number)
}

// RecordingFile is the file to which a recording's handle leads; empty if to none.
func (g *Gate) RecordingFile(ctx context.Context, s auth.Subject, handle string) string {
	r, p := g.reader(s)
	if p != nil {
		return ""
	}
	_, rec, err := r.recording(ctx, handle)
	if err != nil {
		return ""
	}
	return rec.File
}

// Lingering is how many legs are kept on stage for a moment for the watchers of channels.
func (g *Gate) Lingering() (n int) {
	g.locked(func(*call.Table) {
		if g.chart != nil {
			for _, st := range g.chart.legs {
				n += int(truth(!st.left.IsZero()))
			}
		}
	})
	return n
}

// Relaxing reports whether it is still to come that those are told to be gone who are kept on stage.
func (g *Gate) Relaxing() (is bool) {
	g.locked(func(*call.Table) { is = g.chart != nil && g.chart.last != nil })
	return is
}

// Fact has something recorded that has happened.
func (g *Gate) Fact(e audit.Entry) error { return g.fact(e) }

// EndForwards looks at everything that was forwarded from here, at once.
func (g *Gate) EndForwards(ctx context.Context) error { return g.endForwards(ctx) }

// CaughtUp reports whether ARI has shown for a call that was taken, and is to be handed back, that who took it talks to who called.
func (g *Gate) CaughtUp() (is bool) {
	g.locked(func(*call.Table) {
		is = slices.ContainsFunc(g.dog.open, func(x *trespass) bool { return x.verdict == didHandedBack && closed(x.together) })
	})
	return is
}

// Watched is how much the watchdog knows of legs.
func (g *Gate) Watched() (n int) {
	g.locked(func(*call.Table) {
		d := &g.dog
		n = len(d.placed) + len(d.steps) + len(d.rings) + len(d.returned) + len(d.fetched) + len(d.takes)
	})
	return n
}
