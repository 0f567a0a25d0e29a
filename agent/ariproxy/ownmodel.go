package ariproxy

import (
	"strconv"
	"time"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// What a client steers in Asterisk's models, by the ids that the client has chosen.

// appendSnoop appends the Channel of a snoop, by the id that its client knows it by. It tells nothing of whom it is on.
func appendSnoop(b []byte, id, context string, began time.Time) []byte {
	b = mask.AppendString(append(b, `{"id":`...), id)
	b = member(b, "name", "Snoop/"+id+"-00000000")
	b = append(b, `,"state":"Up","protocol_id":"","caller":{"name":"","number":""},"connected":{"name":"","number":""},"accountcode":"","dialplan":{"context":`...)
	b = mask.AppendString(b, context)
	b = append(b, `,"exten":"s","priority":1,"app_name":"Stasis","app_data":""},"creationtime":`...)
	return append(appendTime(b, began), `,"language":"en"}`...)
}

// bridge is one of the client's own as it is told. Caller holds the lock.
func (e *estate) bridge(own *gate.StasisBridge) *bridge {
	o := &bridge{id: e.shown(idBridge, own.ID), creator: "Stasis", in: e.aliases.all(idChannel, own.Channels), since: e.server.cfg.Clock()} // until it is told of
	if known := e.bridges[own.ID]; known != nil {
		o.name, o.since = known.name, known.made
	}
	return o
}

// ownBridges are bridges, and behind them the client's own.
func (e *estate) ownBridges(all []bridge) []bridge {
	st := e.stasis()
	if st == nil {
		return all
	}
	has := st.View()
	e.lock.Lock()
	defer e.lock.Unlock()
	for i := range has.Bridges {
		all = append(all, *e.bridge(&has.Bridges[i]))
	}
	return all
}

// appendBridge appends the Bridge of one of the client's own, for who has it from the Stasis.
func (e *estate) appendBridge(b []byte, own *gate.StasisBridge) []byte {
	e.lock.Lock()
	defer e.lock.Unlock()
	return appendBridge(b, e.bridge(own))
}

// target is where something is played or recorded.
func (e *estate) target(channel, bridge string) string {
	if bridge != "" {
		return "bridge:" + e.names().shown(idBridge, bridge)
	}
	return "channel:" + e.names().shown(idChannel, channel)
}

// appendPlayback appends a Playback.
func (e *estate) appendPlayback(b []byte, p *gate.StasisPlayback) []byte {
	b = mask.AppendString(append(b, `{"id":`...), e.shown(idPlayback, p.ID))
	media := func(i int) string {
		if i < 0 || i >= len(p.Media) {
			return ""
		}
		return p.Media[i]
	}
	b = member(b, "media_uri", media(p.Playing))
	if next := media(p.Playing + 1); next != "" {
		b = member(b, "next_media_uri", next)
	}
	b = member(b, "target_uri", e.target(p.Channel, p.Bridge))
	b = member(b, "language", "en")
	return append(member(b, "state", p.State), '}')
}

// liveRecording is a recording that is being made.
type liveRecording struct {
	name            string // as the client knows it
	format          string
	channel, bridge string // whose call it is, and the bridge where it was begun in one
	target          string // the bridge or else the channel, as the client called it in the beginning
	state           string // "queued", "recording", "paused", "done" or "failed"
	seconds         int    // how long it is; told when it is done
	cause           string // why it has failed
}

// appendRecording appends a LiveRecording.
func appendRecording(b []byte, r *liveRecording) []byte {
	b = mask.AppendString(append(b, `{"name":`...), r.name)
	b = member(b, "format", r.format)
	b = member(b, "target_uri", r.target)
	b = member(b, "state", r.state)
	if r.state == "done" {
		b = strconv.AppendInt(append(b, `,"duration":`...), int64(r.seconds), 10)
	}
	if r.cause != "" {
		b = member(b, "cause", r.cause)
	}
	return append(b, '}')
}

// snoop is a supervision of the client's as a Channel.
type snoop struct {
	id   string // not its alias
	text []byte
}

// snoops are all of the client's.
func (e *estate) snoops() (all []snoop) {
	st := e.stasis()
	if st == nil {
		return nil
	}
	has := st.View()
	for i := range has.Snoops {
		s := &has.Snoops[i]
		all = append(all, snoop{s.ID, appendSnoop(nil, e.shown(idChannel, s.ID), e.server.cfg.Context, s.Since)})
	}
	return all
}
