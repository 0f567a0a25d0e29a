package call_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
)

// A phone that transfers as quickly as it is answered, as one does whose owner has nothing to say: its leg is put out of its place before Asterisk has told that it
// has entered the bridge, and Asterisk tells of nobody who enters in its place. (Seen on 22.10, in both of these orders.)
func TestATransferInTheMomentOfTheAnswerPutsThePeerIntoTheOtherCall(t *testing.T) {
	for name, tells := range map[string]func(p *pbx){
		"the one who is left is told to leave last": func(p *pbx) {
			p.enter("b2", "boris2")
			p.leave("b1", "boris")
			p.gone("boris")
			p.leave("b1", "anna")
			p.unbridge("b1")
		},
		"the one who is left is told to leave first": func(p *pbx) {
			p.leave("b1", "anna", "boris")
			p.unbridge("b1")
			p.gone("boris")
			p.enter("b2", "boris2")
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPBX(t)
			plainCall(p)
			p.hold("boris", true)
			p.leg("boris2", "PJSIP/102-00000003", call.StateRing, "103")
			p.leg("vera", "PJSIP/103-00000004", call.StateDown)
			p.dial("boris2", "vera", "103")
			p.ring("boris2", "vera")
			p.answer("boris2", "vera")
			p.bridge("b2", "mixing")
			p.enter("b2", "vera")
			p.soon(&call.Event{Kind: call.AttendedTransferred, Channel: call.Channel{ID: "boris"}, Peer: call.Channel{ID: "boris2"}, Transferee: "anna"})
			tells(p)
			p.peers("vera", "boris2")
			p.in["anna"] = "b2"
			p.log = nil
			p.gone("boris2")
			if !slices.Contains(p.log, "bridge entered anna b2") {
				t.Errorf("it tells %q", p.log)
			}
			p.peers("vera", "anna")
			p.peers("anna", "vera")
			p.is("anna", "talking out")
			p.same()
			p.leave("b2", "anna", "vera")
			p.gone("anna", "vera")
		})
	}
}

// Whoever leaves his bridge in the ordinary way has left his place to nobody: what becomes of him elsewhere is another matter.
func TestALegThatHasLeftItsBridgeLeavesItsPlaceToNobody(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	p.leg("boris2", "PJSIP/102-00000003", call.StateUp, "103")
	p.leg("vera", "PJSIP/103-00000004", call.StateUp)
	p.bridge("b2", "mixing")
	p.enter("b2", "vera")
	p.soon(&call.Event{Kind: call.AttendedTransferred, Channel: call.Channel{ID: "boris"}, Peer: call.Channel{ID: "boris2"}, Transferee: "anna"})
	p.enter("b2", "boris2")
	p.leave("b1", "anna", "boris")
	p.unbridge("b1")
	p.gone("boris")
	p.leave("b2", "boris2")
	p.bridge("b3", "mixing")
	p.leg("stranger", "PJSIP/trunk-00000005", call.StateUp)
	p.enter("b3", "stranger")
	p.enter("b3", "boris2")
	p.log = nil
	p.gone("boris2")
	if slices.ContainsFunc(p.log, func(l string) bool { return strings.Contains(l, "bridge entered anna") }) {
		t.Errorf("it tells %q", p.log)
	}
}
