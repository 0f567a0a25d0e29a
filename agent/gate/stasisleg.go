package gate

import (
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// stasisSuffix ends the unique id of a leg that a client steers itself. Like one that was rung for its owner to call somebody it is his own from the
// beginning, and no supervision's.
const stasisSuffix = "-stasis"

// steered reports whether a leg has a unique id as those have that clients steer themselves. It proves nothing: the gate's book says which are.
func steered(id call.LegID) bool {
	return strings.HasPrefix(string(id), pbx.Prefix) && strings.HasSuffix(string(id), stasisSuffix)
}

// stasisLeg is a phone's leg in a Stasis, from the moment that it is about to be rung until it is told to be gone. It is guarded by the gate's lock.
type stasisLeg struct {
	st     *Stasis
	id     call.LegID
	handle string
	phone  string

	rung   bool // the PBX has taken the order to ring it
	up     bool // it has entered the application; with rung, that has been told
	gone   bool // it is out of the book
	lost   bool // it has gone before the PBX has said that it rings it: that is told when it has
	seen   bool // the table has had it
	bridge *stasisBridge
	// act is the supervision that has the leg for its ear; nil: none has. While one has it, it sits in that one's bridge in the PBX, and bridge says where its
	// client has it.
	act *act

	moves []stasisMove // what the table is about to tell of it that the model has, or will have, from the order that causes it
	last  mask.Channel // as it was told last
	until time.Time    // when the PBX hangs it up if its lease is not renewed
	rings *time.Timer  // runs until it must have been answered
}

// stasisMove is that a leg enters a bridge of the PBX, or leaves it.
type stasisMove struct {
	bridge call.BridgeID
	in     bool
}

// maxMoves is how many are expected of a leg at most: a table that does not tell of them is not waited for.
const maxMoves = 32

// idle reports whether it is answered and no supervision has it.
func (l *stasisLeg) idle() bool { return l.rung && l.up && l.act == nil }

// leg is the leg that has a handle; nil: there is none. It may ring yet, and a supervision may have it: see idle. Caller holds the gate's lock.
func (st *Stasis) leg(handle string) *stasisLeg {
	if i := slices.IndexFunc(st.legs, func(l *stasisLeg) bool { return l.handle == handle }); i >= 0 {
		return st.legs[i]
	}
	return nil
}

// lend gives a leg to a supervision: what the table tells of bridges that it enters and leaves is the supervision's matter until restore, and for its
// client it stays in the bridge where it is. The act's own is l.id, and g.byLeg is the act's to set. Caller holds the gate's lock, and the turn.
func (st *Stasis) lend(l *stasisLeg, a *act) { l.act = a }

// restore takes a leg back from a supervision that is over, if it is there yet and that one has it, and has it put back into the bridge where its client
// has it. It does not wait for that. Caller holds the gate's lock, which it has held since the act has been forgotten.
func (st *Stasis) restore(l *stasisLeg, a *act) {
	if l.act != a {
		return
	}
	l.act, l.moves = nil, nil
	if st.gate.byLeg[l.id] == a {
		delete(st.gate.byLeg, l.id)
	}
	nudge(st.settles)
}

// nudge has whoever waits on a channel with room for one look.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// newLeg puts a leg of a phone into the book, which is about to be rung. Caller holds the gate's lock.
func (st *Stasis) newLeg(set *policy.Set, subject policy.Ref, a *act) *stasisLeg {
	g := st.gate
	l := &stasisLeg{st: st, id: call.LegID(pbx.Prefix + a.id + stasisSuffix), phone: a.phone, until: time.Now().Add(g.cfg.Lease)}
	l.handle = g.handle(a.employee, a.employee, l.id, mask.Own)
	l.last = mask.Channel{
		ID: l.handle, Linked: l.handle, Endpoint: l.phone, Employee: a.employee, Number: set.Number(subject), Name: set.Name(subject), Began: time.Now().UTC().Truncate(time.Second),
	}
	l.last.Since = l.last.Began
	st.legs = append(st.legs, l)
	g.stasis.legs[l.id] = l
	return l
}

// look is the leg as its client is shown it now, which is also how it is remembered: of one that the table does not have, as it was told last. Caller holds
// the gate's lock.
func (l *stasisLeg) look(t *call.Table) *mask.Channel {
	g := l.st.gate
	if c, ok := g.ownChannel(t, l.st.subject.Employee(), l.id); ok && c.ID == l.handle {
		l.last = c
	}
	c := l.last
	return &c
}

// ownChannel is a leg of somebody's own as he is shown it as a channel. Caller holds the lock.
func (g *Gate) ownChannel(t *call.Table, employee string, leg call.LegID) (mask.Channel, bool) {
	set := g.policy.Load()
	me, ok := set.Employee(employee)
	if !ok || !g.known || t.Leg(leg) == nil {
		return mask.Channel{}, false
	}
	k := g.cast(t, set, []call.LegID{leg})
	eyes := g.eyes(t, set, k, me, make([]glance, set.Len()), map[policy.LineRef]bool{}, nil)
	shots := g.compose(set, k, nil, g.chart.told(k, me), eyes)
	at, ok := k.at[leg]
	if !ok || at < 0 || shots[at] == nil {
		return mask.Channel{}, false
	}
	r := reader{gate: g, tag: g.secret.tag(tagSubject, employee)}
	return r.channel(shots[at]), true
}

// forget takes a leg out of the book, and out of the bridge where it is, and tells that it is gone if it has been rung. Caller holds the gate's lock.
func (st *Stasis) forget(l *stasisLeg) {
	if l.gone {
		return
	}
	g := st.gate
	l.gone = true
	if l.rings != nil {
		l.rings.Stop()
	}
	for _, p := range slices.Clone(st.playbacks) {
		if p.leg == l {
			st.played(p, playFailed)
		}
	}
	st.put(stasisMember{leg: l}, nil)
	st.legs = slices.DeleteFunc(st.legs, func(o *stasisLeg) bool { return o == l })
	delete(g.stasis.legs, l.id)
	g.bury(l.id)
	if l.rung {
		st.say(StasisEvent{Kind: StasisEnded}.of(stasisMember{leg: l}))
	}
}

// isFree reports whether a leg is steered by a client, and has not been taken elsewhere by its phone. Caller holds the lock.
func (g *Gate) isFree(l *call.Leg) bool {
	return g.stasis.legs[l.ID()] != nil && (l.Bridge() == "" || g.stasis.rooms[l.Bridge()] != nil || g.supervises(l.ID()))
}

// lose takes up that a leg is at the PBX no more. Caller holds the gate's lock.
func (l *stasisLeg) lose() {
	if l.rung {
		l.st.forget(l)
	} else {
		l.lost = true
	}
}

// bury remembers a leg that belongs to nothing that runs, so that it is hung up if it appears all the same.
func (g *Gate) bury(id call.LegID) {
	if len(g.past) == maxPast {
		g.past = slices.Delete(g.past, 0, 1)
	}
	g.past = append(g.past, id)
}

// buried reports whether a leg that a client steered is such a one.
func (g *Gate) buried(id call.LegID) bool { return steered(id) && slices.Contains(g.past, id) }

// begin tells that a phone has been answered, once it is known to have been rung. Caller holds the gate's lock.
func (l *stasisLeg) begin(t *call.Table) {
	if !l.rung || !l.up || l.gone {
		return
	}
	if l.rings != nil {
		l.rings.Stop()
	}
	if l.look(t); l.last.State != mask.ChannelUp { // ARI tells that it has entered the application behind that it is up, or in its place
		l.last.State = mask.ChannelUp
	}
	l.st.say(StasisEvent{Kind: StasisBegan}.of(stasisMember{leg: l}))
	nudge(l.st.renews)
}

// enteredStasis takes note that a leg has entered the application, and reports whether it is one in the book. Caller holds the lock.
func (g *Gate) enteredStasis(t *call.Table, id call.LegID) bool {
	l := g.stasis.legs[id]
	if l == nil {
		return false
	}
	if !l.up {
		l.up = true
		l.begin(t)
	}
	return true
}

// Pressed is called by the PBX link of a key that is pressed on any leg. What is pressed on one that a client steers it is told.
func (g *Gate) Pressed(leg call.LegID, digit string) {
	g.locked(func(t *call.Table) {
		if l := g.stasis.legs[leg]; l != nil && l.rung && l.up {
			l.look(t)
			l.st.say(StasisEvent{Kind: StasisPressed, Digit: digit}.of(stasisMember{leg: l}))
		}
	})
}

// strayed reports whether the table has a leg in a bridge that is neither a client's nor a supervision's: its phone, or its owner by another way, has taken it
// into an ordinary call, in which a client has no say. By their ids the bridges are known that are removed already, of which the table is told later. Caller
// holds the gate's lock.
func (l *stasisLeg) strayed(t *call.Table) bool {
	o := t.Leg(l.id)
	return o != nil && isOrdinary(o.Bridge())
}

// isOrdinary reports whether a bridge is there that is neither a client's nor a supervision's.
func isOrdinary(id call.BridgeID) bool { return id != "" && !isRoom(id) && !ownBridge(id) }

// find finds a leg for an operation, and says why it is not for that. Caller holds the gate's lock.
func (st *Stasis) find(t *call.Table, handle string) (*stasisLeg, *Problem) {
	l := st.leg(handle)
	switch {
	case l == nil && st.snoop(handle) != nil:
		return nil, notOnSnoop()
	case l == nil || !l.rung || l.strayed(t):
		return nil, noSuchChannel()
	case !l.up:
		return nil, notAnswered()
	}
	return l, nil
}
