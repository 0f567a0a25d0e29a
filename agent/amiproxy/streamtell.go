package amiproxy

import (
	"slices"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/ami"
)

// teller makes events of changes.
type teller struct {
	context   string // the dialplan's, in every event
	colleague func(id string) (gate.Colleague, bool)
	message   ami.Message // used again for each event
	events    ami.Builder
	classes   []ami.Class // of the events, each once
	err       error

	now, alone telling // the change that is told, and a part of it
	bare       [4]mask.Channel
}

// change makes the events of one change, in Asterisk's order. It looks at nothing but the change, and the phones and numbers of an employee that it
// names.
func (t *teller) change(c *mask.ChannelChange) {
	now := &t.now
	*now = telling{ChannelChange: *c, context: t.context}
	now.Channel, now.Other, now.Third = shown(c.Channel, &t.bare[0]), shown(c.Other, &t.bare[1]), shown(c.Third, &t.bare[2])
	switch {
	case c.Kind == mask.PresenceChanged:
		now.owner, _ = t.colleague(c.Presence.Employee)
		if len(now.owner.Phones) == 0 {
			return // another policy has come since
		}
		t.tell(deviceForm, now)
		for _, now.number = range now.owner.Numbers {
			t.tell(extensionForm, now)
		}
		return
	case c.Queue != nil && c.Queue.Member != nil:
		if now.owner, _ = t.colleague(c.Queue.Member.Employee); len(now.owner.Phones) == 0 {
			return
		}
	}
	if c.Kind == mask.ChannelAppeared && c.Channel.Peer != nil && !c.Channel.Hidden {
		t.begin(now)
		return
	}
	if f := forms[c.Kind]; f != nil {
		t.tell(f, now)
	}
	if c.Kind == mask.QueueCallerAbandoned {
		t.tell(forms[mask.QueueCallerLeft], now)
	}
}

// begin tells of a channel that appears with somebody on the other side. Asterisk's never do: they hear of him next.
func (t *teller) begin(now *telling) {
	alone, bare := &t.alone, &t.bare[3]
	*alone, *bare = *now, *now.Channel
	bare.Peer, alone.Channel = nil, bare
	t.tell(forms[mask.ChannelAppeared], alone)
	t.tell(forms[mask.ChannelPeerChanged], now)
}

// tell makes one event.
func (t *teller) tell(f *form, now *telling) {
	m := &t.message
	m.Reset()
	m.Append("Event", f.name).Append("Privilege", f.privilege)
	for i := range f.fields {
		if field := &f.fields[i]; field.there == nil || field.there(now) {
			m.Append(field.name, field.value(now))
		}
	}
	if err := t.events.Add(m); err != nil {
		t.err = err
		return
	}
	if !slices.Contains(t.classes, f.class) {
		t.classes = append(t.classes, f.class)
	}
}
