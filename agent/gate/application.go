package gate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// carrying are the dialplan applications that take what is said on a leg's own call elsewhere: to another machine or program, or into a file.
// MixMonitor is none: it goes on beside the dialplan, and AMI tells of it.
var carrying = map[string]trespassKind{
	"AudioSocket": trespassMedia, "EAGI": trespassMedia, "JACK": trespassMedia, "ICES": trespassMedia,
	"Record": trespassRecord, "Dictate": trespassRecord, lasting: trespassRecord,
}

// lasting is the one of them that goes on when the dialplan does (Asterisk 20 and older).
const lasting = "Monitor"

// broadcasting is the application that hears the channels that it names, or speaks to them, by audiohooks of its own (apps/app_broadcast.c):
// neither AMI nor ARI tells more of it than that a leg is in it.
const broadcasting = "Broadcast"

// wrapping are the applications that run another in their place, of which Asterisk does not tell.
var wrapping = []string{"Exec", "ExecIf", "ExecIfTime", "TryExec"}

// dialling is the application in which a leg waits for a phone to answer.
const dialling = "Dial"

// Tells reports whether the watchdog wants to be told of legs that begin an application of the dialplan.
func Tells(app string) bool {
	return app == dialling || app == broadcasting || carrying[app] != "" || slices.Contains(wrapping, app)
}

// wrapTime is how long a leg stays where it may run something that is not told, before ARI is asked. Most of what is wrapped is over by then.
const wrapTime = 250 * time.Millisecond

// step is where in the dialplan a leg is, as far as it is told.
type step struct {
	app   string
	exten call.Number
	count int // of the steps of this leg
}

// appBegan looks at a leg that begins another application. Caller holds the lock.
func (g *Gate) appBegan(t *call.Table, ev *call.Event, at time.Time) {
	l := t.Leg(ev.Channel.ID)
	if l == nil || g.owns(l.ID()) {
		return
	}
	was := g.dog.steps[l.ID()]
	now := step{strings.Clone(ev.Channel.App), call.Number(strings.Clone(ev.Channel.Exten)), was.count + 1}
	g.dog.steps[l.ID()] = now
	g.over(at, func(x *trespass) bool { return x.leg == l.ID() && x.within != "" && x.within != now.app })
	switch from, rings := g.dog.rings[l.ID()]; {
	case carrying[now.app] != "":
		g.carries(t, l, now.app, at)
	case now.app == broadcasting:
		g.lookFor(l.ID(), broadcasting)
	case slices.Contains(wrapping, now.app):
		g.lookLater(l.ID())
	case rings && now.app == dialling && !g.dog.wasFetched(l.ID()) && was.app == dialling && now.exten != was.exten && len(now.exten) > 1:
		// Nothing but a redirection takes a leg to another extension while the application stays: what the dialplan itself does to get there is
		// a step of its own. One digit may be a key that Dial's option d takes for an extension.
		if delete(g.dog.rings, l.ID()); g.dog.sentBack(l) {
			return // before he was in a bridge
		}
		g.trespasses(t, &trespass{kind: trespassRedirect, leg: l.ID(), from: from, at: at})
	}
}

// carries takes up that a leg is in an application that carries away or records what is said. Caller holds the lock.
func (g *Gate) carries(t *call.Table, l *call.Leg, app string, at time.Time) {
	x := &trespass{kind: carrying[app], leg: l.ID(), app: app, at: at}
	if app != lasting {
		x.within = app
	}
	g.trespasses(t, x)
}

// broadcasts takes up that a leg hears or speaks to the channels in the arguments of Broadcast(options,channel,…). Of several, or of one that
// there is not, it is nobody whom it may. Caller holds the lock.
func (g *Gate) broadcasts(t *call.Table, l *call.Leg, arguments string, at time.Time) {
	x := &trespass{kind: trespassSpy, leg: l.ID(), within: broadcasting, at: at, confirm: []string{broadcasting}}
	if all := strings.Split(arguments, ","); len(all) == 2 {
		name := strings.TrimSpace(all[1]) // whole, in any case, or a unique id (main/channel.c, ast_channel_get_by_name)
		for _, o := range t.All(nil) {
			if strings.EqualFold(o.Name(), name) || string(o.ID()) == name {
				x.on = o.ID()
			}
		}
	}
	g.trespasses(t, x)
}

// rings notes whose phones a leg rings, and by the end of it whether it answers for itself: a leg that nobody dialled was called by an
// originating account, and the application that it is put into is told by nobody. Caller holds the lock.
func (g *Gate) rings(ev *call.Event) {
	d := &g.dog
	switch id := ev.Channel.ID; {
	case ev.Kind == call.DialBegan && id != "":
		if endpoint := ev.Peer.Endpoint(); endpoint != "" && !slices.Contains(d.rings[id], endpoint) { // a queue rings the same ones for as long as a caller waits
			d.rings[id] = append(slices.Clip(d.rings[id]), strings.Clone(endpoint))
		}
	case ev.Kind == call.DialEnded && ev.Answered && id == "" && !g.owns(ev.Peer.ID):
		g.lookLater(ev.Peer.ID)
	}
}

// lookLater asks ARI which application a leg is in, if it is not told of another in the meantime. Caller holds the lock.
func (g *Gate) lookLater(leg call.LegID) { g.lookAfter(wrapTime, leg, "") }

// lookFor asks ARI at once for the arguments of an application that a leg is said to be in. Caller holds the lock.
func (g *Gate) lookFor(leg call.LegID, app string) { g.lookAfter(0, leg, app) }

func (g *Gate) lookAfter(wait time.Duration, leg call.LegID, told string) {
	leg = call.LegID(strings.Clone(string(leg)))
	count := g.dog.steps[leg].count
	stays := func(t *call.Table) bool {
		return !g.closed && g.known && t.Leg(leg) != nil && g.dog.steps[leg].count == count
	}
	time.AfterFunc(wait, func() {
		var ask bool
		at := time.Now()
		g.locked(func(t *call.Table) {
			if ask = stays(t); ask {
				g.running.Add(1)
			}
		})
		if !ask {
			return
		}
		defer g.running.Done()
		ctx, cancel := context.WithTimeout(g.ctx, endTime)
		defer cancel()
		app, arguments, err := g.dog.cfg.Look(ctx, leg)
		if err != nil && !errors.Is(err, pbx.ErrGone) {
			app = told // what cannot be asked is as it was told, and is asked for again before anything is ended
		}
		if app != broadcasting && carrying[app] == "" {
			return
		}
		g.locked(func(t *call.Table) {
			switch l := t.Leg(leg); {
			case !stays(t):
			case app == broadcasting:
				g.broadcasts(t, l, arguments, at)
			default:
				g.carries(t, l, app, time.Now())
			}
		})
	})
}

// besides reports whether a leg is an ear that somebody has put to a call of others, who go on talking without it: two at least are behind it, in its
// bridge or in the other half's of a Local channel, or it has what a spy hears. It is not while they are still being rung.
func besides(t *call.Table, l *call.Leg) bool {
	others := 0
	for _, o := range t.Call(nil, l) {
		switch {
		case o.Spied() != nil:
			return true
		case o != l && o.Bridge() != "" && o.State() == call.StateUp && o.Kind() == call.KindPhone && medium(o) == "":
			others++
		}
	}
	return others >= 2
}

// called is what an application's leg would be called if it were a channel's, so that software is trusted by one name: AudioSocket/host:port,
// or the application and its first argument.
func called(app, arguments string) string {
	all := strings.Split(arguments, ",")
	if app == "AudioSocket" && len(all) > 1 { // AudioSocket(uuid,service)
		return app + "/" + strings.TrimSpace(all[1])
	}
	return app + "/" + strings.TrimSpace(all[0])
}

// trustsApp asks ARI with what arguments a leg runs an application, and reports whether that software is left alone.
func (g *Gate) trustsApp(leg call.LegID, app string) bool {
	if app == "" || len(g.dog.cfg.Trusted) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(g.ctx, endTime)
	defer cancel()
	in, arguments, err := g.dog.cfg.Look(ctx, leg)
	return err == nil && in == app && g.dog.cfg.trustsName(called(app, arguments))
}

// owners are the employees whose phones rang.
func owners(set *policy.Set, endpoints []string) (refs []policy.Ref) {
	for _, e := range endpoints {
		if ref, ok := set.Phone(e); ok {
			refs = addRef(refs, ref)
		}
	}
	return refs
}
