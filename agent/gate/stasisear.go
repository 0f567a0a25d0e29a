package gate

import (
	"context"
	"slices"

	"github.com/earshot-pbx/earshot/agent/call"
)

// What the bridges' operations leave to a snoop. All are called with the Stasis's turn, and without the gate's lock.

// addSnooped is Add where who comes, or who is there, is a snoop. Nobody of who comes is in the bridge yet, and they are there, answered, and each named once.
// Where a supervision does not come to run, nobody comes into the bridge.
func (st *Stasis) addSnooped(ctx context.Context, b *stasisBridge, who []stasisMember) error {
	for {
		var s, before *stasisSnoop
		var p *Problem
		refused, none := false, false
		st.gate.locked(func(t *call.Table) {
			var l *stasisLeg
			if none = b.snooped() == nil && !slices.ContainsFunc(who, func(m stasisMember) bool { return m.snoop != nil }); none {
				return
			}
			if s, l, p = b.pair(who); p != nil {
				return
			}
			if l != nil && l.act != nil { // it leaves that supervision's bridge
				before = l.act.steered
				return
			}
			p = st.join(t, b, s, l)
			refused = p == nil && s.act.ended
		})
		switch {
		case none: // it has ended meanwhile
			return st.add(ctx, b, who)
		case p != nil:
			return p
		case before != nil:
			if err := st.endSnoop(ctx, before); err != nil {
				return err
			}
		case refused:
			<-s.act.done
			return s.act.deaf()
		default:
			return st.awaitRuns(ctx, s)
		}
	}
}

// pair is the snoop and the leg that a bridge has when those have come; nil: none. Caller holds the gate's lock.
func (b *stasisBridge) pair(who []stasisMember) (s *stasisSnoop, l *stasisLeg, p *Problem) {
	for _, m := range slices.Concat(b.channels, who) {
		switch {
		case m.snoop != nil && s == nil:
			s = m.snoop
		case m.leg != nil && l == nil:
			l = m.leg
		default:
			return nil, nil, snoopAlone()
		}
	}
	return s, l, nil
}

// join puts a snoop that waits into a bridge, and with a leg gives it that for its ear. The decision is made once more then, under the same lock, and may have
// ended the act. Caller holds the gate's lock.
func (st *Stasis) join(t *call.Table, b *stasisBridge, s *stasisSnoop, l *stasisLeg) *Problem {
	g := st.gate
	a := s.act
	switch {
	case a.ended:
		return noSuchChannel()
	case s.leg != nil:
		return alreadySupervising()
	case l == nil:
		st.put(stasisMember{snoop: s}, b)
		return nil
	case t.Leg(l.id) == nil, l.strayed(t): // in an ordinary call it would end whatever others do there
		return noSuchChannel()
	}
	for _, o := range g.acts {
		if o != a && o.employee == a.employee && o.phone != "" && samePhone(o.phone, l.phone) {
			return alreadySupervising()
		}
	}
	delete(g.byLeg, a.own)
	a.own, a.phone, a.hungUp, g.byLeg[l.id] = l.id, l.phone, false, a
	s.leg, s.into = l, b
	st.lend(l, a)
	a.enteredOnce.Do(func() { close(a.entered) })
	if g.reconsider(t, a); a.ended {
		return nil
	}
	close(s.lent)
	g.relook(t, []call.LegID{l.id})
	return nil
}

// awaitRuns waits until a supervision that has a leg runs; who does not wait so long does not want it any more.
func (st *Stasis) awaitRuns(ctx context.Context, s *stasisSnoop) error {
	waits := false
	st.gate.locked(func(*call.Table) { waits = s.act.waitsForEar() })
	if waits {
		return nil
	}
	select {
	case <-s.runs:
		return nil
	case <-s.act.done:
		return s.act.deaf()
	case <-ctx.Done():
		_ = st.endSnoop(context.WithoutCancel(ctx), s)
		return ctx.Err()
	}
}

// deaf is what is told of a supervision that has ended and did not come to run. It may be asked once done is closed.
func (a *act) deaf() error {
	switch e := &a.end; {
	case e.reason == reasonCredential:
		return credentialEnded()
	case e.revoked && e.set != nil:
		return a.steered.st.gate.refusal(e.set, e.ground, a.id)
	case e.reason == reasonUnknown:
		return stateUnknown()
	case e.reason == reasonCallEnded:
		return callMoved(a.id)
	case e.err != nil:
		return undone(a.id, e.err)
	default:
		return &Problem{Kind: Conflict, Code: e.reason, Text: "The supervision has ended: it, its channel or the call was hung up.", ID: a.id}
	}
}

// removeSnooped is Remove where one of who goes is a snoop, or a leg that one has. All are in the bridge.
func (st *Stasis) removeSnooped(ctx context.Context, b *stasisBridge, who []stasisMember) error {
	var s *stasisSnoop
	st.gate.locked(func(*call.Table) {
		if s = b.snooped(); s != nil && s.act.waitsForEar() {
			s = nil // it goes on waiting
		}
	})
	if s != nil {
		if err := st.endSnoop(ctx, s); err != nil {
			return err
		}
	}
	st.gate.locked(func(*call.Table) {
		for _, m := range who {
			if m.in() == b {
				st.put(m, nil)
			}
		}
	})
	return nil
}

// endSnoop ends a supervision because its client wants that, and returns when it is over, which has been told then. Its leg is where it was.
func (st *Stasis) endSnoop(ctx context.Context, s *stasisSnoop) error {
	st.gate.finish(s.act, ending{reason: reasonBySupervisor})
	select {
	case <-s.act.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func snoopAlone() *Problem {
	return &Problem{Kind: Conflict, Code: "supervision_alone", Text: "A supervision has its bridge to itself: one snoop and one of your channels."}
}
