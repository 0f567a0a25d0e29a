package ariproxy

import (
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/mask"
)

// What Asterisk's models are in JSON (rest-api/api-docs, models; main/stasis_channels.c and main/stasis_bridges.c for which members there are). Lists,
// single answers and events are all written here, from the model and nothing else.

// entityID stands for the PBX where Asterisk tells the hardware address of its network: locally administered, and everybody's.
const entityID = "02:00:00:00:00:00"

// appendTime appends a moment as Asterisk writes it, to the second: what is finer ties what happened at once.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		t = time.Unix(0, 0)
	}
	return t.UTC().Truncate(time.Second).AppendFormat(b, `"2006-01-02T15:04:05.000+0000"`)
}

// member appends a member of an object that has others before it.
func member(b []byte, name, value string) []byte {
	b = append(append(append(b, ',', '"'), name...), '"', ':')
	return mask.AppendString(b, value)
}

// caller appends a CallerID. Whoever is not known has empty texts.
func appendCaller(b []byte, name, number string) []byte {
	b = mask.AppendString(append(b, `{"name":`...), name)
	return append(mask.AppendString(append(b, `,"number":`...), number), '}')
}

// appendChannel appends a Channel. Of a hidden one the gate gives no more than the board has; that this holds here too costs little.
func appendChannel(b []byte, c *mask.Channel, context string) []byte {
	if c.Hidden {
		bare := *c
		bare.Peer, bare.Dialled, bare.Linked, bare.App, bare.Queue, bare.Room = nil, "", c.ID, "", "", ""
		c = &bare
	}
	b = mask.AppendString(append(b, `{"id":`...), c.ID)
	b = member(b, "name", c.FullName())
	b = member(b, "state", c.StateWord())
	b = append(b, `,"protocol_id":"","caller":`...)
	b = appendCaller(b, c.Name, c.Number)
	b = append(b, `,"connected":`...)
	if p := c.Connected(); p != nil {
		b = appendCaller(b, p.Name, p.Number)
	} else {
		b = appendCaller(b, "", "")
	}
	app, data := c.Application()
	b = mask.AppendString(append(b, `,"accountcode":"","dialplan":{"context":`...), context)
	b = member(b, "exten", c.Exten())
	b = append(b, `,"priority":1`...)
	b = member(b, "app_name", app)
	b = member(b, "app_data", data)
	b = appendTime(append(b, `},"creationtime":`...), c.Began)
	return append(b, `,"language":"en"}`...)
}

// bridge is a bridge with those who are shown in it.
type bridge struct {
	id      string
	since   time.Time
	kind    string // "basic", "holding" as the model has it
	creator string
	name    string
	room    bool // a conference
	in      []string
}

// holding is the kind of a bridge in which nobody hears another.
const holding = "holding"

// words are a bridge's type, technology and class, as far as they follow from what is done in it.
func (o *bridge) words() (kind, technology, class string) {
	switch {
	case o.kind == holding:
		return "holding", "holding_bridge", "parking"
	case o.room:
		return "mixing", "softmix", "base"
	case len(o.in) > 2:
		return "mixing", "softmix", "basic"
	}
	return "mixing", "simple_bridge", "basic"
}

// appendBridge appends a Bridge.
func appendBridge(b []byte, o *bridge) []byte {
	kind, technology, class := o.words()
	b = mask.AppendString(append(b, `{"id":`...), o.id)
	b = member(b, "technology", technology)
	b = member(b, "bridge_type", kind)
	b = member(b, "bridge_class", class)
	b = member(b, "creator", o.creator)
	b = member(b, "name", o.name)
	b = appendTexts(append(b, `,"channels":`...), o.in)
	b = appendTime(append(b, `,"creationtime":`...), o.since)
	return append(b, `,"video_mode":"none"}`...)
}

// appendTexts appends a list, which is never null.
func appendTexts(b []byte, list []string) []byte {
	if list == nil {
		return append(b, "[]"...)
	}
	return mask.AppendStrings(b, list)
}

// appendEndpoint appends an Endpoint. Whether the phone is there is not known.
func appendEndpoint(b []byte, endpoint string, channels []string) []byte {
	technology, resource, _ := strings.Cut(endpoint, "/")
	b = mask.AppendString(append(b, `{"technology":`...), technology)
	b = member(b, "resource", resource)
	b = appendTexts(append(b, `,"state":"unknown","channel_ids":`...), channels)
	return append(b, '}')
}

// appendDevice appends a DeviceState.
func appendDevice(b []byte, name, state string) []byte {
	b = mask.AppendString(append(b, `{"name":`...), name)
	return append(member(b, "state", state), '}')
}

// The states of devices that are told (main/devicestate.c).
const (
	deviceUnknown   = "UNKNOWN"
	deviceIdle      = "NOT_INUSE"
	deviceInUse     = "INUSE"
	deviceRinging   = "RINGING"
	deviceRingInUse = "RINGINUSE"
	deviceHeld      = "ONHOLD"
)

// deviceState is what an employee does, as the state of his phone.
func deviceState(p *mask.Presence) string {
	switch p.State {
	case mask.Idle:
		return deviceIdle
	case mask.Ringing:
		return deviceRinging
	case mask.Held:
		return deviceHeld
	case mask.Dialling, mask.Talking:
		if p.Rings {
			return deviceRingInUse
		}
		return deviceInUse
	}
	return deviceUnknown
}
