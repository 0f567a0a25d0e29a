package gate

import (
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/queue"
	"github.com/earshot-pbx/earshot/policy"
)

// chart is what the gate keeps for the watchers of channels; it is there as long as there are any.
type chart struct {
	watchers []*ChannelWatcher // in the order in which they came
	legs     map[call.LegID]*standing
	shots    map[call.LegID][]*shot   // those that somebody may have been shown, so that who was shown the same has the same
	presence map[string]mask.Presence // by employee
	joined   map[call.LegID]time.Time // since when callers wait, or had waited when they were answered
	queues   map[string]queue.State   // as they were told last, by name
	places   map[visit]int            // at which place callers have joined
	last     *time.Timer              // runs while somebody is kept on stage
	rang     []*rangOut               // who has gone while he rang, of a moment ago, oldest first
	seeds    []call.LegID             // memory for the next cast
	prev     []*shot                  // the same, of one watcher
	eyes     []byte                   // the same
	guises   []guise                  // the same
	takes    []*take                  // the same, of the change that is being told
	narrator narrator                 // the same
}

// standing is what is remembered of a leg from one change to the next.
type standing struct {
	kin     []call.LegID // who was on its call, and at whose it supervises
	queue   string       // by which somebody on its call has come
	app     string
	handed  bool // it has transferred who was on its call
	dialled call.Number
	taken   call.LegID // who has answered instead of it
	on      bool       // it was on somebody's row or on the other side of such a leg, or waited on a line
	met     bool       // it has been, whether it is or not
	left    time.Time  // when that ended, a moment ago; zero for not
}

// maxShots is how many forms of one leg are remembered. There are as many as differ in what is shown and in who is shown as tied to it.
const maxShots = 64

// joinChart takes in a watcher. Caller holds the lock.
func (g *Gate) joinChart(t *call.Table, set *policy.Set, w *ChannelWatcher, me policy.Ref) {
	if g.chart == nil {
		g.chart = &chart{
			legs: map[call.LegID]*standing{}, shots: map[call.LegID][]*shot{}, presence: map[string]mask.Presence{}, joined: map[call.LegID]time.Time{},
			queues: map[string]queue.State{}, places: map[visit]int{},
		}
		g.queueNews(t, set, nil)
		for _, p := range g.presences(set) {
			g.chart.presence[p.Employee] = p
		}
	}
	c := g.chart
	if w.waits = c.knownTo(w.subject); w.waits == nil {
		w.waits = map[visit]guise{}
	}
	c.watchers = append(slices.Clip(c.watchers), w)
	w.shown = map[call.LegID]*shot{}
	g.settleIn(set, w, me)
	if w.dark = !g.known; w.dark {
		return
	}
	g.settleWaiting(t, set, w)
	k := g.everybody(t, set)
	eyes := g.eyes(t, set, k, me, w.sees, w.views, nil)
	c.keep(k)
	for i, s := range c.same(k, g.compose(set, k, nil, c.told(k, me), eyes)) {
		if s != nil {
			w.shown[k.roles[i].id] = s
		}
	}
}

// told is what a subject's watchers have been told of a cast: the handles of an appearance are the same for all of one subject's. Of one who has none
// it is nothing.
func (c *chart) told(k *cast, me policy.Ref) []*shot {
	all := make([]*shot, len(k.roles))
	if c == nil {
		return all
	}
	if at := slices.IndexFunc(c.watchers, func(w *ChannelWatcher) bool { return w.me == me && len(w.shown) > 0 }); at >= 0 {
		for i := range all {
			all[i] = c.watchers[at].shown[k.roles[i].id]
		}
	}
	return all
}

// settleIn has a watcher look by the policy in force.
func (g *Gate) settleIn(set *policy.Set, w *ChannelWatcher, me policy.Ref) {
	w.me, w.sees, w.views = me, make([]glance, set.Len()), map[policy.LineRef]bool{}
}

func (c *chart) close() {
	if c.last != nil {
		c.last.Stop()
	}
}

// presences are what the employees do, in the order of the policy, as the board shows it to everybody.
func (g *Gate) presences(set *policy.Set) []mask.Presence {
	all := make([]mask.Presence, 0, set.Len())
	for ref := range set.Employees() {
		all = append(all, g.presence(g.board[ref]))
	}
	return all
}

func (g *Gate) presence(e *entry) mask.Presence {
	p := mask.Presence{Employee: e.about.ID, State: g.stateOf(e.ref)}
	for i := range e.here() {
		p.Rings = p.Rings || e.legs[i].facts.Phase == call.PhaseRinging
	}
	return p
}

// same gives for each form the one that others have been shown and that says the same, so that they are told apart by their address; of one that
// says something new it keeps a copy.
func (c *chart) same(k *cast, shots []*shot) []*shot {
	for i, s := range shots {
		if s == nil {
			continue
		}
		id := k.roles[i].id
		known := c.shots[id]
		if at := slices.IndexFunc(known, s.same); at >= 0 {
			shots[i] = known[at]
			continue
		}
		if len(known) == maxShots {
			known = known[:0]
		}
		kept := *s
		shots[i] = &kept
		c.shots[id] = append(known, &kept)
	}
	return shots
}

// keep remembers who stands where.
func (c *chart) keep(k *cast) {
	for i := range k.roles {
		r := &k.roles[i]
		if r.leg == nil {
			delete(c.legs, r.id)
			delete(c.shots, r.id)
			delete(c.joined, r.id)
			continue
		}
		st := c.legs[r.id]
		if st == nil {
			st = &standing{}
			c.legs[r.id] = st
		}
		st.kin = append(st.kin[:0], k.calls[r.call].kin...)
		if r.target != "" {
			st.kin = append(st.kin, r.target)
		}
		st.app, st.dialled, st.handed = r.leg.App(), r.leg.Dialled(), st.handed || k.transfers(r.id)
		if o := k.taker(r); o != "" {
			st.taken = o
		}
		if q := k.calls[r.call].queue; q != "" {
			st.queue = q
		}
		switch on := r.on(k); {
		case on:
			r.fresh = !st.met && k.ev != nil
			st.on, st.met = true, true // and he stays on stage for who is not shown where he is now, or he would be gone when that begins
		case st.on:
			st.on, st.left = false, time.Now()
		}
	}
}

// tellChannels tells the watchers of channels what an event has changed: on these rows, of these legs and of queues. Caller holds the lock.
func (g *Gate) tellChannels(t *call.Table, set *policy.Set, rows []*entry, ev *call.Event, changes []call.Change) {
	c := g.chart
	if c == nil || !g.known {
		return
	}
	seeds := c.seeds[:0]
	for _, e := range rows {
		for i := range e.here() {
			seeds = append(seeds, e.legs[i].leg)
		}
		for i := range e.was {
			if e.was[i].pbx == "" {
				seeds = append(seeds, e.was[i].leg)
			}
		}
	}
	var news []queueChange
	for i := range changes {
		change := &changes[i]
		for _, id := range [...]call.LegID{change.Leg, change.Other} {
			if id != "" {
				seeds = append(seeds, id)
			}
		}
		if _, waited := c.joined[change.Leg]; waited && change.Kind == call.LegGone {
			news = g.queueNews(t, set, nil)
		}
	}
	c.seeds = seeds
	k := g.cast(t, set, seeds)
	k.event(ev)
	k.hear(news)
	for _, e := range rows {
		g.present(set, k, e)
	}
	g.perform(t, set, k)
}

// tellQuiet tells of an event that has changed nothing that others are told of: a leg is in another application, or in a queue.
func (g *Gate) tellQuiet(t *call.Table, ev *call.Event) {
	if g.chart == nil {
		return
	}
	st, l := g.chart.legs[ev.Channel.ID], t.Leg(ev.Channel.ID)
	if ev.Kind == call.PickedUp && l != nil && g.chart.rangOut(ev.Peer.ID) != nil { // its end has been told before that it was taken
		g.tellChannels(t, g.policy.Load(), nil, ev, []call.Change{{Leg: l.ID(), Other: ev.Peer.ID}})
		return
	}
	if l == nil || ev.Kind != call.Parked && ev.Kind != call.Unparked && (st == nil || st.app == l.App() && st.dialled == l.Dialled()) {
		return
	}
	g.tellChannels(t, g.policy.Load(), nil, ev, []call.Change{{Leg: l.ID()}})
}

// present notes that an employee does something else now, for all and for who looks at his lines.
func (g *Gate) present(set *policy.Set, k *cast, e *entry) {
	was, is := g.chart.presence[e.about.ID], g.presence(e)
	if was == is {
		return
	}
	g.chart.presence[e.about.ID] = is
	k.presence = append(k.presence, is)
	if was.State != is.State {
		g.memberState(set, k, e.ref)
	}
}

// retellChannels compares all that there is with what the watchers were told last, after a resync or under another policy.
func (g *Gate) retellChannels(t *call.Table) {
	c := g.chart
	if c == nil {
		return
	}
	set := g.policy.Load()
	c.rang = nil
	for _, w := range c.watchers {
		if me, ok := set.Employee(w.subject.Employee()); ok {
			g.settleIn(set, w, me)
		} else {
			g.cutChannels(w, CutUnknown)
		}
	}
	if g.chart == nil || !g.known {
		return
	}
	if g.enlighten(set); g.chart == nil {
		return
	}
	k := g.everybody(t, set)
	k.hear(g.queueNews(t, set, nil))
	for ref := range set.Employees() {
		g.present(set, k, g.board[ref])
	}
	g.perform(t, set, k)
}

// enlighten tells what the employees do to those who came while nothing was known.
func (g *Gate) enlighten(set *policy.Set) {
	var s *Scene
	for _, w := range g.chart.watchers {
		if !w.dark {
			continue
		}
		if w.dark = false; s == nil {
			s = &Scene{}
			for _, p := range g.presences(set) {
				s.changes = append(s.changes, mask.ChannelChange{Kind: mask.PresenceChanged, Presence: &p})
			}
		}
		g.deliver(w, s)
	}
}
