package call

import (
	"slices"
	"time"
)

// MoveTime is how long a leg that has left a bridge still counts as tied to who was in it, unless it enters a bridge, begins
// to dial or is gone before. Local optimisation, attended transfer and the merging of bridges leave before they enter.
const MoveTime = 250 * time.Millisecond

// A bridge and who is in it.
type bridge struct {
	id   BridgeID
	typ  string
	legs []*Leg // who is in it, in order of entering
	left []*Leg // who left it a moment ago and is on the way elsewhere
	gone bool   // Asterisk has destroyed it; it is kept while somebody is on the way from it
	mark uint64
	room [4]*Leg // where legs and left begin: two each is what most bridges ever have
}

// ties reports whether those in the bridge hear each other. In a holding bridge (parking, music on hold) they do not.
func (b *bridge) ties() bool { return b.typ != "holding" }

// supervision reports whether a snoop is in the bridge: what is heard there is another call.
func (b *bridge) supervision() bool {
	for _, l := range b.legs {
		if l.kind == KindSnoop {
			return true
		}
	}
	for _, l := range b.left {
		if l.kind == KindSnoop {
			return true
		}
	}
	return false
}

// waiting reports whether a leg waits in the bridge for somebody to answer: others are there, and none of them is up. An attended
// transfer by phone keys joins the transferer so with a Local channel that still rings (main/bridge_basic.c).
func (b *bridge) waiting(l *Leg) bool {
	if !b.ties() {
		return false
	}
	others := false
	for _, o := range b.legs {
		if o == l {
			continue
		}
		if o.state == StateUp {
			return false
		}
		others = true
	}
	return others
}

// A dial ties a leg to one that rings for it.
type dial struct {
	caller, peer *Leg
	stage        stage
}

type stage uint8

const (
	pending  stage = iota // until DialEnded
	answered              // until both are in a bridge
	linked                // told by a linked id at a resync: until one of them is in a bridge, or DialEnded for the peer
)

// dialling reports whether the leg waits for a leg that it dials.
func (l *Leg) dialling() bool {
	for _, d := range l.dials {
		if d.caller == l && d.stage != answered {
			return true
		}
	}
	return false
}

// rung reports whether a leg dials this one.
func (l *Leg) rung() bool {
	for _, d := range l.dials {
		if d.peer == l && d.stage != answered {
			return true
		}
	}
	return false
}

func findDial(caller, peer *Leg) *dial {
	for _, d := range peer.dials {
		if d.caller == caller && d.peer == peer {
			return d
		}
	}
	return nil
}

func (t *Table) tieDial(caller, peer *Leg, s stage) *dial {
	d := &dial{caller, peer, s}
	caller.dials = append(caller.dials, d)
	peer.dials = append(peer.dials, d)
	return d
}

func (t *Table) untieDial(d *dial) {
	d.caller.dials = drop(d.caller.dials, d)
	d.peer.dials = drop(d.peer.dials, d)
}

// drop removes x from s and keeps the order.
func drop[T comparable](s []T, x T) []T {
	if i := slices.Index(s, x); i >= 0 {
		return slices.Delete(s, i, i+1)
	}
	return s
}

// settled ends the answered dials of a leg that has entered a bridge, as far as the other side is in one too; and those that
// linked ids told of, as what they left open (who rings for whom) has been decided.
func (t *Table) settled(l *Leg, ev *Event) {
	for i := len(l.dials) - 1; i >= 0; i-- {
		d := l.dials[i]
		in := 0
		if d.caller.bridge != nil {
			in++
		}
		if d.peer.bridge != nil {
			in++
		}
		if d.stage == answered && in == 2 || d.stage == linked && in > 0 {
			t.untieDial(d)
			t.rephase(d.caller, ev)
			t.rephase(d.peer, ev)
		}
	}
}

// dialLegs returns the caller and the dialled leg of a dial event; nobody dials himself.
func (t *Table) dialLegs(ev *Event) (caller, peer *Leg) {
	caller, peer = t.observe(&ev.Channel, ev), t.observe(&ev.Peer, ev)
	if caller == peer {
		return nil, nil
	}
	return caller, peer
}

func (t *Table) dialBegan(ev *Event) {
	caller, peer := t.dialLegs(ev)
	if peer == nil {
		return
	}
	peer.direction = In
	if ev.Dialled != "" {
		setNumber(&peer.dialled, ev.Dialled)
	}
	if caller == nil {
		peer.originated = true
		t.change(Change{Kind: DialBegan, Other: peer.id})
		t.rephase(peer, ev)
		return
	}
	t.dialOut(caller, ev)
	if d := findDial(caller, peer); d != nil {
		d.stage = pending
	} else {
		t.tieDial(caller, peer, pending)
	}
	t.change(Change{Kind: DialBegan, Leg: caller.id, Other: peer.id})
	t.rephase(caller, ev)
	t.rephase(peer, ev)
}

// dialOut takes in that a leg dials: it is not on its way back into a bridge, and if Asterisk rang it in order to call
// somebody for it (click to call), the call is an outgoing one.
func (t *Table) dialOut(caller *Leg, ev *Event) {
	t.moved(caller, ev)
	if caller.originated {
		caller.originated = false
		caller.direction = Out
	}
}

func (t *Table) dialProgressed(ev *Event) {
	caller, peer := t.dialLegs(ev)
	if caller == nil || peer == nil || findDial(caller, peer) != nil {
		return
	}
	// The dial began before we listened, or another leg has taken the caller's place (a semi-attended transfer).
	peer.direction = In
	t.dialOut(caller, ev)
	t.tieDial(caller, peer, pending)
	t.change(Change{Kind: DialBegan, Leg: caller.id, Other: peer.id})
	t.rephase(caller, ev)
	t.rephase(peer, ev)
}

func (t *Table) dialEnded(ev *Event) {
	caller, peer := t.dialLegs(ev)
	if peer == nil {
		return
	}
	ended := Change{Kind: DialEnded, Other: peer.id}
	if caller != nil {
		ended.Leg = caller.id
	}
	if caller == nil && !ev.Answered {
		peer.originated = false
	}
	if caller != nil {
		d := findDial(caller, peer)
		switch {
		case ev.Answered && d != nil:
			d.stage = answered
		case ev.Answered:
			// Nobody dialled this leg: it took the call that another one was rung for (pickup), and Asterisk put it in
			// that one's place (main/pickup.c: ast_do_pickup; main/channel.c: ast_channel_move).
			peer.direction = In
			t.tieDial(caller, peer, answered)
		case d != nil:
			t.untieDial(d)
		}
	}
	for i := len(peer.dials) - 1; i >= 0; i-- {
		if d := peer.dials[i]; d.peer == peer && d.stage == linked {
			t.untieDial(d) // the dial itself has spoken
			t.rephase(d.caller, ev)
		}
	}
	t.settled(peer, ev)
	t.change(ended)
	if caller != nil {
		t.rephase(caller, ev)
	}
	t.rephase(peer, ev)
}

// leftToWait takes in that a leg was left in the place of one that waits for an answer: a transfer to a phone that still rings. Asterisk lets
// it go on with that one's Dial (main/bridge.c: ast_bridge_transfer_attended; main/channel.c: ast_channel_move) and tells of no dial until that ends.
func (t *Table) leftToWait(waits, l *Leg, ev *Event) {
	if waits == nil || l == nil || waits == l {
		return
	}
	for i := len(waits.dials) - 1; i >= 0; i-- {
		d := waits.dials[i]
		if d.caller != waits || d.stage == answered || d.peer == l {
			continue
		}
		stage := d.stage
		t.untieDial(d)
		t.change(Change{Kind: DialEnded, Leg: waits.id, Other: d.peer.id})
		if findDial(l, d.peer) == nil {
			t.tieDial(l, d.peer, stage)
		}
		t.change(Change{Kind: DialBegan, Leg: l.id, Other: d.peer.id})
		t.rephase(d.peer, ev)
	}
	t.rephase(waits, ev)
	t.rephase(l, ev)
}

// leftInPlace takes in that a leg was left where another one has been answered. If that one was not in its bridge yet, since the transfer came as quickly as
// the answer, Asterisk puts the leg into its place in the middle of entering (main/bridge.c: ast_bridge_transfer_attended; main/channel.c: ast_channel_move):
// it tells that the one whose place it is enters, and that this one is gone, but neither that it leaves nor who is there instead. One that it leaves in
// the ordinary way it tells to leave.
func (t *Table) leftInPlace(of, l *Leg) {
	if of == nil {
		return
	}
	if of.heir = ""; l != nil && l != of {
		of.heir = l.id
	}
}

// inherit puts a leg into the bridge where another one was when it was gone, whose place it has.
func (t *Table) inherit(l *Leg, br *bridge, ev *Event) {
	if l != nil && br != nil && l.bridge == nil {
		t.enter(l, br, ev)
	}
}

// bridgeOf returns the bridge, made anew if it is not known, and takes in its type.
func (t *Table) bridgeOf(b *Bridge) *bridge {
	br := t.bridges[b.ID]
	if br == nil {
		br = &bridge{id: BridgeID(clone(string(b.ID)))}
		br.legs, br.left = br.room[0:0:2], br.room[2:2:4]
		t.bridges[br.id] = br
	}
	br.gone = false
	if b.Type != "" && br.typ != b.Type {
		br.typ = clone(b.Type)
	}
	return br
}

func (t *Table) bridgeSeen(ev *Event) {
	if ev.Bridge.ID == "" {
		return
	}
	br := t.bridgeOf(&ev.Bridge)
	if ev.Bridge.Legs == nil {
		return
	}
	for i := len(br.legs) - 1; i >= 0; i-- {
		if l := br.legs[i]; !slices.Contains(ev.Bridge.Legs, l.id) {
			t.leave(l, ev)
		}
	}
	for _, id := range ev.Bridge.Legs {
		if l := t.legs[id]; l != nil {
			t.enter(l, br, ev)
		}
	}
}

func (t *Table) bridgeGone(ev *Event) {
	br := t.bridges[ev.Bridge.ID]
	if br == nil {
		return
	}
	for len(br.legs) > 0 {
		t.leave(br.legs[len(br.legs)-1], ev)
	}
	br.gone = true
	t.forget(br)
}

// forget drops a bridge that is destroyed and from which nobody is on the way.
func (t *Table) forget(br *bridge) {
	if br.gone && len(br.legs) == 0 && len(br.left) == 0 {
		delete(t.bridges, br.id)
	}
}

func (t *Table) bridgeEntered(ev *Event) {
	l := t.observe(&ev.Channel, ev)
	if l == nil || ev.Bridge.ID == "" {
		return
	}
	t.enter(l, t.bridgeOf(&ev.Bridge), ev)
}

func (t *Table) enter(l *Leg, br *bridge, ev *Event) {
	if l.bridge == br {
		return
	}
	t.quit(l, ev)
	t.moved(l, ev)
	l.originated = false // it is in a call of its own; what it dials from here on does not make it the one who called
	// Somebody came: those who left a moment ago have been replaced, and shall not seem to be there with him.
	for len(br.left) > 0 {
		t.moved(br.left[0], ev)
	}
	l.bridge, l.bridged = br, true
	br.legs = append(br.legs, l)
	t.change(Change{Kind: BridgeEntered, Leg: l.id, Bridge: br.id})
	if l.held && l.heldIn != br {
		// An attended transfer by phone keys sends no Unhold.
		t.hold(l, false, ev)
	}
	t.settled(l, ev)
	t.rephaseAll(br, ev)
}

// rephaseAll keeps the phases of all who are in a bridge: who else is there counts for them.
func (t *Table) rephaseAll(br *bridge, ev *Event) {
	for _, l := range br.legs {
		t.rephase(l, ev)
	}
}

// quit takes a leg out of its bridge for good: it has entered another one, or is gone.
func (t *Table) quit(l *Leg, ev *Event) {
	if br := l.bridge; br != nil {
		br.legs = drop(br.legs, l)
		l.bridge = nil
		t.change(Change{Kind: BridgeLeft, Leg: l.id, Bridge: br.id})
		t.rephaseAll(br, ev)
		t.forget(br)
	}
}

func (t *Table) bridgeLeft(ev *Event) {
	l := t.observe(&ev.Channel, ev)
	if l == nil || l.bridge == nil || l.bridge.id != ev.Bridge.ID {
		return
	}
	t.leave(l, ev)
}

func (t *Table) leave(l *Leg, ev *Event) {
	br := l.bridge
	br.legs = drop(br.legs, l)
	l.bridge = nil
	l.heir = "" // it leaves in the ordinary way
	if br.ties() && len(br.legs)+len(br.left) > 0 {
		l.left, l.leftAt = br, ev.seen()
		br.left = append(br.left, l)
		t.moving++
	}
	t.change(Change{Kind: BridgeLeft, Leg: l.id, Bridge: br.id})
	t.rephase(l, ev)
	t.rephaseAll(br, ev)
}

// endMove lets a leg no longer count as being where it was.
func (t *Table) endMove(l *Leg) {
	br := l.left
	if br == nil {
		return
	}
	l.left, l.leftAt = nil, time.Time{}
	br.left = drop(br.left, l)
	t.moving--
	t.forget(br)
}

// moved ends a move, if there is one, and tells so.
func (t *Table) moved(l *Leg, ev *Event) {
	if l.left == nil {
		return
	}
	t.change(Change{Kind: MoveEnded, Leg: l.id, Bridge: l.left.id})
	t.endMove(l)
	t.rephase(l, ev)
}

// timePassed ends the moves that have lasted long enough: they were none.
func (t *Table) timePassed(ev *Event) {
	if t.moving == 0 {
		return
	}
	for l := t.first; l != nil; l = l.next {
		if l.left != nil && ev.seen().Sub(l.leftAt) >= MoveTime {
			t.moved(l, ev)
		}
	}
}

func (t *Table) hold(l *Leg, on bool, ev *Event) {
	if l.held == on {
		return
	}
	l.held, l.heldSince, l.heldIn = on, time.Time{}, nil
	if on {
		l.heldSince, l.heldIn = ev.At, l.bridge
	}
	t.change(Change{Kind: HoldChanged, Leg: l.id})
	t.rephase(l, ev)
}

// spyBegan ties a spying leg to the one it spies on; it may spy on one at a time.
func (t *Table) spyBegan(spy, on *Leg) {
	if spy == nil || on == nil || spy == on || spy.spied == on {
		return
	}
	t.spyEnded(spy)
	spy.spied = on
	on.spies = append(on.spies, spy)
	t.change(Change{Kind: SpyBegan, Leg: spy.id, Other: on.id})
}

func (t *Table) spyEnded(spy *Leg) {
	on := spy.spied
	if on == nil {
		return
	}
	spy.spied = nil
	on.spies = drop(on.spies, spy)
	t.change(Change{Kind: SpyEnded, Leg: spy.id, Other: on.id})
}

// pickedUp takes in that a leg took another's call. Who it now talks to is told by ARI a moment later; AMI's word alone
// ties nobody. But the spies on the leg that rang go on with the one that took its place (their hooks stay with the
// structure that Asterisk keeps: main/channel.c, channel_do_masquerade), so they are tied to it at once.
func (t *Table) pickedUp(picker, rang *Leg) {
	if picker == nil || rang == nil || picker == rang {
		return
	}
	t.change(Change{Kind: PickedUp, Leg: picker.id, Other: rang.id})
	for len(rang.spies) > 0 {
		spy := rang.spies[0]
		if spy == picker {
			t.spyEnded(spy)
			continue
		}
		t.spyBegan(spy, picker)
	}
}
