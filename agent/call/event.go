package call

import "time"

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

// Identity is a name and a number that a channel claims. It proves nothing.
type Identity struct {
	Name   string
	Number Number
}

// Channel is one channel as a snapshot gives it.
type Channel struct {
	ID        LegID
	Name      string // "PJSIP/101-00000003", "Local/600@queue-00000001;2", "Snoop/1795299332.1-00000000"
	State     State
	Caller    Identity
	Connected Identity
	Exten     string // the dialplan's current extension
	App       string // "Dial", "AppDial", "Queue", "Stasis", …
	Created   time.Time
}

// Bridge is one bridge as a snapshot gives it.
type Bridge struct {
	ID   BridgeID
	Type string // "mixing", "holding", …
	Legs []LegID
}

// Kind says what an Event tells.
type Kind uint8

// The kinds of events. Each names the fields of Event that it uses.
const (
	KindNone          Kind = iota
	LegSeen                // Channel: created or changed in any way (state, name, caller id, connected line)
	LegGone                // Channel (id at least): destroyed
	LegHeld                // Channel: its phone put the other side on hold
	LegUnheld              // Channel
	DialBegan              // Channel is the caller (empty for an originated call), Peer the dialled leg, Dialled what was dialled
	DialProgressed         // Channel, Peer: the peer rings (PROGRESS, RINGING, PROCEEDING)
	DialEnded              // Channel, Peer, Answered: true for ANSWER
	BridgeSeen             // Bridge: created, or its members as told
	BridgeGone             // Bridge (id)
	BridgeEntered          // Bridge, Channel
	BridgeLeft             // Bridge, Channel
	BridgesMerged          // Bridge is what stays, From what goes
	BlindTransferred       // Channel: the transferer's leg
	AttendedTransferred    // Channel, Peer: the transferer's two legs
	PickedUp               // Channel: the picker's leg, Peer: the leg whose call was taken
	SpyBegan               // Channel: the spying leg (ours: the snoop leg), Peer: the spied one
	SpyEnded               // Channel, Peer
	LocalOptimized         // Channel, Peer: the two halves of a Local channel that is being optimised away
	Resynced               // Channels, Bridges, Ties, Answered: everything there is; what is not in it is gone
)

// Event is one fact about the PBX, translated and in order. Which fields are set depends on Kind.
type Event struct {
	Kind     Kind
	At       time.Time
	Channel  Channel
	Peer     Channel
	Bridge   Bridge
	From     BridgeID
	Dialled  string
	Answered bool
	Snapshot *Snapshot // Resynced only
}

// Snapshot is the PBX at one moment.
type Snapshot struct {
	Channels []Channel
	Bridges  []Bridge
	// Linked gives, for legs in no bridge, the linked id that ties ringing legs to their caller.
	Linked map[LegID]LegID
	// AnsweredAt gives the answer time of legs that are up, where it could be read.
	AnsweredAt map[LegID]time.Time
}
