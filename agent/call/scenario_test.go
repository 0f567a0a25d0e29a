package call_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// A pbx tells a table what Asterisk would tell, in Asterisk's order, and looks at the table after every event. Legs and
// bridges have short names, which are their unique ids.
type pbx struct {
	t     *testing.T
	table *call.Table
	now   time.Time
	chans map[call.LegID]*call.Channel
	in    map[call.LegID]call.BridgeID
	types map[call.BridgeID]string
	order []call.LegID
	may   map[call.LegID][]string // whom a leg may have as peers, at any moment
	busy  []call.LegID            // who must not be idle at any moment
	log   []string                // changes since the last look
}

var start = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func newPBX(t *testing.T) *pbx {
	p := &pbx{
		t: t, table: call.NewTable(), now: start, chans: map[call.LegID]*call.Channel{},
		in: map[call.LegID]call.BridgeID{}, types: map[call.BridgeID]string{}, may: map[call.LegID][]string{},
	}
	p.apply(&call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{}})
	p.log = nil
	return p
}

// apply hands an event over, a second after the one before, and looks.
func (p *pbx) apply(ev *call.Event) {
	p.t.Helper()
	p.at(ev, time.Second)
}

// soon hands an event over in the same instant as the one before, as Asterisk does within one operation.
func (p *pbx) soon(ev *call.Event) {
	p.t.Helper()
	p.at(ev, time.Millisecond)
}

func (p *pbx) at(ev *call.Event, later time.Duration) {
	p.t.Helper()
	p.now = p.now.Add(later)
	ev.At = p.now
	for _, c := range p.table.Apply(ev) {
		p.log = append(p.log, fmt.Sprint(c))
	}
	if err := p.table.Check(); err != nil {
		p.t.Fatalf("after %v: %v", ev, err)
	}
	for id, may := range p.may {
		l := p.table.Leg(id)
		if l == nil {
			continue
		}
		for _, peer := range p.table.Peers(nil, l) {
			if !slices.Contains(may, string(peer.ID())) {
				p.t.Errorf("after %v: %s has the peer %s", ev, id, peer.ID())
			}
		}
	}
	for _, id := range p.busy {
		if l := p.table.Leg(id); l == nil || l.Phase() == call.PhaseNone {
			p.t.Errorf("after %v: %s is idle", ev, id)
		}
	}
}

// leg creates a channel: Ring is one that a phone opens (exten is what it dials), Down one that Asterisk opens.
func (p *pbx) leg(id, name string, state call.State, exten ...string) {
	p.t.Helper()
	ch := &call.Channel{ID: call.LegID(id), Name: name, State: state, Created: p.now}
	ch.Caller = call.Identity{Name: "Name of " + id, Number: call.Number("+7900" + id)}
	if len(exten) > 0 {
		ch.Exten = exten[0]
	}
	p.chans[ch.ID] = ch
	p.order = append(p.order, ch.ID)
	p.apply(&call.Event{Kind: call.LegSeen, Channel: *ch})
}

func (p *pbx) ch(id string) call.Channel {
	if id == "" {
		return call.Channel{}
	}
	return *p.chans[call.LegID(id)]
}

func (p *pbx) state(id string, s call.State) {
	p.t.Helper()
	p.chans[call.LegID(id)].State = s
	p.apply(&call.Event{Kind: call.LegSeen, Channel: p.ch(id)})
}

func (p *pbx) dial(caller, peer, what string) {
	p.t.Helper()
	p.apply(&call.Event{Kind: call.DialBegan, Channel: p.ch(caller), Peer: p.ch(peer), Dialled: what})
}

func (p *pbx) ring(caller, peer string) {
	p.t.Helper()
	p.state(peer, call.StateRinging)
	p.apply(&call.Event{Kind: call.DialProgressed, Channel: p.ch(caller), Peer: p.ch(peer)})
}

func (p *pbx) dialEnd(caller, peer string, answered bool) {
	p.t.Helper()
	p.apply(&call.Event{Kind: call.DialEnded, Channel: p.ch(caller), Peer: p.ch(peer), Answered: answered})
}

func (p *pbx) answer(caller, peer string) {
	p.t.Helper()
	p.state(peer, call.StateUp)
	p.dialEnd(caller, peer, true)
	if caller != "" && p.chans[call.LegID(caller)].State != call.StateUp {
		p.state(caller, call.StateUp)
	}
}

func (p *pbx) bridge(id, typ string) {
	p.t.Helper()
	p.types[call.BridgeID(id)] = typ
	p.apply(&call.Event{Kind: call.BridgeSeen, Bridge: call.Bridge{ID: call.BridgeID(id), Type: typ, Legs: []call.LegID{}}})
}

func (p *pbx) enter(bridge string, legs ...string) {
	p.t.Helper()
	for _, id := range legs {
		p.in[call.LegID(id)] = call.BridgeID(bridge)
		p.soon(&call.Event{Kind: call.BridgeEntered, Channel: p.ch(id),
			Bridge: call.Bridge{ID: call.BridgeID(bridge), Type: p.types[call.BridgeID(bridge)]}})
	}
}

func (p *pbx) leave(bridge string, legs ...string) {
	p.t.Helper()
	for _, id := range legs {
		if p.in[call.LegID(id)] == call.BridgeID(bridge) {
			delete(p.in, call.LegID(id))
		}
		p.soon(&call.Event{Kind: call.BridgeLeft, Channel: p.ch(id), Bridge: call.Bridge{ID: call.BridgeID(bridge)}})
	}
}

func (p *pbx) unbridge(id string) {
	p.t.Helper()
	delete(p.types, call.BridgeID(id))
	p.soon(&call.Event{Kind: call.BridgeGone, Bridge: call.Bridge{ID: call.BridgeID(id)}})
}

func (p *pbx) gone(legs ...string) {
	p.t.Helper()
	for _, id := range legs {
		ch := p.ch(id)
		delete(p.chans, call.LegID(id))
		delete(p.in, call.LegID(id))
		p.order = slices.DeleteFunc(p.order, func(l call.LegID) bool { return string(l) == id })
		p.soon(&call.Event{Kind: call.LegGone, Channel: ch})
	}
}

func (p *pbx) hold(id string, on bool) {
	p.t.Helper()
	kind := call.LegUnheld
	if on {
		kind = call.LegHeld
	}
	p.apply(&call.Event{Kind: kind, Channel: p.ch(id)})
}

// fact is one of AMI's, which names legs by their ids only.
func (p *pbx) fact(kind call.Kind, leg, other string) {
	p.t.Helper()
	p.soon(&call.Event{Kind: kind, Channel: call.Channel{ID: call.LegID(leg)}, Peer: call.Channel{ID: call.LegID(other)}})
}

// later lets d pass.
func (p *pbx) later(d time.Duration) {
	p.t.Helper()
	p.at(&call.Event{Kind: call.TimePassed}, d)
}

// snapshot is what Asterisk's lists would show.
func (p *pbx) snapshot() *call.Snapshot {
	s := &call.Snapshot{}
	legs := map[call.BridgeID][]call.LegID{}
	for _, id := range p.order {
		s.Channels = append(s.Channels, *p.chans[id])
		if b := p.in[id]; b != "" {
			legs[b] = append(legs[b], id)
		}
	}
	for b, typ := range p.types {
		s.Bridges = append(s.Bridges, call.Bridge{ID: b, Type: typ, Legs: legs[b]})
	}
	return s
}

// same compares the table with what Asterisk's lists would show.
func (p *pbx) same() {
	p.t.Helper()
	if diff := p.table.Diff(p.snapshot()); len(diff) > 0 {
		p.t.Errorf("differs from the PBX:\n%s", strings.Join(diff, "\n"))
	}
}

// onlyPeers says whom a leg may have as peers from here on, at any moment.
func (p *pbx) onlyPeers(id string, peers ...string) { p.may[call.LegID(id)] = peers }

// neverIdle says that a leg has to be there and doing something from here on, at any moment.
func (p *pbx) neverIdle(id string) { p.busy = append(p.busy, call.LegID(id)) }

func ids(legs []*call.Leg) string {
	var s []string
	for _, l := range legs {
		s = append(s, string(l.ID()))
	}
	slices.Sort(s)
	return strings.Join(s, " ")
}

// peers looks who is on the other side of a leg, given in alphabetical order: "a b".
func (p *pbx) peers(id, want string) {
	p.t.Helper()
	if got := ids(p.table.Peers(nil, p.table.Leg(call.LegID(id)))); got != want {
		p.t.Errorf("peers of %s: %q, want %q", id, got, want)
	}
}

// call looks which legs are tied to a leg, itself included.
func (p *pbx) call(id, want string) {
	p.t.Helper()
	if got := ids(p.table.Call(nil, p.table.Leg(call.LegID(id)))); got != want {
		p.t.Errorf("call of %s: %q, want %q", id, got, want)
	}
}

// is looks at a leg as a colleague sees it: "talking out", "ringing in".
func (p *pbx) is(id, want string) {
	p.t.Helper()
	l := p.table.Leg(call.LegID(id))
	if l == nil {
		p.t.Errorf("%s is gone, want %s", id, want)
		return
	}
	if got := strings.TrimSpace(l.Phase().String() + " " + l.Direction().String()); got != want {
		p.t.Errorf("%s is %q, want %q", id, got, want)
	}
}

// changes looks at what has been told since the last look.
func (p *pbx) changes(want ...string) {
	p.t.Helper()
	if got, want := strings.Join(p.log, "\n"), strings.Join(want, "\n"); got != want {
		p.t.Errorf("changes:\n%s\nwant:\n%s", got, want)
	}
	p.log = nil
}
