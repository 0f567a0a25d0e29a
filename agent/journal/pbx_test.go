package journal_test

import (
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/journal"
)

var start = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// A pbx tells a table what Asterisk would tell, a second after the other, and a scribe what that changes.
type pbx struct {
	t      testing.TB
	config journal.Config
	max    int
	table  *call.Table
	store  *journal.Store
	scribe *journal.Scribe
	now    time.Time
	chans  map[call.LegID]*call.Channel
	in     map[call.LegID]call.BridgeID
	order  []call.LegID
	step   time.Duration
	deaf   bool // the scribe is told nothing
	clock  func() time.Time

	mu     sync.Mutex
	errors []error
}

func newPBX(t testing.TB) *pbx {
	t.Helper()
	p := &pbx{
		t: t, config: journal.Config{Path: filepath.Join(t.TempDir(), "journal")}, table: call.NewTable(), now: start, step: time.Second,
		chans: map[call.LegID]*call.Channel{}, in: map[call.LegID]call.BridgeID{},
	}
	p.clock = func() time.Time { return p.now }
	p.open()
	p.resync()
	return p
}

// open starts a scribe on the file, as a new Earshot would, whatever has become of the one before.
func (p *pbx) open() {
	p.t.Helper()
	st, err := journal.Open(p.t.Context(), p.config)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = st.Close() })
	p.store = st
	if p.scribe, err = journal.NewScribe(p.t.Context(), st, journal.ScribeConfig{
		Employee: func(endpoint string) string {
			return map[string]string{"PJSIP/101": "anna", "PJSIP/102": "boris", "PJSIP/103": "clara", "PJSIP/104": "dora"}[endpoint]
		},
		Supervises: func(id call.LegID) bool { return id == "own" },
		Now:        p.clock,
		MaxUnsaved: p.max,
		OnError: func(err error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.errors = append(p.errors, err)
		},
	}); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pbx) apply(ev *call.Event) {
	p.now = p.now.Add(p.step)
	ev.At = p.now
	ch := p.table.Apply(ev)
	if !p.deaf {
		p.scribe.Apply(p.table, ev, ch)
	}
}

func (p *pbx) sync() {
	p.t.Helper()
	if err := p.scribe.Sync(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pbx) resync() {
	s := &call.Snapshot{}
	legs := map[call.BridgeID][]call.LegID{}
	for _, id := range p.order {
		s.Channels = append(s.Channels, *p.chans[id])
		if b := p.in[id]; b != "" {
			legs[b] = append(legs[b], id)
		}
	}
	for b, l := range legs {
		s.Bridges = append(s.Bridges, call.Bridge{ID: b, Type: "mixing", Legs: l})
	}
	p.apply(&call.Event{Kind: call.Resynced, Snapshot: s})
}

// leg creates a channel: exten is what it dials; none for one that Asterisk makes.
func (p *pbx) leg(id, name, number, exten string) {
	ch := &call.Channel{ID: call.LegID(id), Name: name, State: call.StateDown, Created: p.now.Add(p.step), Exten: exten,
		Caller: call.Identity{Name: "Name of " + id, Number: call.Number(number)}}
	if exten != "" {
		ch.State = call.StateRing
	}
	p.chans[ch.ID] = ch
	p.order = append(p.order, ch.ID)
	p.seen(id)
}

func (p *pbx) ch(id string) call.Channel {
	if id == "" {
		return call.Channel{}
	}
	return *p.chans[call.LegID(id)]
}

func (p *pbx) seen(id string) { p.apply(&call.Event{Kind: call.LegSeen, Channel: p.ch(id)}) }

func (p *pbx) up(id string) {
	p.chans[call.LegID(id)].State = call.StateUp
	p.seen(id)
}

func (p *pbx) app(id, app, queue string) {
	p.chans[call.LegID(id)].App, p.chans[call.LegID(id)].Queue = app, queue
	p.seen(id)
}

func (p *pbx) dial(caller, peer string) {
	p.apply(&call.Event{Kind: call.DialBegan, Channel: p.ch(caller), Peer: p.ch(peer), Dialled: "d" + peer})
	p.chans[call.LegID(peer)].State = call.StateRinging
	p.apply(&call.Event{Kind: call.DialProgressed, Channel: p.ch(caller), Peer: p.ch(peer)})
}

func (p *pbx) refuse(caller, peer string, why call.Refusal) {
	p.apply(&call.Event{Kind: call.DialEnded, Channel: p.ch(caller), Peer: p.ch(peer), Refusal: why})
	p.gone(peer)
}

// answer puts two through to each other in a bridge.
func (p *pbx) answer(caller, peer, bridge string) {
	p.up(peer)
	p.apply(&call.Event{Kind: call.DialEnded, Channel: p.ch(caller), Peer: p.ch(peer), Answered: true})
	if p.chans[call.LegID(caller)].State != call.StateUp {
		p.up(caller)
	}
	p.enter(bridge, peer, caller)
}

func (p *pbx) enter(bridge string, legs ...string) {
	for _, id := range legs {
		p.in[call.LegID(id)] = call.BridgeID(bridge)
		p.apply(&call.Event{Kind: call.BridgeEntered, Channel: p.ch(id), Bridge: call.Bridge{ID: call.BridgeID(bridge), Type: "mixing"}})
	}
}

func (p *pbx) hangup(id string) { p.apply(&call.Event{Kind: call.LegHungUp, Channel: p.ch(id)}) }

// vanish has a channel end without a word.
func (p *pbx) vanish(ids ...string) {
	for _, id := range ids {
		delete(p.chans, call.LegID(id))
		delete(p.in, call.LegID(id))
		p.order = slices.DeleteFunc(p.order, func(l call.LegID) bool { return string(l) == id })
	}
}

func (p *pbx) gone(ids ...string) {
	for _, id := range ids {
		ch := p.ch(id)
		p.vanish(id)
		p.apply(&call.Event{Kind: call.LegGone, Channel: ch})
	}
}

// talk is a client who calls 101, who answers.
func (p *pbx) talk(prefix string) (client, anna string) {
	client, anna = prefix+"client", prefix+"anna"
	p.leg(client, "PJSIP/trunk-"+prefix+"1", "+7 916 123-45-67", "74950000101")
	p.leg(anna, "PJSIP/101-"+prefix+"2", "101", "")
	p.dial(client, anna)
	p.answer(client, anna, prefix+"b")
	return client, anna
}

// call is the one call of a leg, as the store has it.
func (p *pbx) call(leg string) journal.Call {
	p.t.Helper()
	p.sync()
	id, err := p.store.CallOf(p.t.Context(), call.LegID(leg), p.now)
	if err != nil {
		p.t.Fatal(err)
	}
	c, err := p.store.Call(p.t.Context(), id)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func of(t testing.TB, c journal.Call, leg string) journal.Leg {
	t.Helper()
	for _, l := range c.Legs {
		if string(l.ID) == leg {
			return l
		}
	}
	t.Fatalf("%s is not on the call", leg)
	return journal.Leg{}
}

// outcomes are how a call ended for its legs, in the order given.
func outcomes(t testing.TB, c journal.Call, legs ...string) string {
	t.Helper()
	s := c.Outcome.String() + ":"
	for _, id := range legs {
		s += " " + of(t, c, id).Outcome.String()
	}
	if len(c.Legs) != len(legs) {
		t.Errorf("%d legs are on the call, not %d", len(c.Legs), len(legs))
	}
	return s
}

func is(t testing.TB, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

func wants(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("the error is %v, not %v", err, want)
	}
}
