package mask

import "time"

// Channel is one leg as one watcher may see it, for the doors that speak the PBX's own protocols.
//
// Of an employee's leg whose other side is not for the watcher there is what the board has of it, and nothing that ties it to another: it is alone in
// a bridge of its own, and linked to itself. Where the other side is shown, the channels of a call that are shown with theirs have one Linked and one
// Bridge, and whoever is outside has a channel too.
type Channel struct {
	ID       string // handle; opaque
	Linked   string // handle of that channel of the call, among those shown as tied, which was there first
	Endpoint string // whose it is, "PJSIP/101"; of a hidden leg the first of its owner's phones: on which of them he talks is not on the board
	Employee string // id of the employee whose phone it is; empty for somebody outside
	Hidden   bool   // the other side is not for this watcher
	Out      bool   // the phone called; otherwise it was rung
	State    ChannelState
	Held     bool // the phone has put the other side on hold
	Music    bool // it hears music: it is held, or waits in a queue; never of a hidden one

	Number, Name string    // of this side
	Peer         *Party    // who is on the other side; nil while there is nobody, and of a hidden one
	Dialled      string    // what was dialled; empty of a hidden one
	App          string    // in which application of the dialplan it is: a word of a fixed list, and empty of a hidden one
	Queue        string    // by or in which queue it is; empty of a hidden one, and where the watcher may not view that line
	Room         string    // in which conference it is, by the name that the dialplan has for it; empty of a hidden one
	Bridge       string    // handle of the bridge; empty for in none
	Mates        int       // how many channels are shown in that bridge, with this one
	DialledBy    string    // handle of the channel that rings it; empty where that is not shown
	Began, Since time.Time // when it appeared, and when its state began; to the second

	Supervision string // the watcher's own that it carries
}

// ChannelState is a channel's state, as far as it is told.
type ChannelState uint8

// The states. ChannelDown is the zero value.
const (
	ChannelDown    ChannelState = iota
	ChannelRing                 // it has dialled, and hears ringing
	ChannelRinging              // it is rung
	ChannelUp
)

// ChannelChange is one thing that has happened to the channels that a watcher is shown. Channel is as it was when that had happened, and so are the
// others. Of a bridge that is entered or left, Mates is what it is now for all channels in it.
type ChannelChange struct {
	Kind    ChangeKind
	Channel *Channel
	Other   *Channel
	Third   *Channel
	Bridge  string   // handle; of the bridge that was made, entered, left or removed
	Type    string   // of that bridge: "basic", "holding"
	Mates   int      // how many channels are shown in it now
	Members []string // handles of those; for who tells a bridge with the channels in it
	Status  string   // DialEnded: ANSWER, BUSY, CANCEL, CHANUNAVAIL, CONGESTION or NOANSWER; ChannelGone: none
	Cause   int      // ChannelGone: Asterisk's hang-up cause; 16, normal clearing, of a hidden one, whatever it was
	Dialled string   // BlindTransferred: where to; ChannelParked and ChannelUnparked: the space

	Lot             string // ChannelParked and ChannelUnparked: the parking lot
	Timeout, Waited int    // the same: seconds until it comes back, and that it has been there

	Presence *Presence   // PresenceChanged
	Queue    *QueueEvent // the kinds that begin with Queue and Agent
}

// ChangeKind says what has happened.
type ChangeKind uint8

// The kinds. Each names the fields of ChannelChange that it uses beside Kind.
const (
	ChannelAppeared      ChangeKind = iota + 1 // Channel
	ChannelStateChanged                        // Channel
	ChannelCallerChanged                       // Channel: Number or Name
	ChannelPeerChanged                         // Channel: Peer
	ChannelGone                                // Channel, Cause
	DialBegan                                  // Other is rung; Channel rings it, nil where that is not shown
	DialRings                                  // the same: its phone says that it rings
	DialEnded                                  // the same, Status
	BridgeMade                                 // Bridge, Type
	BridgeEntered                              // Bridge, Type, Mates, Members, Channel
	BridgeLeft                                 // Bridge, Type, Mates, Members, Channel
	BridgeRemoved                              // Bridge, Type
	HoldBegan                                  // Channel: whose phone has put the other side on hold
	HoldEnded                                  // Channel
	MusicBegan                                 // Channel: who hears it
	MusicEnded                                 // Channel
	BlindTransferred                           // Channel: the transferer's leg; Other: who was transferred; Dialled; Bridge, Members
	AttendedTransferred                        // Channel, Other: the transferer's two legs; Third: who was transferred, may be nil
	PickedUp                                   // Channel: who took it; Other: the leg that was ringing
	ChannelParked                              // Channel, Dialled, Lot, Timeout, Waited
	ChannelUnparked                            // the same; Other: who fetched it, nil where that is not shown
	SupervisionBegan                           // Channel: the supervisor's own leg; Other: the target's, as he knows it
	SupervisionEnded                           // the same
	PresenceChanged                            // Presence
	QueueCallerJoined                          // Queue; Channel where the watcher sees who it is, and it is Queue.Caller
	QueueCallerLeft                            // the same: he goes on elsewhere, or was answered
	QueueCallerAbandoned                       // the same: he hung up
	QueueMemberAdded                           // Queue
	QueueMemberRemoved                         // Queue
	QueueMemberPaused                          // Queue: Member.Paused is what it is now
	QueueMemberPenalty                         // Queue
	QueueMemberStatus                          // Queue: the member's state
	AgentCalled                                // Queue; Channel: the caller's where it is shown; Other: the member's leg
	AgentConnected                             // the same
	AgentCompleted                             // the same
	ChannelChanged                             // Channel: something of it that no other kind tells; the PBX's own protocols have no event for it
)

// Presence is what an employee does, whatever of it.
type Presence struct {
	Employee string
	State    string // as on the board: idle, ringing, dialling, talking, held
	Rings    bool   // something rings at his phone, whatever else he does
}

// QueueEvent is what has happened in a line's queue, for who may view the line.
type QueueEvent struct {
	Queue    string
	Caller   string      // handle of who waits, the same from when he joins until he does not wait any more; nobody else's where the watcher did not see him first
	Endpoint string      // of the channel whose handle that is: the watcher saw who it was; otherwise empty
	Position int         // of a caller, from 1
	Joined   int         // his position when he joined
	Count    int         // callers that wait now
	Wait     int         // seconds that he has waited
	Talk     int         // AgentCompleted: seconds
	Reason   string      // AgentCompleted: who ended it, caller or agent, or transfer; empty where that is not known
	Member   *LineMember // nil of a caller
}
