package gate_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
)

// One's own phone that is rung to call somebody is dialled by nobody, as Asterisk tells of a channel that it originates.
func TestAPhoneThatIsRungToCallSomebodyIsToldAsDialled(t *testing.T) {
	o := newOffice(t, house)
	p, blind := o.panel("carl"), o.panel("dora")
	const id = "earshot-abc-call"
	o.pbx.put(id, "")
	o.seen(call.Channel{ID: id, Name: "PJSIP/101-1", State: call.StateDown, App: "AppDial2"})
	o.ingest(call.Event{Kind: call.DialBegan, Peer: o.ch(id)})
	o.state(id, call.StateRinging)
	p.tells("it rings", "appeared anna Down", "dial -, anna Down", "state anna Ringing", "rings -, anna Ringing")
	blind.tells("it rings", "appeared anna Down hidden", "dial -, anna Down hidden", "state anna Ringing hidden", "rings -, anna Ringing hidden")
	o.state(id, call.StateUp)
	p.tells("it is answered", "state anna Up", "dialled -, anna Up ANSWER")
	blind.tells("it is answered", "state anna Up hidden", "dialled -, anna Up hidden ANSWER", "made", "entered anna Up hidden 1")
	o.ingest(call.Event{Kind: call.DialEnded, Peer: o.ch(id), Answered: true})
	p.tells("the dial is over")
	p.agrees()
	blind.agrees()
}
