package journal

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// ScribeConfig says what a [Scribe] works with. The functions are called with the scribe locked, and so under the feed's lock: they must not
// wait, and take no lock that anybody holds who calls the scribe.
type ScribeConfig struct {
	Employee   func(endpoint string) string // whose phone it is now, "" for nobody's; nil: nobody's
	Supervises func(call.LegID) bool        // whether a leg is one of Earshot's own, made to listen; nil: none is
	OnError    func(error)                  // told once when saving begins to fail; not called with the scribe locked
	Now        func() time.Time             // Earshot's clock, which measures how long it has heard nothing; nil means time.Now
	MaxUnsaved int                          // how many calls that have ended are kept while they cannot be saved; 0 means 10000
}

// A Scribe follows the live table and writes calls to a store: when they begin, when something happens on them that is worth keeping, and when
// they end. A kill of Earshot loses what happened in the moment before (a tenth of a second, while Run runs).
//
// Apply takes what it needs into memory and returns; Run writes it. Its methods are safe for concurrent use.
type Scribe struct {
	st     *Store
	cfg    ScribeConfig
	wake   chan struct{} // something is to be written
	saving chan struct{} // whoever writes has it

	mu      sync.Mutex // guards what follows
	legs    map[call.LegID]*leg
	unsaved []*follow          // calls that are to be written, oldest change first
	ended   int                // how many of them have ended
	running map[string]*follow // supervisions that run, by id
	calls   int64              // the last row given to a call, …
	rows    int64              // … to a leg, …
	visits  int64              // … and to a visit
	known   bool               // nothing has been missed since the last snapshot
	last    time.Time          // when the last fact happened, or, while !known, until when everything was seen
	heard   time.Time          // when it was taken in, by Earshot's clock
	gaps    []Gap              // to be written
	lost    Gap                // calls that were dropped since the last success
	failing bool
	alive   time.Time // what the store has of last
	stats   ScribeStats
	near    []*call.Leg // room for who is tied to a leg, …
	far     []*call.Leg // … and to one of those
}

// ScribeStats counts what a Scribe has done, and shows how it stands.
type ScribeStats struct {
	Legs     int    // legs followed at present
	Unsaved  int    // calls with something that is not saved
	Saved    uint64 // calls written, each time that it was
	Batches  uint64 // transactions
	Failures uint64 // transactions that failed
	Lost     uint64 // ended calls that were dropped since they could not be saved
	Failing  bool   // the last transaction failed
}

// NewScribe returns a scribe that goes on with the calls that were open when the store was last written: those whose legs are in the first
// snapshot of the PBX run on, the others are ended when Earshot last saw them, and both are marked as cut by a gap. Nothing is started.
func NewScribe(ctx context.Context, st *Store, cfg ScribeConfig) (*Scribe, error) {
	if cfg.Employee == nil {
		cfg.Employee = func(string) string { return "" }
	}
	if cfg.Supervises == nil {
		cfg.Supervises = func(call.LegID) bool { return false }
	}
	if cfg.OnError == nil {
		cfg.OnError = func(error) {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.MaxUnsaved = cmp.Or(cfg.MaxUnsaved, 10000)
	s := &Scribe{
		st: st, cfg: cfg, wake: make(chan struct{}, 1), saving: make(chan struct{}, 1),
		legs: make(map[call.LegID]*leg), running: make(map[string]*follow),
	}
	return s, s.resume(ctx)
}

// Apply takes in one fact and what it changed; it is to be called for each, in order, as by the feed's OnApply. It does not wait for the store,
// and keeps nothing of ev and ch.
func (s *Scribe) Apply(t *call.Table, ev *call.Event, ch []call.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch ev.Kind {
	case call.Resynced:
		s.resynced(t, ev)
		return
	case call.LinkLost:
		if s.known {
			s.known = false
			s.heardAt(ev.At)
		}
		return
	case call.TimePassed:
		return
	}
	s.heardAt(ev.At)
	if x := s.legs[ev.Channel.ID]; x != nil && x.party {
		if l := t.Leg(ev.Channel.ID); l != nil {
			s.seen(x, l, ev)
		}
	}
	if ev.Kind == call.LegHungUp {
		s.hungUp(ev) // before it is said to ring for nobody any more
	}
	for i := range ch {
		s.change(t, ev, &ch[i])
	}
	if ev.Kind == call.DialEnded {
		s.refused(ev)
	}
}

func (s *Scribe) heardAt(at time.Time) {
	if at.After(s.last) {
		s.last = at
	}
	s.heard = s.cfg.Now()
}

func (s *Scribe) change(t *call.Table, ev *call.Event, c *call.Change) {
	switch c.Kind {
	case call.LegCreated:
		if l := t.Leg(c.Leg); l != nil {
			s.created(l, ev.At)
		}
	case call.LegRenamed:
		if l := t.Leg(c.Leg); l != nil {
			s.renamed(t, l, ev.At)
		}
	case call.LegStateChanged:
		if x, l := s.legs[c.Leg], t.Leg(c.Leg); x != nil && l != nil {
			if l.State() == call.StateUp && x.up.IsZero() && x.party {
				x.up, x.ringing = ev.At, false
				s.markLeg(x)
			}
			s.touch(t, l, ev.At)
		}
	case call.PartyChanged:
		if x, l := s.legs[c.Leg], t.Leg(c.Leg); x != nil && l != nil {
			s.refresh(x, l)
		}
	case call.DialBegan:
		if y := s.legs[c.Other]; y != nil {
			y.ringing = y.up.IsZero()
			if y.rang.IsZero() {
				y.rang = ev.At
			}
			if x := s.legs[c.Leg]; x != nil {
				s.join(x, y)
			} else if y.party {
				s.markLeg(y)
			}
		}
		s.touchBoth(t, c, ev.At)
	case call.DialEnded:
		if y := s.legs[c.Other]; y != nil {
			y.ringing, y.rangTo = false, ev.At
			if x := s.legs[c.Leg]; x != nil {
				s.join(x, y)
			}
		}
		s.touchBoth(t, c, ev.At)
	case call.BridgeEntered:
		s.entered(t, c, ev.At)
	case call.SpyBegan:
		if x := s.legs[c.Leg]; x != nil {
			s.spies(x)
		}
	case call.TransferDone:
		s.transferred(ev, c)
	case call.LegGone:
		if x := s.legs[c.Leg]; x != nil {
			s.gone(c.Leg, x, ev.At)
		}
	}
}

// created begins to follow a leg, as a call of its own until something ties it to others. Snoops tie nobody, and Asterisk's own channels are
// where others meet, who are tied by that.
func (s *Scribe) created(l *call.Leg, at time.Time) *leg {
	if l.Kind() != call.KindPhone && l.Kind() != call.KindLocal {
		return nil
	}
	c := &follow{living: 1}
	x := s.follow(l, c, cmp.Or(l.Created(), at))
	if half := l.Half(); half != nil && s.legs[half.ID()] != nil {
		s.join(x, s.legs[half.ID()])
	}
	if x.party && l.Direction() != call.In {
		s.mark(x.call) // one that Asterisk makes is worth keeping when somebody dials it
	}
	return x
}

// follow begins a leg of a call.
func (s *Scribe) follow(l *call.Leg, c *follow, began time.Time) *leg {
	x := &leg{call: c, party: l.Kind() == call.KindPhone && !s.cfg.Supervises(l.ID()), dirty: true}
	x.row = Leg{ID: l.ID(), Endpoint: l.Endpoint(), Began: began}
	if x.party {
		s.rows++
		x.n, x.row.Employee = s.rows, s.cfg.Employee(l.Endpoint())
	}
	if l.State() == call.StateUp {
		x.up = began
	}
	c.legs = append(c.legs, x)
	s.legs[x.row.ID] = x
	s.refresh(x, l)
	return x
}

// refresh takes in what a leg claims, and which way it goes.
func (s *Scribe) refresh(x *leg, l *call.Leg) {
	who, way, dialled := l.Caller(), l.Direction(), l.Dialled()
	if x.resumed {
		// Of one that had begun before, the table guesses which way it went, until it is told; the store knows.
		if x.guess == call.DirectionUnknown {
			x.guess = way
		}
		if dialled = x.row.Dialled; way == x.guess {
			way = x.row.Direction
		}
	}
	if !x.party || x.row.Number == who.Number && x.row.Name == who.Name && x.row.Dialled == dialled && x.row.Direction == way {
		return
	}
	x.row.Number, x.row.Name, x.row.Dialled, x.row.Direction = who.Number, who.Name, dialled, way
	x.dirty = true
	if x.call.n != 0 {
		s.mark(x.call)
	}
}

// renamed takes in that a channel has another name. With another endpoint somebody else is behind it, who has a row of his own.
func (s *Scribe) renamed(t *call.Table, l *call.Leg, at time.Time) {
	x := s.legs[l.ID()]
	if x == nil {
		if x = s.created(l, at); x == nil {
			return
		}
	}
	phone := l.Kind() == call.KindPhone && !s.cfg.Supervises(l.ID())
	if !x.listener && phone != x.party || phone && l.Endpoint() != x.row.Endpoint {
		x.ended, x.ringing, x.row.Ended = true, false, at
		if x.party {
			s.markLeg(x)
		}
		s.follow(l, x.call, at)
	}
	s.touch(t, l, at)
}

// join makes one call of those of two legs.
func (s *Scribe) join(x, y *leg) {
	if x.call == y.call {
		return
	}
	if c := s.merge(x.call, y.call); c.first() != nil {
		s.mark(c)
	}
}

func (s *Scribe) touchBoth(t *call.Table, c *call.Change, at time.Time) {
	for _, id := range [...]call.LegID{c.Leg, c.Other} {
		if l := t.Leg(id); l != nil {
			s.touch(t, l, at)
		}
	}
}

// touch looks who is with a leg now: with it, if it is a party, or else with those that it ties.
func (s *Scribe) touch(t *call.Table, l *call.Leg, at time.Time) {
	x := s.legs[l.ID()]
	if x == nil {
		return
	}
	if l.Kind() == call.KindPhone {
		s.tie(t, x, l, at)
		return
	}
	s.near = t.Peers(s.near[:0], l)
	for _, p := range s.near {
		if y := s.legs[p.ID()]; y != nil {
			s.tie(t, y, p, at)
		}
	}
}

func talking(l *call.Leg) bool { return l.Phase() == call.PhaseTalking || l.Phase() == call.PhaseHeld }

// tie notes who is on the other side of a party, and whether they talk. A zero time means that they may have talked since both were up.
func (s *Scribe) tie(t *call.Table, x *leg, l *call.Leg, at time.Time) {
	s.refresh(x, l)
	s.far = t.Peers(s.far[:0], l)
	for _, p := range s.far {
		y := s.legs[p.ID()]
		if y == nil {
			continue
		}
		s.join(x, y)
		if !x.party || !y.party {
			continue
		}
		a, fresh := x.with(y)
		b, _ := y.with(x)
		if fresh {
			x.dirty, y.dirty = true, true
			s.line(x, y)
			s.line(y, x)
			s.mark(x.call)
		}
		if a.talked.IsZero() && talking(l) && talking(p) {
			since := at
			if since.IsZero() {
				if since = x.up; y.up.After(since) {
					since = y.up
				}
			}
			a.talked, b.talked = since, since
			s.talked(x, since)
			s.talked(y, since)
		}
	}
}

// line notes the queue that rings a leg.
func (s *Scribe) line(x, by *leg) {
	if x.row.Line == "" && x.row.Direction == call.In && by.visit != nil && by.visit.Ended.IsZero() {
		x.row.Line = by.visit.Line
	}
}

// talked takes in that a leg talks to another one for the first time.
func (s *Scribe) talked(x *leg, at time.Time) {
	x.dirty = true
	if v := x.visit; v != nil && v.Ended.IsZero() && v.Answered.IsZero() {
		v.Answered, v.dirty = at, true
	}
	c := x.call
	if c.answered.IsZero() || at.Before(c.answered) {
		c.answered = at
	}
	for _, l := range c.legs {
		if l.ended && !l.rang.IsZero() && at.Sub(l.rangTo) <= sameMoment {
			l.dirty = true // it may be this that it rang for
		}
	}
	s.mark(c)
}

// entered ties a leg to those in the bridge. Those in a holding bridge are on their own, each with the music.
func (s *Scribe) entered(t *call.Table, c *call.Change, at time.Time) {
	x, l := s.legs[c.Leg], t.Leg(c.Leg)
	if x == nil || l == nil || l.Bridge() != c.Bridge {
		return
	}
	x.hungUp = time.Time{}
	if typ, _ := t.BridgeType(c.Bridge); typ != "holding" {
		s.near = t.BridgeLegs(s.near[:0], c.Bridge)
		for _, o := range s.near {
			if y := s.legs[o.ID()]; y != nil && y != x {
				s.join(x, y)
				break // who is in it is tied already
			}
		}
	}
	s.touch(t, l, at)
}

// spies takes a leg that listens to others, and has talked to nobody, for no party.
func (s *Scribe) spies(x *leg) {
	if x.party && len(x.peers) == 0 {
		x.party, x.listener = false, true
		if x.call.n != 0 {
			s.mark(x.call)
		}
	}
}

func (s *Scribe) transferred(ev *call.Event, c *call.Change) {
	by := s.legs[c.Leg]
	if by == nil {
		return
	}
	for _, id := range [...]call.LegID{c.Other, ev.Transferee} {
		if y := s.legs[id]; y != nil {
			s.join(by, y)
		}
	}
	if by.party {
		by.call.transfers = append(by.call.transfers, transferRow{at: ev.At, by: by.n, attended: ev.Kind == call.AttendedTransferred})
		s.mark(by.call)
	}
}

// seen takes in which application a party is in. Of a queue that rings nobody the first thing that Asterisk tells may be that the caller has
// hung up; he is then taken to have been there since he was answered.
func (s *Scribe) seen(x *leg, l *call.Leg, ev *call.Event) {
	if app := l.App(); app == "ChanSpy" || app == "ExtenSpy" {
		s.spies(x)
		return
	}
	in := l.App() == "Queue" && l.Queue() != ""
	if x.visit == nil && !in {
		return
	}
	v := x.visit
	if v != nil && v.Ended.IsZero() && (in && v.Line != l.Queue() || !in && (l.App() != "" || ev.Kind == call.LegHungUp)) {
		v.Ended, v.dirty = ev.At, true
		s.mark(x.call)
	}
	if in && (v == nil || !v.Ended.IsZero()) {
		began := ev.At
		if ev.Kind == call.LegHungUp {
			began = cmp.Or(x.up, x.row.Began)
		}
		s.visits++
		x.visit = &visit{n: s.visits, leg: x, dirty: true, Visit: Visit{Line: l.Queue(), Leg: x.row.ID, Began: began}}
		x.call.visits = append(x.call.visits, x.visit)
		if x.dirty = true; x.row.Line == "" {
			x.row.Line = l.Queue()
		}
		s.mark(x.call)
	}
}

// refused takes in how a dial ended that was not answered.
func (s *Scribe) refused(ev *call.Event) {
	if ev.Answered {
		return
	}
	why := ev.Refusal
	if y := s.legs[ev.Peer.ID]; y != nil && y.up.IsZero() {
		if y.refusal == call.RefusalNone {
			y.refusal, y.dirty = why, true
		}
		if y.declined {
			why = call.RefusalBusy
		}
	}
	if x := s.legs[ev.Channel.ID]; x != nil {
		x.refused[why] = true
	}
}

// hungUp takes in that a phone has hung up, and what it did until then.
func (s *Scribe) hungUp(ev *call.Event) {
	x := s.legs[ev.Channel.ID]
	if x == nil || !x.hungUp.IsZero() {
		return
	}
	x.hungUp = ev.At
	if v := x.visit; v != nil && v.Ended.IsZero() {
		v.gaveUp = v.Answered.IsZero()
	}
	left := false // by somebody that it rings for
	for i := range x.peers {
		p := x.peers[i].leg
		left = left || !p.hungUp.IsZero() || p.ended
		if p.ringing && !x.ringing {
			x.gaveUp = true
		}
	}
	if x.ringing && !left {
		x.declined = true
	}
}

// gone ends a leg, and its call if it was the last one.
func (s *Scribe) gone(id call.LegID, x *leg, at time.Time) {
	delete(s.legs, id)
	x.ended, x.row.Ended = true, cmp.Or(x.hungUp, at)
	if x.ringing {
		x.ringing, x.rangTo = false, at
	}
	if v := x.visit; v != nil && v.Ended.IsZero() {
		v.Ended, v.dirty = x.row.Ended, true
	}
	c := x.call
	if x.party {
		s.markLeg(x)
	}
	if c.living--; c.living > 0 {
		return
	}
	c.over = true
	for _, v := range c.supervisions {
		if v.Ended.IsZero() {
			v.Ended, v.dirty = at, true
		}
		delete(s.running, v.ID)
	}
	if c.n == 0 {
		return // there was never a party on it
	}
	s.mark(c)
	if s.ended++; s.ended > s.cfg.MaxUnsaved {
		s.drop()
	}
}

// drop gives up the oldest call that has ended and of which nothing is saved, and reports whether there was one. (Those of which the store has the beginning are no more than ran
// when saving began to fail, and are to get their end.)
func (s *Scribe) drop() bool {
	for i, c := range s.unsaved {
		if !c.over || c.kept {
			continue
		}
		s.unsaved = append(s.unsaved[:i], s.unsaved[i+1:]...)
		s.ended--
		s.stats.Lost++
		r := c.record()
		s.lost.add(Gap{Began: r.began, Ended: r.ended, Lost: 1})
		return true
	}
	return false
}

// CallOf returns the id of the call that a live leg is on, and whether it is on one that is followed. The store has that call after [Scribe.Sync].
func (s *Scribe) CallOf(id call.LegID) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.legs[id]
	if x == nil || x.call.first() == nil {
		return "", false
	}
	if x.call.n == 0 {
		s.mark(x.call)
	}
	return x.call.id, true
}

// Supervised takes in that a supervision of the call of a leg has begun, or, with an id that runs, what has changed of it. It reports whether
// that call is followed.
func (s *Scribe) Supervised(target call.LegID, sv Supervision) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.supervision(sv.ID); v != nil {
		v.Mode, v.Told, v.dirty = sv.Mode, sv.Told, true
		s.mark(s.running[sv.ID])
		return true
	}
	x := s.legs[target]
	if x == nil || x.call.first() == nil {
		return false
	}
	x.call.supervisions = append(x.call.supervisions, &supervision{Supervision: sv, dirty: true})
	s.running[sv.ID] = x.call
	s.mark(x.call)
	return true
}

// SupervisionEnded takes in that a supervision has ended. One that does not run, as its call is over, stays as it is.
func (s *Scribe) SupervisionEnded(id string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.supervision(id); v != nil {
		v.Ended, v.dirty = at, true
		s.mark(s.running[id])
		delete(s.running, id)
	}
}

// supervision returns one that runs, having looked up of which call it is by now.
func (s *Scribe) supervision(id string) *supervision {
	c := s.running[id]
	if c == nil {
		return nil
	}
	for c.into != nil {
		c = c.into
	}
	s.running[id] = c
	for _, v := range c.supervisions {
		if v.ID == id {
			return v
		}
	}
	return nil
}

// Stats returns the counts of now.
func (s *Scribe) Stats() ScribeStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Legs, st.Unsaved, st.Failing = len(s.legs), len(s.unsaved), s.failing
	return st
}
