package gate

import (
	"cmp"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// cast is the legs that a change may concern, with all who are on a call with one of them now or were when it was last told, and what is known of
// each whoever looks on. It lives as long as the change is being told.
type cast struct {
	roles []role
	calls []castCall
	at    map[call.LegID]int // place among the roles
	own   tag                // of a bridge that nobody shares

	ev       *call.Event // nil for none
	moment   time.Time
	presence []mask.Presence
	queues   []string // whose events are told, if they are a line
	events   []queueChange

	walked map[call.LegID]struct{}
	work   []call.LegID // whom to walk to
	legs   []*call.Leg  // of the call that is being added
}

// maxStage is for how many legs the memory of a cast is kept for the next.
const maxStage = 256

// empty makes a cast of nobody, in the memory of the last one unless that was a large one. What may stay in a scene is not used again.
func (g *Gate) empty() *cast {
	k := &g.scratch.cast
	if k.at == nil || len(k.walked) > maxStage || len(k.roles) > maxStage {
		*k = cast{at: map[call.LegID]int{}, walked: map[call.LegID]struct{}{}, own: g.private.tag(tagBridge, "")}
	}
	clear(k.at)
	clear(k.walked)
	k.roles, k.calls, k.queues, k.work = k.roles[:0], k.calls[:0], k.queues[:0], k.work[:0]
	k.ev, k.moment, k.presence, k.events = nil, time.Now(), nil, nil
	return k
}

// more is room for one more in memory that may have been used before.
func more[T any](all []T) []T {
	if len(all) < cap(all) {
		return all[:len(all)+1]
	}
	var none T
	return append(all, none)
}

// castCall is one call: legs that are tied.
type castCall struct {
	kin    []call.LegID                    // its phones, oldest first
	queue  string                          // by which somebody on it has come
	merged map[call.BridgeID]call.BridgeID // bridges that are one through a Local channel; nil for none
	rows   int                             // how many legs of it are on rows
}

// role is one leg that may have a channel.
type role struct {
	id       call.LegID
	leg      *call.Leg // nil: it is gone
	call     int
	e        *entry    // whose phone it is; nil for who is outside
	f        *legFacts // as it is on the row; nil for not there
	place    int       // of f on the row
	mark     mark      // of who is outside, whenever he is seen
	seen     time.Time // since when he waits or is parked; of who is outside
	peers    []int     // who is on the other side, the foremost first
	bridge   call.BridgeID
	holding  bool // of a bridge in which nobody hears another
	solo     bool // it supervises
	free     bool // its owner's client steers it: it is in no bridge, whatever that has it do
	lingers  bool
	fresh    bool           // nobody could be shown it before, and it is not found after a time in the dark
	past     *rangOut       // not nil: it was told to be gone while it rang, and is now said to have been picked up
	waits    policy.LineRef // on which line he waits; of who is outside
	queueing bool           // waits is one
	parked   *parking       // nil for not
	target   call.LegID     // at whose leg it supervises
	taken    call.LegID     // of one that is gone: who has answered instead of it; empty for nobody
}

// on reports whether somebody may be shown the leg.
func (r *role) on(k *cast) bool {
	return r.f != nil || r.e == nil && (k.calls[r.call].rows > 0 || r.queueing || r.parked != nil)
}

// everybody is the cast of all that there is.
func (g *Gate) everybody(t *call.Table, set *policy.Set) *cast {
	var seeds []call.LegID
	for _, l := range t.All(nil) {
		if l.Kind() == call.KindPhone {
			seeds = append(seeds, l.ID())
		}
	}
	if g.chart != nil {
		for id := range g.chart.legs {
			if t.Leg(id) == nil {
				seeds = append(seeds, id)
			}
		}
	}
	return g.cast(t, set, seeds)
}

// cast gathers who is concerned by what has become of some legs. It is good until the next.
func (g *Gate) cast(t *call.Table, set *policy.Set, seeds []call.LegID) *cast {
	k := g.empty()
	k.work = append(k.work, seeds...)
	for i := 0; i < len(k.work); i++ {
		id := k.work[i]
		if _, ok := k.walked[id]; ok {
			continue
		}
		k.walked[id] = struct{}{}
		taken := call.LegID("")
		if g.chart != nil {
			if st := g.chart.legs[id]; st != nil {
				k.work = append(k.work, st.kin...)
				k.about(st.queue)
				taken = st.taken
			}
		}
		if _, ok := k.at[id]; ok {
			continue
		}
		if l := t.Leg(id); l != nil {
			g.castOf(t, set, k, l)
			continue
		}
		r := k.add(id)
		*r = role{id: id, peers: r.peers[:0], taken: taken}
		if taken != "" {
			k.work = append(k.work, taken)
		}
	}
	for i := range k.roles {
		g.otherSide(t, k, &k.roles[i])
	}
	return k
}

// add makes room for a role, with what was there before.
func (k *cast) add(id call.LegID) *role {
	k.at[id] = len(k.roles)
	k.roles = more(k.roles)
	return &k.roles[len(k.roles)-1]
}

// castOf adds the call of a leg, and has those looked at who are on it, and at whose legs they supervise.
func (g *Gate) castOf(t *call.Table, set *policy.Set, k *cast, l *call.Leg) {
	k.legs = t.Call(k.legs[:0], l)
	n := len(k.calls)
	k.calls = more(k.calls)
	c := &k.calls[n]
	*c = castCall{kin: c.kin[:0], queue: queueOf(k.legs)}
	c.merge(k.legs)
	for _, o := range k.legs {
		if o.Kind() != call.KindPhone {
			k.at[o.ID()] = -1
			continue
		}
		r := g.role(t, set, o)
		r.call = n
		if !r.free {
			r.bridge, r.holding = c.bridge(t, o)
		}
		if r.f != nil {
			c.rows++
		}
		if r.target != "" {
			k.work = append(k.work, r.target)
		}
		if r.e == nil && g.owns(r.id) {
			k.at[r.id] = -1
			continue
		}
		c.kin = append(c.kin, r.id)
		at := k.add(r.id)
		r.peers = at.peers[:0]
		*at = r
	}
	k.about(c.queue)
	k.work = append(k.work, c.kin...)
}

// role is what is known of one leg.
func (g *Gate) role(t *call.Table, set *policy.Set, l *call.Leg) role {
	r := role{id: l.ID(), leg: l, solo: g.supervises(l.ID()), free: g.isFree(l), parked: g.parkedAt(t, l)}
	if ref, ok := set.Phone(l.Endpoint()); ok {
		r.e = g.board[ref]
		r.place = slices.IndexFunc(r.e.legs, func(f legFacts) bool { return f.leg == r.id })
		if r.place >= 0 {
			r.f = &r.e.legs[r.place]
		}
		if a := g.byLeg[r.id]; a != nil && a.supervision {
			r.target = a.leg
		}
		return r
	}
	r.mark = g.outsideMark(l)
	if r.waits, r.seen, r.queueing = g.waitsOn(set, l); !r.queueing && r.parked != nil {
		r.seen = r.parked.since
	}
	return r
}

// waitsOn is the line on which a leg waits, as the line's view has it, and since when.
func (g *Gate) waitsOn(set *policy.Set, l *call.Leg) (line policy.LineRef, since time.Time, ok bool) {
	if l.Queue() == "" {
		return policy.LineRef{}, time.Time{}, false
	}
	q, ok := g.queues.Queue(l.Queue())
	if !ok {
		return policy.LineRef{}, time.Time{}, false
	}
	for i := range q.Callers {
		if q.Callers[i].Leg == string(l.ID()) && q.Callers[i].Channel == l.Name() {
			line, ok = set.LineOfQueue(l.Queue())
			return line, q.Callers[i].Since, ok
		}
	}
	return policy.LineRef{}, time.Time{}, false
}

// otherSide finds who is on the other side of a leg, the foremost first as the board has it.
func (g *Gate) otherSide(t *call.Table, k *cast, r *role) {
	if r.leg == nil || r.solo || r.free {
		return
	}
	g.scratch.peers = t.Peers(g.scratch.peers[:0], r.leg)
	for _, o := range g.scratch.peers {
		if at, ok := k.at[o.ID()]; ok && at >= 0 && !k.roles[at].solo && !k.roles[at].free {
			r.peers = append(r.peers, at)
		}
	}
	slices.SortStableFunc(r.peers, func(a, b int) int { return cmp.Compare(up(k.roles[b].leg), up(k.roles[a].leg)) })
}

// taker is who has answered while the leg still rings for the same caller; empty for nobody.
func (k *cast) taker(r *role) call.LegID {
	if r.leg.State() == call.StateUp {
		return ""
	}
	for _, p := range r.peers {
		for _, o := range k.roles[p].peers { // the foremost is first
			if k.roles[o].id != r.id && up(k.roles[o].leg) == 1 {
				return k.roles[o].id
			}
		}
	}
	return ""
}

func up(l *call.Leg) int {
	if l.State() == call.StateUp {
		return 1
	}
	return 0
}

// merge finds the bridges that are one to who is shown no Local channels: those in which two halves of one are.
func (c *castCall) merge(legs []*call.Leg) {
	for _, l := range legs {
		h := l.Half()
		if l.Kind() != call.KindLocal || h == nil || l.Bridge() == "" || h.Bridge() == "" {
			continue
		}
		a, b := c.one(l.Bridge()), c.one(h.Bridge())
		if a == b {
			continue
		}
		if c.merged == nil {
			c.merged = map[call.BridgeID]call.BridgeID{}
		}
		c.merged[max(a, b)] = min(a, b)
	}
}

func (c *castCall) one(id call.BridgeID) call.BridgeID {
	for {
		next, ok := c.merged[id]
		if !ok {
			return id
		}
		id = next
	}
}

func (c *castCall) bridge(t *call.Table, l *call.Leg) (id call.BridgeID, holding bool) {
	if id = l.Bridge(); id == "" {
		return "", false
	}
	typ, _ := t.BridgeType(id)
	return c.one(id), typ == "holding"
}

// event notes what has happened.
func (k *cast) event(ev *call.Event) {
	if ev != nil {
		k.ev = ev
		if !ev.At.IsZero() {
			k.moment = ev.At
		}
	}
}

// transfers reports whether what has happened is that who was on a leg's call has been transferred from there.
func (k *cast) transfers(leg call.LegID) bool {
	return k.ev != nil && (k.ev.Kind == call.BlindTransferred || k.ev.Kind == call.AttendedTransferred) && k.ev.Channel.ID == leg
}
