package call

import (
	"fmt"
	"strings"
	"time"
)

// LegKind says what sort of channel a leg is, by the technology in its name.
type LegKind uint8

// The sorts of legs. The zero value is a channel that Asterisk makes for itself and that holds no party.
const (
	KindInternal LegKind = iota // "CBAnn/…", "Recorder/…", "Surrogate/…": announcers, recorders, place holders
	KindPhone                   // an ordinary channel: "PJSIP/…", and any technology that is not known to be another sort
	KindLocal                   // one half of a Local channel: "Local/600@queue-00000001;2"
	KindSnoop                   // an ARI snoop: "Snoop/1795299332.1-00000000"
)

// internalTechs are technologies whose channels Asterisk makes for its own use (main/core_unreal.c, apps/confbridge,
// main/bridge.c, main/channel.c). A technology is on this list only if no person can be behind it.
var internalTechs = []string{"Announcer", "AsyncGoto", "Bridge", "CBAnn", "CBRec", "Message", "Recorder", "Surrogate"}

func kindOf(name string) LegKind {
	tech, _, ok := strings.Cut(name, "/")
	if !ok {
		return KindPhone
	}
	switch tech {
	case "Local":
		return KindLocal
	case "Snoop":
		return KindSnoop
	}
	for _, t := range internalTechs {
		if tech == t {
			return KindInternal
		}
	}
	return KindPhone
}

// endpointOf cuts the name of an ordinary channel at its last hyphen: endpoints may have hyphens of their own
// (main/channel.c: ast_channel_name_to_dial_string).
func endpointOf(name string, kind LegKind) string {
	if kind != KindPhone {
		return ""
	}
	if i := strings.LastIndexByte(name, '-'); i >= 0 {
		return name[:i]
	}
	return name
}

// spiedOf returns the unique id in a snoop's name (res/res_stasis_snoop.c: "Snoop/%s-%08x").
func spiedOf(name string) LegID {
	rest := strings.TrimPrefix(name, "Snoop/")
	if i := strings.LastIndexByte(rest, '-'); i >= 0 {
		rest = rest[:i]
	}
	return LegID(rest)
}

// Direction says on which side of the call a leg stands, as its phone's owner sees it.
type Direction uint8

// The directions. An internal call has an Out leg and an In leg.
const (
	DirectionUnknown Direction = iota
	In                         // Asterisk rang it, or it took a call that rang elsewhere
	Out                        // it called in to Asterisk, or Asterisk rang it first in order to call somebody for it
)

// String returns "in", "out" or "".
func (d Direction) String() string {
	switch d {
	case In:
		return "in"
	case Out:
		return "out"
	default:
		return ""
	}
}

// Phase is what a leg's owner is doing on it: a leg's state as a colleague would say it.
type Phase uint8

// The phases. PhaseNone is a leg that does nothing yet or any more: created and not dialled, or given up.
const (
	PhaseNone     Phase = iota
	PhaseRinging        // Asterisk rings it. A phone that sends no 180 is Down and counts as ringing while it is dialled
	PhaseDialling       // it waits for somebody to answer
	PhaseTalking        // it is up
	PhaseHeld           // it is up, and its phone put the other side on hold
)

// String returns "ringing", "dialling", "talking", "held" or "".
func (p Phase) String() string {
	switch p {
	case PhaseRinging:
		return "ringing"
	case PhaseDialling:
		return "dialling"
	case PhaseTalking:
		return "talking"
	case PhaseHeld:
		return "held"
	default:
		return ""
	}
}

// A Leg is one live channel. It belongs to its [Table]: read it while the table is not being written. The pointer stays
// the same as long as the channel lives; of a leg that is gone, what it was last can still be read. It prints itself as its
// id, because names of channels hold numbers.
type Leg struct {
	id                            LegID
	name, endpoint                string
	kind                          LegKind
	state                         State
	direction                     Direction
	phase                         Phase
	caller, connected             Identity
	dialled                       Number
	exten, app, queue, conference string

	created, answered, since time.Time
	heldSince                time.Time
	heldIn                   *bridge // where it was when it was held; nil for in none
	held                     bool
	hungUp                   bool // its phone is gone; the channel is not yet
	bridged                  bool // it has been in a bridge

	bridge *bridge   // where it is
	left   *bridge   // where it was until a moment ago and still counts as being: it is on its way
	leftAt time.Time // by Earshot's clock

	heir LegID // who has its place, should it go while it is in a bridge

	half       *Leg     // the other half of a Local channel
	dials      []*dial  // both those that it makes and those that ring it
	dial       [1]*dial // where dials begins: most legs have one
	originated bool     // it is dialled, and no leg dials it
	spied      *Leg     // on whom it spies
	spies      []*Leg   // who spies on it

	prev, next *Leg // all legs, oldest first
	mark       uint64
}

// ID returns the channel's unique id.
func (l *Leg) ID() LegID { return l.id }

// Name returns the channel's name as Asterisk has it. It may hold a number ("Local/79161234567@out-1;2").
func (l *Leg) Name() string { return l.name }

// Endpoint returns the endpoint that the channel belongs to, "PJSIP/101"; nothing for a leg that is no [KindPhone]. It
// proves who somebody is if a policy says whose phone it is.
func (l *Leg) Endpoint() string { return l.endpoint }

// Kind returns what sort of channel it is.
func (l *Leg) Kind() LegKind { return l.kind }

// State returns the channel's state.
func (l *Leg) State() State { return l.state }

// Direction returns on which side of its call the leg stands.
func (l *Leg) Direction() Direction { return l.direction }

// Phase returns what the leg's owner is doing on it.
func (l *Leg) Phase() Phase { return l.phase }

// Since returns when the leg's phase began, by Asterisk's clock; after a resync it is a lower bound.
func (l *Leg) Since() time.Time { return l.since }

// Caller returns the caller id that the channel has of its own side.
func (l *Leg) Caller() Identity { return l.caller }

// Connected returns what Asterisk shows the channel of the other side.
func (l *Leg) Connected() Identity { return l.connected }

// Dialled returns what was dialled to reach the leg, or, for a leg that called in, what it dialled first.
func (l *Leg) Dialled() Number { return l.dialled }

// Exten returns where in the dialplan the leg is, as far as Asterisk has told: ARI's dialplan events are not listened to.
func (l *Leg) Exten() Number { return Number(l.exten) }

// App returns the dialplan application that the leg was last seen in.
func (l *Leg) App() string { return l.app }

// Queue returns the name of the queue that has the leg: in which it waits, or by which it has come to whom it talks to. Empty for none.
func (l *Leg) Queue() string { return l.queue }

// Room returns the name of the conference that the leg is in, as the dialplan has it; empty for none.
func (l *Leg) Room() string { return l.conference }

// Created returns when the channel was created.
func (l *Leg) Created() time.Time { return l.created }

// Answered returns when the leg was first seen up, zero if it has not been.
func (l *Leg) Answered() time.Time { return l.answered }

// Held reports whether the leg's phone has the other side on hold. A resync after a lost link forgets it: Asterisk's
// snapshots do not tell. HeldSince returns since when.
func (l *Leg) Held() bool { return l.held }

// HeldSince returns when the leg's phone put the other side on hold, zero if it has not.
func (l *Leg) HeldSince() time.Time { return l.heldSince }

// Bridge returns the bridge that the leg is in, empty for in none.
func (l *Leg) Bridge() BridgeID {
	if l.bridge == nil {
		return ""
	}
	return l.bridge.id
}

// Bridged reports whether the leg is in a bridge or has been in one, as far as the table has seen it.
func (l *Leg) Bridged() bool { return l.bridged }

// Rung reports whether Asterisk dials the leg and that has not ended: from the beginning of a dial to its end, also while the leg is up already.
func (l *Leg) Rung() bool { return l.direction == In && (l.rung() || l.originated) }

// HungUp reports whether the leg's phone is known to have hung up; the channel goes after that, or is kept by Asterisk for a while.
func (l *Leg) HungUp() bool { return l.hungUp }

// Moving reports whether the leg has left a bridge a moment ago and still counts as tied to who was in it: see [MoveTime].
func (l *Leg) Moving() bool { return l.left != nil }

// Half returns the other half of a Local channel, nil for other legs and where the other half is gone.
func (l *Leg) Half() *Leg { return l.half }

// Spied returns the leg on which this one spies (an ARI snoop, or a leg in ChanSpy), nil for on none.
func (l *Leg) Spied() *Leg { return l.spied }

// Spies appends the legs that spy on this one.
func (l *Leg) Spies(dst []*Leg) []*Leg { return append(dst, l.spies...) }

// Format writes the leg's id, whatever the verb.
func (l Leg) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "leg %s", string(l.id)) }

// nowPhase works out the phase from the facts.
func (l *Leg) nowPhase() Phase {
	if l.state == StateUp {
		switch {
		case l.hungUp && (l.bridge == nil || len(l.bridge.legs) == 1):
			// Asterisk keeps the channel of who has left a call to ring for somebody else, to call him back if nobody answers.
			return PhaseNone
		case l.held:
			return PhaseHeld
		case l.bridge == nil && l.left == nil && l.dialling():
			// Answered by the dialplan (a queue, an announcement, a transfer), and now waiting for somebody.
			return PhaseDialling
		case l.bridge != nil && l.bridge.waiting(l):
			return PhaseDialling
		}
		return PhaseTalking
	}
	if l.direction == In {
		if l.state == StateRinging || l.originated || l.rung() {
			return PhaseRinging
		}
		return PhaseNone
	}
	if l.direction == Out && l.state != StateDown && l.state != StateUnknown {
		return PhaseDialling
	}
	return PhaseNone
}
