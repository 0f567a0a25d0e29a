package ari

import "time"

// The types of events (Asterisk: rest-api/api-docs/events.json). An event of another type is delivered as well.
const (
	TypeApplicationMoveFailed    = "ApplicationMoveFailed"
	TypeApplicationRegistered    = "ApplicationRegistered"
	TypeApplicationReplaced      = "ApplicationReplaced"
	TypeApplicationUnregistered  = "ApplicationUnregistered"
	TypeBridgeAttendedTransfer   = "BridgeAttendedTransfer"
	TypeBridgeBlindTransfer      = "BridgeBlindTransfer"
	TypeBridgeCreated            = "BridgeCreated"
	TypeBridgeDestroyed          = "BridgeDestroyed"
	TypeBridgeMerged             = "BridgeMerged"
	TypeBridgeVideoSourceChanged = "BridgeVideoSourceChanged"
	TypeCallBroadcast            = "CallBroadcast"
	TypeCallClaimed              = "CallClaimed"
	TypeChannelCallerID          = "ChannelCallerId"
	TypeChannelConnectedLine     = "ChannelConnectedLine"
	TypeChannelCreated           = "ChannelCreated"
	TypeChannelDestroyed         = "ChannelDestroyed"
	TypeChannelDialplan          = "ChannelDialplan"
	TypeChannelDTMFReceived      = "ChannelDtmfReceived"
	TypeChannelEnteredBridge     = "ChannelEnteredBridge"
	TypeChannelHangupRequest     = "ChannelHangupRequest"
	TypeChannelHold              = "ChannelHold"
	TypeChannelLeftBridge        = "ChannelLeftBridge"
	TypeChannelStateChange       = "ChannelStateChange"
	TypeChannelTalkingFinished   = "ChannelTalkingFinished"
	TypeChannelTalkingStarted    = "ChannelTalkingStarted"
	TypeChannelToneDetected      = "ChannelToneDetected"
	TypeChannelTransfer          = "ChannelTransfer"
	TypeChannelUnhold            = "ChannelUnhold"
	TypeChannelUserevent         = "ChannelUserevent"
	TypeChannelVarset            = "ChannelVarset"
	TypeContactStatusChange      = "ContactStatusChange"
	TypeDeviceStateChanged       = "DeviceStateChanged"
	TypeDial                     = "Dial"
	TypeEndpointStateChange      = "EndpointStateChange"
	TypePeerStatusChange         = "PeerStatusChange"
	TypePlaybackContinuing       = "PlaybackContinuing"
	TypePlaybackFinished         = "PlaybackFinished"
	TypePlaybackStarted          = "PlaybackStarted"
	TypeRecordingFailed          = "RecordingFailed"
	TypeRecordingFinished        = "RecordingFinished"
	TypeRecordingStarted         = "RecordingStarted"
	TypeStasisEnd                = "StasisEnd"
	TypeStasisStart              = "StasisStart"
	TypeTextMessageReceived      = "TextMessageReceived"
)

// Event is one event, of any type. Members that its type does not have are zero; a member of an unexpected JSON type
// is as if it were absent; the last of several with one name counts. Names are those of Asterisk's models.
//
// The structures that an Event points to, and its slices, belong to it and are overwritten when it is decoded anew
// (Stream.Next does that); Clone makes one that stays. Strings never change, but they are parts of Raw and keep all of
// it in memory: strings.Clone those that are kept for long. An Event is not safe for concurrent use while decoding.
type Event struct {
	Type        string
	Timestamp   time.Time // UTC; zero if absent or unreadable
	Application string
	AsteriskID  string
	Raw         string // the event as Asterisk sent it

	// Channel is whom the event is about; for BridgeBlindTransfer, who transfers.
	Channel *Channel
	// Bridge is the bridge of Bridge*, ChannelEnteredBridge, ChannelLeftBridge, BridgeBlindTransfer. In
	// BridgeMerged it is the one that stays and BridgeFrom the one that goes.
	Bridge     *Bridge
	BridgeFrom *Bridge

	// StasisStart. ReplaceChannel is the one whose place Channel takes; transfers have it too.
	Args           []string
	ReplaceChannel *Channel

	// Dial. Caller is nil for a call that was originated. DialStatus is empty at the beginning, then "RINGING",
	// "PROGRESS", "PROCEEDING", and at the end "ANSWER", "BUSY", "CANCEL", "NOANSWER", …
	Caller     *Channel
	Peer       *Channel
	Forwarded  *Channel
	Forward    string
	DialString string
	DialStatus string

	// ChannelDestroyed and ChannelHangupRequest: the Q.850 cause; Soft for the latter.
	Cause     int
	CauseText string
	TechCause int // since Asterisk 22; the SIP status
	Soft      bool

	CallerPresentation     int // ChannelCallerId
	CallerPresentationText string
	DialplanApp            string // ChannelDialplan
	DialplanAppData        string
	Variable               string // ChannelVarset
	Value                  string
	EventName              string // ChannelUserevent
	UserEvent              string // ChannelUserevent: its members, a raw JSON object
	Digit                  string // ChannelDtmfReceived
	DurationMS             int    // ChannelDtmfReceived, ChannelTalkingFinished; milliseconds
	MusicClass             string // ChannelHold
	OldVideoSourceID       string // BridgeVideoSourceChanged

	Transfer *Transfer // BridgeBlindTransfer, BridgeAttendedTransfer, ChannelTransfer, never nil for these

	Endpoint    *Endpoint      // EndpointStateChange, PeerStatusChange, ContactStatusChange, ChannelUserevent
	PeerStatus  *PeerStatus    // PeerStatusChange
	Contact     *Contact       // ContactStatusChange
	DeviceState *DeviceState   // DeviceStateChanged
	Playback    *Playback      // Playback*
	Recording   *LiveRecording // Recording*

	talkingMS int   // "duration", which means DurationMS in ChannelTalkingFinished only
	pool      *pool // what the pointers above point into
}

// Transfer is what the three transfer events tell beside Event.Channel, Bridge and ReplaceChannel.
type Transfer struct {
	Result   string // "Success", "Fail", "Invalid", "Not Permitted"
	External bool   // by the phone (REFER), not by a feature code

	Exten   string // BridgeBlindTransfer: where to
	Context string

	Transferee *Channel // who is transferred, when it is one
	Target     *Channel // BridgeAttendedTransfer: to whom

	// BridgeAttendedTransfer: the two legs of who transfers, and their bridges.
	FirstLeg        *Channel
	SecondLeg       *Channel
	FirstLegBridge  *Bridge
	SecondLegBridge *Bridge

	DestinationType        string // "bridge", "application", "link", "threeway", "fail"
	DestinationBridge      string // the bridge's id
	DestinationApplication string
	LinkFirstLeg           *Channel // the Local channel that joins two bridges
	LinkSecondLeg          *Channel
	ThreewayChannel        *Channel
	ThreewayBridge         *Bridge

	// ChannelTransfer (Asterisk 22): a REFER that the application has to carry out.
	State      string
	ReferTo    Referral
	ReferredBy Referral
}

// Referral is one side of a ChannelTransfer (models ReferTo and ReferredBy).
type Referral struct {
	ProtocolID  string // ReferTo: the Call-ID of the dialog to replace
	Destination string // ReferTo: the user part of the destination
	Channel     *Channel
	Connected   *Channel
	Bridge      *Bridge
}

// String says whether it worked, and names none of those concerned.
func (t Transfer) String() string { return "transfer " + t.Result + t.State }

// GoString is String.
func (t Transfer) GoString() string { return t.String() }

// String names type, channel and bridge, and nothing that says who talks.
func (e Event) String() string {
	s := "event " + e.Type
	if e.Channel != nil {
		s += " channel " + e.Channel.ID
	}
	if e.Peer != nil {
		s += " peer " + e.Peer.ID
	}
	if e.Bridge != nil {
		s += " bridge " + e.Bridge.ID
	}
	return s
}

// GoString is String.
func (e Event) GoString() string { return e.String() }

// ParseEvent decodes one event of any size.
func ParseEvent(text []byte) (*Event, error) {
	e := new(Event)
	if err := e.Decode(string(text)); err != nil {
		return nil, err
	}
	return e, nil
}

// Clone returns an Event of its own that no later decoding changes. It is made from Raw, so changes that the caller
// made to e are not in it; an Event without Raw gives an empty one.
func (e *Event) Clone() *Event {
	c := new(Event)
	if e.Raw != "" {
		// What was decoded once is decoded again without an error.
		_ = c.Decode(e.Raw)
	}
	return c
}
