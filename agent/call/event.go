package call

import (
	"fmt"
	"io"
	"time"
)

// LegID is a channel's unique id, as Asterisk gives it.
type LegID string

// BridgeID is a bridge's unique id.
type BridgeID string

// State is a channel's state (Asterisk: enum ast_channel_state).
type State uint8

// The channel states that ARI reports. StateUnknown is the zero value.
const (
	StateUnknown State = iota
	StateDown          // not yet dialled, or dialled by a phone that sends no 180
	StateReserved
	StateOffHook
	StateDialing
	StateRing    // the caller's side: it has dialled and hears ringing
	StateRinging // the called side: the phone rings
	StateUp
	StateBusy
)

var stateNames = [...]string{
	StateUnknown: "Unknown", StateDown: "Down", StateReserved: "Rsrvd", StateOffHook: "OffHook", StateDialing: "Dialing",
	StateRing: "Ring", StateRinging: "Ringing", StateUp: "Up", StateBusy: "Busy",
}

// String returns the state as Asterisk spells it (main/channel.c: ast_state2str).
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return stateNames[StateUnknown]
}

// ParseState returns the state that Asterisk spells so, StateUnknown for any other spelling. "Dialing Offhook" and
// "Pre-ring" (analogue lines) count as Dialing and Ringing.
func ParseState(s string) State {
	switch s {
	case "Down":
		return StateDown
	case "Rsrvd":
		return StateReserved
	case "OffHook":
		return StateOffHook
	case "Dialing", "Dialing Offhook":
		return StateDialing
	case "Ring":
		return StateRing
	case "Ringing", "Pre-ring":
		return StateRinging
	case "Up":
		return StateUp
	case "Busy":
		return StateBusy
	}
	return StateUnknown
}

// Channel is one channel as a snapshot or an event gives it. A Channel with an ID and no Name says which channel is
// meant and nothing else about it. It prints itself as its id: names of Local channels hold numbers.
type Channel struct {
	ID        LegID
	Name      string // "PJSIP/101-00000003", "Local/600@queue-00000001;2", "Snoop/1795299332.1-00000000"
	State     State
	Caller    Identity
	Connected Identity
	Exten     string // the dialplan's current extension
	App       string // "Dial", "AppDial", "Queue", "Stasis", …
	Queue     string // the name of the queue, where App is "Queue"
	Room      string // the name of the conference, where App is "ConfBridge"; the arguments of other applications are nobody's business
	Created   time.Time
}

// Endpoint returns the endpoint that the channel belongs to, as [Leg.Endpoint] does.
func (c Channel) Endpoint() string { return endpointOf(c.Name, kindOf(c.Name)) }

// Format writes the channel's id, whatever the verb.
func (c Channel) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "leg %s", string(c.ID)) }

// Bridge is one bridge as a snapshot or an event gives it.
type Bridge struct {
	ID   BridgeID
	Type string // "mixing", "holding", …; empty where the event does not say
	Legs []LegID
}

// Kind says what an Event tells, and what a Change changed. Some kinds are both.
type Kind uint8

// The kinds of events. Each names the fields of Event that it uses. ARI's events carry the whole channel; it is taken in
// wherever Channel or Peer is named here, except where the comment says "ids": those are AMI's facts, and ARI's facts
// whose channels are older than the moment they are told.
const (
	KindNone            Kind = iota
	LegSeen                  // Channel: created or changed in any way (state, name, caller id, connected line)
	LegGone                  // Channel (id at least): destroyed
	LegHungUp                // Channel: its phone has hung up; Asterisk may keep the channel (a transfer that may come back)
	LegHeld                  // Channel: its phone put the other side on hold
	LegUnheld                // Channel
	DialBegan                // Channel is the caller (empty for an originated call), Peer the dialled leg, Dialled what was dialled
	DialProgressed           // Channel, Peer: the peer rings (PROGRESS, RINGING, PROCEEDING)
	DialEnded                // Channel, Peer, Answered: true for ANSWER; Refusal otherwise
	BridgeSeen               // Bridge: created, or (Legs not nil) its members as told
	BridgeGone               // Bridge (id)
	BridgeEntered            // Bridge, Channel
	BridgeLeft               // Bridge, Channel
	BridgesMerged            // Bridge is what stays, From what goes. Asterisk tells each move by itself afterwards
	BlindTransferred         // Channel: the transferer's leg; where it is done and of one leg, Transferee: that (ids), Dialled: where to
	AttendedTransferred      // Channel, Peer: the transferer's two legs, Transferee: who was with him on the first (ids)
	PickedUp                 // Channel: the picker's leg, Peer: the leg whose call was taken (ids)
	SpyBegan                 // Channel: the spying leg (ours: the snoop leg), Peer: the spied one (ids)
	SpyEnded                 // Channel, Peer (may be empty) (ids)
	LocalOptimized           // Channel, Peer: the two halves of a Local channel that is being optimised away (ids)
	Resynced                 // Snapshot: everything there is; what is not in it is gone
	LinkLost                 // nothing: from here on facts may have been missed, until Resynced
	TimePassed               // Seen: how late it is; ends moves that have lasted MoveTime
	RecordingBegan           // Channel: the leg on which MixMonitor began to record (ids). It changes nothing in the table
	RecordingEnded           // Channel (ids)
	AppBegan                 // Channel: the leg has gone on to another application of the dialplan, or of itself to another extension. It changes nothing in the table
	Parked                   // Channel, Parking: the leg is being parked (ids). It changes nothing in the table
	Unparked                 // Channel: the leg is parked no more; Peer: who has fetched it, if one has (ids). It changes nothing in the table
)

// The kinds that only a Change has.
const (
	LegCreated      Kind = iota + 64 // Leg
	LegStateChanged                  // Leg
	LegRenamed                       // Leg; Was: its endpoint before, which may differ from the one it has now
	PartyChanged                     // Leg: its caller id or connected line
	HoldChanged                      // Leg
	MoveEnded                        // Leg, Bridge: it left the bridge for good and is no longer tied to who was in it
	TransferDone                     // Leg, Other: the transferer's legs (Other empty for a blind transfer)
)

var kindNames = map[Kind]string{
	KindNone: "none", LegSeen: "leg seen", LegGone: "leg gone", LegHungUp: "leg hung up", LegHeld: "leg held", LegUnheld: "leg unheld",
	DialBegan: "dial began", DialProgressed: "dial progressed", DialEnded: "dial ended", BridgeSeen: "bridge seen",
	BridgeGone: "bridge gone", BridgeEntered: "bridge entered", BridgeLeft: "bridge left", BridgesMerged: "bridges merged",
	BlindTransferred: "blind transferred", AttendedTransferred: "attended transferred", PickedUp: "picked up",
	SpyBegan: "spy began", SpyEnded: "spy ended", LocalOptimized: "local optimized", Resynced: "resynced",
	LinkLost: "link lost", TimePassed: "time passed", RecordingBegan: "recording began", RecordingEnded: "recording ended",
	AppBegan: "app began", Parked: "parked", Unparked: "unparked",
	LegCreated: "leg created", LegStateChanged: "leg state changed", LegRenamed: "leg renamed", PartyChanged: "party changed",
	HoldChanged: "hold changed", MoveEnded: "move ended", TransferDone: "transfer done",
}

// String returns the kind in words: "bridge entered".
func (k Kind) String() string {
	if s, ok := kindNames[k]; ok {
		return s
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Event is one fact about the PBX, translated and in order. Which fields are set depends on Kind.
//
// The table keeps none of an event's strings; it copies what it keeps. They may lie in a buffer that is used again
// after [Table.Apply] has returned.
type Event struct {
	Kind       Kind
	At         time.Time // when it happened, by Asterisk's clock: the source of every "since"
	Seen       time.Time // when it was taken in, by Earshot's clock: the measure of MoveTime; At where it is zero
	Channel    Channel
	Peer       Channel
	Transferee LegID // empty where there are several
	Bridge     Bridge
	From       BridgeID
	Dialled    string
	Answered   bool
	Refusal    Refusal   // DialEnded where not Answered
	Congested  bool      // DialEnded with RefusalFailed: there was no way to it (CONGESTION); otherwise there was nothing there (CHANUNAVAIL)
	Cause      int       // LegGone: Asterisk's hang-up cause (ITU-T Q.850); 0 where it is not told
	Snapshot   *Snapshot // Resynced only
	Parking    *Parking  // Parked only
}

// Parking says where and how a leg is parked, as AMI has it.
type Parking struct {
	Lot, Space string
	By         string        // the endpoint of who has parked it, "PJSIP/101", to whom it comes back
	Timeout    time.Duration // after which it comes back
}

// Format writes the event's kind and ids, whatever the verb.
func (ev Event) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, ev.Kind.String())
	for _, id := range []string{string(ev.Channel.ID), string(ev.Peer.ID), string(ev.Bridge.ID), string(ev.From)} {
		if id != "" {
			_, _ = io.WriteString(f, " "+id)
		}
	}
}

// Refusal says why a dial came to nothing, as far as Asterisk tells.
type Refusal uint8

// The reasons. RefusalNone is the zero value: the dial was answered, or why it was not is not known.
const (
	RefusalNone      Refusal = iota
	RefusalBusy              // the phone is busy, or turned the call away (BUSY)
	RefusalFailed            // it could not be reached (CHANUNAVAIL, CONGESTION)
	RefusalNoAnswer          // it rang, and nobody answered (NOANSWER)
	RefusalCancelled         // who dialled gave up, or another phone was answered (CANCEL)
)

// Snapshot is the PBX at one moment.
type Snapshot struct {
	Channels []Channel
	Bridges  []Bridge
	// Linked gives, for legs in no bridge, the linked id that ties ringing legs to their caller. Legs that have the same
	// one are tied: each that Asterisk rings to each that waits.
	Linked map[LegID]LegID
	// AnsweredAt gives the answer time of legs that are up, where it could be read; or a later one: Asterisk's record of a call, which has it,
	// begins anew when a leg is put together with somebody else.
	AnsweredAt map[LegID]time.Time
}

// A Change is one thing that an Event changed in the table. Of the kinds of events it has LegGone, DialBegan, DialEnded,
// BridgeEntered, BridgeLeft, PickedUp, SpyBegan, SpyEnded, Resynced (everything may have changed: read the table anew) and
// LinkLost; and the kinds of its own.
type Change struct {
	Kind   Kind
	Leg    LegID    // the leg that changed; for dials the caller (empty for an originated call), for spies the spying one, for PickedUp the picker
	Other  LegID    // the other leg: dialled, spied on, or taken from; the transferer's second one
	Bridge BridgeID // BridgeEntered, BridgeLeft, MoveEnded
	Was    string   // LegRenamed, LegGone: the leg's endpoint before
}

// Format writes the change's kind and ids, whatever the verb.
func (c Change) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, c.Kind.String())
	for _, id := range []string{string(c.Leg), string(c.Other), string(c.Bridge)} {
		if id != "" {
			_, _ = io.WriteString(f, " "+id)
		}
	}
}
