package ariproxy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/mask"
)

// rendering is what a scene is over the wire, with holes where each client's own handles go.
type rendering struct {
	events  []event
	handles int // how many of the scene's handles are in it: those before
}

// event is one, without the name of the application, which goes before it.
type event struct {
	text  []byte
	holes []hole
	of    *mask.ChannelChange // what it tells
}

// typed is what all events begin with.
const typed = `"type":"`

// kind is the event's type. It is not kept: most who are told of an event are told of all.
func (e *event) kind() string {
	kind, _, _ := strings.Cut(string(e.text[len(typed):]), `"`)
	return kind
}

// hole is where a handle goes, and which of the scene's.
type hole struct{ at, handle int }

// fill appends the event with the handles of one client.
func (e *event) fill(b []byte, handles []byte) []byte {
	begin := len(b)
	b = append(b, e.text...)
	for _, h := range e.holes {
		copy(b[begin+h.at:], handles[h.handle*mask.HandleLen:(h.handle+1)*mask.HandleLen])
	}
	return b
}

// render makes the events of a scene, once for all who see the same.
func (s *Server) render(changes []mask.ChannelChange) any {
	t := &teller{context: s.cfg.Context, now: s.cfg.Clock(), phones: func(id string) []string {
		c, _ := s.cfg.Gate.Colleague(id)
		return c.Phones
	}}
	for i := range changes {
		t.of = &changes[i]
		t.change(t.of)
	}
	return &t.rendering
}

// teller makes events of changes. It looks at nothing but the change, and at which phones an employee has that it names.
type teller struct {
	rendering
	context string
	now     time.Time
	phones  func(employee string) []string
	b       []byte // of the event that is made
	of      *mask.ChannelChange
}

// begin begins an event.
func (t *teller) begin(kind string) {
	t.b = member([]byte(typed+kind+`"`), "asterisk_id", entityID)
	t.b = appendTime(append(t.b, `,"timestamp":`...), t.now)
}

// end ends it.
func (t *teller) end() {
	e := event{text: slices.Clip(append(t.b, '}')), of: t.of}
	for from := 0; ; {
		at, i, ok := mask.NextHole(e.text[from:])
		if !ok {
			break
		}
		e.holes = append(e.holes, hole{from + at, i})
		t.handles = max(t.handles, i+1)
		from += at + mask.HandleLen
	}
	t.events = append(t.events, e)
}

// channel adds a channel, where there is one.
func (t *teller) channel(name string, c *mask.Channel) {
	if c == nil {
		return
	}
	t.b = appendChannel(append(append(append(t.b, ',', '"'), name...), '"', ':'), c, t.context)
}

// about is an event about one channel.
func (t *teller) about(kind string, c *mask.Channel) {
	t.begin(kind)
	t.channel("channel", c)
}

// text adds a member.
func (t *teller) text(name, value string) { t.b = member(t.b, name, value) }

// bridge adds the bridge of a change.
func (t *teller) bridge(c *mask.ChannelChange) {
	o := bridge{id: c.Bridge, kind: c.Type, in: c.Members, since: t.now}
	if c.Type == holding {
		o.creator = "Parking"
	}
	if c.Channel != nil {
		o.since = c.Channel.Since
		if c.Channel.App == mask.AppConfBridge && !c.Channel.Hidden {
			o.room, o.creator, o.name = true, mask.AppConfBridge, c.Channel.Room
		}
	}
	t.b = appendBridge(append(t.b, `,"bridge":`...), &o)
}

// change makes the events of one change, in Asterisk's order.
func (t *teller) change(c *mask.ChannelChange) {
	switch c.Kind {
	case mask.ChannelAppeared:
		t.appear(c.Channel)
	case mask.ChannelStateChanged:
		t.about("ChannelStateChange", c.Channel)
		t.end()
	case mask.ChannelCallerChanged:
		t.about("ChannelCallerId", c.Channel)
		t.b = append(t.b, `,"caller_presentation":0,"caller_presentation_txt":"Presentation Allowed, Not Screened"`...)
		t.end()
	case mask.ChannelPeerChanged:
		t.about("ChannelConnectedLine", c.Channel)
		t.end()
	case mask.ChannelGone:
		t.gone(c)
	case mask.DialBegan:
		t.dial(c, "")
	case mask.DialRings:
		t.dial(c, "RINGING")
	case mask.DialEnded:
		t.dial(c, c.Status)
	case mask.BridgeMade:
		t.begin("BridgeCreated")
		t.bridge(c)
		t.end()
	case mask.BridgeEntered:
		t.about("ChannelEnteredBridge", c.Channel)
		t.bridge(c)
		t.end()
	case mask.BridgeLeft:
		t.about("ChannelLeftBridge", c.Channel)
		t.bridge(c)
		t.end()
	case mask.BridgeRemoved:
		t.begin("BridgeDestroyed")
		t.bridge(c)
		t.end()
	case mask.HoldBegan:
		t.about("ChannelHold", c.Channel)
		t.text("musicclass", "N/A")
		t.end()
	case mask.HoldEnded:
		t.about("ChannelUnhold", c.Channel)
		t.end()
	case mask.BlindTransferred:
		t.blind(c)
	case mask.AttendedTransferred:
		t.attended(c)
	case mask.PresenceChanged:
		t.presence(c.Presence)
	case mask.MusicBegan, mask.MusicEnded, mask.PickedUp, mask.ChannelParked, mask.ChannelUnparked, mask.SupervisionBegan, mask.SupervisionEnded, mask.ChannelChanged,
		mask.QueueCallerJoined, mask.QueueCallerLeft, mask.QueueCallerAbandoned, mask.QueueMemberAdded, mask.QueueMemberRemoved, mask.QueueMemberPaused,
		mask.QueueMemberPenalty, mask.QueueMemberStatus, mask.AgentCalled, mask.AgentConnected, mask.AgentCompleted:
		// ARI has no events for these, or other events tell it.
	}
}

// appear tells of a channel that appears. Asterisk's never do with somebody on the other side: they hear of him next.
func (t *teller) appear(c *mask.Channel) {
	if c.Peer == nil || c.Hidden {
		t.about("ChannelCreated", c)
		t.end()
		return
	}
	alone := *c
	alone.Peer = nil
	t.about("ChannelCreated", &alone)
	t.end()
	t.about("ChannelConnectedLine", c)
	t.end()
}

// gone tells of a channel that is. Of one whose other side is hidden the cause is always the same: it would tell of the other side.
func (t *teller) gone(c *mask.ChannelChange) {
	cause := c.Cause
	if c.Channel.Hidden {
		cause = 16
	}
	t.about("ChannelDestroyed", c.Channel)
	t.b = strconv.AppendInt(append(t.b, `,"cause":`...), int64(cause), 10)
	t.text("cause_txt", mask.CauseText(cause))
	t.end()
}

func (t *teller) dial(c *mask.ChannelChange, status string) {
	t.begin("Dial")
	t.channel("caller", c.Channel)
	t.channel("peer", c.Other)
	t.b = append(t.b, `,"forward":""`...)
	dialled := ""
	if c.Kind == mask.DialBegan {
		dialled = dialString(c.Other.Endpoint)
	}
	t.text("dialstring", dialled)
	t.text("dialstatus", status)
	t.end()
}

// blind and attended tell of transfers. By the model it is the phone that has transferred with the one, and a feature code with the other.
func (t *teller) blind(c *mask.ChannelChange) {
	t.about("BridgeBlindTransfer", c.Channel)
	t.channel("transferee", c.Other)
	t.text("exten", c.Dialled)
	t.text("context", t.context)
	t.b = append(t.b, `,"result":"Success","is_external":true`...)
	if c.Bridge != "" {
		t.bridge(c)
	}
	t.end()
}

func (t *teller) attended(c *mask.ChannelChange) {
	t.begin("BridgeAttendedTransfer")
	t.channel("transferer_first_leg", c.Channel)
	t.channel("transferer_second_leg", c.Other)
	t.channel("transferee", c.Third)
	t.b = append(t.b, `,"result":"Success","is_external":false,"destination_type":"bridge"`...)
	to := c.Other.Bridge
	if c.Third != nil && c.Third.Bridge != "" {
		to = c.Third.Bridge
	}
	t.text("destination_bridge", to)
	t.end()
}

// presence tells what an employee does, as the state of his first phone.
func (t *teller) presence(p *mask.Presence) {
	phones := t.phones(p.Employee)
	if len(phones) == 0 {
		return // another policy has come since
	}
	t.begin("DeviceStateChanged")
	t.b = appendDevice(append(t.b, `,"device_state":`...), phones[0], deviceState(p))
	t.end()
}

// dialString is what dials a phone: its endpoint without the technology.
func dialString(endpoint string) string {
	for i := range endpoint {
		if endpoint[i] == '/' {
			return endpoint[i+1:]
		}
	}
	return ""
}

// replacedText is ApplicationReplaced behind the application's name.
func (s *Server) replacedText() []byte {
	t := teller{now: s.cfg.Clock()}
	t.begin("ApplicationReplaced")
	t.end()
	return t.events[0].text
}
