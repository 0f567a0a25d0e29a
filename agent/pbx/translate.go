package pbx

import (
	"strings"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
)

// translate turns an ARI event into one of the table's. Events that say nothing about legs and ties are none of its business.
func translate(e *ari.Event) (call.Event, bool) {
	ev := call.Event{At: e.Timestamp}
	if e.Channel != nil {
		ev.Channel = channel(e.Channel)
	}
	if e.Bridge != nil {
		ev.Bridge = bridge(e.Bridge)
	}
	switch e.Type {
	case ari.TypeChannelCreated, ari.TypeChannelStateChange, ari.TypeChannelCallerID, ari.TypeChannelConnectedLine,
		ari.TypeStasisStart, ari.TypeStasisEnd:
		ev.Kind = call.LegSeen
	case ari.TypeChannelDestroyed:
		ev.Kind, ev.Cause = call.LegGone, e.Cause
	case ari.TypeChannelHangupRequest:
		if e.Soft {
			return ev, false // Asterisk asks the channel to end, or only to leave what it is in
		}
		ev.Kind = call.LegHungUp
	case ari.TypeChannelHold:
		ev.Kind = call.LegHeld
	case ari.TypeChannelUnhold:
		ev.Kind = call.LegUnheld
	case ari.TypeChannelDialplan:
		ev.Kind = call.AppBegan
	case ari.TypeDial:
		return dial(e, ev)
	case ari.TypeBridgeCreated:
		ev.Kind = call.BridgeSeen
	case ari.TypeBridgeDestroyed:
		ev.Kind = call.BridgeGone
	case ari.TypeChannelEnteredBridge:
		ev.Kind = call.BridgeEntered
	case ari.TypeChannelLeftBridge:
		ev.Kind = call.BridgeLeft
	case ari.TypeBridgeMerged:
		if e.BridgeFrom == nil {
			return ev, false
		}
		ev.Kind, ev.From = call.BridgesMerged, call.BridgeID(e.BridgeFrom.ID)
	case ari.TypeBridgeBlindTransfer:
		ev.Kind = call.BlindTransferred
		if e.Transfer != nil && e.Transfer.Result == "Success" && e.Transfer.Transferee != nil {
			ev.Transferee, ev.Dialled = call.LegID(e.Transfer.Transferee.ID), e.Transfer.Exten
		}
	case ari.TypeBridgeAttendedTransfer:
		if e.Transfer == nil || e.Transfer.FirstLeg == nil || e.Transfer.SecondLeg == nil {
			return ev, false
		}
		ev.Kind, ev.Channel, ev.Peer = call.AttendedTransferred, channel(e.Transfer.FirstLeg), channel(e.Transfer.SecondLeg)
		if e.Transfer.Transferee != nil {
			ev.Transferee = call.LegID(e.Transfer.Transferee.ID)
		}
	default:
		return ev, false
	}
	if needsChannel(ev.Kind) && ev.Channel.ID == "" {
		return ev, false
	}
	return ev, true
}

func needsChannel(k call.Kind) bool {
	switch k {
	case call.BridgeSeen, call.BridgeGone, call.BridgesMerged:
		return false
	}
	return true
}

// dial reads the three stages of a Dial event (ARI models: Dial; dialstatus is empty at the beginning).
func dial(e *ari.Event, ev call.Event) (call.Event, bool) {
	if e.Peer == nil {
		return ev, false
	}
	if e.Caller != nil {
		ev.Channel = channel(e.Caller)
	}
	ev.Peer, ev.Dialled = channel(e.Peer), e.DialString
	switch e.DialStatus {
	case "":
		ev.Kind = call.DialBegan
	case "RINGING", "PROGRESS", "PROCEEDING":
		ev.Kind = call.DialProgressed
	case "ANSWER":
		ev.Kind, ev.Answered = call.DialEnded, true
	default:
		ev.Kind, ev.Refusal, ev.Congested = call.DialEnded, refusals[e.DialStatus], e.DialStatus == "CONGESTION"
	}
	return ev, true
}

// refusals are what app_dial and app_queue call the ends of dials that nobody answered (main/dial.c: dial_state_to_str; channels.c: ast_hangup_cause_to_dial_status).
var refusals = map[string]call.Refusal{
	"BUSY": call.RefusalBusy, "CHANUNAVAIL": call.RefusalFailed, "CONGESTION": call.RefusalFailed, "NOANSWER": call.RefusalNoAnswer,
	"CANCEL": call.RefusalCancelled,
}

var states = map[string]call.State{
	ari.StateDown: call.StateDown, ari.StateReserved: call.StateReserved, ari.StateOffHook: call.StateOffHook,
	ari.StateDialing: call.StateDialing, ari.StateRing: call.StateRing, ari.StateRinging: call.StateRinging, ari.StateUp: call.StateUp,
	ari.StateBusy: call.StateBusy, ari.StateDialingOffHook: call.StateDialing, ari.StatePreRing: call.StateRinging,
}

func channel(c *ari.Channel) call.Channel {
	return call.Channel{
		ID: call.LegID(c.ID), Name: c.Name, State: states[c.State], Caller: identity(c.Caller), Connected: identity(c.Connected),
		Exten: c.Dialplan.Exten, App: c.Dialplan.AppName, Queue: firstOf(c.Dialplan, "Queue"), Room: firstOf(c.Dialplan, "ConfBridge"), Created: c.CreationTime,
	}
}

// firstOf returns the first argument of an application whose first is the name of what it brings into: Queue (apps/app_queue.c), ConfBridge
// (apps/app_confbridge.c). Empty in any other.
func firstOf(d ari.Dialplan, app string) string {
	if d.AppName != app {
		return ""
	}
	name, _, _ := strings.Cut(d.AppData, ",")
	return strings.TrimSpace(name)
}

func identity(c ari.CallerID) call.Identity {
	return call.Identity{Name: c.Name, Number: call.Number(c.Number)}
}

func bridge(b *ari.Bridge) call.Bridge {
	out := call.Bridge{ID: call.BridgeID(b.ID), Type: b.Type}
	for _, id := range b.Channels {
		out.Legs = append(out.Legs, call.LegID(id))
	}
	return out
}
