package ariread

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Hand decodes by hand: the floor. It trusts that a text is an event as Asterisk writes it, without white space, and looks at nothing that it does not
// need: it would read past the end of any other text. What it decodes into is used again.
type Hand struct {
	e        Event
	channels [12]Channel
	bridges  [5]Bridge
	used     int // of the channels
	spanned  int // of the bridges
}

// Decode gives the event until the next one.
func (h *Hand) Decode(s string) *Event {
	args := h.e.Args[:0]
	h.e, h.used, h.spanned = Event{Args: args}, 0, 0
	e := &h.e
	for i := 1; ; i++ {
		var key string
		key, i = name(s, i)
		switch key {
		case "type":
			e.Type, i = text(s, i)
		case "timestamp":
			e.Timestamp, i = text(s, i)
		case "application":
			e.Application, i = text(s, i)
		case "asterisk_id":
			e.AsteriskID, i = text(s, i)
		case "channel":
			e.Channel, i = h.channel(s, i)
		case "bridge":
			e.Bridge, i = h.bridge(s, i)
		case "caller":
			e.Caller, i = h.channel(s, i)
		case "peer":
			e.Peer, i = h.channel(s, i)
		case "forward":
			e.Forward, i = text(s, i)
		case "dialstring":
			e.DialString, i = text(s, i)
		case "dialstatus":
			e.DialStatus, i = text(s, i)
		case "cause":
			e.Cause, i = number(s, i)
		case "cause_txt":
			e.CauseText, i = text(s, i)
		case "tech_cause":
			e.TechCause, i = number(s, i)
		case "soft":
			e.Soft, i = truth(s, i)
		case "digit":
			e.Digit, i = text(s, i)
		case "duration_ms":
			e.DurationMS, i = number(s, i)
		case "musicclass":
			e.MusicClass, i = text(s, i)
		default:
			i = h.rare(key, s, i)
		}
		if s[i] == '}' {
			return e
		}
	}
}

// rare reads a member that few events have.
func (h *Hand) rare(key, s string, i int) int {
	e := &h.e
	switch key {
	case "bridge_from":
		e.BridgeFrom, i = h.bridge(s, i)
	case "args":
		e.Args, i = texts(e.Args, s, i)
	case "replace_channel":
		e.ReplaceChannel, i = h.channel(s, i)
	case "forwarded":
		e.Forwarded, i = h.channel(s, i)
	case "caller_presentation":
		e.CallerPresentation, i = number(s, i)
	case "caller_presentation_txt":
		e.CallerPresentationText, i = text(s, i)
	case "result":
		e.Result, i = text(s, i)
	case "is_external":
		e.External, i = truth(s, i)
	case "exten":
		e.Exten, i = text(s, i)
	case "context":
		e.Context, i = text(s, i)
	case "transferee":
		e.Transferee, i = h.channel(s, i)
	case "transfer_target":
		e.Target, i = h.channel(s, i)
	case "transferer_first_leg":
		e.FirstLeg, i = h.channel(s, i)
	case "transferer_second_leg":
		e.SecondLeg, i = h.channel(s, i)
	case "transferer_first_leg_bridge":
		e.FirstLegBridge, i = h.bridge(s, i)
	case "transferer_second_leg_bridge":
		e.SecondLegBridge, i = h.bridge(s, i)
	case "destination_type":
		e.DestinationType, i = text(s, i)
	case "destination_bridge":
		e.DestinationBridge, i = text(s, i)
	case "destination_application":
		e.DestinationApplication, i = text(s, i)
	case "destination_threeway_channel":
		e.ThreewayChannel, i = h.channel(s, i)
	case "destination_threeway_bridge":
		e.ThreewayBridge, i = h.bridge(s, i)
	default:
		panic("an event with " + key)
	}
	return i
}

func (h *Hand) channel(s string, i int) (*Channel, int) {
	c := &h.channels[h.used]
	h.used++
	*c = Channel{}
	for i++; ; i++ {
		var key string
		key, i = name(s, i)
		switch key {
		case "id":
			c.ID, i = text(s, i)
		case "protocol_id":
			c.ProtocolID, i = text(s, i)
		case "name":
			c.Name, i = text(s, i)
		case "state":
			c.State, i = text(s, i)
		case "caller":
			i = c.Caller.read(s, i)
		case "connected":
			i = c.Connected.read(s, i)
		case "accountcode":
			c.AccountCode, i = text(s, i)
		case "dialplan":
			i = c.Dialplan.read(s, i)
		case "creationtime":
			c.CreationTime, i = text(s, i)
		case "language":
			c.Language, i = text(s, i)
		}
		if s[i] == '}' {
			return c, i + 1
		}
	}
}

func (c *CallerID) read(s string, i int) int {
	for i++; ; i++ {
		var key string
		key, i = name(s, i)
		if key == "name" {
			c.Name, i = text(s, i)
		} else {
			c.Number, i = text(s, i)
		}
		if s[i] == '}' {
			return i + 1
		}
	}
}

func (d *Dialplan) read(s string, i int) int {
	for i++; ; i++ {
		var key string
		key, i = name(s, i)
		switch key {
		case "context":
			d.Context, i = text(s, i)
		case "exten":
			d.Exten, i = text(s, i)
		case "priority":
			d.Priority, i = number(s, i)
		case "app_name":
			d.AppName, i = text(s, i)
		case "app_data":
			d.AppData, i = text(s, i)
		}
		if s[i] == '}' {
			return i + 1
		}
	}
}

func (h *Hand) bridge(s string, i int) (*Bridge, int) {
	b := &h.bridges[h.spanned]
	h.spanned++
	*b = Bridge{Channels: b.Channels[:0]}
	for i++; ; i++ {
		var key string
		key, i = name(s, i)
		switch key {
		case "id":
			b.ID, i = text(s, i)
		case "technology":
			b.Technology, i = text(s, i)
		case "bridge_type":
			b.Type, i = text(s, i)
		case "bridge_class":
			b.Class, i = text(s, i)
		case "creator":
			b.Creator, i = text(s, i)
		case "name":
			b.Name, i = text(s, i)
		case "channels":
			b.Channels, i = texts(b.Channels, s, i)
		case "video_mode":
			b.VideoMode, i = text(s, i)
		case "creationtime":
			b.CreationTime, i = text(s, i)
		}
		if s[i] == '}' {
			return b, i + 1
		}
	}
}

// name reads a member's, and gives where its value begins.
func name(s string, i int) (string, int) {
	end := i + 1 + strings.IndexByte(s[i+1:], '"')
	return s[i+1 : end], end + 2
}

// text reads a string, and gives what follows it.
func text(s string, i int) (string, int) {
	end := i + 1 + strings.IndexByte(s[i+1:], '"')
	if v := s[i+1 : end]; strings.IndexByte(v, '\\') < 0 {
		return v, end + 1
	}
	for end = i + 1; s[end] != '"'; end++ {
		if s[end] == '\\' {
			end++
		}
	}
	var v string
	if err := json.Unmarshal([]byte(s[i:end+1]), &v); err != nil {
		panic(err)
	}
	return v, end + 1
}

func texts(list []string, s string, i int) ([]string, int) {
	for i++; s[i] != ']'; {
		var v string
		v, i = text(s, i)
		list = append(list, v)
		if s[i] == ',' {
			i++
		}
	}
	return list, i + 1
}

func number(s string, i int) (int, int) {
	from := i
	for s[i] != ',' && s[i] != '}' {
		i++
	}
	v, err := strconv.Atoi(s[from:i])
	if err != nil {
		panic(err)
	}
	return v, i
}

func truth(s string, i int) (bool, int) {
	if s[i] == 't' {
		return true, i + len("true")
	}
	return false, i + len("false")
}
