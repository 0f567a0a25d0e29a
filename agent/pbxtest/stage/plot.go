package stage

import (
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// Who is hidden in a Plot. No other word in what a door writes has these letters, or these digits in a row.
const (
	HiddenName   = "Zqvxhidden"
	HiddenNumber = "7904613852"
)

// Tells reports whether a text has what is hidden in it, in whatever case.
func Tells(text string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(HiddenName)) || strings.Contains(text, HiddenNumber)
}

// Plot is a call from outside to a phone, which is told of as own, made of the bytes of plot. In every field that Asterisk fills with what a caller has
// chosen stands who is hidden, between before and behind. It returns the legs too, for Gone.
func Plot(id, endpoint string, own call.Identity, before, behind string, plot []byte) (events []call.Event, legs []call.Channel) {
	name, number := before+HiddenName+behind, before+HiddenNumber+behind
	out := call.Identity{Name: name, Number: call.Number(number)}
	trunk := Leg(id+".t", "PJSIP/trunk", call.StateRing, out, own)
	phone := Leg(id+".p", endpoint, call.StateRinging, own, out)
	local := Leg(id+".l", "Local/"+number+"@"+name, call.StateRing, out, out)
	local.Name += ";1"
	trunk.Exten, trunk.App, phone.App, local.App = number, "Dial", "AppDial", name
	bridge := call.Bridge{ID: call.BridgeID(id + name), Type: "mixing"}
	events = []call.Event{
		{Kind: call.LegSeen, Channel: trunk, At: At(10)}, {Kind: call.LegSeen, Channel: phone, At: At(10)},
		{Kind: call.DialBegan, Channel: trunk, Peer: phone, Dialled: number, At: At(10)},
	}
	for _, b := range plot[:min(len(plot), 12)] {
		ev := call.Event{Channel: trunk, Peer: phone, Bridge: bridge, At: At(15), Dialled: number}
		switch b % 12 {
		case 0:
			trunk.State, phone.State = call.StateUp, call.StateUp
			ev.Channel.State, ev.Peer.State, ev.Kind, ev.Answered = call.StateUp, call.StateUp, call.DialEnded, true
		case 1:
			ev.Kind = call.BridgeEntered
		case 2:
			ev.Kind, ev.Channel = call.BridgeEntered, phone
		case 3:
			ev.Kind, ev.Channel = call.LegHeld, phone
		case 4:
			ev.Kind, ev.Channel = call.LegSeen, local
		case 5:
			ev.Kind, ev.Channel, ev.Peer = call.DialBegan, local, phone
		case 6:
			ev.Kind = call.BridgeLeft
		case 7:
			ev.Kind, ev.Parking = call.Parked, &call.Parking{Lot: name, Space: number, By: number, Timeout: time.Minute}
		case 8:
			trunk.App, trunk.Queue, trunk.Room = "Queue", name, ""
			ev.Kind, ev.Channel = call.LegSeen, trunk
		case 9:
			trunk.App, trunk.Room, trunk.Queue = "ConfBridge", name, ""
			ev.Kind, ev.Channel = call.LegSeen, trunk
		case 10:
			ev.Kind, ev.Channel, ev.Transferee = call.BlindTransferred, phone, trunk.ID
		case 11:
			phone.Exten, phone.App = number, name
			ev.Kind, ev.Channel = call.LegSeen, phone
		}
		events = append(events, ev)
	}
	return events, []call.Channel{trunk, phone, local}
}

// Gone ends legs.
func Gone(legs []call.Channel) (events []call.Event) {
	for _, l := range legs {
		events = append(events, call.Event{Kind: call.LegGone, Channel: l, At: At(40)})
	}
	return events
}
