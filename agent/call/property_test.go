package call_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/earshot-pbx/earshot/agent/call"
)

// The small world of the property test: legs of every kind, of which two have one phone, and bridges.
var worldNames = map[call.LegID]string{
	"a": "PJSIP/101-1", "b": "PJSIP/102-2", "c": "PJSIP/101-3", "t": "PJSIP/trunk-4",
	"l1": "Local/7@x-1;1", "l2": "Local/7@x-1;2", "m1": "Local/8@x-2;1", "m2": "Local/8@x-2;2", "s": "Snoop/a-0", "r": "CBRec/x-1",
}

var worldBridges = map[call.BridgeID]string{"b1": "mixing", "b2": "mixing", "h": "holding"}

// A model knows in the plainest way what a table must know, from the same events: who lives, where everybody is, and which
// two legs an event has ever tied.
type model struct {
	live    map[call.LegID]time.Time // to when it was created
	gone    map[call.LegID]time.Time
	in      map[call.LegID]call.BridgeID
	tied    map[[2]call.LegID]bool
	created map[call.LegID]time.Time
	heirs   map[call.LegID]call.LegID // who was left in whose place
	now     time.Time
}

func (m *model) tie(a, b call.LegID) {
	m.tied[[2]call.LegID{a, b}], m.tied[[2]call.LegID{b, a}] = true, true
}

func (m *model) see(ch call.Channel) bool {
	if ch.Name == "" {
		_, ok := m.live[ch.ID]
		return ok
	}
	if _, ok := m.live[ch.ID]; ok {
		m.live[ch.ID] = ch.Created
		return true
	}
	if at, ok := m.gone[ch.ID]; ok && at.Equal(ch.Created) {
		return false
	}
	m.live[ch.ID] = ch.Created
	return true
}

func (m *model) end(id call.LegID, created time.Time) {
	if at, ok := m.live[id]; ok {
		if !created.IsZero() {
			at = created
		}
		m.gone[id] = at
	} else if _, ok := m.gone[id]; id != "" && (!ok || !created.IsZero()) {
		m.gone[id] = created
	}
	delete(m.live, id)
	delete(m.in, id)
	delete(m.heirs, id)
}

func (m *model) enter(id call.LegID, b call.BridgeID) {
	if was := m.in[id]; was != "" && was != b {
		delete(m.heirs, id)
	}
	m.in[id] = b
	for other, where := range m.in {
		if where == b {
			m.tie(id, other)
		}
	}
}

func (m *model) apply(ev *call.Event) {
	switch ev.Kind {
	case call.LegSeen, call.LegHeld, call.LegUnheld, call.LegHungUp:
		m.see(ev.Channel)
	case call.LegGone:
		b, heir := m.in[ev.Channel.ID], m.heirs[ev.Channel.ID]
		m.end(ev.Channel.ID, ev.Channel.Created)
		if _, lives := m.live[heir]; lives && b != "" && m.in[heir] == "" {
			m.enter(heir, b)
		}
	case call.DialBegan, call.DialProgressed, call.DialEnded:
		caller, peer := m.see(ev.Channel), m.see(ev.Peer)
		if caller && peer {
			m.tie(ev.Channel.ID, ev.Peer.ID)
		}
	case call.AttendedTransferred:
		m.tie(ev.Peer.ID, ev.Transferee) // who waits for an answer, and who is left in his place
		if _, lives := m.live[ev.Peer.ID]; lives {
			delete(m.heirs, ev.Peer.ID)
			if _, lives := m.live[ev.Transferee]; lives && ev.Transferee != ev.Peer.ID {
				m.heirs[ev.Peer.ID] = ev.Transferee
			}
		}
	case call.BridgeEntered:
		if m.see(ev.Channel) {
			m.enter(ev.Channel.ID, ev.Bridge.ID)
		}
	case call.BridgeLeft:
		if m.see(ev.Channel) && m.in[ev.Channel.ID] == ev.Bridge.ID {
			delete(m.in, ev.Channel.ID)
			delete(m.heirs, ev.Channel.ID)
		}
	case call.BridgeGone:
		for id, b := range m.in {
			if b == ev.Bridge.ID {
				delete(m.heirs, id)
			}
		}
		maps.DeleteFunc(m.in, func(_ call.LegID, b call.BridgeID) bool { return b == ev.Bridge.ID })
	case call.Resynced:
		seen := map[call.LegID]time.Time{}
		for _, ch := range ev.Snapshot.Channels {
			seen[ch.ID] = ch.Created
		}
		for id := range m.live {
			if _, ok := seen[id]; !ok {
				m.gone[id] = time.Time{}.Add(1) // whoever tells when it was created tells that it lives
				delete(m.heirs, id)
			}
		}
		m.live, m.in = seen, map[call.LegID]call.BridgeID{}
		clear(m.heirs)
		for _, b := range ev.Snapshot.Bridges {
			for _, id := range b.Legs {
				m.enter(id, b.ID)
			}
		}
		for a, x := range ev.Snapshot.Linked {
			for b, y := range ev.Snapshot.Linked {
				if x == y {
					m.tie(a, b)
				}
			}
		}
	}
}

// component returns all legs that were ever tied to one, directly or not.
func (m *model) component(id call.LegID) map[call.LegID]bool {
	found := map[call.LegID]bool{id: true}
	for grown := true; grown; {
		grown = false
		for pair := range m.tied {
			if found[pair[0]] && !found[pair[1]] {
				found[pair[1]], grown = true, true
			}
		}
	}
	return found
}

var eventKinds = []call.Kind{
	call.LegSeen, call.LegSeen, call.LegSeen, call.LegGone, call.LegHeld, call.LegUnheld, call.LegHungUp, call.DialBegan, call.DialBegan, call.DialProgressed,
	call.DialEnded, call.BridgeSeen, call.BridgeGone, call.BridgeEntered, call.BridgeEntered, call.BridgeEntered, call.BridgeLeft, call.BridgeLeft,
	call.BridgesMerged, call.BlindTransferred, call.AttendedTransferred, call.PickedUp, call.SpyBegan, call.SpyEnded, call.LocalOptimized,
	call.Resynced, call.LinkLost, call.TimePassed, call.KindNone, call.Kind(60),
}

func (m *model) drawChannel(t *rapid.T, label string) call.Channel {
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(worldNames))).Draw(t, label)
	if _, ok := m.live[id]; !ok && rapid.IntRange(0, 2).Draw(t, label+" is new") > 0 {
		m.created[id] = m.now
	}
	if _, ok := m.created[id]; !ok {
		m.created[id] = m.now
	}
	ch := call.Channel{ID: id, Name: worldNames[id], Created: m.created[id]}
	ch.State = rapid.SampledFrom([]call.State{call.StateDown, call.StateRing, call.StateRinging, call.StateUp, call.StateUp}).Draw(t, label+" state")
	ch.Caller.Number = rapid.SampledFrom([]call.Number{"", "1", "2"}).Draw(t, label+" number")
	if rapid.IntRange(0, 9).Draw(t, label+" by id only") == 0 {
		return call.Channel{ID: id}
	}
	return ch
}

func (m *model) drawSnapshot(t *rapid.T) *call.Snapshot {
	s := &call.Snapshot{Linked: map[call.LegID]call.LegID{}}
	where := map[call.BridgeID][]call.LegID{}
	for _, id := range slices.Sorted(maps.Keys(worldNames)) {
		if !rapid.Bool().Draw(t, string(id)+" lives") {
			continue
		}
		if _, ok := m.live[id]; !ok {
			m.created[id] = m.now
		}
		s.Channels = append(s.Channels, call.Channel{ID: id, Name: worldNames[id], Created: m.created[id],
			State: rapid.SampledFrom([]call.State{call.StateDown, call.StateRing, call.StateRinging, call.StateUp}).Draw(t, string(id)+" state")})
		if b := rapid.SampledFrom([]call.BridgeID{"", "b1", "b2", "h"}).Draw(t, string(id)+" is in"); b != "" {
			where[b] = append(where[b], id)
		} else {
			s.Linked[id] = rapid.SampledFrom([]call.LegID{"a", "b"}).Draw(t, string(id)+" linked")
		}
	}
	for _, b := range slices.Sorted(maps.Keys(worldBridges)) {
		s.Bridges = append(s.Bridges, call.Bridge{ID: b, Type: worldBridges[b], Legs: where[b]})
	}
	return s
}

func (m *model) drawEvent(t *rapid.T) *call.Event {
	ev := &call.Event{Kind: rapid.SampledFrom(eventKinds).Draw(t, "kind"), At: m.now}
	ev.Channel, ev.Peer = m.drawChannel(t, "channel"), m.drawChannel(t, "peer")
	if rapid.IntRange(0, 9).Draw(t, "without channel") == 0 {
		ev.Channel = call.Channel{}
	}
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(worldBridges))).Draw(t, "bridge")
	ev.Bridge = call.Bridge{ID: id, Type: worldBridges[id]}
	ev.Answered = rapid.Bool().Draw(t, "answered")
	if ev.Kind == call.AttendedTransferred {
		ev.Transferee = m.drawChannel(t, "transferee").ID
	}
	if ev.Kind == call.Resynced {
		ev.Snapshot = m.drawSnapshot(t)
	}
	return ev
}

// anyOrder applies events in any order and compares what the table says with what the events can have meant.
func anyOrder(t *rapid.T) {
	table := call.NewTable()
	m := &model{live: map[call.LegID]time.Time{}, gone: map[call.LegID]time.Time{}, in: map[call.LegID]call.BridgeID{},
		tied: map[[2]call.LegID]bool{}, created: map[call.LegID]time.Time{}, heirs: map[call.LegID]call.LegID{}, now: start}
	m.tie("l1", "l2")
	m.tie("m1", "m2")
	for range rapid.IntRange(1, 60).Draw(t, "events") {
		m.now = m.now.Add(time.Duration(rapid.IntRange(1, 400).Draw(t, "ms")) * time.Millisecond)
		ev := m.drawEvent(t)
		table.Apply(ev)
		m.apply(ev)
		if err := table.Check(); err != nil {
			t.Fatalf("after %v: %v", ev, err)
		}
		if ev.Kind == call.Resynced {
			if diff := table.Diff(ev.Snapshot); len(diff) > 0 {
				t.Fatalf("after a resync: %v", diff)
			}
		}
		compare(t, table, m, ev)
	}
}

func compare(t *rapid.T, table *call.Table, m *model, ev *call.Event) {
	var have []string
	for _, l := range table.All(nil) {
		have = append(have, string(l.ID()))
		if l.Bridge() != m.in[l.ID()] {
			t.Fatalf("after %v: %v is in %q, should be in %q", ev, l, string(l.Bridge()), string(m.in[l.ID()]))
		}
	}
	slices.Sort(have)
	var want []string
	for _, id := range slices.Sorted(maps.Keys(m.live)) {
		want = append(want, string(id))
	}
	if !slices.Equal(have, want) {
		t.Fatalf("after %v: legs %v, should be %v", ev, have, want)
	}
	for _, l := range table.All(nil) {
		tied := m.component(l.ID())
		whole := table.Call(nil, l)
		for _, other := range whole {
			if !tied[other.ID()] {
				t.Fatalf("after %v: %v and %v are on one call, and nothing tied them", ev, l, other)
			}
			if !slices.Contains(table.Call(nil, other), l) {
				t.Fatalf("after %v: %v is on the call of %v and not the other way round", ev, other, l)
			}
		}
		heard := table.Earshot(nil, l, call.Reach{})
		for _, other := range whole {
			if !slices.Contains(heard, other) {
				t.Fatalf("after %v: %v is on the call of %v and out of earshot", ev, other, l)
			}
		}
		for _, peer := range table.Peers(nil, l) {
			if peer == l || peer.Kind() != call.KindPhone || !slices.Contains(whole, peer) || table.Leg(peer.ID()) != peer {
				t.Fatalf("after %v: %v has the peer %v", ev, l, peer)
			}
			if l.Kind() == call.KindPhone && !slices.Contains(table.Peers(nil, peer), l) {
				t.Fatalf("after %v: %v is the peer of %v and not the other way round", ev, peer, l)
			}
		}
	}
}

func TestEventsInAnyOrderLoseNoLegAndInventNoPeer(t *testing.T) { rapid.Check(t, anyOrder) }

func FuzzApply(f *testing.F) { f.Fuzz(rapid.MakeFuzz(anyOrder)) }

// TestWhatIsGoneIsForgottenInTheEnd applies more calls than a table remembers and looks at what is left.
func TestWhatIsGoneIsForgottenInTheEnd(t *testing.T) {
	table := call.NewTable()
	for i := range 3000 {
		id := call.LegID(fmt.Sprint("leg", i))
		table.Apply(&call.Event{Kind: call.LegSeen, Channel: call.Channel{ID: id, Name: fmt.Sprintf("IAX2/10.0.0.%d-%d", i, i), State: call.StateRing}})
		table.Apply(&call.Event{Kind: call.BridgeEntered, Channel: call.Channel{ID: id}, Bridge: call.Bridge{ID: call.BridgeID(id)}})
		table.Apply(&call.Event{Kind: call.LegGone, Channel: call.Channel{ID: id}})
		table.Apply(&call.Event{Kind: call.BridgeGone, Bridge: call.Bridge{ID: call.BridgeID(id)}})
	}
	if err := table.Check(); err != nil {
		t.Fatal(err)
	}
	if table.Len() != 0 || table.Gone("leg0") || !table.Gone("leg2999") {
		t.Error("forgets too little or too much")
	}
}
