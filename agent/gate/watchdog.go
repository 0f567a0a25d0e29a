package gate

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// Response is what the watchdog does about what Earshot did not cause and the policy does not cover. The zero value ends it.
type Response uint8

// The responses.
const (
	End    Response = iota // the leg that spies, carries the audio away or joins is hung up, and it is reported
	Report                 // it is counted, logged and recorded
	Off                    // it is not looked at
)

// Watchdog says what is done about whatever on the PBX lets somebody hear or take a call without having asked the gate.
type Watchdog struct {
	Spy Response // ChanSpy, ExtenSpy, Broadcast, and the snoops of other ARI applications
	// Media are legs that carry audio away from the PBX to an address (UnicastRTP, AudioSocket, WebSocket, MulticastRTP), and the applications
	// AudioSocket, EAGI, JACK and ICES of the dialplan. End counts as Report where no employee is heard, or the leg is a party's or the only other side of
	// one: of a leg in whose place nobody goes on talking.
	Media    Response
	Join     Response // BridgeAdd, Bridge, a call taken by an INVITE with Replaces; End counts as Report where the leg may be a caller's
	Pickup   Response // End hands who called back to the phone at which he rang, and counts as Report where that cannot be: he is never hung up
	Record   Response // MixMonitor, Record, Monitor, Dictate; End counts as Report, as its leg is a party's
	Redirect Response // a leg taken out of a call, or from phones that it rings, without a transfer; End counts as Report
	// Trusted is other software that is left alone: endpoints ("PJSIP/recorder"), and beginnings of channels' names that end with "/" or "*". The
	// application AudioSocket counts as a channel to its address, any other as one to its first argument ("EAGI/transcribe").
	Trusted []string
	// Applications are the ARI applications whose snoops and media are left alone.
	Applications []string
	// Look asks the PBX which dialplan application a leg is in, and with what arguments, since what AMI says can be forged. Required.
	Look func(ctx context.Context, leg call.LegID) (app, arguments string, err error)
}

// trespassKind is what somebody did past the gate, and the name of that in the audit log, the configuration and the metric.
type trespassKind string

const (
	trespassSpy      trespassKind = "spy"
	trespassMedia    trespassKind = "media"
	trespassJoin     trespassKind = "join"
	trespassPickup   trespassKind = "pickup"
	trespassRecord   trespassKind = "record"
	trespassRedirect trespassKind = "redirect"
)

func (w *Watchdog) response(k trespassKind) Response {
	atMost := func(r Response) Response { return max(r, Report) }
	switch k {
	case trespassSpy:
		return w.Spy
	case trespassMedia:
		return w.Media
	case trespassJoin:
		return w.Join
	case trespassPickup:
		return w.Pickup
	case trespassRecord:
		return atMost(w.Record)
	case trespassRedirect:
		return atMost(w.Redirect)
	}
	return Report
}

// trusts reports whether a leg belongs to software that is left alone.
func (w *Watchdog) trusts(l *call.Leg) bool {
	return slices.Contains(w.Trusted, l.Endpoint()) || w.trustsName(l.Name())
}

// trustsAll reports whether a side is software that is left alone: every phone, snoop and medium on it is, or somebody might hide behind one. Where there
// is nothing but halves of Local channels, one of them is.
func (w *Watchdog) trustsAll(side []*call.Leg) bool {
	some := false
	for _, l := range side {
		switch trusts := w.trusts(l); {
		case trusts:
			some = true
		case l.Kind() == call.KindPhone, l.Kind() == call.KindSnoop, medium(l) != "":
			return false
		}
	}
	return some
}

// trustsName reports whether a name begins as that of software that is left alone does.
func (w *Watchdog) trustsName(name string) bool {
	return slices.ContainsFunc(w.Trusted, func(s string) bool {
		begin, ok := strings.CutSuffix(s, "*")
		return (ok || strings.HasSuffix(s, "/")) && strings.HasPrefix(name, begin)
	})
}

// media are the technologies whose channels carry a call's audio to an address, with no phone at the other end that a policy could name.
var media = []string{"UnicastRTP", "MulticastRTP", "AudioSocket", "WebSocket"}

// medium is the technology of a leg that carries audio away; empty for any other leg.
func medium(l *call.Leg) string {
	if tech, _, _ := strings.Cut(l.Name(), "/"); slices.Contains(media, tech) {
		return tech
	}
	return ""
}

// spying are the dialplan applications that make a leg listen to others (apps/app_chanspy.c), joining those that put it into their bridge.
var (
	spying  = []string{"ChanSpy", "ExtenSpy", "DAHDIScan", "DAHDIBarge"}
	joining = []string{"BridgeAdd", "Bridge"}
)

// watchdog is what the gate knows of who went past it. It is guarded by the gate's lock.
type watchdog struct {
	cfg    *Watchdog // nil: nobody looks
	looked bool      // the PBX has been looked at as a whole
	losses int       // how often there was a while of which nothing is known
	open   []*trespass
	rang   []rang                  // legs that rang and are gone, of a moment ago, oldest first
	placed map[call.LegID]place    // of the legs that are in a bridge
	handed []handed                // bridges from which somebody was transferred of late, oldest first
	steps  map[call.LegID]step     // of the legs that were told to be in an application
	rings  map[call.LegID][]string // whose phones, by their endpoints, a leg rings or has rung that has been in no bridge since

	returned map[call.LegID]struct{}   // legs that Earshot itself sends out of a call, until they are seen to go
	fetched  map[call.LegID]struct{}   // legs that Earshot has had come to another's: callers who waited, and those of attended transfers and of calls that were put together
	takes    map[call.LegID]call.LegID // which ringing leg's call the gate has let a leg take, for as long as it is there: AMI may tell of it late
}

// guard looks at what has just happened for whatever went past the gate. It comes before the board is made anew, so that of a leg that rang
// and is gone it is still known whom it rang for. Caller holds the lock.
func (g *Gate) guard(t *call.Table, ev *call.Event, changes []call.Change) {
	if g.dog.cfg == nil || g.closed {
		return
	}
	at := time.Now()
	switch ev.Kind {
	case call.SpyBegan:
		g.spyBegan(t, ev, at)
	case call.PickedUp:
		g.pickedUp(t, ev, at)
	case call.RecordingBegan:
		if l := t.Leg(ev.Channel.ID); l != nil && l.Name() == ev.Channel.Name {
			g.trespasses(t, &trespass{kind: trespassRecord, leg: l.ID(), at: at})
		}
	case call.RecordingEnded:
		g.over(at, func(x *trespass) bool { return x.kind == trespassRecord && x.leg == ev.Channel.ID })
	case call.BridgeEntered:
		delete(g.dog.rings, ev.Channel.ID)
		g.entered(t, ev, at)
	case call.AppBegan:
		g.appBegan(t, ev, at)
	case call.DialBegan, call.DialEnded:
		g.rings(ev)
	}
	g.departures(t, ev)
	for i := range changes {
		switch c := &changes[i]; c.Kind {
		case call.LegCreated:
			g.appeared(t, c.Leg, at)
		case call.BridgeEntered, call.SpyBegan:
			g.settles(t, c.Leg, at)
		case call.SpyEnded:
			g.over(at, func(x *trespass) bool { return x.kind == trespassSpy && x.leg == c.Leg })
		case call.BridgeLeft:
			g.over(at, func(x *trespass) bool { return x.kind == trespassJoin && x.leg == c.Leg && x.bridge == c.Bridge })
		case call.LegGone:
			delete(g.dog.steps, c.Leg)
			delete(g.dog.rings, c.Leg)
			delete(g.dog.takes, c.Leg)
			g.rangOut(c.Leg)
			g.over(at, func(x *trespass) bool { return x.leg == c.Leg })
		}
	}
	if len(g.dog.open) == 0 {
		return
	}
	if len(changes) > 0 {
		g.reguard(t, changes)
	}
	g.caughtUp(t) // AMI may be the last to tell, and what it tells changes nothing in the table
}

// appeared looks at a new leg: a snoop is seen by ARI itself.
func (g *Gate) appeared(t *call.Table, id call.LegID, at time.Time) {
	l := t.Leg(id)
	switch {
	case l == nil || g.owns(id):
	case l.Kind() == call.KindSnoop:
		x := &trespass{kind: trespassSpy, leg: id, at: at}
		if on := l.Spied(); on != nil {
			x.on = on.ID()
		}
		g.trespasses(t, x)
	}
}

// settles looks at a medium that has come to where it carries somebody's audio away: into a bridge, or to a spy's place. Before that there is nobody
// whom it could hear. Caller holds the lock.
func (g *Gate) settles(t *call.Table, id call.LegID, at time.Time) {
	if l := t.Leg(id); l != nil && medium(l) != "" && (l.Bridge() != "" || l.Spied() != nil) && !g.owns(id) {
		g.trespasses(t, &trespass{kind: trespassMedia, leg: id, at: at})
	}
}

// spyBegan takes AMI's word that somebody spies, as far as the legs are known by the names that it gives. Text of AMI can be forged, so what
// does not fit ends nothing; a snapshot will show who spies.
func (g *Gate) spyBegan(t *call.Table, ev *call.Event, at time.Time) {
	l, on := t.Leg(ev.Channel.ID), t.Leg(ev.Peer.ID)
	if l != nil && (l.Kind() == call.KindSnoop || g.owns(l.ID())) {
		return
	}
	if l == nil && t.Gone(ev.Channel.ID) {
		return // it was over before it was told
	}
	if l == nil || l.Name() != ev.Channel.Name || on != nil && on.Name() != ev.Peer.Name {
		g.met.watched(trespassSpy, didContradicted)
		g.ask()
		return
	}
	x := &trespass{kind: trespassSpy, leg: l.ID(), at: at, confirm: spying}
	if on != nil {
		x.on = on.ID()
	}
	g.trespasses(t, x)
}

// ask has a snapshot taken.
func (g *Gate) ask() {
	g.running.Add(1)
	go func() {
		defer g.running.Done()
		g.cfg.Feed.RequestResync()
	}()
}

// entered looks at who comes into a bridge. BridgeAdd and Bridge are ARI's word: the application that the leg is in. A phone's leg that is up and
// comes out of no application at all was put there by the AMI action Bridge, which may take two together one after the other.
func (g *Gate) entered(t *call.Table, ev *call.Event, at time.Time) {
	l := t.Leg(ev.Channel.ID)
	if l == nil || l.Bridge() != ev.Bridge.ID {
		return
	}
	ours := g.owns(l.ID()) || g.isFree(l)
	if l.Kind() == call.KindPhone {
		put := l.State() == call.StateUp && ev.Channel.App == "" && !ours && !g.dog.wasFetched(l.ID())
		g.dog.placed[l.ID()] = place{bridge: ev.Bridge.ID, exten: l.Exten(), put: put}
	}
	for _, o := range t.BridgeLegs(nil, l.Bridge()) {
		switch was := g.dog.placed[o.ID()]; {
		case o == l && !ours && !g.dog.wasFetched(l.ID()) && slices.Contains(joining, ev.Channel.App):
			g.joined(t, o, false, at)
		case was.put && was.bridge == l.Bridge():
			g.joined(t, o, true, at)
		}
	}
}

// joined takes up that a leg has joined whoever else is in its bridge, if somebody is.
func (g *Gate) joined(t *call.Table, l *call.Leg, put bool, at time.Time) {
	for _, o := range t.BridgeLegs(nil, l.Bridge()) {
		if o != l && o.Kind() != call.KindInternal {
			g.trespasses(t, &trespass{kind: trespassJoin, leg: l.ID(), on: o.ID(), bridge: l.Bridge(), put: put, from: g.replaced(t, l), at: at})
			return
		}
	}
}

// replaced are the phones of those who have just left the bridge that a leg has come into: whose place it takes. That is how an INVITE with
// Replaces takes a call (RFC 3891). Caller holds the lock.
func (g *Gate) replaced(t *call.Table, l *call.Leg) (endpoints []string) {
	for id, was := range g.dog.placed {
		if o := t.Leg(id); o != nil && o != l && was.bridge == l.Bridge() && o.Bridge() != was.bridge && time.Since(was.left) <= movesTime {
			endpoints = append(endpoints, o.Endpoint())
		}
	}
	return endpoints
}

// patrol looks at a table that has been built anew: what went past the gate while nobody looked, and what is over meanwhile. Lost says that there has been
// such a while: where a snapshot is only one look more, all has been told that there was to tell.
func (g *Gate) patrol(t *call.Table, lost bool) {
	if g.dog.cfg == nil || g.closed {
		return
	}
	at := time.Now()
	g.forgets(t, lost)
	g.over(at, func(x *trespass) bool {
		l := t.Leg(x.leg)
		return l == nil || x.kind == trespassJoin && l.Bridge() != x.bridge || x.within != "" && l.App() != x.within
	})
	for _, l := range t.All(nil) {
		if g.owns(l.ID()) {
			continue
		}
		if l.Kind() == call.KindPhone && l.Bridge() != "" && g.dog.placed[l.ID()].bridge != l.Bridge() {
			g.dog.placed[l.ID()] = place{bridge: l.Bridge(), exten: l.Exten()}
		}
		g.settles(t, l.ID(), at)
		switch on := l.Spied(); {
		case l.Kind() == call.KindSnoop:
			g.appeared(t, l.ID(), at)
		case l.App() == broadcasting:
			g.lookFor(l.ID(), broadcasting)
		case slices.Contains(spying, l.App()) || on != nil:
			// On whom it spies a snapshot does not say; as long as that is not known it is somebody whom it may not.
			x := &trespass{kind: trespassSpy, leg: l.ID(), at: at, confirm: spying}
			if on != nil {
				x.on = on.ID()
			}
			g.trespasses(t, x)
		case slices.Contains(joining, l.App()) && l.Bridge() != "" && !g.dog.wasFetched(l.ID()) && !g.fetchedBefore(t, l):
			g.joined(t, l, false, at)
		case carrying[l.App()] != "":
			g.carries(t, l, l.App(), at)
		}
	}
	g.dog.looked = true
	g.reguard(t, nil)
	g.caughtUp(t)
	for _, x := range g.dog.open {
		if x.verdict == didEnded && closed(x.noted) && (x.did == didFailed || x.did == didContradicted) {
			g.tend(x) // it could not be ended, and is still there
		}
	}
}

// reguard decides again what goes on, after changes or, with none, after anything: what the policy covered may be covered no longer. It also
// notes who has come to the call. Caller holds the lock.
func (g *Gate) reguard(t *call.Table, changes []call.Change) {
	for _, x := range slices.Clone(g.dog.open) {
		grows := x.kind == trespassMedia && x.verdict == didReported // it may come to be an ear in a call of others
		touched := changes == nil || grows || x.verdict == didLeft && !x.trusted || slices.ContainsFunc(changes, func(c call.Change) bool {
			return c.Leg == x.leg || c.Other == x.leg || x.on != "" && (c.Leg == x.on || c.Other == x.on)
		})
		if !touched || x.kind == trespassPickup { // a call is taken once, and what was known of it then decides
			continue
		}
		was := *x
		switch g.assess(t, g.policy.Load(), x); {
		case was.verdict != didLeft && (!grows || x.verdict != didEnded):
			x.verdict, x.reason, x.ground, x.trusted, x.set = was.verdict, was.reason, was.ground, was.trusted, was.set
		case x.verdict != didLeft:
			x.at = time.Now()
			g.tend(x)
		}
	}
}

// rang is what was known of a leg that rang, when it went.
type rang struct {
	leg         call.LegID
	caller      call.LegID // who called; empty: not known
	endpoint    string     // the phone at which he rang
	owner       policy.Ref
	rung        []policy.Ref
	responsible policy.Ref
}
