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
	Supervises func(call.LegID) bool        // whether a leg is there to listen, by who has it listen and not by its id; nil: none is
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

// Stats returns the counts of now.
func (s *Scribe) Stats() ScribeStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Legs, st.Unsaved, st.Failing = len(s.legs), len(s.unsaved), s.failing
	return st
}
