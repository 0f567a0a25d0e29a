package ariproxy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/earshot-pbx/earshot/agent/eventstream"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// news is an event of what a client steers, or of its applications themselves, as it goes to some of these.
type news struct {
	text         []byte // behind the application's name
	to           []*application
	starts, ends string // the phone's leg whose StasisStart or StasisEnd it is; then all of the client's streams are to know
	replaced     bool   // it is that another stream has the application
}

// about is what an event is about, for who asks whether an application is to be told.
type about struct {
	kind      string
	topic     sourceKind // on whose account it is told
	channels  []string   // ids, as are bridge and endpoints
	endpoints []string
	bridge    string
	device    string
}

// wants reports whether an application is told of an event: of everything by subscribeAll, otherwise of what it has subscribed to, and of what it has
// launched: of those channels, and of the bridges that they are in. Caller holds the estate's lock.
func (app *application) wants(a *about) bool {
	switch {
	case !app.lets(a.kind):
		return false
	case app.all:
		return true
	case a.device != "":
		return app.has(ofDevice, a.device)
	case a.bridge != "" && (app.has(ofBridge, a.bridge) || app.sits(a.bridge)):
		return true
	case a.topic == ofBridge:
		return slices.ContainsFunc(a.channels, app.launched) // who has just left one of the client's own
	}
	return slices.ContainsFunc(a.channels, func(id string) bool { return app.has(ofChannel, id) || app.launched(id) }) ||
		slices.ContainsFunc(a.endpoints, app.hasEndpoint)
}

// launched reports whether a channel is one that the application has launched. Caller holds the estate's lock, as of sits and theirs.
func (app *application) launched(id string) bool {
	l := app.estate.legs[id]
	return l != nil && l.app == app
}

// sits reports whether one of those is in a bridge.
func (app *application) sits(bridge string) bool {
	b := app.estate.bridges[bridge]
	return b != nil && slices.ContainsFunc(b.channels, app.launched)
}

// theirs are the channels that the application has launched and that are there, and the bridges in which one of them is.
func (app *application) theirs() (channels, bridges []string) {
	for id, l := range app.estate.legs {
		if l.app == app && !l.ended {
			channels = append(channels, id)
		}
	}
	for id := range app.estate.bridges {
		if app.sits(id) {
			bridges = append(bridges, id)
		}
	}
	return channels, bridges
}

// begun are the phones' legs whose StasisStart was told and that are there. Caller holds the lock.
func (e *estate) begun() map[string]bool {
	all := map[string]bool{}
	for id, l := range e.legs {
		if !l.began.IsZero() && !l.snoop && !l.ended {
			all[id] = true
		}
	}
	return all
}

// tell has the applications told that are to be, by the streams that they have. Caller holds the lock.
func (e *estate) tell(n news, to ...*application) {
	var streams []*stream
	if n.starts != "" || n.ends != "" {
		for _, app := range e.apps {
			if app.stream != nil && !slices.Contains(streams, app.stream) {
				streams = append(streams, app.stream)
			}
		}
	}
	for _, app := range to {
		if app.stream == nil {
			continue
		}
		n.to = append(n.to, app)
		if !slices.Contains(streams, app.stream) {
			streams = append(streams, app.stream)
		}
	}
	for _, st := range streams {
		st.post(&n)
	}
}

// post has a stream tell of something behind what it has to tell already.
func (st *stream) post(n *news) {
	if !st.watcher.Post(n) {
		st.End(eventstream.Slow)
	}
}

// who are the applications that want an event, by name. Caller holds the lock.
func (e *estate) who(a *about) (all []*application) {
	for _, app := range e.apps {
		if app.wants(a) {
			all = append(all, app)
		}
	}
	slices.SortFunc(all, func(a, b *application) int { return strings.Compare(a.name, b.name) })
	return all
}

// only is an application where it lets an event of a type through: what is its own and nobody else's.
func only(app *application, kind string) []*application {
	if !app.lets(kind) {
		return nil
	}
	return []*application{app}
}

// teller makes one event.
func (e *estate) teller(kind string) *teller {
	t := &teller{context: e.server.cfg.Context, now: e.server.cfg.Clock()}
	t.begin(kind)
	return t
}

// text is the one event that was made.
func (t *teller) one() []byte {
	t.end()
	return t.events[0].text
}

// steered adds the channel of an event, a leg or a snoop.
func (e *estate) steered(t *teller, ev *gate.StasisEvent) {
	t.b = append(t.b, `,"channel":`...)
	if ev.Snoop == "" {
		t.b = appendChannel(t.b, e.channel(ev.Channel), t.context)
		return
	}
	l := e.legs[ev.Snoop]
	if l == nil {
		l = &launched{began: t.now}
	}
	t.b = appendSnoop(t.b, e.shown(idChannel, ev.Snoop), t.context, l.began)
}

// take makes events of what has happened, and has them told. Caller holds the lock.
func (e *estate) take(ev *gate.StasisEvent) {
	switch ev.Kind {
	case gate.StasisBegan:
		e.starts(ev)
	case gate.StasisEnded:
		e.ends(ev)
	case gate.StasisBridgeMade:
		e.christened(ev.Bridge.ID).channels = ev.Bridge.Channels
		e.bridged("BridgeCreated", ev)
	case gate.StasisBridgeGone:
		e.bridged("BridgeDestroyed", ev)
		delete(e.bridges, ev.Bridge.ID)
		e.forget(idBridge, ev.Bridge.ID)
		e.dropSource(source{ofBridge, ev.Bridge.ID})
	case gate.StasisEntered:
		e.christened(ev.Bridge.ID).channels = ev.Bridge.Channels
		e.bridged("ChannelEnteredBridge", ev)
	case gate.StasisLeft:
		e.christened(ev.Bridge.ID).channels = ev.Bridge.Channels
		e.bridged("ChannelLeftBridge", ev)
	case gate.StasisPressed:
		e.pressed(ev)
	case gate.StasisPlaying:
		e.played("PlaybackStarted", &ev.Playback)
	case gate.StasisNextPlayed:
		e.played("PlaybackContinuing", &ev.Playback)
	case gate.StasisPlayed:
		e.played("PlaybackFinished", &ev.Playback)
		e.forget(idPlayback, ev.Playback.ID)
	}
}

// starts tells of a channel that is there for its application. Of a leg the channels' own events have told already that it has come.
func (e *estate) starts(ev *gate.StasisEvent) {
	l := e.legs[ev.Channel.ID]
	if l == nil || l.ended {
		return
	}
	l.began, l.snoop = e.server.cfg.Clock(), ev.Snoop != ""
	n := news{}
	if l.snoop {
		t := e.teller("ChannelCreated")
		e.steered(t, ev)
		e.tell(news{text: t.one()}, e.who(&about{kind: "ChannelCreated", channels: []string{ev.Channel.ID}})...)
	} else {
		n.starts = ev.Channel.ID
	}
	t := e.teller("StasisStart")
	t.b = appendTexts(append(t.b, `,"args":`...), l.args)
	e.steered(t, ev)
	n.text = t.one()
	e.tell(n, only(l.app, "StasisStart")...)
}

// ends tells that one is there no more.
func (e *estate) ends(ev *gate.StasisEvent) {
	id := ev.Channel.ID
	l := e.legs[id]
	if l == nil || l.ended {
		return
	}
	if !l.began.IsZero() {
		n := news{}
		if !l.snoop {
			n.ends = id
		}
		t := e.teller("StasisEnd")
		e.steered(t, ev)
		n.text = t.one()
		e.tell(n, only(l.app, "StasisEnd")...)
	}
	if l.snoop {
		t := e.teller("ChannelDestroyed")
		t.b = strconv.AppendInt(append(t.b, `,"cause":`...), normalClearing, 10)
		t.text("cause_txt", mask.CauseText(normalClearing))
		e.steered(t, ev)
		e.tell(news{text: t.one()}, e.who(&about{kind: "ChannelDestroyed", channels: []string{id}})...)
		e.dropSource(source{ofChannel, id})
	}
	e.forgetLeg(id)
}

// normalClearing is the cause with which a channel of nobody's phone goes.
const normalClearing = 16

// bridged tells what has happened to one of the client's bridges.
func (e *estate) bridged(kind string, ev *gate.StasisEvent) {
	t, a := e.teller(kind), about{kind: kind, topic: ofBridge, bridge: ev.Bridge.ID}
	t.b = appendBridge(append(t.b, `,"bridge":`...), e.bridge(&ev.Bridge))
	if ev.Channel != nil {
		e.steered(t, ev)
		a.channels = []string{ev.Channel.ID}
	}
	e.tell(news{text: t.one()}, e.who(&a)...)
}

// pressed tells of a key. How long it was pressed is not known.
func (e *estate) pressed(ev *gate.StasisEvent) {
	t := e.teller("ChannelDtmfReceived")
	t.text("digit", ev.Digit)
	t.b = append(t.b, `,"duration_ms":0`...)
	e.steered(t, ev)
	e.tell(news{text: t.one()}, e.who(&about{kind: "ChannelDtmfReceived", channels: []string{ev.Channel.ID}})...)
}

// played tells of a playback, to whom it concerns where it is played.
func (e *estate) played(kind string, p *gate.StasisPlayback) {
	t := e.teller(kind)
	if kind == "PlaybackContinuing" {
		p.State = "continuing"
	}
	t.b = e.appendPlayback(append(t.b, `,"playback":`...), p)
	e.tell(news{text: t.one()}, e.who(&about{kind: kind, channels: ids(p.Channel), bridge: p.Bridge})...)
}

// recorded tells of a recording of the client's: kind is RecordingStarted, RecordingFinished or RecordingFailed.
func (e *estate) recorded(kind string, r *liveRecording) {
	e.lock.Lock()
	defer e.lock.Unlock()
	t := e.teller(kind)
	t.b = appendRecording(append(t.b, `,"recording":`...), r)
	e.tell(news{text: t.one()}, e.who(&about{kind: kind, channels: ids(r.channel), bridge: r.bridge})...)
}

// ids is a list of one id, or of none.
func ids(id string) []string {
	if id == "" {
		return nil
	}
	return []string{id}
}

// dropSource ends every subscription to what is gone. Caller holds the lock.
func (e *estate) dropSource(o source) {
	for _, app := range e.apps {
		app.sources.unsubscribe(o)
	}
}

// christened is one of the client's bridges, which is known from now on. Caller holds the lock.
func (e *estate) christened(id string) *ownBridge {
	b := e.bridges[id]
	if b == nil {
		b = &ownBridge{made: e.server.cfg.Clock()}
		e.bridges[id] = b
	}
	return b
}
