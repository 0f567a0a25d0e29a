package gate

import (
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/journal"
)

// Minutes takes down in the journal who supervises which call; journal.Scribe is the real one. It is called under the gate's lock, so it must not wait,
// nor call the gate but for what takes no lock: Policy, and Supervises.
type Minutes interface {
	// Supervised takes in that a supervision of the call of a leg has begun or, with an id that runs, what has changed of it.
	Supervised(target call.LegID, s journal.Supervision) bool
	SupervisionEnded(id string, at time.Time)
}

// Supervises reports whether a leg is there for a supervision of this Earshot's or of the one before: by who runs it, and not by an id that whoever
// originates a call may choose. A foreign leg is somebody unknown, who bars.
//
// It takes no lock, as the scribe asks it under its own, which the gate takes under its. It may be called by whoever is told by the feed's OnApply, behind
// Applied: nobody else is inside the feed's lock then, and what it reads is changed there alone.
func (g *Gate) Supervises(id call.LegID) bool { return g.supervises(id) }

// minute takes down that a supervision runs, once and whenever its mode changes or its target has come to know of it. Caller holds the lock.
func (g *Gate) minute(a *act, told bool) {
	if g.cfg.Minutes == nil {
		return
	}
	s := journal.Supervision{ID: a.id, By: a.employee, Target: a.target, Mode: a.action.String(), Began: a.told.since, Told: told}
	if s != a.minuted && g.cfg.Minutes.Supervised(a.leg, s) {
		a.minuted = s
	}
}

// minuteEnd takes down that one is over, and whether its target has come to know of it by then. Caller holds the lock.
func (g *Gate) minuteEnd(a *act, told bool) {
	if g.cfg.Minutes == nil || !a.supervision || a.told.since.IsZero() {
		return
	}
	g.minute(a, told)
	g.cfg.Minutes.SupervisionEnded(a.id, time.Now())
}

// only is the one id of a list; empty if there is not one.
func only(ids []string) string {
	if len(ids) != 1 {
		return ""
	}
	return ids[0]
}
