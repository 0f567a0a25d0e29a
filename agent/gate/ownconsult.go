package gate

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// consult is an attended transfer that is under way.
type consult struct {
	waits    call.LegID
	endpoint string // of who transfers
	number   string
	call     call.LegID // his half of the Local channel by which he calls; empty: not yet
}

// isOver reports whether a table that has been built anew shows it to be over: one of the two is gone, or who transfers is with who waits. They are together before
// they part too, which is soon; so that counts when the call to the number was there, or when it is not known for how long nothing was told.
func (x *consult) isOver(asks, waits *call.Leg, lost bool) bool {
	if asks == nil || waits == nil {
		return true
	}
	return (lost || x.call != "") && asks.Bridge() != "" && asks.Bridge() == waits.Bridge()
}

// consults are those that are under way, by the leg of who transfers.
type consults map[call.LegID]*consult

// about reports whether the call of one of them to a number is about to be told of.
func (c consults) about(number string) bool {
	for _, x := range c {
		if x.number == number && x.call == "" {
			return true
		}
	}
	return false
}

// holding reports whether a leg waits for the end of one of them.
func (c consults) holding(leg call.LegID) bool {
	for _, x := range c {
		if x.waits == leg {
			return true
		}
	}
	return false
}

// arrives is how long a leg that was sent somewhere may take to get to the phone door.
const arrives = 5 * time.Second

// sendsTo notes that a leg goes to a number for the owner of an endpoint, as Asterisk tells of a blind transfer. Caller holds the lock.
func (g *Gate) sendsTo(leg call.LegID, endpoint, number string) {
	now := time.Now()
	g.transfers = slices.DeleteFunc(g.transfers, func(x transfer) bool { return x.leg == leg || now.Sub(x.at) > transferTime })
	g.transfers = append(g.transfers, transfer{leg: leg, endpoint: strings.Clone(endpoint), number: number, at: now.Add(arrives)})
	close(g.transferSeen)
	g.transferSeen = make(chan struct{})
}

// consulting follows attended transfers: by which Local channel the number is called, which has to be let out by the phone door where it leads outside;
// and what becomes of it. Caller holds the lock.
func (g *Gate) consulting(t *call.Table, ev *call.Event) {
	if len(g.consults) == 0 {
		return
	}
	if ev.Kind == call.LegGone {
		maps.DeleteFunc(g.consults, func(_ call.LegID, x *consult) bool { return x.waits == ev.Channel.ID }) // what is left is a call like any other
	}
	switch x := g.consults[ev.Channel.ID]; {
	case ev.Kind == call.DialBegan && x != nil && x.call == "":
		l := t.Leg(ev.Peer.ID)
		if l == nil || l.Kind() != call.KindLocal {
			return
		}
		x.call = l.ID()
		g.dog.fetches(l.ID()) // it is what joins who waits in the end
		if half := l.Half(); half != nil {
			g.sendsTo(half.ID(), x.endpoint, x.number)
		}
	case ev.Kind == call.BridgeEntered:
		maps.DeleteFunc(g.consults, func(leg call.LegID, x *consult) bool { // who has back who waits
			asks, waits := t.Leg(leg), t.Leg(x.waits)
			return asks != nil && waits != nil && asks.Bridge() == ev.Bridge.ID && waits.Bridge() == ev.Bridge.ID
		})
	case ev.Kind == call.LegGone && x != nil:
		// Who waits goes to the number himself, unless its side comes for him.
		delete(g.consults, ev.Channel.ID)
		if l := t.Leg(x.waits); l != nil {
			g.sendsTo(x.waits, x.endpoint, x.number)
		}
	}
}
