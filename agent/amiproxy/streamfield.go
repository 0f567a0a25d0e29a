package amiproxy

import (
	"strconv"
	"strings"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// sensitivity is what a field of Asterisk's may tell of a call. The zero value is the most.
type sensitivity uint8

const (
	identity sensitivity = iota // who somebody is
	link                        // what ties one message to another
	safe
)

// field is one field of an event: its name and sensitivity as Asterisk has it, and what Earshot writes there.
type field struct {
	name  string
	class sensitivity
	there func(*telling) bool // nil: always
	value func(*telling) string
}

// telling is one change while it is told.
type telling struct {
	mask.ChannelChange // with its channels as they are shown
	context            string
	owner              gate.Colleague // of what is about an employee's phone: whose it is
	number             string         // of what is about an extension: which
}

// leg is one of a change's channels; nil where it is not there.
type leg func(*telling) *mask.Channel

func first(t *telling) *mask.Channel  { return t.Channel }
func second(t *telling) *mask.Channel { return t.Other }
func third(t *telling) *mask.Channel  { return t.Third }

// fixed is a field that is always the same.
func fixed(name string, class sensitivity, value string) field {
	return field{name: name, class: class, value: func(*telling) string { return value }}
}

// own is a field of the event's own.
func own(name string, class sensitivity, value func(*telling) string) field {
	return field{name: name, class: class, value: value}
}

// snapshot are the fields of a channel, in Asterisk's order (main/manager_channels.c, ast_manager_build_channel_state_string_prefix), under names that
// begin with prefix. They are not there where the channel is not.
func snapshot(prefix string, of leg) (all []field) {
	there := func(t *telling) bool { return of(t) != nil }
	add := func(name string, class sensitivity, value func(channel) string) {
		all = append(all, field{name: prefix + name, class: class, there: there, value: func(t *telling) string { return value(channel{of(t)}) }})
	}
	add("Channel", identity, channel.name)
	add("ChannelState", safe, func(c channel) string { number, _ := c.state(); return number })
	add("ChannelStateDesc", safe, func(c channel) string { _, word := c.state(); return word })
	add("CallerIDNum", identity, func(c channel) string { return orUnknown(c.Number) })
	add("CallerIDName", identity, func(c channel) string { return orUnknown(c.Name) })
	add("ConnectedLineNum", identity, func(c channel) string { number, _ := c.other(); return number })
	add("ConnectedLineName", identity, func(c channel) string { _, name := c.other(); return name })
	add("Language", safe, func(channel) string { return "en" })
	add("AccountCode", identity, func(channel) string { return "" })
	all = append(all, field{name: prefix + "Context", class: identity, there: there, value: inContext})
	add("Exten", identity, channel.exten)
	add("Priority", safe, func(channel) string { return "1" })
	add("Uniqueid", link, func(c channel) string { return c.ID })
	add("Linkedid", link, channel.LinkedID)
	return all
}

// shown is a channel with as much of it as may be told, which may be bare. Of a hidden one the gate gives no more; that this holds here too costs little.
func shown(c, bare *mask.Channel) *mask.Channel {
	if c == nil || !c.Hidden {
		return c
	}
	*bare = *c
	bare.Peer, bare.Dialled, bare.Linked = nil, "", c.ID
	return bare
}

func inContext(t *telling) string { return t.context }

// bridgeFields are those of a bridge (main/manager_bridges.c, ast_manager_build_bridge_state_string_prefix).
func bridgeFields(prefix string, id func(*telling) string) (all []field) {
	add := func(name string, class sensitivity, value func(*telling) string) {
		all = append(all, field{name: prefix + name, class: class, there: func(t *telling) bool { return id(t) != "" }, value: value})
	}
	add("BridgeUniqueid", link, id)
	add("BridgeType", safe, func(t *telling) string { kind, _ := bridgeWords(t); return kind })
	add("BridgeTechnology", safe, func(t *telling) string { _, technology := bridgeWords(t); return technology })
	add("BridgeCreator", safe, func(t *telling) string {
		if t.Type == holding {
			return "Parking"
		}
		return unknown
	})
	add("BridgeName", link, func(*telling) string { return unknown })
	add("BridgeNumChannels", safe, func(t *telling) string { return strconv.Itoa(t.Mates) })
	add("BridgeVideoSourceMode", safe, func(*telling) string { return "none" })
	return all
}

// holding is the type of a bridge in which somebody is parked.
const holding = "holding"

// bridgeWords are a bridge's type and technology, as far as they follow from how many are in it.
func bridgeWords(t *telling) (kind, technology string) {
	switch {
	case t.Type == holding:
		return "parking", "holding_bridge"
	case t.Mates > 2:
		return "basic", "softmix"
	}
	return "basic", "simple_bridge"
}

func bridgeOf(of leg) func(*telling) string {
	return func(t *telling) string {
		if c := of(t); c != nil {
			return c.Bridge
		}
		return ""
	}
}

// member are the fields of a queue's member (apps/app_queue.c, queue_member_blob_create). What Earshot keeps no count of is 0.
func member() []field {
	of := func(name string, class sensitivity, value func(m *mask.LineMember) string) field {
		return own(name, class, func(t *telling) string { return value(t.Queue.Member) })
	}
	status := func(m *mask.LineMember) string { return presenceIn(m.State).member }
	return []field{
		queueName(),
		of("MemberName", identity, func(m *mask.LineMember) string { return printable(m.Name) }),
		own("Interface", identity, firstPhone),
		own("StateInterface", identity, firstPhone),
		of("Membership", safe, func(m *mask.LineMember) string {
			if m.Fixed {
				return "static"
			}
			return "dynamic"
		}),
		of("Penalty", safe, func(m *mask.LineMember) string { return strconv.Itoa(m.Penalty) }),
		fixed("CallsTaken", safe, "0"),
		fixed("LastCall", link, "0"),
		fixed("LastPause", link, "0"),
		fixed("LoginTime", link, "0"),
		of("InCall", safe, func(m *mask.LineMember) string { p := presenceIn(m.State); return digit(p == inUse || p == onHold) }),
		of("Status", safe, status),
		of("Paused", safe, func(m *mask.LineMember) string { return digit(m.Paused) }),
		fixed("PausedReason", identity, ""),
		fixed("Ringinuse", safe, "1"),
		fixed("Wrapuptime", safe, "0"),
	}
}

func queueName() field { return own("Queue", link, func(t *telling) string { return t.Queue.Queue }) }

// firstPhone is what the lists and the board call an employee's phone.
func firstPhone(t *telling) string {
	if len(t.owner.Phones) == 0 {
		return ""
	}
	return t.owner.Phones[0]
}

// agent are the fields by which an event about a queue's call names the member.
func agent() []field {
	return []field{
		queueName(),
		own("Interface", identity, firstPhone),
		own("MemberName", identity, func(t *telling) string { return printable(t.Queue.Member.Name) }),
	}
}

// count is a number of a queue's event.
func count(name string, class sensitivity, value func(*mask.QueueEvent) int) field {
	return own(name, class, func(t *telling) string { return strconv.Itoa(value(t.Queue)) })
}

// dialString is what dials a phone: its endpoint without the technology.
func dialString(t *telling) string {
	_, name, _ := strings.Cut(t.Other.Endpoint, "/")
	return printable(name)
}
