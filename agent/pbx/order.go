package pbx

import (
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// Voice says to whom a supervisor's voice goes. The zero value is nobody.
type Voice uint8

// A supervisor hears both sides in every mode; his voice goes to nobody, to the target alone, or to both.
const (
	VoiceNobody Voice = iota
	VoiceTarget
	VoiceBoth
)

// Ring is the order to ring somebody's own phone into the Stasis application. The leg carries a lease from its creation.
type Ring struct {
	Leg      call.LegID    // the unique id that the leg is to have; begins with Prefix
	Bridge   call.BridgeID // the mixing bridge that will carry the supervision; begins with Prefix. Empty: none is made
	Endpoint string        // "PJSIP/101", as the policy has it
	Display  string        // what the phone shows
	Timeout  time.Duration // how long it may ring; whole seconds
	Lease    time.Duration // after this the PBX hangs the leg up by itself; whole seconds
}

// Tap is the order to let the supervisor hear a leg: a snoop pinned to that leg, joined with the supervisor's leg in the bridge.
type Tap struct {
	Snoop      call.LegID // the unique id that the snoop is to have; begins with Prefix
	Target     call.LegID
	Supervisor call.LegID
	Bridge     call.BridgeID
	Voice      Voice
	Lease      time.Duration
}

// Take is the order to ring a phone which, once answered, takes the call that rings at another leg.
type Take struct {
	Leg      call.LegID // the unique id that the taking leg is to have; begins with Prefix
	Endpoint string
	Ringing  call.LegID    // the leg whose call is taken
	Display  call.Identity // the caller, for the taker's display
	Timeout  time.Duration
}
