package call

import (
	"fmt"
	"slices"
	"time"
)

// resync makes the table what the snapshot says. Legs that go on keep their pointer and what a snapshot does not hold:
// direction, since when, what was dialled. Hold and dials are kept only if nothing can have been missed; otherwise a hold
// shows as talking until the next hold event, and ties of ringing legs come from their linked ids.
func (t *Table) resync(ev *Event) {
	s := ev.Snapshot
	t.marks++
	for i := range s.Channels {
		ch := &s.Channels[i]
		if ch.ID == "" || ch.Name == "" {
			continue
		}
		l := t.legs[ch.ID]
		if l != nil && ch.Name != l.name && !ch.Created.IsZero() && !l.created.IsZero() && !ch.Created.Equal(l.created) {
			// Its id has been used again. One that has another creation time alone has changed places with another channel.
			t.remove(l, ev)
			l = nil
		}
		if l == nil {
			l = t.add(ch)
			l.since = ev.At
		} else {
			t.observe(ch, ev)
		}
		l.mark = t.marks
		l.heir = "" // whatever came of it, the snapshot has it
		if at, ok := s.AnsweredAt[l.id]; ok && l.state == StateUp && !at.IsZero() && (l.answered.IsZero() || at.Before(l.answered)) {
			l.answered = at
		}
	}
	for l := t.first; l != nil; {
		next := l.next
		if l.mark != t.marks {
			// It may have been made after the channels were listed. Then what has happened since tells of it again, and it lives.
			t.end(l, ev)
			t.remember(l.id, notListed)
		}
		l = next
	}
	t.resyncBridges(s)
	t.resyncDials(s)
	for l := t.first; l != nil; l = l.next {
		switch {
		case l.kind == KindSnoop:
			t.spyBegan(l, t.legs[spiedOf(l.name)])
		case l.spied != nil && !t.known && l.app != "ChanSpy" && l.app != "ExtenSpy":
			t.spyEnded(l)
		}
		if !t.known {
			l.held, l.heldSince, l.heldIn = false, time.Time{}, nil
		}
		t.resyncPhase(l, ev)
	}
	t.known = true
	t.changes = append(t.changes[:0], Change{Kind: Resynced})
}

// notListed is remembered in the place of when a leg was created that a snapshot did not hold: whoever tells when it was, tells that it lives.
var notListed = time.Unix(0, 1)

// resyncPhase keeps a phase that goes on; of one that is new, its beginning is known as far as Asterisk tells.
func (t *Table) resyncPhase(l *Leg, ev *Event) {
	p := l.nowPhase()
	if p == l.phase {
		return
	}
	l.phase, l.since = p, l.created
	if p == PhaseTalking && !l.answered.IsZero() {
		l.since = l.answered
	}
	if l.since.IsZero() {
		l.since = ev.At
	}
}

func (t *Table) resyncBridges(s *Snapshot) {
	t.marks++
	for l := t.first; l != nil; l = l.next {
		t.endMove(l)
	}
	for i := range s.Bridges {
		b := &s.Bridges[i]
		if b.ID == "" {
			continue
		}
		br := t.bridgeOf(b)
		br.mark = t.marks
		for len(br.legs) > 0 {
			l := br.legs[len(br.legs)-1]
			br.legs = br.legs[:len(br.legs)-1]
			l.bridge = nil
		}
		for _, id := range b.Legs {
			l := t.legs[id]
			if l == nil || l.bridge == br {
				continue
			}
			if l.bridge != nil {
				l.bridge.legs = drop(l.bridge.legs, l)
			}
			l.bridge, l.bridged = br, true
			br.legs = append(br.legs, l)
			if l.held && l.heldIn != br {
				l.held, l.heldSince, l.heldIn = false, time.Time{}, nil
			}
		}
	}
	for _, br := range t.bridges {
		if br.mark == t.marks {
			continue
		}
		for _, l := range br.legs {
			l.bridge = nil
		}
		br.legs = nil
		delete(t.bridges, br.id)
	}
}

// resyncDials ties those in no bridge by their linked ids: each that Asterisk rings to each that waits.
func (t *Table) resyncDials(s *Snapshot) {
	for l := t.first; l != nil; l = l.next {
		for i := len(l.dials) - 1; i >= 0; i-- {
			if d := l.dials[i]; !t.known || d.caller.bridge != nil && d.peer.bridge != nil {
				t.untieDial(d)
			}
		}
		if !t.known {
			l.originated = false
		}
	}
	waiting := make(map[LegID][]*Leg)
	for l := t.first; l != nil; l = l.next {
		if id := s.Linked[l.id]; id != "" && l.bridge == nil && !l.isRung() && l.kind != KindSnoop && l.kind != KindInternal {
			waiting[id] = append(waiting[id], l)
		}
	}
	for l := t.first; l != nil; l = l.next {
		if l.app == "AppDial2" && l.bridge == nil && l.state == StateUp {
			l.originated = true // it has just answered what nobody dialled it for (main/dial.c), and has gone nowhere yet
		}
		if l.bridge != nil || !l.isRung() || l.rung() {
			continue
		}
		for _, caller := range waiting[s.Linked[l.id]] {
			t.tieDial(caller, l, linked)
		}
		l.originated = !l.rung()
	}
}

// isRung reports whether Asterisk rings the leg, by what a snapshot shows.
func (l *Leg) isRung() bool {
	return l.direction == In && (l.state == StateRinging || l.state == StateDown)
}

// Diff compares the table with a snapshot of the PBX and tells each difference in a sentence, without numbers or names:
// legs, names, states, parties, and which leg is in which bridge. What a snapshot does not hold (ties of ringing legs, hold)
// is not compared, nor are bridges that nobody is in.
func (t *Table) Diff(s *Snapshot) []string {
	var out []string
	say := func(format string, a ...any) { out = append(out, fmt.Sprintf(format, a...)) }
	in := make(map[LegID]BridgeID)
	for _, b := range s.Bridges {
		for _, id := range b.Legs {
			in[id] = b.ID
		}
	}
	told := make(map[LegID]bool, len(s.Channels))
	for i := range s.Channels {
		ch := &s.Channels[i]
		told[ch.ID] = true
		l := t.legs[ch.ID]
		if l == nil {
			say("leg %s is on the PBX and not in the table", string(ch.ID))
			continue
		}
		if l.name != ch.Name {
			say("leg %s has another name", string(ch.ID))
		}
		if l.state != ch.State {
			say("leg %s is %s in the table and %s on the PBX", string(ch.ID), l.state, ch.State)
		}
		if l.caller != ch.Caller {
			say("leg %s has another caller id", string(ch.ID))
		}
		if l.connected != ch.Connected {
			say("leg %s has another connected line", string(ch.ID))
		}
		if l.Bridge() != in[ch.ID] {
			say("leg %s is in bridge %q in the table and in %q on the PBX", string(ch.ID), string(l.Bridge()), string(in[ch.ID]))
		}
	}
	for l := t.first; l != nil; l = l.next {
		if !told[l.id] {
			say("leg %s is in the table and not on the PBX", string(l.id))
		}
	}
	for _, b := range s.Bridges {
		for _, id := range b.Legs {
			if !told[id] {
				say("leg %s is in bridge %q on the PBX and no channel there", string(id), string(b.ID))
			}
		}
		if br := t.bridges[b.ID]; br != nil && b.Type != "" && br.typ != b.Type && len(b.Legs) > 0 {
			say("bridge %q is of another type", string(b.ID))
		}
	}
	slices.Sort(out)
	return out
}
