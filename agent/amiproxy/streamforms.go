package amiproxy

import (
	"slices"
	"strconv"

	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/ami"
)

// form is an event of Asterisk's: its class, and its fields in Asterisk 22's order. testdata/events-22.tsv has the same from a real one.
type form struct {
	name      string
	class     ami.Class
	privilege string // the class as it is written
	fields    []field
}

// forms are the events that are told of each kind of change. What is told of presence is in presence, a form for each phone and number.
var forms = map[mask.ChangeKind]*form{
	mask.ChannelAppeared:      calls("Newchannel", snapshot("", first)),
	mask.ChannelStateChanged:  calls("Newstate", snapshot("", first)),
	mask.ChannelCallerChanged: calls("NewCallerid", snapshot("", first), []field{fixed("CID-CallingPres", identity, "0 (Presentation Allowed, Not Screened)")}),
	mask.ChannelPeerChanged:   calls("NewConnectedLine", snapshot("", first)),
	mask.ChannelGone: calls("Hangup", snapshot("", first), []field{
		own("Cause", safe, func(t *telling) string { return strconv.Itoa(cause(t)) }), own("Cause-txt", safe, func(t *telling) string { return mask.CauseText(cause(t)) }),
	}),
	mask.DialBegan: calls("DialBegin", snapshot("", first), snapshot("Dest", second), []field{own("DialString", identity, dialString)}),
	mask.DialRings: calls("DialState", snapshot("", first), snapshot("Dest", second), []field{fixed("DialStatus", safe, "RINGING")}),
	mask.DialEnded: calls("DialEnd", snapshot("", first), snapshot("Dest", second), []field{own("DialStatus", safe, func(t *telling) string { return t.Status })}),

	mask.BridgeMade:    calls("BridgeCreate", bridgeFields("", theBridge)),
	mask.BridgeEntered: calls("BridgeEnter", bridgeFields("", theBridge), snapshot("", first)),
	mask.BridgeLeft:    calls("BridgeLeave", bridgeFields("", theBridge), snapshot("", first)),
	mask.BridgeRemoved: calls("BridgeDestroy", bridgeFields("", theBridge)),

	mask.HoldBegan:  calls("Hold", snapshot("", first), []field{fixed("MusicClass", link, "default")}),
	mask.HoldEnded:  calls("Unhold", snapshot("", first)),
	mask.MusicBegan: calls("MusicOnHoldStart", snapshot("", first), []field{fixed("Class", link, "default")}),
	mask.MusicEnded: calls("MusicOnHoldStop", snapshot("", first)),

	mask.BlindTransferred: calls("BlindTransfer", []field{fixed("Result", identity, "Success")}, snapshot("Transferer", first), snapshot("Transferee", second),
		bridgeFields("", theBridge), []field{
			fixed("IsExternal", safe, "Yes"), own("Context", identity, inContext), own("Extension", identity, dialled),
		}),
	mask.AttendedTransferred: calls("AttendedTransfer", []field{fixed("Result", identity, "Success")}, snapshot("OrigTransferer", first), bridgeFields("Orig", bridgeOf(first)),
		snapshot("SecondTransferer", second), bridgeFields("Second", bridgeOf(second)), snapshot("Transferee", third), []field{
			fixed("IsExternal", safe, "No"), fixed("DestType", safe, "Bridge"), own("DestBridgeUniqueid", link, whereTo),
		}),
	mask.PickedUp:         calls("Pickup", snapshot("", first), snapshot("Target", second)),
	mask.ChannelParked:    calls("ParkedCall", snapshot("Parkee", first), parking()),
	mask.ChannelUnparked:  calls("UnParkedCall", snapshot("Parkee", first), snapshot("Retriever", second), parking()),
	mask.SupervisionBegan: calls("ChanSpyStart", snapshot("Spyer", first), snapshot("Spyee", second)),
	mask.SupervisionEnded: calls("ChanSpyStop", snapshot("Spyer", first), snapshot("Spyee", second)),

	mask.QueueCallerJoined:    agents("QueueCallerJoin", snapshot("", caller), []field{queueName(), position(), waiting()}),
	mask.QueueCallerLeft:      agents("QueueCallerLeave", snapshot("", caller), []field{queueName(), position(), waiting()}),
	mask.QueueCallerAbandoned: agents("QueueCallerAbandon", snapshot("", caller), []field{queueName(), position(), count("OriginalPosition", link, func(q *mask.QueueEvent) int { return q.Joined }), waited()}),
	mask.QueueMemberAdded:     agents("QueueMemberAdded", member()),
	mask.QueueMemberRemoved:   agents("QueueMemberRemoved", member()),
	mask.QueueMemberPaused:    agents("QueueMemberPause", member()),
	mask.QueueMemberPenalty:   agents("QueueMemberPenalty", member()),
	mask.QueueMemberStatus:    agents("QueueMemberStatus", member()),
	mask.AgentCalled:          agents("AgentCalled", snapshot("", first), snapshot("Dest", second), agent()),
	mask.AgentConnected:       agents("AgentConnect", snapshot("", first), snapshot("Dest", second), agent(), []field{waited(), fixed("RingTime", link, "0")}),
	mask.AgentCompleted: agents("AgentComplete", snapshot("", first), snapshot("Dest", second), agent(), []field{
		waited(), count("TalkTime", link, func(q *mask.QueueEvent) int { return q.Talk }), own("Reason", safe, func(t *telling) string { return t.Queue.Reason }),
	}),
}

// deviceForm and extensionForm tell an employee's presence, as that of his first phone and of his numbers.
var (
	deviceForm = calls("DeviceStateChange", []field{
		own("Device", identity, firstPhone), own("State", safe, func(t *telling) string { return presenceWhile(t.Presence).device }),
	})
	extensionForm = calls("ExtensionStatus", []field{
		own("Exten", identity, func(t *telling) string { return t.number }), own("Context", identity, inContext),
		own("Hint", identity, firstPhone), own("Status", safe, func(t *telling) string { return presenceWhile(t.Presence).extension }),
		own("StatusText", safe, func(t *telling) string { return presenceWhile(t.Presence).extensionText }),
	})
)

func calls(name string, parts ...[]field) *form {
	return newForm(name, ami.ClassCall, parts)
}

func agents(name string, parts ...[]field) *form {
	return newForm(name, ami.ClassAgent, parts)
}

func newForm(name string, class ami.Class, parts [][]field) *form {
	return &form{name: name, class: class, privilege: class.String(), fields: slices.Concat(parts...)}
}

// parking are the fields of one who is parked (res/parking/parking_manager.c, manager_build_parked_call_string). Who parked him is not in the model.
func parking() []field {
	return []field{
		fixed("ParkerDialString", identity, ""), own("Parkinglot", link, func(t *telling) string { return printable(t.Lot) }), own("ParkingSpace", link, dialled),
		own("ParkingTimeout", link, func(t *telling) string { return strconv.Itoa(t.Timeout) }),
		own("ParkingDuration", link, func(t *telling) string { return strconv.Itoa(t.Waited) }),
	}
}

// whereTo is the bridge in which who was transferred is now.
func whereTo(t *telling) string {
	if id := bridgeOf(third)(t); id != "" {
		return id
	}
	return bridgeOf(second)(t)
}

func theBridge(t *telling) string { return t.Bridge }

func dialled(t *telling) string { return printable(t.Dialled) }

func position() field {
	return count("Position", link, func(q *mask.QueueEvent) int { return q.Position })
}
func waiting() field { return count("Count", safe, func(q *mask.QueueEvent) int { return q.Count }) }
func waited() field  { return count("HoldTime", link, func(q *mask.QueueEvent) int { return q.Wait }) }

// caller is who waits.
func caller(t *telling) *mask.Channel {
	if t.Channel != nil {
		return t.Channel
	}
	return waiter(t.Queue.Queue, t.Queue.Caller, t.Queue.Endpoint)
}

// waiter is who waits where no channel is shown for him: he has the name by which he is known from when he joins until he is gone, in the lists too,
// and nothing else. Endpoint is that of the channel that was shown for him; empty for none.
func waiter(queue, handle, endpoint string) *mask.Channel {
	if endpoint == "" {
		endpoint = "Queue/" + queue
	}
	return &mask.Channel{ID: handle, Linked: handle, Endpoint: endpoint, Hidden: true, Out: true, State: mask.ChannelUp}
}

// cause is why a channel is gone. Of one whose other side is hidden it is always the same: it would tell of the other side.
func cause(t *telling) int {
	if t.Channel.Hidden {
		return 16
	}
	return t.Cause
}
