package amiproxy

import (
	"strconv"
	"strings"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/ami"
)

// presence is what a phone does, in the words of the several lists that tell it.
type presence struct {
	extension, extensionText string // ExtensionState (main/pbx.c, extension_states)
	device                   string // DeviceStateChange (main/devicestate.c, devstatestring)
	endpoint                 string // EndpointList (main/devicestate.c, ast_devstate2str)
	member                   string // QueueMember: the device state's number (include/asterisk/devicestate.h)
}

var (
	idle        = presence{"0", "Idle", "NOT_INUSE", "Not in use", "1"}
	inUse       = presence{"1", "InUse", "INUSE", "In use", "2"}
	ringing     = presence{"8", "Ringing", "RINGING", "Ringing", "6"}
	ringInUse   = presence{"9", "InUse&Ringing", "RINGINUSE", "Ring+Inuse", "7"}
	onHold      = presence{"16", "Hold", "ONHOLD", "On Hold", "8"}
	unavailable = presence{"-1", "Unknown", "UNKNOWN", "Unknown", "0"}
)

// presenceIn is that of a state that stands alone.
func presenceIn(state string) presence {
	switch state {
	case mask.Idle:
		return idle
	case mask.Ringing:
		return ringing
	case mask.Dialling, mask.Talking:
		return inUse
	case mask.Held:
		return onHold
	}
	return unavailable
}

// presenceWhile is that of a state while something rings at the phone too, or not.
func presenceWhile(p *mask.Presence) presence {
	switch of := presenceIn(p.State); {
	case p.Rings && of == inUse:
		return ringInUse
	default:
		return of
	}
}

// phone is an endpoint of an employee's and what it does. What he does is told of the first of them.
type phone struct {
	endpoint string
	owner    gate.Colleague
	first    bool
	presence presence
	channels int // that are shown on it
}

// parts are the two of the endpoint's name.
func (p *phone) parts() (technology, name string) {
	technology, name, _ = strings.Cut(p.endpoint, "/")
	return technology, name
}

// phones are all of the employees'.
func (o *office) phones() []phone {
	var all []phone
	on := map[string]int{}
	for i := range o.view.All {
		on[o.view.All[i].Endpoint]++
	}
	for i := range o.view.Presence {
		p := &o.view.Presence[i]
		owner, _ := o.colleague(p.Employee)
		for n, endpoint := range owner.Phones {
			one := phone{endpoint: endpoint, owner: owner, first: n == 0, presence: idle, channels: on[endpoint]}
			if one.first {
				one.presence = presenceWhile(p)
			}
			all = append(all, one)
		}
	}
	return all
}

// hint is the device of an extension of the owner's.
func (p *phone) hint(number string) (hinted bool) {
	if !p.first {
		return false
	}
	for _, n := range p.owner.Numbers {
		if n == number {
			return true
		}
	}
	return false
}

// extensionState is ExtensionState, in whatever context was asked for, which is said again. A number that the policy does not have has no hint, as in Asterisk.
func (x *exchange) extensionState() error {
	number := x.m.Get("Exten")
	if number == "" {
		return fault("Extension not specified")
	}
	o, err := x.look()
	if err != nil {
		return err
	}
	context := x.m.Get("Context")
	if context == "" {
		context = x.cfg.Context
	}
	device, state := "", unavailable
	for _, p := range o.phones() {
		if p.hint(number) {
			device, state = p.endpoint, p.presence
		}
	}
	return x.session.Respond(x.m, ami.NewResponse("Success").Append("Message", "Extension Status").Append("Exten", printable(number)).Append("Context", printable(context)).
		Append("Hint", device).Append("Status", state.extension).Append("StatusText", state.extensionText))
}

// extensionStateList is ExtensionStateList: a row for each number of each employee.
func (x *exchange) extensionStateList() error {
	o, err := x.look()
	if err != nil {
		return err
	}
	answer := x.session.List(x.m, "Extension Statuses will follow")
	for _, p := range o.phones() {
		if !p.first {
			continue
		}
		for _, number := range p.owner.Numbers {
			answer.Row(ami.NewEvent("ExtensionStatus", 0).Append("Exten", number).Append("Context", x.cfg.Context).
				Append("Hint", p.endpoint).Append("Status", p.presence.extension).Append("StatusText", p.presence.extensionText))
		}
	}
	return answer.Complete(ami.NewEvent("ExtensionStateListComplete", 0))
}

// deviceStateList is DeviceStateList, of employees' phones: a trunk's state, and that of a Local channel with a number in its name, are nobody's here.
func (x *exchange) deviceStateList() error {
	o, err := x.look()
	if err != nil {
		return err
	}
	answer := x.session.List(x.m, "Device State Changes will follow")
	for _, p := range o.phones() {
		answer.Row(ami.NewEvent("DeviceStateChange", 0).Append("Device", p.endpoint).Append("State", p.presence.device))
	}
	return answer.Complete(ami.NewEvent("DeviceStateListComplete", 0))
}

// technologies of phones, as their endpoints begin.
const (
	pjsip = "PJSIP"
	sip   = "SIP"
)

// pjsipShowEndpoints is PJSIPShowEndpoints, of employees' phones and without addresses and accounts.
func (x *exchange) pjsipShowEndpoints() error {
	o, err := x.look()
	if err != nil {
		return err
	}
	answer := x.session.List(x.m, "A listing of Endpoints follows, presented as EndpointList events")
	for _, p := range o.phones() {
		if technology, name := p.parts(); technology == pjsip {
			answer.Row(ami.NewEvent("EndpointList", 0).Append("ObjectType", "endpoint").Append("ObjectName", name).Append("Transport", "").
				Append("Aor", "").Append("Auths", "").Append("OutboundAuths", "").Append("Contacts", "").
				Append("DeviceState", p.presence.endpoint).Append("ActiveChannels", strconv.Itoa(p.channels)))
		}
	}
	return answer.Complete(ami.NewEvent("EndpointListComplete", 0))
}

// pjsipShowContacts is PJSIPShowContacts, of employees' phones: that each has a place to which it is rung, and nothing of where that is. Whether the phone
// is there is not known, which Asterisk says of a contact that it does not ask as NonQualified.
func (x *exchange) pjsipShowContacts() error {
	o, err := x.look()
	if err != nil {
		return err
	}
	answer := x.session.List(x.m, "A listing of Contacts follows, presented as ContactList events")
	for _, p := range o.phones() {
		if technology, name := p.parts(); technology == pjsip {
			answer.Row(ami.NewEvent("ContactList", 0).Append("ObjectType", "contact").Append("ObjectName", name).Append("ViaAddr", "").
				Append("QualifyTimeout", "0.000000").Append("Qualify2xxOnly", "false").Append("CallId", "").Append("RegServer", "").Append("PruneOnBoot", "no").
				Append("Path", "").Append("Endpoint", name).Append("ViaPort", "0").Append("AuthenticateQualify", "no").Append("Uri", "").
				Append("QualifyFrequency", "0").Append("UserAgent", "").Append("ExpirationTime", "0").Append("OutboundProxy", "").
				Append("Status", "NonQualified").Append("RoundtripUsec", "N/A"))
		}
	}
	return answer.Complete(ami.NewEvent("ContactListComplete", 0))
}

// sipPeers is SIPpeers, which Asterisk has up to 20 (channels/chan_sip.c, _sip_show_peers_one): of employees' phones that are chan_sip's, and without
// addresses.
func (x *exchange) sipPeers() error {
	o, err := x.look()
	if err != nil {
		return err
	}
	answer := x.session.List(x.m, "Peer status list will follow")
	for _, p := range o.phones() {
		if technology, name := p.parts(); technology == sip {
			answer.Row(ami.NewEvent("PeerEntry", 0).Append("Channeltype", sip).Append("ObjectName", name).Append("ChanObjectType", "peer").
				Append("IPaddress", "-none-").Append("IPport", "0").Append("Dynamic", "yes").Append("AutoForcerport", "no").Append("Forcerport", "no").
				Append("AutoComedia", "no").Append("Comedia", "no").Append("VideoSupport", "no").Append("TextSupport", "no").Append("ACL", "no").
				Append("Status", "Unmonitored").Append("RealtimeDevice", "no").Append("Description", "").Append("Accountcode", ""))
		}
	}
	return answer.Complete(ami.NewEvent("PeerlistComplete", 0))
}
