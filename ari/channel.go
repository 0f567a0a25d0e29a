package ari

import (
	"strings"
	"time"
)

// The states of a channel (Asterisk: channelstate.c, ast_state2str).
const (
	StateDown           = "Down"
	StateReserved       = "Rsrvd"
	StateOffHook        = "OffHook"
	StateDialing        = "Dialing"
	StateRing           = "Ring"    // it has dialled and waits
	StateRinging        = "Ringing" // it is being rung
	StateUp             = "Up"
	StateBusy           = "Busy"
	StateDialingOffHook = "Dialing Offhook"
	StatePreRing        = "Pre-ring"
	StateMute           = "Mute"
	StateUnknown        = "Unknown"
)

// CallerID is a name and a number that somebody claims. It proves nothing.
type CallerID struct {
	Name   string
	Number string
}

// String says whether there is a name and a number, not which.
func (c CallerID) String() string {
	var parts []string
	if c.Name != "" {
		parts = append(parts, "[name]")
	}
	if c.Number != "" {
		parts = append(parts, "[number]")
	}
	return strings.Join(parts, " ")
}

// GoString is String.
func (c CallerID) GoString() string { return c.String() }

// Dialplan is where in the dialplan a channel is (model DialplanCEP).
type Dialplan struct {
	Context  string
	Exten    string
	Priority int
	AppName  string // the application that runs, such as "Dial"
	AppData  string // its arguments
}

// String names the application alone: extension and arguments have numbers in them.
func (d Dialplan) String() string { return d.AppName }

// GoString is String.
func (d Dialplan) GoString() string { return d.String() }

// Channel is the state of a channel at the moment of an event or an answer (model Channel).
type Channel struct {
	ID           string // the unique id; what operations take
	ProtocolID   string // the SIP Call-ID; empty for channels of other kinds and in early releases of 16
	Name         string // "PJSIP/101-00000003"
	State        string // StateUp and the others
	Caller       CallerID
	Connected    CallerID
	AccountCode  string
	Dialplan     Dialplan
	CreationTime time.Time // UTC; zero if Asterisk's text could not be read
	Language     string
	CallerRDNIS  string // the redirecting number
	TenantID     string
}

// String names id and state. The name is left out: that of a Local channel has a dialled number in it.
func (c Channel) String() string { return "channel " + c.ID + " " + c.State }

// GoString is String.
func (c Channel) GoString() string { return c.String() }

// UnmarshalJSON reads the form that Asterisk writes.
func (c *Channel) UnmarshalJSON(text []byte) error {
	return c.decode(string(text))
}

func (c *Channel) decode(text string) error {
	var d decoder
	return d.one(text, func(i int) int { return d.channel(c, nil, i) })
}

// The types of bridges that CreateBridge takes, comma-separated.
const (
	BridgeMixing     = "mixing"
	BridgeHolding    = "holding"
	BridgeDTMFEvents = "dtmf_events" // keeps native bridging off, so that keys are seen
	BridgeProxyMedia = "proxy_media" // keeps media flowing through Asterisk
)

// Bridge is the state of a bridge at the moment of an event or an answer (model Bridge).
type Bridge struct {
	ID            string
	Technology    string // "simple_bridge", "softmix", "native_rtp", "holding_bridge"
	Type          string // "mixing", "holding"
	Class         string // "basic", "stasis", …
	Creator       string
	Name          string
	Channels      []string // the unique ids of the channels in it
	VideoMode     string
	VideoSourceID string
	CreationTime  time.Time // UTC; zero if Asterisk's text could not be read
}

// String names id, type and class.
func (b Bridge) String() string { return "bridge " + b.ID + " " + b.Type + " " + b.Class }

// GoString is String.
func (b Bridge) GoString() string { return b.String() }

// UnmarshalJSON reads the form that Asterisk writes. The memory of Channels is used again.
func (b *Bridge) UnmarshalJSON(text []byte) error {
	return b.decode(string(text))
}

func (b *Bridge) decode(text string) error {
	var d decoder
	return d.one(text, func(i int) int { return d.bridge(b, i) })
}

// Endpoint is a technology's address for calls, such as a SIP peer (model Endpoint).
type Endpoint struct {
	Technology string   `json:"technology"`
	Resource   string   `json:"resource"`
	State      string   `json:"state"` // "online", "offline", "unknown"
	ChannelIDs []string `json:"channel_ids"`
}

// DeviceState is the state of a device (model DeviceState).
type DeviceState struct {
	Name  string `json:"name"`
	State string `json:"state"` // "NOT_INUSE", "INUSE", "RINGING", …
}

// Contact is a registration's contact (model ContactInfo).
type Contact struct {
	URI           string
	Status        string // "Reachable", "Unreachable", "Created", "Removed", …
	AOR           string
	RoundtripUsec string
}

// PeerStatus is a change of a chan_sip or IAX2 peer (model Peer).
type PeerStatus struct {
	Status  string // "Registered", "Unreachable", …
	Cause   string
	Address string
	Port    string
	Time    string
}

// Playback is media that plays to a channel or a bridge (model Playback).
type Playback struct {
	ID           string `json:"id"`
	MediaURI     string `json:"media_uri"`
	NextMediaURI string `json:"next_media_uri"`
	TargetURI    string `json:"target_uri"` // "channel:ID" or "bridge:ID"
	Language     string `json:"language"`
	State        string `json:"state"` // "queued", "playing", "continuing", "done", "failed"
}

// LiveRecording is a recording under way (model LiveRecording).
type LiveRecording struct {
	Name            string `json:"name"`
	Format          string `json:"format"`
	TargetURI       string `json:"target_uri"` // "channel:ID" or "bridge:ID"
	State           string `json:"state"`      // "queued", "recording", "paused", "done", "failed", "canceled"
	Cause           string `json:"cause"`      // why it failed
	Duration        int    `json:"duration"`   // seconds
	TalkingDuration int    `json:"talking_duration"`
	SilenceDuration int    `json:"silence_duration"`
}
