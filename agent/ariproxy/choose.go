package ariproxy

import "github.com/earshot-pbx/earshot/agent/mask"

// late is an event that has to wait for another.
type late struct {
	at   *seat
	text []byte // behind the application's name
}

// chosen collects what one application is told of a scene, where that is not simply everything: what it wants, by the ids that its client has chosen. That
// a phone's leg is gone is told behind its StasisEnd, as Asterisk does, which may come later.
func (st *stream) chosen(at *seat, r *rendering) {
	for i := range r.events {
		ev := &r.events[i]
		a := st.of(ev)
		e := st.estate
		e.lock.Lock()
		wants := at.wants(a)
		if a.kind == "ChannelDestroyed" && len(a.channels) > 0 {
			at.sources.unsubscribe(source{ofChannel, a.channels[0]})
		}
		if a.kind == "BridgeDestroyed" && a.bridge != "" {
			at.sources.unsubscribe(source{ofBridge, a.bridge})
		}
		e.lock.Unlock()
		if !wants {
			continue
		}
		if a.kind == "ChannelDestroyed" && st.begun[a.channels[0]] {
			st.late[a.channels[0]] = append(st.late[a.channels[0]], late{at, st.named(ev, nil)})
			continue
		}
		begin := st.begin(at)
		st.frames = st.named(ev, st.frames)
		st.frame(begin)
	}
}

// named appends an event with the client's handles, or its aliases for them.
func (st *stream) named(ev *event, b []byte) []byte {
	from := 0
	for _, h := range ev.holes {
		b = append(b, ev.text[from:h.at]...)
		b = append(b, st.estate.shown(idChannel, st.fill(h.handle))...)
		from = h.at + mask.HandleLen
	}
	return append(b, ev.text[from:]...)
}

// fill is the handle that goes into a hole.
func (st *stream) fill(handle int) string {
	return string(st.fills[handle*mask.HandleLen : (handle+1)*mask.HandleLen])
}

// of is what an event is about, with the client's handles. It is good until the next.
func (st *stream) of(ev *event) *about {
	c := ev.of
	a := &st.about
	*a = about{kind: ev.kind(), channels: a.channels[:0], endpoints: a.endpoints[:0]}
	if c.Kind == mask.PresenceChanged {
		if owner, _ := st.server.cfg.Gate.Colleague(c.Presence.Employee); len(owner.Phones) > 0 {
			a.device = owner.Phones[0]
		}
		return a
	}
	a.bridge = st.handle(c.Bridge)
	if c.Kind == mask.BridgeMade || c.Kind == mask.BridgeRemoved || c.Kind == mask.BridgeEntered || c.Kind == mask.BridgeLeft {
		a.topic = ofBridge
		return a
	}
	for _, ch := range [...]*mask.Channel{c.Channel, c.Other, c.Third} {
		if ch != nil {
			a.channels, a.endpoints = append(a.channels, st.handle(ch.ID)), append(a.endpoints, ch.Endpoint)
		}
	}
	return a
}

// handle is what a hole stands for; of none it is nothing.
func (st *stream) handle(hole string) string {
	at, i, ok := mask.NextHole([]byte(hole))
	if !ok || at != 0 || (i+1)*mask.HandleLen > len(st.fills) {
		return ""
	}
	return st.fill(i)
}

// news collects an event of what the client steers, or that another stream has an application now.
func (st *stream) news(n *news) {
	if n.starts != "" {
		st.begun[n.starts] = true
	}
	for _, at := range st.seats {
		for _, app := range n.to {
			if app == at.application && (n.replaced || !at.gone.Load()) {
				st.text(at, n.text)
			}
		}
	}
	if n.ends == "" {
		return
	}
	waited := st.late[n.ends]
	delete(st.late, n.ends)
	delete(st.begun, n.ends)
	for _, l := range waited {
		if !l.at.gone.Load() {
			st.text(l.at, l.text)
		}
	}
}
