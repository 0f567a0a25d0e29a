package call

import (
	"strings"
	"time"
)

// remembered is how many legs that are gone a Table remembers, so that a late word about one does not bring it back.
const remembered = 1024

// A Table is the live calls of one PBX. It is built by [Table.Apply] and read by its other methods. It is not safe for
// concurrent use; its reading methods may be used by several goroutines at once while nobody applies.
type Table struct {
	legs      map[LegID]*Leg
	names     map[string]*Leg   // the Local halves, by name
	endpoints map[string][]*Leg // the legs of each endpoint, oldest first
	bridges   map[BridgeID]*bridge

	first, last *Leg // all legs, oldest first
	known       bool
	moving      int // how many legs are on the way from a bridge
	marks       uint64

	gone     map[LegID]time.Time // when legs that are gone had been created
	goneRing []LegID
	goneNext int

	spare   [][]*Leg // room for endpoints to come
	changes []Change
}

// NewTable returns an empty table. It is not Known until a Resynced has been applied.
func NewTable() *Table {
	return &Table{
		legs:      make(map[LegID]*Leg),
		names:     make(map[string]*Leg),
		endpoints: make(map[string][]*Leg),
		bridges:   make(map[BridgeID]*bridge),
		gone:      make(map[LegID]time.Time, remembered),
		goneRing:  make([]LegID, 0, remembered),
	}
}

// Known reports whether the table has been told everything there is, and nothing may have been missed since.
func (t *Table) Known() bool { return t.known }

// Moving reports whether some leg is on the way between bridges, so that a TimePassed is due within [MoveTime].
func (t *Table) Moving() bool { return t.moving > 0 }

// Gone reports whether a leg of that id has been here and is gone, as far as the table remembers.
func (t *Table) Gone(id LegID) bool {
	_, ok := t.gone[id]
	return ok && t.legs[id] == nil
}

func (ev *Event) seen() time.Time {
	if ev.Seen.IsZero() {
		return ev.At
	}
	return ev.Seen
}

// Apply takes in one fact and returns what it changed, in order. The slice is used again by the next Apply. What makes no
// sense (a leg leaving a bridge that it is not in, a word about a leg that is gone) changes nothing.
func (t *Table) Apply(ev *Event) []Change {
	t.changes = t.changes[:0]
	switch ev.Kind {
	case LegSeen:
		t.observe(&ev.Channel, ev)
	case LegGone:
		if l := t.legs[ev.Channel.ID]; l != nil {
			l.born(&ev.Channel)
			br, heir := l.bridge, l.heir
			t.remove(l, ev)
			t.inherit(t.legs[heir], br, ev)
		} else if ev.Channel.ID != "" {
			t.remember(LegID(clone(string(ev.Channel.ID))), ev.Channel.Created)
		}
	case LegHungUp:
		if l := t.observe(&ev.Channel, ev); l != nil {
			was := l.phase
			l.hungUp = true
			for i := len(l.dials) - 1; i >= 0; i-- {
				if d := l.dials[i]; d.stage == linked {
					t.untieDial(d) // it waits for nobody, and nobody for it
					t.rephase(d.caller, ev)
					t.rephase(d.peer, ev)
					t.change(Change{Kind: DialEnded, Leg: d.caller.id, Other: d.peer.id})
				}
			}
			if t.rephase(l, ev); l.phase != was {
				t.change(Change{Kind: LegStateChanged, Leg: l.id})
			}
		}
	case LegHeld, LegUnheld:
		if l := t.observe(&ev.Channel, ev); l != nil {
			t.hold(l, ev.Kind == LegHeld, ev)
		}
	case DialBegan:
		t.dialBegan(ev)
	case DialProgressed:
		t.dialProgressed(ev)
	case DialEnded:
		t.dialEnded(ev)
	case BridgeSeen:
		t.bridgeSeen(ev)
	case BridgeGone:
		t.bridgeGone(ev)
	case BridgeEntered:
		t.bridgeEntered(ev)
	case BridgeLeft:
		t.bridgeLeft(ev)
	case BridgesMerged, LocalOptimized:
		// Asterisk tells each leave and each entry by itself afterwards (main/bridge.c: bridge_do_merge, bridge_do_move);
		// to move the legs here would show some who are not taken along.
	case BlindTransferred, AttendedTransferred:
		if l := t.legs[ev.Channel.ID]; l != nil {
			c := Change{Kind: TransferDone, Leg: l.id}
			if other := t.legs[ev.Peer.ID]; other != nil {
				c.Other = other.id
			}
			t.change(c)
		}
		if ev.Kind == AttendedTransferred {
			t.leftToWait(t.legs[ev.Peer.ID], t.legs[ev.Transferee], ev)
			t.leftInPlace(t.legs[ev.Peer.ID], t.legs[ev.Transferee])
		}
	case PickedUp:
		t.pickedUp(t.legs[ev.Channel.ID], t.legs[ev.Peer.ID])
	case SpyBegan:
		t.spyBegan(t.legs[ev.Channel.ID], t.legs[ev.Peer.ID])
	case SpyEnded:
		// A snoop spies as long as its channel lives, and that is ARI's to tell.
		if l := t.legs[ev.Channel.ID]; l != nil && l.kind != KindSnoop {
			if ev.Peer.ID == "" || l.spied != nil && l.spied.id == ev.Peer.ID {
				t.spyEnded(l)
			}
		}
	case Resynced:
		if ev.Snapshot != nil {
			t.resync(ev)
		}
	case LinkLost:
		t.known = false
		t.change(Change{Kind: LinkLost})
	case TimePassed:
		t.timePassed(ev)
	}
	return t.changes
}

func (t *Table) change(c Change) { t.changes = append(t.changes, c) }

// rephase keeps a leg's phase, and since when it has it.
func (t *Table) rephase(l *Leg, ev *Event) {
	if p := l.nowPhase(); p != l.phase {
		l.phase, l.since = p, ev.At
	}
}

// observe returns the leg that ch means and takes in what ch says about it; nil if there is none. A leg that was not known
// is made: nothing that lives is left out. One that is gone stays gone, unless it was created at another time: then its id
// has been used again (unique ids can be chosen by whoever originates a call).
func (t *Table) observe(ch *Channel, ev *Event) *Leg {
	l := t.legs[ch.ID]
	if ch.Name == "" {
		return l
	}
	if l == nil {
		if ch.ID == "" {
			return nil
		}
		if created, ok := t.gone[ch.ID]; ok && (ch.Created.IsZero() || ch.Created.Equal(created)) {
			return nil
		}
		return t.create(ch, ev)
	}
	l.born(ch)
	if l.name != ch.Name {
		was := l.endpoint
		t.rename(l, ch.Name)
		t.change(Change{Kind: LegRenamed, Leg: l.id, Was: was})
	}
	if l.state != ch.State {
		l.state = ch.State
		if ch.State == StateUp && l.answered.IsZero() {
			l.answered = ev.At
		}
		t.change(Change{Kind: LegStateChanged, Leg: l.id})
		if l.bridge != nil {
			t.rephaseAll(l.bridge, ev)
		}
	}
	caller, connected := setIdentity(&l.caller, &ch.Caller), setIdentity(&l.connected, &ch.Connected)
	if caller || connected {
		t.change(Change{Kind: PartyChanged, Leg: l.id})
	}
	setString(&l.exten, ch.Exten)
	if setString(&l.app, ch.App) && l.direction == Out && (l.app == "AppDial" || l.app == "AppQueue") {
		l.direction = In // it has been put in the place of a leg that Asterisk dialled (pickup, app_queue's without a Dial event)
	}
	if l.direction == Out && l.dialled == "" && ch.Exten != "" {
		l.dialled = Number(l.exten)
	}
	setString(&l.queue, ch.Queue)
	setString(&l.conference, ch.Room)
	t.rephase(l, ev)
	return l
}

// born takes in when the channel was created. Two that change places (pickup, a transfer to a phone that rings) exchange that too
// (main/channel.c: ast_channel_move), and keep their ids and names.
func (l *Leg) born(ch *Channel) {
	if !ch.Created.IsZero() {
		l.created = ch.Created
	}
}

func (t *Table) create(ch *Channel, ev *Event) *Leg {
	l := t.add(ch)
	if l.state == StateUp {
		l.answered = ev.At
	}
	t.change(Change{Kind: LegCreated, Leg: l.id})
	if l.kind == KindSnoop {
		t.spyBegan(l, t.legs[spiedOf(l.name)])
	}
	l.phase, l.since = l.nowPhase(), ev.At
	return l
}

// add puts a new leg into the table, without ties other than to the other half of a Local channel.
func (t *Table) add(ch *Channel) *Leg {
	l := &Leg{
		id:         LegID(clone(string(ch.ID))),
		state:      ch.State,
		exten:      clone(ch.Exten),
		app:        clone(ch.App),
		queue:      clone(ch.Queue),
		conference: clone(ch.Room),
		created:    ch.Created,
		direction:  directionOf(ch),
	}
	l.dials = l.dial[:0]
	setIdentity(&l.caller, &ch.Caller)
	setIdentity(&l.connected, &ch.Connected)
	if l.direction == Out {
		l.dialled = Number(l.exten)
	}
	t.legs[l.id] = l
	if l.prev = t.last; l.prev != nil {
		l.prev.next = l
	} else {
		t.first = l
	}
	t.last = l
	t.rename(l, ch.Name)
	return l
}

// directionOf tells by its first sight who called whom: a channel that a phone opens begins in Ring, one that Asterisk
// opens in Down.
func directionOf(ch *Channel) Direction {
	switch {
	case dialledApp(ch.App):
		return In
	case ch.State == StateDown, ch.State == StateRinging:
		return In
	case ch.State == StateUnknown:
		return DirectionUnknown
	}
	return Out
}

// dialledApp reports whether a leg in that application is one that Asterisk dialled and that has gone nowhere else since
// (apps/app_dial.c, apps/app_queue.c and main/dial.c set AppDial, AppQueue and AppDial2).
func dialledApp(app string) bool { return strings.HasPrefix(app, "AppDial") || app == "AppQueue" }

// rename gives a leg its name and all that follows from it.
func (t *Table) rename(l *Leg, name string) {
	t.unname(l)
	l.name = clone(name)
	l.kind = kindOf(l.name)
	if l.endpoint = endpointOf(l.name, l.kind); l.endpoint != "" {
		legs, ok := t.endpoints[l.endpoint]
		if !ok && len(t.spare) > 0 {
			legs = t.spare[len(t.spare)-1]
			t.spare = t.spare[:len(t.spare)-1]
		}
		t.endpoints[l.endpoint] = append(legs, l)
	}
	if l.kind == KindLocal {
		t.names[l.name] = l
		if other := t.otherHalf(l.name); other != nil && other != l {
			if was := other.half; was != nil {
				was.half = nil // it has lost its name, and that is still to be seen
			}
			l.half, other.half = other, l
		}
	}
}

func (t *Table) unname(l *Leg) {
	if l.endpoint != "" {
		if legs := drop(t.endpoints[l.endpoint], l); len(legs) > 0 {
			t.endpoints[l.endpoint] = legs
		} else {
			// An endpoint may be an address that never comes again; its room is kept, its name is not.
			delete(t.endpoints, l.endpoint)
			if cap(legs) > 0 && len(t.spare) < 64 {
				t.spare = append(t.spare, legs[:0])
			}
		}
	}
	if l.kind == KindLocal && t.names[l.name] == l {
		delete(t.names, l.name)
	}
	if l.half != nil {
		l.half.half, l.half = nil, nil
	}
}

// otherHalf returns the leg named …;2 for …;1 and the other way round (main/core_local.c: local_new).
func (t *Table) otherHalf(name string) *Leg {
	n := len(name)
	if n < 2 || name[n-2] != ';' {
		return nil
	}
	var buf [160]byte // AST_CHANNEL_NAME is 80
	other := append(buf[:0], name...)
	other[n-1] ^= '1' ^ '2'
	return t.names[string(other)]
}

// remove ends a leg for good.
func (t *Table) remove(l *Leg, ev *Event) {
	t.end(l, ev)
	t.remember(l.id, l.created)
}

// end takes a leg out of the table with all its ties.
func (t *Table) end(l *Leg, ev *Event) {
	t.quit(l, ev)
	t.moved(l, ev)
	for len(l.dials) > 0 {
		d := l.dials[len(l.dials)-1]
		t.untieDial(d)
		if d.stage != answered {
			t.change(Change{Kind: DialEnded, Leg: d.caller.id, Other: d.peer.id})
		}
		t.rephase(d.caller, ev)
		t.rephase(d.peer, ev)
	}
	t.spyEnded(l)
	for len(l.spies) > 0 {
		t.spyEnded(l.spies[len(l.spies)-1])
	}
	was := l.endpoint
	t.detach(l)
	t.change(Change{Kind: LegGone, Leg: l.id, Was: was})
}

// detach takes a leg that has no ties out of the table.
func (t *Table) detach(l *Leg) {
	t.unname(l)
	delete(t.legs, l.id)
	if l.prev != nil {
		l.prev.next = l.next
	} else {
		t.first = l.next
	}
	if l.next != nil {
		l.next.prev = l.prev
	} else {
		t.last = l.prev
	}
	l.prev, l.next = nil, nil
}

func (t *Table) remember(id LegID, created time.Time) {
	if _, ok := t.gone[id]; ok {
		if created.IsZero() {
			return // AMI does not tell when
		}
	} else {
		if len(t.goneRing) < remembered {
			t.goneRing = append(t.goneRing, id)
		} else {
			delete(t.gone, t.goneRing[t.goneNext])
			t.goneRing[t.goneNext] = id
			t.goneNext = (t.goneNext + 1) % remembered
		}
	}
	t.gone[id] = created
}

func clone(s string) string { return strings.Clone(s) }

// setString takes in a string and reports whether it is another one.
func setString(dst *string, s string) bool {
	if *dst == s {
		return false
	}
	*dst = clone(s)
	return true
}

func setNumber(dst *Number, s string) {
	if string(*dst) != s {
		*dst = Number(clone(s))
	}
}

func setIdentity(dst, src *Identity) bool {
	if *dst == *src {
		return false
	}
	*dst = Identity{Name: clone(src.Name), Number: Number(clone(string(src.Number)))}
	return true
}
