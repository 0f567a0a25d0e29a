package gate

import (
	"context"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// click is what was decided of a call for which its owner's phone is rung. When the dialplan brings that leg back by the phone door, to ask
// whether it may go out, it goes by the same decision, once.
type click struct {
	act    *act
	number string // that was decided
	set    *policy.Set
	until  time.Time // when the phone has been answered or rings no more
	asked  bool      // it has gone out
	answer *answer
}

// clickTime is how long the dialplan may take from the answering of the phone to the phone door.
const clickTime = 10 * time.Second

// clicks notes what was decided of a leg that is about to be rung. Those that nobody asked about are forgotten.
func (g *Gate) clicks(a *act, set *policy.Set, number string) {
	now := time.Now()
	g.locked(func(*call.Table) {
		for leg, c := range g.clicked {
			if now.After(c.until) {
				delete(g.clicked, leg)
			}
		}
		g.clicked[a.own] = click{act: a, number: number, set: set, until: now.Add(g.cfg.RingTimeout + clickTime), answer: &answer{told: make(chan struct{})}}
	})
}

// rungToCall reports whether a leg has just been rung for its owner to call somebody, and is answered for that. Caller holds the lock.
func (g *Gate) rungToCall(leg call.LegID) bool {
	c, ok := g.clicked[leg]
	return ok && time.Now().Before(c.until)
}

// goesOut lets a leg go out of which it was decided when its phone was rung. It does nothing and returns false where anything is another than it was
// then: the leg, whose phone it is, the number, the policy, or that the credential holds; then it is decided like any other. Which leg it is the PBX
// says, by the unique id that Earshot gave it.
func (g *Gate) goesOut(ctx context.Context, s auth.Subject, ask DialAsk) (v mask.Dialled, done bool, err error) {
	var a *act
	g.locked(func(t *call.Table) {
		id := call.LegID(ask.Leg)
		c, ok := g.clicked[id]
		l := t.Leg(id)
		if !ok || c.asked || !g.known || g.closed || time.Now().After(c.until) || c.set != g.policy.Load() || c.number != ask.Number || c.act.employee != s.Employee() ||
			!g.holds(c.act.subject) || l == nil || l.Bridge() != "" || !samePhone(l.Endpoint(), c.act.phone) || !samePhone(ask.Phone, c.act.phone) {
			return
		}
		a, c.asked = c.act, true
		g.clicked[id] = c
		g.running.Add(1)
	})
	if a == nil {
		return mask.Dialled{}, false, nil
	}
	defer g.running.Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := g.cfg.PBX.Send(ctx, pbx.Send{Leg: a.own, Context: OutgoingContext, Extension: ask.Number}); err != nil {
		return mask.Dialled{}, true, notCalled(a.id, err)
	}
	return mask.Dialled{ID: a.id, Phone: a.phone}, true, nil
}
