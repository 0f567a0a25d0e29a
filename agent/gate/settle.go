package gate

import (
	"context"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// settleTime bounds how long a change of settings may take once it is decided.
const settleTime = 10 * time.Second

// weighing is what is decided about a change of settings.
type weighing struct {
	d    policy.Decision
	p    *Problem // why it is refused
	keys []string // what is to be changed, by names of ours, for the record
}

// settle decides a change of settings, writes it down, carries it out and writes down what came of it. It is done at once, and nothing of it runs
// on. What has been written down is carried out, though ctx may have ended meanwhile.
func (g *Gate) settle(ctx context.Context, a *act, weigh func(set *policy.Set, subject policy.Ref) weighing, do func(context.Context) error) error {
	defer a.stop()
	if err := ctx.Err(); err != nil {
		return err
	}
	var p *Problem
	g.locked(func(*call.Table) {
		if p = g.asks(a); p == nil {
			g.running.Add(1)
		}
	})
	if p != nil {
		return p
	}
	defer g.running.Done()
	// Weighing may wait. What is found to be another policy's decision then is decided again.
	set := g.policy.Load()
	w := g.consider(set, a, weigh)
	for now := g.policy.Load(); now != set; now = g.policy.Load() {
		set, w = now, g.consider(now, a, weigh)
	}
	e := a.entry(audit.Decided, set, w.d)
	e.Detail = keysDetail(w.keys)
	if w.p != nil {
		return g.refuse(a, w.p, w.d, e)
	}
	g.met.decision(a.action, string(e.Outcome), e.Reason)
	g.canonical(&e)
	if err := g.record(e); err != nil {
		return notRecorded(err)
	}
	doing, cancel := context.WithTimeout(a.ctx, settleTime)
	defer cancel()
	err := do(doing)
	e.Phase, e.Outcome, e.Reason, e.Rule = audit.Done, "", "", audit.Rule{}
	if err != nil {
		p = AsProblem(err)
		p.ID = a.id
		e.Phase, e.Reason = audit.Failed, p.Code
		g.log.Error().Err(p.cause).Str("id", a.id).Str("reason", p.Code).Msg("what was decided was not carried out")
	}
	if rec := g.fact(e); rec != nil {
		g.log.Error().Err(rec).Str("id", a.id).Msg("what came of a decision was not recorded")
	}
	if p != nil {
		return p
	}
	return nil
}

// asks reports why somebody cannot be answered now. Caller holds the lock.
func (g *Gate) asks(a *act) *Problem {
	switch {
	case g.closed:
		return stateUnknown()
	case !g.holds(a.subject):
		return credentialEnded()
	}
	return nil
}

// consider weighs for an employee whom the policy has.
func (g *Gate) consider(set *policy.Set, a *act, weigh func(set *policy.Set, subject policy.Ref) weighing) weighing {
	subject, ok := set.Employee(a.employee)
	if !ok {
		return weighing{d: policy.Decision{Reason: policy.ReasonUnknownSubject}, p: refusedSubject()}
	}
	return weigh(set, subject)
}

// keysDetail names what is changed, as far as it fits into a record.
func keysDetail(keys []string) string {
	const room, more = 100, "+more"
	if len(keys) == 0 {
		return ""
	}
	detail := "keys:"
	for i, key := range keys {
		if len(detail)+len(key) > room {
			return detail + more
		}
		if i > 0 {
			detail += "+"
		}
		detail += key
	}
	return strings.TrimSuffix(detail, "+")
}
