package gate

import (
	"context"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
)

// What runs on a PBX that is out of reach, and the locks there, are on no list, since nobody knows whether they are still there. They are remembered for as
// long as they may go on by the word of this sidecar: who asks to change or end one is told that it is out of reach, and not that there is no such thing.

// loseAct remembers an act that is out of sight. Caller holds the lock.
func (g *Gate) loseAct(id string, was *farAct) {
	a := &farAct{pbx: was.pbx, over: true, lost: true, form: *was.form.end(true), next: make(chan struct{})}
	g.cross.acts[id] = a
	g.inStale(func() {
		if g.cross.acts[id] == a {
			delete(g.cross.acts, id)
		}
	})
}

// loseLock remembers a lock that is out of sight. Caller holds the lock.
func (g *Gate) loseLock(id string, was *farLock) {
	k := &farLock{pbx: was.pbx, lost: true, form: was.form}
	g.cross.locks[id] = k
	g.inStale(func() {
		if g.cross.locks[id] == k {
			delete(g.cross.locks, id)
		}
	})
}

// inStale runs f under the lock once nothing goes on any more by the word of this sidecar beside a PBX that is out of its reach.
func (g *Gate) inStale(f func()) {
	time.AfterFunc(g.cfg.VouchStale, func() { g.locked(func(*call.Table) { f() }) })
}

// sendEnd is send of what ends an act. Of one that is out of reach it is sent when that is back, if it still runs then, and is told so: nobody is to be
// heard on because he who hears could not say that he is done.
func sendEnd[V any](ctx context.Context, g *Gate, s auth.Subject, pbx, op, id string, ask any) (V, error) {
	waits := false
	g.locked(func(*call.Table) {
		if a := g.cross.acts[id]; a != nil && a.lost && !g.closed && g.holds(s) {
			waits = true
			a.wish = func() { _, _ = send[V](g.ctx, g, s, pbx, op, ask) } // who has asked has his answer, and sees what becomes of it
		}
	})
	if waits {
		var none V
		return none, endsLater()
	}
	return send[V](ctx, g, s, pbx, op, ask)
}

// regain carries out what was wished of an act while it was out of reach. Caller holds the lock.
func (g *Gate) regain(was *farAct) {
	if was.wish == nil || g.closed {
		return
	}
	g.running.Add(1)
	go func() {
		defer g.running.Done()
		was.wish()
	}()
}

func endsLater() *Problem {
	return &Problem{Kind: Unavailable, Code: reasonUnreachablePBX, Text: "The Earshot beside the other PBX is out of reach. If it is back within some minutes and this still runs there, it is ended then; until then it may go on."}
}
