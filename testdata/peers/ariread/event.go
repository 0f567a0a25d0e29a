// Package ariread decodes the events that a real Asterisk has sent by Earshot, by what a user would take in its place, and by hand.
package ariread

import "github.com/earshot-pbx/earshot/ari"

// Event holds for the others what an ari.Event gets from these events. Points in time stay text here, which spares the others to read them.
type Event struct {
	Type        string `json:"type"`
	Timestamp   string `json:"timestamp"`
	Application string `json:"application"`
	AsteriskID  string `json:"asterisk_id"`

	Channel        *Channel `json:"channel"`
	Bridge         *Bridge  `json:"bridge"`
	BridgeFrom     *Bridge  `json:"bridge_from"`
	Args           []string `json:"args"`
	ReplaceChannel *Channel `json:"replace_channel"`

	Caller     *Channel `json:"caller"`
	Peer       *Channel `json:"peer"`
	Forwarded  *Channel `json:"forwarded"`
	Forward    string   `json:"forward"`
	DialString string   `json:"dialstring"`
	DialStatus string   `json:"dialstatus"`

	Cause                  int    `json:"cause"`
	CauseText              string `json:"cause_txt"`
	TechCause              int    `json:"tech_cause"`
	Soft                   bool   `json:"soft"`
	CallerPresentation     int    `json:"caller_presentation"`
	CallerPresentationText string `json:"caller_presentation_txt"`
	Digit                  string `json:"digit"`
	DurationMS             int    `json:"duration_ms"`
	MusicClass             string `json:"musicclass"`

	Result                 string   `json:"result"`
	External               bool     `json:"is_external"`
	Exten                  string   `json:"exten"`
	Context                string   `json:"context"`
	Transferee             *Channel `json:"transferee"`
	Target                 *Channel `json:"transfer_target"`
	FirstLeg               *Channel `json:"transferer_first_leg"`
	SecondLeg              *Channel `json:"transferer_second_leg"`
	FirstLegBridge         *Bridge  `json:"transferer_first_leg_bridge"`
	SecondLegBridge        *Bridge  `json:"transferer_second_leg_bridge"`
	DestinationType        string   `json:"destination_type"`
	DestinationBridge      string   `json:"destination_bridge"`
	DestinationApplication string   `json:"destination_application"`
	ThreewayChannel        *Channel `json:"destination_threeway_channel"`
	ThreewayBridge         *Bridge  `json:"destination_threeway_bridge"`
}

// Channel is one of a call's legs.
type Channel struct {
	ID           string   `json:"id"`
	ProtocolID   string   `json:"protocol_id"`
	Name         string   `json:"name"`
	State        string   `json:"state"`
	Caller       CallerID `json:"caller"`
	Connected    CallerID `json:"connected"`
	AccountCode  string   `json:"accountcode"`
	Dialplan     Dialplan `json:"dialplan"`
	CreationTime string   `json:"creationtime"`
	Language     string   `json:"language"`
}

// CallerID is a name and a number.
type CallerID struct {
	Name   string `json:"name"`
	Number string `json:"number"`
}

// Dialplan is where a channel is.
type Dialplan struct {
	Context  string `json:"context"`
	Exten    string `json:"exten"`
	Priority int    `json:"priority"`
	AppName  string `json:"app_name"`
	AppData  string `json:"app_data"`
}

// Bridge is what channels meet in.
type Bridge struct {
	ID           string   `json:"id"`
	Technology   string   `json:"technology"`
	Type         string   `json:"bridge_type"`
	Class        string   `json:"bridge_class"`
	Creator      string   `json:"creator"`
	Name         string   `json:"name"`
	Channels     []string `json:"channels"`
	VideoMode    string   `json:"video_mode"`
	CreationTime string   `json:"creationtime"`
}

// stamp is how Asterisk writes points in time.
const stamp = "2006-01-02T15:04:05.000-0700"

// ours is an event of Earshot's as the others have it.
func ours(e *ari.Event) *Event {
	t := e.Transfer
	if t == nil {
		t = &ari.Transfer{}
	}
	return &Event{
		Type: e.Type, Timestamp: e.Timestamp.Format(stamp), Application: e.Application, AsteriskID: e.AsteriskID,
		Channel: channel(e.Channel), Bridge: bridge(e.Bridge), BridgeFrom: bridge(e.BridgeFrom), Args: e.Args, ReplaceChannel: channel(e.ReplaceChannel),
		Caller: channel(e.Caller), Peer: channel(e.Peer), Forwarded: channel(e.Forwarded), Forward: e.Forward, DialString: e.DialString, DialStatus: e.DialStatus,
		Cause: e.Cause, CauseText: e.CauseText, TechCause: e.TechCause, Soft: e.Soft,
		CallerPresentation: e.CallerPresentation, CallerPresentationText: e.CallerPresentationText,
		Digit: e.Digit, DurationMS: e.DurationMS, MusicClass: e.MusicClass,
		Result: t.Result, External: t.External, Exten: t.Exten, Context: t.Context, Transferee: channel(t.Transferee), Target: channel(t.Target),
		FirstLeg: channel(t.FirstLeg), SecondLeg: channel(t.SecondLeg), FirstLegBridge: bridge(t.FirstLegBridge), SecondLegBridge: bridge(t.SecondLegBridge),
		DestinationType: t.DestinationType, DestinationBridge: t.DestinationBridge, DestinationApplication: t.DestinationApplication,
		ThreewayChannel: channel(t.ThreewayChannel), ThreewayBridge: bridge(t.ThreewayBridge),
	}
}

func channel(c *ari.Channel) *Channel {
	if c == nil {
		return nil
	}
	return &Channel{
		ID: c.ID, ProtocolID: c.ProtocolID, Name: c.Name, State: c.State, Caller: CallerID(c.Caller), Connected: CallerID(c.Connected),
		AccountCode: c.AccountCode, Dialplan: Dialplan(c.Dialplan), CreationTime: c.CreationTime.Format(stamp), Language: c.Language,
	}
}

func bridge(b *ari.Bridge) *Bridge {
	if b == nil {
		return nil
	}
	return &Bridge{
		ID: b.ID, Technology: b.Technology, Type: b.Type, Class: b.Class, Creator: b.Creator, Name: b.Name, Channels: b.Channels,
		VideoMode: b.VideoMode, CreationTime: b.CreationTime.Format(stamp),
	}
}
