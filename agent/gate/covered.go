package gate

import (
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// assess says who it is, whom it is about, and by the policy in force what is to become of a trespass. Caller holds the lock.
func (g *Gate) assess(t *call.Table, set *policy.Set, x *trespass) {
	l := t.Leg(x.leg)
	if l == nil {
		return
	}
	own := g.side(t, x, l)
	x.set = set
	who := g.identify(set, x, l, own)
	c := g.company(t, set, x, l, own)
	heard := len(c.present) > 0
	x.meet(set, c)
	x.trusted = g.dog.cfg.trustsAll(own)
	switch d := g.covers(t, set, x, l, who); {
	case x.trusted:
		x.verdict, x.reason, x.ground = didLeft, reasonTrusted, policy.Decision{}
	case d.Allowed:
		x.verdict, x.reason, x.ground = didLeft, d.Reason.String(), d
	default:
		x.verdict, x.reason, x.ground = didEnded, d.Reason.String(), d
		caller := x.kind == trespassJoin && (x.put || l.Kind() != call.KindPhone || set.Outside(l.Endpoint()))
		switch {
		case g.dog.cfg.response(x.kind) != End || caller:
			x.verdict = didReported
		case x.kind == trespassMedia && !heard, (x.kind == trespassMedia || x.app != "") && !besides(t, l):
			x.verdict = didReported
		case x.kind == trespassPickup && x.stolen != nil && x.stolen.canReturn(set):
			x.verdict = didHandedBack
		case x.kind == trespassPickup:
			x.verdict = didReported
		}
	}
}

// side is the legs on the trespasser's side: what he spies with, and whoever is behind a Local channel or in a bridge with that. Of one who is in
// the call himself it is his leg alone.
func (g *Gate) side(t *call.Table, x *trespass, l *call.Leg) []*call.Leg {
	if x.kind == trespassSpy {
		return t.Call(nil, l)
	}
	return []*call.Leg{l}
}

// identify says who is behind a trespass, as far as a phone proves it: the employees, each once; none of a snoop, a medium, or where a phone of
// nobody's takes part. A recording and a redirection do not tell who asked for them.
func (g *Gate) identify(set *policy.Set, x *trespass, l *call.Leg, own []*call.Leg) (who []policy.Ref) {
	x.subject, x.phone = "", ""
	if x.app != "" {
		x.phone = "app:" + x.app
	}
	if x.app != "" || x.kind == trespassRecord || x.kind == trespassRedirect {
		return nil
	}
	strangers := false
	for _, o := range own {
		switch {
		case o.Kind() == call.KindSnoop:
			strangers, x.phone = true, "ari"
		case medium(o) != "":
			strangers, x.phone = true, "medium:"+medium(o)
		case o.Kind() == call.KindPhone:
			ref, ok := set.Phone(o.Endpoint())
			if !ok {
				strangers, x.phone = true, phoneCode(o.Endpoint())
				continue
			}
			if who = addRef(who, ref); x.phone == "" {
				x.subject, x.phone = set.ID(ref), phoneCode(o.Endpoint())
			}
		}
	}
	if strangers {
		return nil
	}
	return who
}

// phoneCode is an endpoint in the form that the audit log takes.
func phoneCode(endpoint string) string {
	const most = 100
	if len(endpoint) > most {
		endpoint = endpoint[:most]
	}
	return "phone:" + strings.Map(func(r rune) rune {
		if r|0x20 >= 'a' && r|0x20 <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.:+/", r) {
			return r
		}
		return '_'
	}, endpoint)
}

// company is everybody whom the trespasser hears or takes away, without himself. Caller holds the lock.
func (g *Gate) company(t *call.Table, set *policy.Set, x *trespass, l *call.Leg, own []*call.Leg) *company {
	c := &g.scratch.company
	c.reset()
	about := l
	switch {
	case x.stolen != nil:
		c.present = append(c.present, x.stolen.rung...)
		return c
	case x.kind == trespassSpy || x.kind == trespassJoin:
		about = t.Leg(x.on)
	}
	if about == nil {
		return c
	}
	c.present = append(c.present, owners(set, x.from)...)
	g.scratch.set, g.scratch.listener = set, nil
	g.scratch.legs = t.Earshot(g.scratch.legs[:0], about, call.Reach{Phone: g.isPhone, Spy: func(spy *call.Leg) call.SpyMode {
		if x.kind != trespassMedia && slices.Contains(own, spy) {
			return call.SpyMode{}
		}
		if a := g.byLeg[spy.ID()]; a != nil {
			return a.spyMode(spy.ID())
		}
		return call.SpyMode{Hears: true, Speaks: true}
	}})
	for _, o := range g.scratch.legs {
		if x.app != "" || x.kind == trespassRecord || x.kind == trespassRedirect || !slices.Contains(own, o) {
			c.add(set, o, g.supervises(o.ID()))
		}
	}
	return c
}

// meet notes whom it is about; who was there at any time stays.
func (x *trespass) meet(set *policy.Set, c *company) {
	for _, ref := range c.present {
		if id := set.ID(ref); !slices.Contains(x.whom, id) && id != x.subject {
			x.whom = append(slices.Clip(x.whom), id)
		}
	}
}

// covers decides whether everybody who is behind a trespass might have asked the gate for it, over all in scratch.company. Of a spy by the
// dialplan it is not known whether he speaks, so he has to be let do everything. Caller holds the lock.
func (g *Gate) covers(t *call.Table, set *policy.Set, x *trespass, l *call.Leg, who []policy.Ref) (d policy.Decision) {
	c := &g.scratch.company
	g.scratch.refs = c.everyone(g.scratch.refs)
	r := policy.Request{With: g.scratch.refs, ProtectedNumber: c.protected, UnknownPhone: c.unknown, Locked: g.isLocked(g.scratch.legs)}
	targets := g.targets(t, set, x, l, c)
	switch x.kind {
	case trespassRecord:
		d.Reason = policy.ReasonUnknownTarget
		for _, ref := range targets {
			r.Subject, r.Target, r.Action = ref, ref, policy.Record
			if d = set.Decide(&r); d.Allowed {
				return d
			}
		}
		return d
	case trespassPickup:
		if x.stolen == nil {
			return policy.Decision{Reason: policy.ReasonUnknownTarget}
		}
		r.Target, r.Responsible, r.UnknownPhone = x.stolen.owner, x.stolen.responsible, false
		return everyone(who, func(ref policy.Ref) policy.Decision {
			if slices.Contains(x.stolen.rung, ref) {
				return policy.Decision{Allowed: true, Reason: policy.ReasonParty} // it rings at his own phone too
			}
			r.Subject, r.Action = ref, policy.Intercept
			return set.Decide(&r)
		})
	case trespassSpy, trespassJoin:
		actions := []policy.Action{policy.Barge}
		if x.kind == trespassSpy {
			actions = supervising[:]
		}
		return everyone(who, func(ref policy.Ref) (d policy.Decision) {
			d.Reason = policy.ReasonUnknownTarget
			r.Subject, r.Party = ref, false
			for _, target := range targets {
				r.Target = target
				for _, action := range actions {
					r.Action = action
					if d = set.Decide(&r); !d.Allowed {
						break
					}
				}
				if d.Allowed {
					return d
				}
			}
			return d
		})
	case trespassMedia, trespassRedirect:
	}
	return policy.Decision{Reason: policy.ReasonUnknownSubject}
}

// everyone decides for each; one who may not speaks for all. Of nobody it is a refusal.
func everyone(who []policy.Ref, decide func(policy.Ref) policy.Decision) policy.Decision {
	d := policy.Decision{Reason: policy.ReasonUnknownSubject}
	for _, ref := range who {
		if d = decide(ref); !d.Allowed {
			return d
		}
	}
	return d
}

// targets are the employees whom a trespass may be about: whose leg it is, or else whoever is on the call.
func (g *Gate) targets(t *call.Table, set *policy.Set, x *trespass, l *call.Leg, c *company) []policy.Ref {
	about := l
	if x.kind == trespassSpy || x.kind == trespassJoin {
		about = t.Leg(x.on)
	}
	x.target = ""
	if x.stolen != nil {
		if !x.stolen.owner.IsZero() {
			x.target = set.ID(x.stolen.owner)
		}
		return nil
	}
	if about == nil {
		return nil
	}
	if ref, ok := set.Phone(about.Endpoint()); ok {
		x.target = set.ID(ref)
		return []policy.Ref{ref}
	}
	if from := owners(set, x.from); len(from) > 0 {
		x.target = set.ID(from[0])
	}
	return slices.Clone(c.present)
}
