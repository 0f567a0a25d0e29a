package gate

import (
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// endWitnessed records that an Earshot before this one saw the end of nothing that its watchdog had witnessed and has no end on record. What goes on is witnessed anew, under an id
// of its own. Caller holds the lock.
func (g *Gate) endWitnessed() {
	left := g.cfg.Estate.Witnessed
	if g.closed || len(left) == 0 {
		return
	}
	g.cfg.Estate.Witnessed = nil
	set := g.policy.Load()
	g.running.Add(1)
	go func() {
		defer g.running.Done()
		for _, e := range left {
			e.Phase, e.Outcome, e.Rule, e.Reason, e.Generation = audit.Ended, "", audit.Rule{}, reasonRestarted, set.Generation()
			e.Happened = time.Time{} // it may have been late
			if e.Detail == didEnded || e.Detail == didHandedBack {
				e.Phase = audit.Revoked
			}
			g.witnessed(&e, g.fact(e))
		}
	}()
}
