package gate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// backSuffix ends the unique id of the leg that the PBX makes for the moment in which a caller is handed back.
const backSuffix = "-back"

// moves reports whether a leg is such a one, or its other half, to which Asterisk gives a name of the same beginning.
func moves(id call.LegID) bool {
	return strings.HasPrefix(string(id), pbx.Prefix) && strings.HasSuffix(strings.TrimSuffix(string(id), ";2"), backSuffix)
}

// canReturn reports whether it is known who rang at which phone of somebody's, so that he can be made to ring there again.
func (r *rang) canReturn(set *policy.Set) bool {
	ref, ok := set.Phone(r.endpoint)
	return ok && ref == r.owner && r.caller != ""
}

// translate has it name by another policy whom it names.
func (r *rang) translate(was, set *policy.Set) {
	if was == set {
		return
	}
	r.owner, _ = set.Employee(was.ID(r.owner))
	r.responsible, _ = set.Employee(was.ID(r.responsible))
	rung := r.rung
	r.rung = nil // a trespass has it too
	for _, ref := range rung {
		if ref, ok := set.Employee(was.ID(ref)); ok {
			r.rung = append(r.rung, ref)
		}
	}
}

// caughtUp looks whether ARI shows by now what AMI has said: that who took a call has its caller on the other side, answered, and nobody
// else. Caller holds the lock.
func (g *Gate) caughtUp(t *call.Table) {
	for _, x := range g.dog.open {
		if x.verdict != didHandedBack || closed(x.together) {
			continue
		}
		l := t.Leg(x.leg)
		if l == nil || l.Bridge() == "" || t.Leg(x.on) != nil {
			continue
		}
		g.scratch.peers = t.Peers(g.scratch.peers[:0], l)
		if len(g.scratch.peers) == 1 && g.scratch.peers[0].ID() == x.stolen.caller && g.scratch.peers[0].State() == call.StateUp {
			close(x.together)
		}
	}
}

// handBack has a caller whose call was taken ring again at the phone at which he rang, and then hangs up who took it. Nothing is done as long as
// ARI does not show that the two talk; and when the caller cannot be moved nobody is hung up, since that would end his call.
func (g *Gate) handBack(x handing) (did string, err error) {
	ctx, cancel := context.WithTimeout(g.ctx, endTime)
	defer cancel()
	select {
	case <-x.together:
	case <-x.parted:
		return didGone, nil
	case <-ctx.Done():
		return didContradicted, nil
	}
	g.locked(func(*call.Table) { g.dog.returned[x.caller] = struct{}{} })
	g.met.caught.Observe(time.Since(x.at).Seconds())
	err = g.cfg.PBX.Return(ctx, pbx.Return{Leg: x.caller, Endpoint: x.endpoint, Mover: x.mover})
	if errors.Is(err, pbx.ErrGone) || errors.Is(err, pbx.ErrNoInclude) || errors.Is(err, pbx.ErrNoPhone) {
		g.locked(func(*call.Table) { delete(g.dog.returned, x.caller) }) // it is not sent anywhere; whereas what has failed the PBX may do yet
	}
	switch {
	case errors.Is(err, pbx.ErrGone):
		return didGone, nil
	case errors.Is(err, pbx.ErrNoInclude):
		g.log.Warn().Msg("a stolen call stays where it is, since the PBX's dialplan has no place to hand it back by: install what `earshot setup asterisk` prints")
		return didReported, nil
	case errors.Is(err, pbx.ErrNoPhone):
		return didReported, nil
	case err != nil:
		return didFailed, err
	}
	if err := g.cfg.PBX.Drop(ctx, "", x.leg); err != nil {
		return didFailed, err
	}
	return didHandedBack, nil
}

// handing is what handBack needs of a trespass, to be read without the lock.
type handing struct {
	leg, caller, mover call.LegID
	endpoint           string
	at                 time.Time
	together, parted   chan struct{}
}

func (x *trespass) handing() handing {
	return handing{
		leg: x.leg, caller: x.stolen.caller, mover: call.LegID(pbx.Prefix + x.id + backSuffix), endpoint: x.stolen.endpoint, at: x.at,
		together: x.together, parted: x.parted,
	}
}

// wasFetched reports whether Earshot has had a leg come to another one: a caller who waited to who takes his call, say. Caller holds the lock.
func (d *watchdog) wasFetched(leg call.LegID) bool {
	_, ok := d.fetched[leg]
	return ok
}

// fetches notes that Earshot has some legs come to others. Caller holds the lock.
func (d *watchdog) fetches(legs ...call.LegID) {
	if d.cfg == nil {
		return // nobody looks, and nobody would forget them
	}
	for _, id := range legs {
		d.fetched[id] = struct{}{}
	}
}

// fetchedBefore reports whether a leg looks like one that an Earshot before this one has had come to who has taken its call: somebody from outside, in the
// include's extension for that, with a leg that was rung for it. Whoever else is there by now has come by himself. Caller holds the lock.
//
// What an attended transfer has put together is in the include's extensions for that. Who calls is no more known by then, so it is left alone: doctor
// finds who else could send a leg there. Nor is it known of an employee's phone that has the unique id of one which has taken a line's customer over, and that
// only the first look takes for one: whatever comes later by such an id has come by itself.
func (g *Gate) fetchedBefore(t *call.Table, l *call.Leg) bool {
	if _, phone := g.policy.Load().Phone(l.Endpoint()); phone && !g.dog.looked && own(l.ID()) && hasTake(l.ID()) {
		g.dog.fetched[l.ID()] = struct{}{}
		return true
	}
	if l.Exten() == pbx.ExtenAsks || l.Exten() == pbx.ExtenMeets {
		g.dog.fetched[l.ID()] = struct{}{}
		return true
	}
	if !g.policy.Load().Outside(l.Endpoint()) || l.Exten() != pbx.ExtenFetched {
		return false
	}
	if !slices.ContainsFunc(t.BridgeLegs(nil, l.Bridge()), func(o *call.Leg) bool { return o != l && own(o.ID()) && hasTake(o.ID()) }) {
		return false
	}
	g.dog.fetched[l.ID()] = struct{}{}
	return true
}

// sentBack reports whether a leg that goes out of its call goes where Earshot itself has sent it. That is once: where it goes later, or goes elsewhere, somebody
// else has sent it. Caller holds the lock.
func (d *watchdog) sentBack(l *call.Leg) bool {
	_, ok := d.returned[l.ID()]
	if ok = ok && l.Exten() == pbx.ExtenReturned; ok {
		delete(d.returned, l.ID())
	}
	return ok
}
