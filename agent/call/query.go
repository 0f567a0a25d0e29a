package call

import (
	"iter"
	"slices"
)

// Len returns how many legs there are.
func (t *Table) Len() int { return len(t.legs) }

// Leg returns the leg with that unique id, nil if there is none.
func (t *Table) Leg(id LegID) *Leg { return t.legs[id] }

// All appends all legs, oldest first.
func (t *Table) All(dst []*Leg) []*Leg {
	for l := t.first; l != nil; l = l.next {
		dst = append(dst, l)
	}
	return dst
}

// LegsOf appends the legs of an endpoint ("PJSIP/101", spelled as in channel names), oldest first.
func (t *Table) LegsOf(dst []*Leg, endpoint string) []*Leg {
	return append(dst, t.endpoints[endpoint]...)
}

// Bridges are the bridges that there are, in no order.
func (t *Table) Bridges() iter.Seq[BridgeID] {
	return func(yield func(BridgeID) bool) {
		for id, br := range t.bridges {
			if !br.gone && !yield(id) {
				return
			}
		}
	}
}

// BridgeLegs appends the legs that are in a bridge, in order of entering.
func (t *Table) BridgeLegs(dst []*Leg, id BridgeID) []*Leg {
	if br := t.bridges[id]; br != nil {
		dst = append(dst, br.legs...)
	}
	return dst
}

// BridgeType returns a bridge's type ("mixing", "holding"), and whether there is such a bridge.
func (t *Table) BridgeType(id BridgeID) (string, bool) {
	if br := t.bridges[id]; br != nil && !br.gone {
		return br.typ, true
	}
	return "", false
}

// room returns the bridge whose legs the leg is tied to: the one it is in, or the one it is on its way from.
func (l *Leg) room() *bridge {
	br := l.bridge
	if br == nil {
		br = l.left
	}
	if br == nil || !br.ties() {
		return nil
	}
	return br
}

// Call appends the leg and all legs tied to it, directly or through others: by bridges, dials and Local halves. A leg that is
// being dialled by a leg of the call counts as on it; so does one on its way between bridges (see [MoveTime]). Spying ties
// nobody into a call.
func (t *Table) Call(dst []*Leg, leg *Leg) []*Leg {
	start := len(dst)
	dst = append(dst, leg)
	for i := start; i < len(dst); i++ {
		dst = spread(dst, start, i)
	}
	return dst
}

// spread appends to dst[start:] the legs that dst[i] is tied to and that are not there yet.
func spread(dst []*Leg, start, i int) []*Leg {
	l := dst[i]
	// Whoever of the same bridge came before has brought all who are in it; without this a large conference costs its cube.
	if br := l.room(); br != nil && !slices.ContainsFunc(dst[start:i], func(o *Leg) bool { return o.room() == br }) {
		dst = addAll(dst, start, br.legs)
		dst = addAll(dst, start, br.left)
	}
	for _, d := range l.dials {
		dst = add(dst, start, d.caller)
		dst = add(dst, start, d.peer)
	}
	return add(dst, start, l.half)
}

func add(dst []*Leg, start int, l *Leg) []*Leg {
	if l == nil || slices.Contains(dst[start:], l) {
		return dst
	}
	return append(dst, l)
}

func addAll(dst []*Leg, start int, legs []*Leg) []*Leg {
	for _, l := range legs {
		dst = add(dst, start, l)
	}
	return dst
}

// SpyMode says what a spying leg does, as far as it is known.
type SpyMode struct {
	Hears  bool // what is said on the spied leg is heard on the spying side
	Speaks bool // what is said on the spying side is heard on the spied leg, or beyond it
}

// Reach says how far [Table.Earshot] goes.
type Reach struct {
	// Phone reports whether two legs of the same endpoint as this one are two calls on one phone, whose owner may join them
	// (and not, say, two calls over one trunk). Nil: every endpoint is a phone.
	Phone func(*Leg) bool
	// Spy tells what a spying leg does. Nil, or for a spy that the caller did not start: it hears and speaks. A spy that
	// does nothing is to be told as SpyMode{}.
	Spy func(*Leg) SpyMode
}

// Earshot appends the leg and every leg whose voice may be heard by who listens to it: the call of the leg; the call of
// every other leg of the same phone, where neither is on hold or only ringing; the call that is spied on from there; and who
// spies on it and may speak. Somebody may listen to the leg only if he may listen to all of these.
func (t *Table) Earshot(dst []*Leg, leg *Leg, reach Reach) []*Leg {
	start := len(dst)
	dst = append(dst, leg)
	for i := start; i < len(dst); i++ {
		l := dst[i]
		dst = spread(dst, start, i)
		if l.open() && (reach.Phone == nil || reach.Phone(l)) {
			for _, other := range t.endpoints[l.endpoint] {
				if other.open() {
					dst = add(dst, start, other)
				}
			}
		}
		if l.spied != nil && reach.mode(l).Hears {
			dst = add(dst, start, l.spied)
		}
		for _, spy := range l.spies {
			if reach.mode(spy).Speaks {
				dst = add(dst, start, spy)
			}
		}
	}
	return dst
}

func (r Reach) mode(spy *Leg) SpyMode {
	if r.Spy == nil {
		return SpyMode{Hears: true, Speaks: true}
	}
	return r.Spy(spy)
}

// open reports whether the leg's phone may join it with another of its calls: it has been taken up there, and is not on hold.
func (l *Leg) open() bool {
	return l.endpoint != "" && !l.held && (l.state == StateUp || l.direction == Out)
}

// Peers appends the legs on the other side of a leg: the nearest that are of [KindPhone], through Local halves. For a leg
// that rings, who calls; for one that dials, all that ring for it; in a conference, all others. Not another leg that rings
// for the same caller, nobody in a bridge where a snoop is (what is heard there is another call), and nobody in a holding
// bridge. The leg itself is never among them.
func (t *Table) Peers(dst []*Leg, leg *Leg) []*Leg {
	w := walk{dst: dst, start: len(dst), from: leg}
	w.step(leg, byNothing)
	return w.dst
}

// A walk looks for the peers of one leg. It goes on from Local halves and stops at every other leg.
type walk struct {
	dst   []*Leg
	start int
	from  *Leg
	first [8]hop // the Local halves that it has come by, …
	n     int    // … how many of these there are, …
	more  []hop  // … and those for which there is no room
}

// new reports whether the walk has not come by so far, and notes that it has.
func (w *walk) new(h hop) bool {
	if slices.Contains(w.first[:w.n], h) || slices.Contains(w.more, h) {
		return false
	}
	if w.n < len(w.first) {
		w.first[w.n] = h
		w.n++
	} else {
		w.more = append(w.more, h)
	}
	return true
}

// A hop is a Local half and by what tie the walk came to it. It does not go on by the same sort of tie: not back to the other
// half or into the same bridge, and not from a leg that rings up and down again to others. Nor does it go from whom a half rings to who
// is in its bridge, or back: he was answered instead (he has taken the call, and the phone has not stopped ringing yet), and the other
// side of both is behind the other half.
type hop struct {
	half *Leg
	by   tie
}

type tie uint8

const (
	byNothing tie = iota
	byRoom        // who is in the same bridge
	byHalf        // the other half of a Local channel
	byUp          // who dials it
	byDown        // whom it dials
)

// step looks at all that l is tied to, but for those on the way that the walk came.
func (w *walk) step(l *Leg, came tie) {
	if br := l.room(); br != nil && came != byRoom && came != byUp && !br.supervision() {
		w.enter(br.legs, l)
		w.enter(br.left, l)
	}
	for _, d := range l.dials {
		switch {
		case d.peer == l && came != byDown:
			w.reach(d.caller, byUp)
		case d.caller == l && came != byUp && came != byRoom:
			w.reach(d.peer, byDown)
		}
	}
	if l.half != nil && came != byHalf {
		w.reach(l.half, byHalf)
	}
}

func (w *walk) enter(legs []*Leg, from *Leg) {
	for _, m := range legs {
		if m != from {
			w.reach(m, byRoom)
		}
	}
}

func (w *walk) reach(l *Leg, came tie) {
	switch {
	case l == w.from:
	case l.kind == KindPhone:
		w.dst = add(w.dst, w.start, l)
	case l.kind == KindLocal && w.new(hop{l, came}):
		w.step(l, came)
	}
}
