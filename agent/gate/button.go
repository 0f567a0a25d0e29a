package gate

import (
	"slices"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// What is asked of the policy for a button stands here and nowhere else: for the rows of the board, for what one is told of oneself, and for
// other software that searches. What is begun is decided anew, over everybody within earshot.

// buttons are the actions that a panel can begin on a colleague, in the order of the bits of deeds; supervising and entering are those of them that
// are about a call of his. Abilities is what one is told that one may do to somebody at all.
var (
	supervising = [...]policy.Action{policy.Spy, policy.Whisper, policy.Barge}
	entering    = [...]policy.Action{policy.Spy, policy.Whisper, policy.Barge, policy.Intercept}
	buttons     = [...]policy.Action{policy.Spy, policy.Whisper, policy.Barge, policy.Intercept, policy.Dial}
	abilities   = [...]policy.Action{policy.Observe, policy.Spy, policy.Whisper, policy.Barge, policy.Intercept, policy.Dial, policy.Lock, policy.SettingsPermissions}
)

// deeds is a set of what may be done to a colleague: a bit for each of buttons, two for what one may see, which are none, one that says of
// those that supervise that a reason has to be given, and one that says that one may know of the recordings that Earshot makes of his calls.
type deeds uint16

const (
	supervisingDeeds deeds = 1<<len(supervising) - 1
	interceptDeed    deeds = supervisingDeeds + 1
	dialDeed         deeds = interceptDeed << 1
	observeDeed      deeds = dialDeed << 1
	kindDeed         deeds = observeDeed << 1
	reasonDeed       deeds = kindDeed << 1
	buttonDeeds            = observeDeed - 1
	recordDeed       deeds = reasonDeed << 1
	asked            deeds = recordDeed << 1 // what is between the two on a call has been worked out; it may be nothing
	dialAsked        deeds = asked << 1      // whether he may be called has
)

// deedOf is the bit of a button that is about a call; 0 of any other action.
func deedOf(action policy.Action) deeds {
	if i := slices.Index(entering[:], action); i >= 0 {
		return 1 << i
	}
	return 0
}

// canLists has the list for each set of buttons. Rows share them; nobody writes them.
var canLists = func() (lists [buttonDeeds + 1][]string) {
	for set := range lists {
		lists[set] = []string{}
		for i, action := range buttons {
			if set&(1<<i) != 0 {
				lists[set] = append(lists[set], action.String())
			}
		}
	}
	return lists
}()

// between is the question about an action between two employees as long as nobody else has a part in it. For a button a reason counts as
// given: one that works when a reason is given is one.
func between(subject, target policy.Ref, action policy.Action, reason bool) policy.Request {
	return policy.Request{Subject: subject, Target: target, Action: action, ReasonGiven: reason}
}

// utmost is between when there is on the call what could be best for the subject, so that only a certain no is one: a client of his own rings.
func utmost(subject, target policy.Ref, action policy.Action, reason bool) policy.Request {
	r := between(subject, target, action, reason)
	r.Responsible = subject
	return r
}

// shown makes the question one about a leg whose other side the subject is shown, and so about everybody on its call. It holds until
// scratch.refs is used again.
func (g *Gate) shown(r *policy.Request, f *legFacts) {
	if r.Action == policy.Intercept {
		r.With, r.Responsible = f.rung, f.responsible
		return
	}
	g.scratch.refs = f.company.everyone(g.scratch.refs)
	r.With, r.ProtectedNumber, r.UnknownPhone, r.Locked = g.scratch.refs, f.company.protected, f.company.unknown, f.locked
}

// pairwise is what the subject may do to the employee as long as nobody else has a part in it. The policy looks at that first, so what is
// not in here is refused whoever is on a call, but for a party's sight of it and for one's own client, which are asked for by themselves. With
// a reason it has reasonDeed if anything may be refused to him for want of one.
func pairwise(set *policy.Set, subject, employee policy.Ref, reason bool) deeds {
	out := asked
	r := between(subject, employee, 0, reason)
	for _, q := range [...]struct {
		action policy.Action
		deed   deeds
	}{{policy.Spy, 1}, {policy.Whisper, 2}, {policy.Barge, 4}, {policy.Intercept, interceptDeed}, {policy.Observe, observeDeed}, {policy.ObserveKind, kindDeed}} {
		if r.Action = q.action; set.Decide(&r).Allowed {
			out |= q.deed
		}
	}
	if reason && set.AsksReason(subject) {
		out |= reasonDeed
	}
	return out
}

// mayCall is dialDeed where the subject may have his phone call the employee: what is decided when he asks for it, which follows from the two of
// them alone. Nobody is offered to call himself, or without a phone.
func (g *Gate) mayCall(set *policy.Set, subject policy.Ref, e *entry) (out deeds) {
	out = dialAsked
	if subject != e.ref && len(g.phones(set, subject)) > 0 && len(e.number) > 0 && set.Dials(subject) && decideReadings(set, subject, e.number).Allowed {
		out |= dialDeed
	}
	return out
}

// wanting tells whether one of the buttons that the subject has with a reason does not work without: reasonDeed, or nothing. Pair and can are as
// with a reason.
func (g *Gate) wanting(set *policy.Set, subject policy.Ref, e *entry, sights []mask.Sight, pair, can deeds) deeds {
	if pair&reasonDeed == 0 || can&supervisingDeeds == 0 {
		return 0
	}
	without := g.can(set, subject, e, sights, pairwise(set, subject, e.ref, false), false)
	if can&^without&supervisingDeeds == 0 {
		return 0
	}
	return reasonDeed
}

// can tells what the subject may do to an employee now by any of his legs, which he sees so.
func (g *Gate) can(set *policy.Set, subject policy.Ref, e *entry, sights []mask.Sight, pair deeds, reason bool) (out deeds) {
	for i := range e.legs {
		out |= g.canOn(set, subject, e, &e.legs[i], sights[i], pair, reason, out)
	}
	return out
}

// canOn tells what the subject may do to an employee now by one of his legs, which he sees so; pair is what is between the two alone. Of a leg
// that is hidden from him it uses subject, target and visible state only, so that the answer never tells who is on the other side. What there is
// already it need not say again.
func (g *Gate) canOn(set *policy.Set, subject policy.Ref, e *entry, f *legFacts, s mask.Sight, pair deeds, reason bool, already deeds) (out deeds) {
	if subject == e.ref || slices.Contains(f.company.present, subject) {
		return 0 // he is on the call himself, and knows it
	}
	if !reaches(set, subject, f) {
		return 0
	}
	switch f.may() {
	case nothing:
	case supervision:
		if !s.Peer() || f.alone && !f.company.protected && !f.company.unknown && !f.locked {
			return pair & supervisingDeeds
		}
		r := between(subject, e.ref, 0, reason)
		g.shown(&r, f)
		for n, action := range supervising {
			if pair&^already&(1<<n) == 0 {
				continue
			}
			if r.Action = action; set.Decide(&r).Allowed {
				out |= 1 << n
			}
		}
	case interception:
		switch {
		case !s.Peer(), len(f.rung) == 1 && f.rung[0] == e.ref && f.responsible != subject:
			return pair & interceptDeed
		case already&interceptDeed == 0 && (pair&interceptDeed != 0 || f.responsible == subject):
			r := between(subject, e.ref, policy.Intercept, reason)
			g.shown(&r, f)
			if set.Decide(&r).Allowed {
				return interceptDeed
			}
		}
	}
	return out
}

// What may be done to a leg's call in the phase that it is in.
type opening uint8

const (
	nothing opening = iota
	supervision
	interception // an incoming call rings
)

func (f *legFacts) may() opening {
	switch {
	case f.facts.Phase == call.PhaseTalking, f.facts.Phase == call.PhaseHeld:
		return supervision
	case rings(f, false):
		return interception
	}
	return nothing
}

// rings reports whether an incoming call rings on the leg.
func rings(f *legFacts, _ bool) bool {
	return f.facts.Phase == call.PhaseRinging && f.facts.Direction == call.In
}
