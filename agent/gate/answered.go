package gate

import (
	"context"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// answer is what becomes of a phone that is rung for its owner to call somebody.
type answer struct {
	up   bool          // it was answered; good once told is closed
	told chan struct{} // closed when that is known
}

// Answered waits until the phone is answered that was rung for what the subject has begun under this id (of a Supervision, an Intercept or a Dialled), and
// reports whether it was. An intercept counts as answered when the call is the taker's. Of what is not his, or over, it is false. The error is ctx's.
func (g *Gate) Answered(ctx context.Context, s auth.Subject, id string) (bool, error) {
	var a *act
	var rung *answer
	g.locked(func(*call.Table) {
		if a = g.acts[id]; a != nil && a.employee != s.Employee() {
			a = nil
		}
		if c, ok := g.clicked[ownLeg(id, policy.Dial.String())]; ok && c.act.employee == s.Employee() {
			rung = c.answer
		}
	})
	switch {
	case rung != nil:
		select {
		case <-rung.told:
			return rung.up, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	case a != nil:
		select {
		case <-a.entered:
		case <-a.taken:
		case <-a.done:
		case <-ctx.Done():
			return false, ctx.Err()
		}
		return a.answered() || a.isTaken(), nil
	}
	return g.answeredAfar(ctx, s, id)
}

// resyncClicks notes what a table that has been built anew says of them: one that is not there when events were lost has gone. Caller holds the lock.
func (g *Gate) resyncClicks(t *call.Table, lost bool) {
	for id, c := range g.clicked {
		l := t.Leg(id)
		if up := l != nil && l.State() == call.StateUp; !closed(c.answer.told) && (up || l == nil && lost) {
			c.answer.up = up
			close(c.answer.told)
		}
	}
}

// followClicks notes what has become of phones that are rung to call somebody. Caller holds the lock.
func (g *Gate) followClicks(t *call.Table, changes []call.Change) {
	if len(g.clicked) == 0 {
		return
	}
	for i := range changes {
		c, ok := g.clicked[changes[i].Leg]
		if !ok || closed(c.answer.told) {
			continue
		}
		l := t.Leg(changes[i].Leg)
		if up := l != nil && l.State() == call.StateUp; up || changes[i].Kind == call.LegGone {
			c.answer.up = up
			close(c.answer.told)
		}
	}
}
