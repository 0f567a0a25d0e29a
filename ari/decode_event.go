package ari

import "time"

// pool is the memory behind an Event's pointers. Each member has a slot of its own, so that a text that repeats a
// member cannot make it grow.
type pool struct {
	channels [channelSlots]*Channel
	bridges  [bridgeSlots]*Bridge
	transfer Transfer
	touched  bool // transfer is not zero
	endpoint Endpoint
	peer     PeerStatus
	contact  Contact
	device   DeviceState
	playback Playback
	live     LiveRecording
}

const (
	slotChannel = iota
	slotReplace
	slotCaller
	slotPeer
	slotForwarded
	slotTransferee
	slotTarget
	slotFirstLeg
	slotSecondLeg
	slotLinkFirst
	slotLinkSecond
	slotThreeway
	slotToChannel
	slotToConnected
	slotByChannel
	slotByConnected
	channelSlots
)

const (
	slotBridge = iota
	slotBridgeFrom
	slotFirstBridge
	slotSecondBridge
	slotThreewayBridge
	slotToBridge
	slotByBridge
	bridgeSlots
)

// Decode reads one event into e, over what was in it, and uses e's memory again: in the steady state it allocates
// nothing, escapes in strings apart. After an error e is empty but for Raw. Events that are not JSON objects are an
// error, and so is nesting deeper than 64; both are a *DecodeError.
func (e *Event) Decode(raw string) error {
	p, args := e.pool, e.Args[:0]
	if p == nil {
		p = new(pool)
	}
	if p.touched {
		p.transfer, p.touched = Transfer{}, false
	}
	*e = Event{Raw: raw, Args: args, pool: p}
	d := decoder{s: raw}
	i := d.begin()
	if i >= 0 {
		if raw[i] == '{' {
			i = d.event(e, i)
		} else {
			i = d.fail(i, errObject)
		}
	}
	if err := d.end(i); err != nil {
		*e = Event{Raw: raw, Args: args, pool: p}
		return err
	}
	if e.Type == TypeChannelTalkingFinished {
		e.DurationMS = e.talkingMS
	}
	switch e.Type {
	case TypePeerStatusChange:
		e.Peer = nil // "peer" is a channel in Dial only
	case TypeBridgeBlindTransfer, TypeBridgeAttendedTransfer, TypeChannelTransfer:
		e.Transfer, e.PeerStatus = &p.transfer, nil
	default:
		e.PeerStatus = nil
	}
	return nil
}

func (d *decoder) event(e *Event, i int) int {
	if i = d.open(i); i < 0 {
		return i
	}
	if d.s[i] == '}' {
		d.depth--
		return i + 1
	}
	p := e.pool
	for more := true; more; {
		var key string
		if key, i = d.key(i); i < 0 {
			return i
		}
		switch key {
		case "type":
			i = d.str(&e.Type, i)
		case "timestamp":
			i = d.time(&e.Timestamp, i)
		case "application":
			i = d.str(&e.Application, i)
		case "asterisk_id":
			i = d.str(&e.AsteriskID, i)
		case "channel":
			i = d.channelAt(p, slotChannel, &e.Channel, i)
		case "bridge":
			i = d.bridgeAt(p, slotBridge, &e.Bridge, i)
		case "bridge_from":
			i = d.bridgeAt(p, slotBridgeFrom, &e.BridgeFrom, i)
		case "args":
			i = d.strs(&e.Args, i)
		case "replace_channel":
			i = d.channelAt(p, slotReplace, &e.ReplaceChannel, i)
		case "caller":
			i = d.channelAt(p, slotCaller, &e.Caller, i)
		case "peer":
			i = d.peer(e, i)
		case "forwarded":
			i = d.channelAt(p, slotForwarded, &e.Forwarded, i)
		case "forward":
			i = d.str(&e.Forward, i)
		case "dialstring":
			i = d.str(&e.DialString, i)
		case "dialstatus":
			i = d.str(&e.DialStatus, i)
		case "cause":
			i = d.integer(&e.Cause, i)
		case "cause_txt":
			i = d.str(&e.CauseText, i)
		case "tech_cause":
			i = d.integer(&e.TechCause, i)
		case "soft":
			i = d.boolean(&e.Soft, i)
		case "caller_presentation":
			i = d.integer(&e.CallerPresentation, i)
		case "caller_presentation_txt":
			i = d.str(&e.CallerPresentationText, i)
		case "dialplan_app":
			i = d.str(&e.DialplanApp, i)
		case "dialplan_app_data":
			i = d.str(&e.DialplanAppData, i)
		case "variable":
			i = d.str(&e.Variable, i)
		case "value":
			i = d.str(&e.Value, i)
		case "eventname":
			i = d.str(&e.EventName, i)
		case "userevent":
			i = d.raw(&e.UserEvent, i)
		case "digit":
			i = d.str(&e.Digit, i)
		case "duration_ms":
			i = d.integer(&e.DurationMS, i)
		case "duration": // both are milliseconds; no type has both
			i = d.integer(&e.talkingMS, i)
		case "musicclass":
			i = d.str(&e.MusicClass, i)
		case "old_video_source_id":
			i = d.str(&e.OldVideoSourceID, i)
		case "endpoint":
			i = d.endpoint(e, i)
		case "contact_info":
			i = d.contact(e, i)
		case "device_state":
			i = d.deviceState(e, i)
		case "playback":
			i = d.playback(e, i)
		case "recording":
			i = d.recording(e, i)
		default:
			i = d.transferMember(p, key, i)
		}
		if i < 0 {
			return i
		}
		i, more = d.next(i, '}')
	}
	return i
}

// transferMember reads a member that only the transfer events have, or skips one that no event has.
func (d *decoder) transferMember(p *pool, key string, i int) int {
	t := &p.transfer
	p.touched = true
	switch key {
	case "result":
		return d.str(&t.Result, i)
	case "is_external":
		return d.boolean(&t.External, i)
	case "exten":
		return d.str(&t.Exten, i)
	case "context":
		return d.str(&t.Context, i)
	case "transferee":
		return d.channelAt(p, slotTransferee, &t.Transferee, i)
	case "transfer_target":
		return d.channelAt(p, slotTarget, &t.Target, i)
	case "transferer_first_leg":
		return d.channelAt(p, slotFirstLeg, &t.FirstLeg, i)
	case "transferer_second_leg":
		return d.channelAt(p, slotSecondLeg, &t.SecondLeg, i)
	case "transferer_first_leg_bridge":
		return d.bridgeAt(p, slotFirstBridge, &t.FirstLegBridge, i)
	case "transferer_second_leg_bridge":
		return d.bridgeAt(p, slotSecondBridge, &t.SecondLegBridge, i)
	case "destination_type":
		return d.str(&t.DestinationType, i)
	case "destination_bridge":
		return d.str(&t.DestinationBridge, i)
	case "destination_application":
		return d.str(&t.DestinationApplication, i)
	case "destination_link_first_leg":
		return d.channelAt(p, slotLinkFirst, &t.LinkFirstLeg, i)
	case "destination_link_second_leg":
		return d.channelAt(p, slotLinkSecond, &t.LinkSecondLeg, i)
	case "destination_threeway_channel":
		return d.channelAt(p, slotThreeway, &t.ThreewayChannel, i)
	case "destination_threeway_bridge":
		return d.bridgeAt(p, slotThreewayBridge, &t.ThreewayBridge, i)
	case "state":
		return d.str(&t.State, i)
	case "refer_to":
		return d.referral(p, &t.ReferTo, "destination_channel", slotToChannel, slotToConnected, slotToBridge, i)
	case "referred_by":
		return d.referral(p, &t.ReferredBy, "source_channel", slotByChannel, slotByConnected, slotByBridge, i)
	}
	return d.skip(i)
}

// channelAt reads a channel into its slot and sets *v to it; another type makes *v nil.
func (d *decoder) channelAt(p *pool, slot int, v **Channel, i int) int {
	if d.s[i] != '{' {
		*v = nil
		return d.skip(i)
	}
	*v = p.channel(slot)
	return d.channel(*v, nil, i)
}

func (p *pool) channel(slot int) *Channel {
	if p.channels[slot] == nil {
		p.channels[slot] = new(Channel)
	}
	return p.channels[slot]
}

// peer reads the member that is a channel in Dial and a Peer in PeerStatusChange, as both: nothing says that the type
// comes first, and the two models share no name.
func (d *decoder) peer(e *Event, i int) int {
	if d.s[i] != '{' {
		e.Peer, e.PeerStatus = nil, nil
		return d.skip(i)
	}
	e.Peer, e.PeerStatus = e.pool.channel(slotPeer), &e.pool.peer
	return d.channel(e.Peer, e.PeerStatus, i)
}

func (d *decoder) channel(c *Channel, p *PeerStatus, i int) int {
	*c = Channel{}
	if p != nil {
		*p = PeerStatus{}
	}
	if i = d.open(i); i < 0 {
		return i
	}
	if d.s[i] == '}' {
		d.depth--
		return i + 1
	}
	for more := true; more; {
		var key string
		if key, i = d.key(i); i < 0 {
			return i
		}
		switch key {
		case "id":
			i = d.str(&c.ID, i)
		case "protocol_id":
			i = d.str(&c.ProtocolID, i)
		case "name":
			i = d.str(&c.Name, i)
		case "state":
			i = d.str(&c.State, i)
		case "caller":
			i = d.callerID(&c.Caller, i)
		case "connected":
			i = d.callerID(&c.Connected, i)
		case "accountcode":
			i = d.str(&c.AccountCode, i)
		case "dialplan":
			i = d.dialplan(&c.Dialplan, i)
		case "creationtime":
			i = d.time(&c.CreationTime, i)
		case "language":
			i = d.str(&c.Language, i)
		case "caller_rdnis":
			i = d.str(&c.CallerRDNIS, i)
		case "tenantid":
			i = d.str(&c.TenantID, i)
		default:
			i = d.peerMember(p, key, i)
		}
		if i < 0 {
			return i
		}
		i, more = d.next(i, '}')
	}
	return i
}

func (d *decoder) peerMember(p *PeerStatus, key string, i int) int {
	if p == nil {
		return d.skip(i)
	}
	switch key {
	case "peer_status":
		return d.str(&p.Status, i)
	case "cause":
		return d.str(&p.Cause, i)
	case "address":
		return d.str(&p.Address, i)
	case "port":
		return d.str(&p.Port, i)
	case "time":
		return d.str(&p.Time, i)
	}
	return d.skip(i)
}

// time reads a point in time into *v; what is none makes it zero.
func (d *decoder) time(v *time.Time, i int) int {
	var text string
	i = d.str(&text, i)
	*v = parseTime(text)
	return i
}
