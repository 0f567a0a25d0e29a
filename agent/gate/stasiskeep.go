package gate

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// keep renews the lease of a Stasis's legs until it has to end, and takes it apart then. The rules are those of a supervision's: nothing is renewed while the
// state is not known, and what fails is tried again. It is the Stasis's goroutine.
func (st *Stasis) keep() {
	g := st.gate
	defer close(st.done)
	every, again := g.cfg.Lease/3, g.cfg.Lease/30
	timer := time.NewTimer(every)
	defer timer.Stop()
	for {
		select {
		case <-st.ctx.Done():
			st.takeApart()
			return
		case <-st.settles:
			st.settle()
			continue
		case <-st.renews:
		case <-timer.C:
		}
		if st.renew() {
			timer.Reset(every)
		} else {
			timer.Reset(again)
		}
	}
}

// renew renews the lease of all legs that are up, and reports whether that has been done for each. One whose lease is over though it was tried again and
// again is gone.
func (st *Stasis) renew() bool {
	g := st.gate
	var legs []*stasisLeg
	known := false
	g.locked(func(*call.Table) {
		known = g.known
		if !g.holds(st.subject) {
			st.end()
		}
		for _, l := range st.legs {
			if l.rung && l.up {
				legs = append(legs, l)
			}
		}
	})
	ctx, cancel := context.WithTimeout(st.ctx, g.cfg.Lease/3)
	defer cancel()
	asked, errs := time.Now(), make([]error, len(legs))
	var each sync.WaitGroup
	for i, l := range legs { // side by side: one over which the PBX is slow must not cost the others their lease
		if known {
			each.Go(func() { errs[i] = g.cfg.PBX.Renew(ctx, g.cfg.Lease, l.id) })
		}
	}
	each.Wait()
	all := true
	for i, l := range legs {
		err := errs[i]
		renewed := known && err == nil
		g.locked(func(*call.Table) {
			switch {
			case l.gone:
			case renewed:
				l.until = asked.Add(g.cfg.Lease)
			case st.ended:
			case asked.Before(l.until):
				all = false
			default:
				st.forget(l)
				g.clear("", l.id)
			}
		})
		if err != nil && st.ctx.Err() == nil {
			g.log.Warn().Err(err).Msg("the lease of a leg that a client steers was not renewed")
		}
	}
	return all
}

// settle puts legs back into the bridges where their client has them: such as a supervision has had for its ear.
func (st *Stasis) settle() {
	g := st.gate
	select {
	case st.turn <- struct{}{}:
		defer func() { <-st.turn }()
	case <-st.ctx.Done():
		return
	}
	type back struct {
		l *stasisLeg
		b *stasisBridge
	}
	var all []back
	g.locked(func(t *call.Table) {
		for _, l := range st.legs {
			if o := t.Leg(l.id); g.known && o != nil && l.idle() && l.bridge != nil && o.Bridge() != l.bridge.room && !l.enters() {
				l.moves = append(l.moves, stasisMove{l.bridge.room, true})
				all = append(all, back{l, l.bridge})
			}
		}
	})
	for _, x := range all {
		ctx, cancel := st.order(st.ctx)
		err := g.cfg.PBX.Enter(ctx, pbx.Enter{Bridge: x.b.room, Legs: []call.LegID{x.l.id}})
		cancel()
		if err == nil {
			continue
		}
		g.locked(func(t *call.Table) { g.correct(t, []*stasisLeg{x.l}) })
		if st.ctx.Err() == nil {
			g.log.Warn().Err(err).Msg("a leg that a client steers was not put back into its bridge")
		}
	}
}

// takeApart hangs up what there is, and tells it. What does not go now dies with its lease.
func (st *Stasis) takeApart() {
	g := st.gate
	st.orders.Wait()
	var acts []*act
	g.locked(func(*call.Table) {
		for _, s := range st.snoops {
			acts = append(acts, s.act)
		}
	})
	for _, a := range acts {
		<-a.done
	}
	var legs []call.LegID
	var rooms []call.BridgeID
	g.locked(func(*call.Table) {
		legs = ids(st.legs)
		for _, b := range st.bridges {
			rooms = append(rooms, b.room)
		}
	})
	if len(legs) > 0 {
		g.drop("", legs...)
	}
	for _, room := range rooms {
		g.drop(room)
	}
	g.locked(func(*call.Table) {
		for _, l := range slices.Clone(st.legs) {
			st.forget(l)
		}
		for _, b := range slices.Clone(st.bridges) {
			st.raze(b)
		}
		g.stasis.open = slices.DeleteFunc(g.stasis.open, func(o *Stasis) bool { return o == st })
		st.news.close()
	})
	<-st.news.silent
}
