package gate

import (
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// Applied is called by the feed, under its lock and in order, after each event: the grounds of what runs are looked at first, then the
// watchers are told, so that nobody is shown a state on which the gate has not acted yet.
func (g *Gate) Applied(t *call.Table, ev *call.Event, changes []call.Change) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch ev.Kind {
	case call.LinkLost:
		g.lost()
		return
	case call.Resynced:
		g.resynced(t)
		return
	}
	if !g.known || len(changes) == 0 {
		return
	}
	for _, a := range g.acts {
		if a.concerns(t, changes) {
			g.reconsider(t, a)
		}
	}
	set := g.policy.Load()
	rows := g.affected(t, set, changes)
	for _, ref := range rows {
		g.refresh(t, set, ref, ev.At)
	}
	for w := range g.watchers {
		for _, ref := range rows {
			g.show(w, set, ref)
		}
	}
}

// resynced takes a table that has been built anew from the PBX: everything is decided again and shown afresh.
func (g *Gate) resynced(t *call.Table) {
	g.known = true
	g.rebuild(t)
	for _, a := range g.acts {
		g.reconsider(t, a)
	}
	g.orphans(t)
	g.resnap()
}

// lost takes note that the PBX is out of reach: nothing is known from now on, and nothing is decided until a resync.
func (g *Gate) lost() {
	if !g.known {
		return
	}
	g.known = false
	for w := range g.watchers {
		g.send(w, Message{Type: MessageUnknown})
	}
}

// orphans finds own legs of an Earshot before this one, which nobody answers for, and has them hung up.
func (g *Gate) orphans(t *call.Table) {
	var left []call.LegID
	for _, l := range t.All(nil) {
		if own(l.ID()) && g.byLeg[l.ID()] == nil {
			left = append(left, l.ID())
		}
	}
	if len(left) == 0 || g.closed {
		return
	}
	g.running.Add(1)
	go func() {
		defer g.running.Done()
		g.drop("", left...)
		g.log.Info().Int("legs", len(left)).Msg("hung up the legs that an earlier Earshot left behind")
	}()
}

// after runs f under the lock once d has passed, unless the gate has closed.
func (g *Gate) after(d time.Duration, f func(t *call.Table)) *time.Timer {
	return time.AfterFunc(d, func() {
		g.locked(func(t *call.Table) {
			if !g.closed {
				f(t)
			}
		})
	})
}
