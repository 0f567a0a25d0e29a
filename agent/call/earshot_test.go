package call_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
)

func isPhone(l *call.Leg) bool { return l.Endpoint() != "PJSIP/trunk" }

// hears looks who is within earshot of a leg, itself included, when spies do what mode says.
func (p *pbx) hears(id, want string, mode map[string]call.SpyMode) {
	p.t.Helper()
	reach := call.Reach{Phone: isPhone}
	if mode != nil {
		reach.Spy = func(l *call.Leg) call.SpyMode {
			m, ok := mode[string(l.ID())]
			if !ok {
				return call.SpyMode{Hears: true, Speaks: true}
			}
			return m
		}
	}
	if got := ids(p.table.Earshot(nil, p.table.Leg(call.LegID(id)), reach)); got != want {
		p.t.Errorf("within earshot of %s: %q, want %q", id, got, want)
	}
}

// supervise is what Earshot does: the supervisor's leg and a snoop on the target meet in a bridge.
func supervise(p *pbx, sup, name, target string) {
	p.t.Helper()
	p.leg(sup, name, call.StateDown)
	p.dial("", sup, "")
	p.answer("", sup)
	p.leg("snoop-"+sup, "Snoop/"+target+"-00000000", call.StateUp)
	p.bridge("sup-"+sup, "mixing")
	p.enter("sup-"+sup, sup, "snoop-"+sup)
}

var (
	spy     = call.SpyMode{Hears: true}
	whisper = call.SpyMode{Hears: true, Speaks: true}
)

func TestASupervisorIsNoPeerAndNotOnTheCall(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	p.onlyPeers("irina")
	p.onlyPeers("anna", "boris")
	supervise(p, "irina", "PJSIP/110-00000003", "anna")
	p.peers("irina", "")
	p.peers("anna", "boris")
	p.call("anna", "anna boris")
	p.call("irina", "irina snoop-irina")
	if l := p.table.Leg("snoop-irina"); l.Spied() != p.table.Leg("anna") || l.Kind() != call.KindSnoop || l.Endpoint() != "" {
		t.Errorf("spied %v, kind %v, endpoint %q", l.Spied(), l.Kind(), l.Endpoint())
	}
	if got := ids(p.table.Leg("anna").Spies(nil)); got != "snoop-irina" {
		t.Errorf("spies on anna: %q", got)
	}
	// Who listens to the supervisor hears what he hears; who listens to anna hears him only if he speaks.
	p.hears("irina", "anna boris irina snoop-irina", map[string]call.SpyMode{"snoop-irina": spy})
	p.hears("anna", "anna boris", map[string]call.SpyMode{"snoop-irina": spy})
	p.hears("boris", "anna boris irina snoop-irina", map[string]call.SpyMode{"snoop-irina": whisper})
	p.hears("boris", "anna boris irina snoop-irina", nil)

	p.fact(call.SpyEnded, "snoop-irina", "anna") // AMI's word; the channel lives
	if p.table.Leg("snoop-irina").Spied() == nil {
		t.Error("AMI alone ended what ARI contradicts")
	}
	p.log = nil
	p.gone("snoop-irina")
	p.changes("bridge left snoop-irina sup-irina", "spy ended snoop-irina anna", "leg gone snoop-irina")
	p.same()
}

func TestWhoMeetsInASupervisionIsNobodysPeer(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	supervise(p, "irina", "PJSIP/110-00000003", "anna")
	p.leg("director", "PJSIP/111-00000004", call.StateUp)
	p.enter("sup-irina", "director")
	p.peers("irina", "")
	p.peers("director", "")
	p.call("irina", "director irina snoop-irina")
	p.leave("sup-irina", "snoop-irina")
	p.peers("irina", "") // it is on its way; what they heard was the other call
	p.gone("snoop-irina")
	p.peers("irina", "director")
}

func TestWhoSupervisesASupervisorHearsBothCalls(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	supervise(p, "irina", "PJSIP/110-00000003", "anna")
	supervise(p, "director", "PJSIP/111-00000004", "irina")
	modes := map[string]call.SpyMode{"snoop-irina": spy, "snoop-director": spy}
	p.hears("director", "anna boris director irina snoop-director snoop-irina", modes)
	p.hears("irina", "anna boris irina snoop-irina", modes)
	p.hears("anna", "anna boris", modes)
}

func TestSpyingFromThePhoneIsTiedByWhatAMITells(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	p.leg("vera", "PJSIP/103-00000003", call.StateRing, "*55")
	p.state("vera", call.StateUp)
	p.log = nil
	p.fact(call.SpyBegan, "vera", "anna")
	p.fact(call.SpyBegan, "vera", "anna")
	p.changes("spy began vera anna")
	p.hears("anna", "anna boris vera", nil)
	p.call("anna", "anna boris")
	p.fact(call.SpyEnded, "vera", "boris") // another spy's end
	p.hears("anna", "anna boris vera", nil)
	p.fact(call.SpyBegan, "vera", "boris") // ChanSpy goes on to the next channel
	p.fact(call.SpyEnded, "vera", "")
	p.changes("spy ended vera anna", "spy began vera boris", "spy ended vera boris")
	p.hears("anna", "anna boris", nil)
	p.fact(call.SpyBegan, "vera", "vera")
	p.changes()
}

func TestTwoCallsOfOnePhoneAreTiedUnlessOneIsHeldOrOnlyRings(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	p.leg("client", "PJSIP/trunk-00000003", call.StateRing, "102")
	p.leg("boris2", "PJSIP/102-00000004", call.StateDown)
	p.dial("client", "boris2", "102")
	p.ring("client", "boris2")
	p.hears("anna", "anna boris", nil) // it only rings
	p.hears("client", "boris2 client", nil)
	p.answer("client", "boris2")
	p.hears("anna", "anna boris boris2 client", nil) // a conference on the phone
	p.hold("boris", true)
	p.hears("anna", "anna boris", nil)
	p.hold("boris", false)
	p.hold("boris2", true)
	p.hears("client", "boris2 client", nil)
	// He calls somebody, and has put nothing on hold: the phone may let anna hear it from the first ring on.
	p.hold("boris2", true)
	p.leg("boris3", "PJSIP/102-00000005", call.StateRing, "103")
	p.hears("anna", "anna boris boris3", nil)
	// Two calls over one trunk are no conference.
	p.leg("client2", "PJSIP/trunk-00000006", call.StateUp)
	p.hears("client", "boris2 client", nil)
	if got := ids(p.table.Earshot(nil, p.table.Leg("client"), call.Reach{})); got != "boris2 client client2" {
		t.Errorf("without a policy every endpoint is a phone: %q", got)
	}
}

func TestAnExcludedPartyIsWithinEarshotFromBeingDialled(t *testing.T) {
	p := newPBX(t)
	p.leg("anna", "PJSIP/101-00000001", call.StateRing, "102")
	p.leg("boris", "PJSIP/102-00000002", call.StateDown)
	p.dial("anna", "boris", "102")
	p.hears("anna", "anna boris", nil)
}
