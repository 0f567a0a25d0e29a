package call_test

import (
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// plainCall is 101 calling 102, up to the moment when both talk.
func plainCall(p *pbx) {
	p.t.Helper()
	p.leg("anna", "PJSIP/101-00000001", call.StateRing, "102")
	p.leg("boris", "PJSIP/102-00000002", call.StateDown)
	p.dial("anna", "boris", "102")
	p.ring("anna", "boris")
	p.answer("anna", "boris")
	p.bridge("b1", "mixing")
	p.enter("b1", "boris", "anna")
}

func hangup(p *pbx, bridge, first, second string) {
	p.t.Helper()
	p.leave(bridge, first, second)
	p.unbridge(bridge)
	p.gone(first, second)
}

func TestAPlainCallIsFollowedFromRingToHangup(t *testing.T) {
	p := newPBX(t)
	p.onlyPeers("anna", "boris")
	p.onlyPeers("boris", "anna")
	p.leg("anna", "PJSIP/101-00000001", call.StateRing, "102")
	p.neverIdle("anna")
	p.is("anna", "dialling out")
	p.peers("anna", "")
	p.leg("boris", "PJSIP/102-00000002", call.StateDown)
	p.is("boris", "in")
	p.peers("boris", "")
	p.changes("leg created anna", "leg created boris")

	p.dial("anna", "boris", "102")
	p.is("boris", "ringing in") // a phone that sends no 180 stays Down
	p.peers("anna", "boris")
	p.peers("boris", "anna")
	p.ring("anna", "boris")
	p.is("boris", "ringing in")
	ringing := p.table.Leg("boris").Since()
	p.changes("dial began anna boris", "leg state changed boris")

	p.answer("anna", "boris")
	p.is("boris", "talking in")
	p.is("anna", "talking out")
	p.peers("anna", "boris") // answered and not yet bridged: no moment without peer
	p.bridge("b1", "mixing")
	p.enter("b1", "boris")
	p.peers("anna", "boris")
	p.enter("b1", "anna")
	p.peers("anna", "boris")
	p.peers("boris", "anna")
	p.call("anna", "anna boris")
	p.same()
	p.changes("leg state changed boris", "dial ended anna boris", "leg state changed anna",
		"bridge entered boris b1", "bridge entered anna b1")

	boris := p.table.Leg("boris")
	if !boris.Answered().Equal(boris.Since()) || !boris.Since().After(ringing) || !boris.Created().Before(ringing) {
		t.Errorf("created %v, ringing since %v, answered %v, talking since %v", boris.Created(), ringing, boris.Answered(), boris.Since())
	}
	if d := p.table.Leg("anna").Dialled().Digits(); d != "102" {
		t.Errorf("dialled %q", d)
	}
	if got := boris.Endpoint(); got != "PJSIP/102" {
		t.Errorf("endpoint %q", got)
	}

	p.busy = nil
	hangup(p, "b1", "boris", "anna")
	p.changes("bridge left boris b1", "bridge left anna b1", "move ended boris b1", "leg gone boris", "move ended anna b1", "leg gone anna")
	if p.table.Len() != 0 {
		t.Errorf("%d legs are left", p.table.Len())
	}
	p.same()
	if _, ok := p.table.BridgeType("b1"); ok {
		t.Error("the bridge is left")
	}
}

func TestACallFromOutsideAndOneToOutsideGoThroughATrunk(t *testing.T) {
	p := newPBX(t)
	p.leg("client", "PJSIP/trunk-msk-00000001", call.StateRing, "74957654321")
	p.leg("anna", "PJSIP/101-00000002", call.StateDown)
	p.dial("client", "anna", "101")
	p.ring("client", "anna")
	p.is("anna", "ringing in")
	p.peers("anna", "client")
	if got := p.table.Leg("client").Endpoint(); got != "PJSIP/trunk-msk" {
		t.Errorf("endpoint %q: an endpoint's own hyphens are not where its name ends", got)
	}
	p.answer("client", "anna")
	p.bridge("b1", "mixing")
	p.enter("b1", "anna", "client")
	p.same()

	p.leg("boris", "PJSIP/102-00000003", call.StateRing, "989161234567")
	p.leg("out", "PJSIP/trunk-msk-00000004", call.StateDown)
	p.dial("boris", "out", "79161234567@trunk-msk")
	p.dialEnd("boris", "out", false)
	p.is("out", "in")
	p.peers("boris", "")
	p.gone("out")
	p.leg("out2", "PJSIP/trunk-msk-00000005", call.StateDown)
	p.dial("boris", "out2", "79161234567@trunk-msk")
	p.is("boris", "dialling out")
	p.peers("boris", "out2")
	p.answer("boris", "out2")
	p.bridge("b2", "mixing")
	p.enter("b2", "out2", "boris")
	p.is("boris", "talking out")
	p.peers("boris", "out2")
	p.call("boris", "boris out2")
	if got := ids(p.table.LegsOf(nil, "PJSIP/trunk-msk")); got != "client out2" {
		t.Errorf("legs of the trunk: %q", got)
	}
	p.same()
}

// A leg is dialled until the dial has ended, though it has been answered already.
func TestALegIsRungUntilItsDialEnds(t *testing.T) {
	table := call.NewTable()
	caller := call.Channel{ID: "a", Name: "PJSIP/101-1", State: call.StateRing}
	peer := call.Channel{ID: "b", Name: "PJSIP/102-2", State: call.StateDown}
	is := func(when string, want bool) {
		t.Helper()
		if l := table.Leg("b"); l == nil || l.Rung() != want {
			t.Errorf("%s it is rung: %v", when, !want)
		}
		if table.Leg("a").Rung() {
			t.Errorf("%s who calls is rung", when)
		}
	}
	table.Apply(&call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{}})
	table.Apply(&call.Event{Kind: call.LegSeen, Channel: caller})
	table.Apply(&call.Event{Kind: call.LegSeen, Channel: peer})
	is("before the dial", false)
	table.Apply(&call.Event{Kind: call.DialBegan, Channel: caller, Peer: peer})
	is("dialled", true)
	peer.State = call.StateUp
	table.Apply(&call.Event{Kind: call.LegSeen, Channel: peer})
	is("answered", true)
	table.Apply(&call.Event{Kind: call.DialEnded, Channel: caller, Peer: peer, Answered: true})
	is("behind the dial", false)
}

func TestARefusedCallEndsWithoutPeer(t *testing.T) {
	for _, name := range []string{"busy", "no answer", "cancelled while ringing"} {
		t.Run(name, func(t *testing.T) {
			p := newPBX(t)
			p.leg("anna", "PJSIP/101-00000001", call.StateRing, "102")
			p.leg("boris", "PJSIP/102-00000002", call.StateDown)
			p.dial("anna", "boris", "102")
			if name != "busy" {
				p.ring("anna", "boris")
			}
			p.dialEnd("anna", "boris", false)
			p.peers("anna", "")
			p.gone("boris")
			if name == "busy" {
				p.state("anna", call.StateBusy)
				p.is("anna", "dialling out")
			}
			p.gone("anna")
			p.same()
		})
	}
}

func TestHoldIsTheHoldersAndEndsInAnotherBridge(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	p.hold("boris", true)
	p.is("boris", "held in")
	p.is("anna", "talking out")
	p.peers("boris", "anna")
	if l := p.table.Leg("boris"); !l.HeldSince().Equal(p.now) || !l.Since().Equal(p.now) {
		t.Errorf("held since %v, %v; want %v", l.HeldSince(), l.Since(), p.now)
	}
	p.hold("boris", false)
	p.is("boris", "talking in")
	p.hold("boris", true)
	// Phone keys: he consults somebody in another bridge, and no Unhold comes.
	p.leave("b1", "boris")
	p.is("boris", "held in")
	p.bridge("b2", "mixing")
	p.log = nil
	p.enter("b2", "boris")
	p.is("boris", "talking in")
	p.changes("move ended boris b1", "bridge entered boris b2", "hold changed boris")
	p.same()
}

func TestAQueueRingsSeveralAndNoneIsAnothersPeer(t *testing.T) {
	p := newPBX(t)
	p.leg("client", "PJSIP/trunk-00000001", call.StateRing, "600")
	p.state("client", call.StateUp) // Queue after Answer
	p.onlyPeers("anna", "client")
	p.onlyPeers("boris", "client")
	p.leg("anna", "PJSIP/101-00000002", call.StateDown)
	p.dial("client", "anna", "101")
	p.leg("boris", "PJSIP/102-00000003", call.StateDown)
	p.dial("client", "boris", "102")
	p.ring("client", "anna")
	p.ring("client", "boris")
	p.is("client", "dialling out")
	p.is("anna", "ringing in")
	p.is("boris", "ringing in")
	p.peers("anna", "client")
	p.peers("boris", "client")
	p.peers("client", "anna boris")
	p.call("anna", "anna boris client")
	p.answer("client", "boris")
	p.dialEnd("client", "anna", false)
	p.gone("anna")
	p.bridge("b1", "mixing")
	p.enter("b1", "boris", "client")
	p.peers("client", "boris")
	p.peers("boris", "client")
	p.same()
}

// localMember is a queue that reaches 102 through Local/102@agents: up to where both 102 and the client talk.
func localMember(p *pbx) {
	p.t.Helper()
	p.leg("client", "PJSIP/trunk-00000001", call.StateRing, "600")
	p.state("client", call.StateUp)
	p.leg("l1", "Local/102@agents-00000001;1", call.StateDown)
	p.leg("l2", "Local/102@agents-00000001;2", call.StateRing, "102")
	p.dial("client", "l1", "102@agents")
	p.leg("boris", "PJSIP/102-00000002", call.StateDown)
	p.neverIdle("client")
	p.onlyPeers("client", "boris")
	p.onlyPeers("boris", "client")
	p.dial("l2", "boris", "102")
	p.ring("l2", "boris")
	p.neverIdle("boris")
	p.ring("client", "l1")
	p.peers("boris", "client")
	p.peers("client", "boris")
	p.call("boris", "boris client l1 l2")
	p.answer("l2", "boris")
	p.bridge("b1", "mixing")
	p.enter("b1", "boris", "l2")
	p.peers("boris", "client")
	p.answer("client", "l1")
	p.bridge("b2", "mixing")
	p.enter("b2", "l1", "client")
	p.peers("boris", "client")
	p.peers("client", "boris")
	p.same()
}

func TestALocalMemberIsSeenThroughItsHalves(t *testing.T) {
	p := newPBX(t)
	localMember(p)
	p.call("client", "boris client l1 l2")
	if l := p.table.Leg("l1"); l.Endpoint() != "" || l.Kind() != call.KindLocal || l.Half() != p.table.Leg("l2") {
		t.Errorf("a Local half: endpoint %q, kind %v, half %v", l.Endpoint(), l.Kind(), l.Half())
	}
}

func TestLocalOptimisationShowsNoMomentWithoutPeer(t *testing.T) {
	p := newPBX(t)
	localMember(p)
	p.fact(call.LocalOptimized, "l1", "l2")
	// main/bridge.c: bridge_do_move pulls (leave is told), pushes (enter is told), and then the swapped half leaves.
	p.leave("b1", "boris")
	p.peers("boris", "client")
	p.peers("client", "boris")
	if l := p.table.Leg("boris"); l.Bridge() != "" || !l.Moving() || !p.table.Moving() {
		t.Error("not on the way")
	}
	p.enter("b2", "boris")
	p.peers("boris", "client")
	p.leave("b2", "l1")
	p.leave("b1", "l2")
	p.unbridge("b1")
	p.gone("l1", "l2")
	p.peers("boris", "client")
	p.call("boris", "boris client")
	if p.table.Moving() {
		t.Error("somebody is on the way for ever")
	}
	p.same()
}

func TestAForwardedCallGoesOnToWhereItWasForwarded(t *testing.T) {
	p := newPBX(t)
	p.leg("anna", "PJSIP/101-00000001", call.StateRing, "102")
	p.leg("boris", "PJSIP/102-00000002", call.StateDown)
	p.dial("anna", "boris", "102")
	// 302 to 103: apps/app_dial.c, do_forward.
	p.leg("l1", "Local/103@phones-00000001;1", call.StateDown)
	p.leg("l2", "Local/103@phones-00000001;2", call.StateRing, "103")
	p.dialEnd("anna", "boris", false)
	p.dial("anna", "l1", "103@phones")
	p.gone("boris")
	p.leg("vera", "PJSIP/103-00000003", call.StateDown)
	p.dial("l2", "vera", "103")
	p.peers("anna", "vera")
	p.peers("vera", "anna")
}

func TestAPickupPutsThePickerInThePlaceOfTheRingingLeg(t *testing.T) {
	p := newPBX(t)
	p.leg("client", "PJSIP/trunk-00000001", call.StateRing, "102")
	p.leg("boris", "PJSIP/102-00000002", call.StateDown)
	p.dial("client", "boris", "102")
	p.ring("client", "boris")
	p.leg("vera", "PJSIP/103-00000003", call.StateRing, "*8102")
	p.neverIdle("vera")
	p.neverIdle("client")
	p.onlyPeers("vera", "client")
	p.onlyPeers("client", "boris", "vera")
	p.is("vera", "dialling out")
	// main/pickup.c: the picker is answered; main/channel.c: unique ids are swapped with the names, so that to the outside
	// the picker's channel takes the ringing one's place, and the ringing one is destroyed.
	p.state("vera", call.StateUp)
	p.log = nil
	p.fact(call.PickedUp, "vera", "boris")
	p.changes("picked up vera boris")
	p.peers("vera", "") // AMI's word alone ties nobody
	p.gone("boris")
	p.answer("client", "vera")
	p.peers("vera", "client")
	p.is("vera", "talking in")
	p.bridge("b1", "mixing")
	p.enter("b1", "vera", "client")
	p.peers("client", "vera")
	p.call("vera", "client vera")
	p.same()
}

// Asterisk tells of the leg whose place was taken last of all: that it is gone. Until then it seems to ring for who called, and for nobody else.
func TestAPickupThroughALocalChannelLeavesTheRingingLegItsCaller(t *testing.T) {
	p := newPBX(t)
	p.leg("client", "PJSIP/trunk-00000001", call.StateRing, "102")
	p.leg("l1", "Local/102@phones-00000001;1", call.StateDown)
	p.leg("l2", "Local/102@phones-00000001;2", call.StateRing, "102")
	p.dial("client", "l1", "102@phones/n")
	p.leg("boris", "PJSIP/102-00000002", call.StateDown)
	p.dial("l2", "boris", "102")
	p.ring("l2", "boris")
	p.ring("client", "l1")
	p.leg("vera", "PJSIP/103-00000003", call.StateRing, "*8102")
	p.state("vera", call.StateUp)
	p.onlyPeers("boris", "client")
	p.onlyPeers("vera", "client")
	p.answer("l2", "vera")
	p.peers("boris", "client")
	p.bridge("b1", "mixing")
	p.answer("client", "l1")
	p.enter("b1", "vera")
	p.peers("boris", "client")
	p.enter("b1", "l2")
	p.is("boris", "ringing in")
	p.peers("boris", "client")
	p.peers("vera", "client")
	p.peers("client", "boris vera")
	p.fact(call.PickedUp, "vera", "boris")
	p.gone("boris")
	p.peers("client", "vera")
	p.bridge("b2", "mixing")
	p.enter("b2", "l1", "client")
	p.peers("vera", "client")
	p.peers("client", "vera")
	p.same()
}

func TestASpyOnALegThatIsPickedUpHearsThePicker(t *testing.T) {
	p := newPBX(t)
	p.leg("client", "PJSIP/trunk-00000001", call.StateRing, "102")
	p.leg("boris", "PJSIP/102-00000002", call.StateDown)
	p.dial("client", "boris", "102")
	p.ring("client", "boris")
	p.leg("snoop", "Snoop/boris-00000000", call.StateUp)
	p.leg("vera", "PJSIP/103-00000003", call.StateRing, "*8102")
	p.state("vera", call.StateUp)
	p.log = nil
	p.fact(call.PickedUp, "vera", "boris")
	p.changes("picked up vera boris", "spy ended snoop boris", "spy began snoop vera")
}

func TestABlindTransferHandsThePeerOver(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	p.onlyPeers("anna", "boris", "vera")
	p.onlyPeers("vera", "anna")
	p.neverIdle("anna")
	p.log = nil
	p.fact(call.BlindTransferred, "boris", "")
	p.changes("transfer done boris")
	p.leave("b1", "anna", "boris")
	p.unbridge("b1")
	p.gone("boris")
	p.peers("anna", "")
	p.leg("vera", "PJSIP/103-00000003", call.StateDown)
	p.dial("anna", "vera", "103")
	p.is("anna", "dialling out") // up, and waiting for somebody
	p.is("vera", "ringing in")
	p.peers("anna", "vera")
	p.ring("anna", "vera")
	p.answer("anna", "vera")
	p.bridge("b2", "mixing")
	p.enter("b2", "vera", "anna")
	p.peers("vera", "anna")
	p.same()
}

func TestAnAttendedTransferMovesThePeerToTheOtherCall(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	p.hold("boris", true)
	p.leg("boris2", "PJSIP/102-00000003", call.StateRing, "103")
	p.leg("vera", "PJSIP/103-00000004", call.StateDown)
	p.dial("boris2", "vera", "103")
	p.ring("boris2", "vera")
	p.answer("boris2", "vera")
	p.bridge("b2", "mixing")
	p.enter("b2", "vera", "boris2")
	p.call("anna", "anna boris")
	p.onlyPeers("anna", "boris", "boris2", "vera")
	p.onlyPeers("vera", "boris2", "anna")
	p.neverIdle("anna")
	p.neverIdle("vera")
	p.log = nil
	p.fact(call.AttendedTransferred, "boris", "boris2")
	p.changes("transfer done boris boris2")
	p.leave("b1", "anna")
	p.peers("anna", "boris") // on her way
	p.enter("b2", "anna")
	p.leave("b2", "boris2")
	p.peers("anna", "boris2 vera")
	p.leave("b1", "boris")
	p.unbridge("b1")
	p.gone("boris2", "boris")
	p.peers("anna", "vera")
	p.peers("vera", "anna")
	p.same()
}

// Asterisk lets who is left go on with the Dial of the one in whose place he is, and tells of no dial until somebody answers.
func TestATransferToAPhoneThatRingsLeavesThePeerToWait(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	p.leg("boris2", "PJSIP/102-00000003", call.StateRing, "103")
	p.leg("vera", "PJSIP/103-00000004", call.StateDown)
	p.dial("boris2", "vera", "103")
	p.ring("boris2", "vera")
	p.call("anna", "anna boris")
	p.log = nil
	p.soon(&call.Event{Kind: call.AttendedTransferred, Channel: call.Channel{ID: "boris"}, Peer: call.Channel{ID: "boris2"}, Transferee: "anna"})
	p.changes("transfer done boris boris2", "dial ended boris2 vera", "dial began anna vera")
	p.peers("vera", "anna")
	p.call("anna", "anna boris vera")
	p.leave("b1", "boris")
	p.gone("boris")
	p.leave("b1", "anna")
	p.unbridge("b1")
	p.gone("boris2")
	p.later(call.MoveTime)
	p.is("anna", "dialling out")
	p.is("vera", "ringing in")
	p.peers("anna", "vera")
	p.answer("anna", "vera")
	p.bridge("b2", "mixing")
	p.enter("b2", "vera", "anna")
	p.is("anna", "talking out")
	p.peers("vera", "anna")
	p.call("vera", "anna vera")
	p.same()
}

func TestMergedBridgesMoveOneByOne(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	p.leg("vera", "PJSIP/103-00000003", call.StateRing, "105")
	p.leg("gleb", "PJSIP/104-00000004", call.StateDown)
	p.dial("vera", "gleb", "104")
	p.answer("vera", "gleb")
	p.bridge("b2", "mixing")
	p.enter("b2", "gleb", "vera")
	p.soon(&call.Event{Kind: call.BridgesMerged, Bridge: call.Bridge{ID: "b1"}, From: "b2"})
	p.peers("anna", "boris") // gleb is not taken along, as the events will tell
	p.leave("b2", "gleb")
	p.leave("b2", "vera")
	p.enter("b1", "vera")
	p.unbridge("b2")
	p.gone("gleb")
	p.peers("anna", "boris vera")
	p.peers("vera", "anna boris")
	p.same()
}

func TestAConferenceTiesAllThree(t *testing.T) {
	p := newPBX(t)
	p.bridge("conf", "mixing")
	for _, l := range []struct{ id, name string }{{"anna", "PJSIP/101-1"}, {"boris", "PJSIP/102-2"}, {"client", "PJSIP/trunk-3"}} {
		p.leg(l.id, l.name, call.StateRing, "700")
		p.state(l.id, call.StateUp)
		p.enter("conf", l.id)
	}
	p.leg("rec", "CBRec/conf-00000001", call.StateUp)
	p.enter("conf", "rec")
	p.peers("anna", "boris client")
	p.peers("client", "anna boris")
	p.call("boris", "anna boris client rec")
	// boris goes, and somebody comes in the same instant: they never were there together.
	p.onlyPeers("boris", "anna", "client")
	p.leg("vera", "PJSIP/103-4", call.StateRing, "700")
	p.state("vera", call.StateUp)
	p.leave("conf", "boris")
	p.peers("boris", "anna client")
	p.enter("conf", "vera")
	p.peers("boris", "")
	p.peers("vera", "anna client")
	p.same()
}

func TestALegThatIsRedirectedLeavesItsCall(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	p.leave("b1", "boris") // AMI Redirect into an announcement
	p.peers("anna", "boris")
	p.log = nil
	p.later(call.MoveTime - time.Millisecond)
	p.peers("anna", "boris")
	p.later(time.Millisecond)
	p.changes("move ended boris b1")
	p.peers("anna", "")
	p.peers("boris", "")
	p.is("boris", "talking in")
	p.same()
}

func TestParkedCallersAreNotTied(t *testing.T) {
	p := newPBX(t)
	p.bridge("lot", "holding")
	p.leg("c1", "PJSIP/trunk-1", call.StateUp)
	p.leg("c2", "PJSIP/trunk-2", call.StateUp)
	p.enter("lot", "c1", "c2")
	p.peers("c1", "")
	p.call("c1", "c1")
	p.state("c2", call.StateRing)
	p.is("c1", "talking out") // he waits for nobody there
	p.leave("lot", "c1")
	p.call("c1", "c1")
	p.call("c2", "c2")
}

func TestAConsultationByPhoneKeysRingsThroughALocalChannel(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	// main/bridge_basic.c: the transferer and ;1 are in a bridge of their own while ;2 dials; no Dial event ties ;1.
	p.leave("b1", "boris")
	p.bridge("b2", "mixing")
	p.leg("l1", "Local/103@phones-00000001;1", call.StateDown)
	p.leg("l2", "Local/103@phones-00000001;2", call.StateRing, "103")
	p.enter("b2", "boris", "l1")
	p.leg("vera", "PJSIP/103-00000003", call.StateDown)
	p.onlyPeers("vera", "boris")
	p.dial("l2", "vera", "103")
	p.leg("gleb", "PJSIP/104-00000004", call.StateDown)
	p.onlyPeers("gleb", "boris")
	p.dial("l2", "gleb", "104")
	p.peers("vera", "boris")
	p.peers("gleb", "boris")
	p.peers("boris", "gleb vera")
	p.peers("anna", "")
	p.is("boris", "dialling in") // nobody who is there with him is up
	// A third party comes into the same bridge through a Local channel of his own.
	p.leg("m1", "Local/105@phones-00000002;1", call.StateUp)
	p.leg("m2", "Local/105@phones-00000002;2", call.StateUp, "105")
	p.enter("b2", "m1")
	p.leg("dina", "PJSIP/105-00000005", call.StateUp)
	p.bridge("b3", "mixing")
	p.onlyPeers("vera", "boris", "dina")
	p.onlyPeers("gleb", "boris", "dina")
	p.enter("b3", "dina", "m2")
	p.is("boris", "talking in")
	p.leave("b2", "m1")
	p.is("boris", "dialling in")
	p.state("l1", call.StateUp)
	p.is("boris", "talking in")
	p.enter("b2", "m1")
	p.peers("vera", "boris dina")
	p.peers("dina", "boris gleb vera")
}

func TestWhoHasHungUpIsIdleAlthoughAsteriskKeepsTheChannel(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	p.log = nil
	p.apply(&call.Event{Kind: call.LegHungUp, Channel: p.ch("boris")})
	p.is("boris", "talking in") // until Asterisk has taken him out of the bridge
	p.changes()
	p.leave("b1", "boris")
	p.is("boris", "in")
	p.peers("anna", "boris") // for the time of a move, as ever
	p.later(call.MoveTime)
	p.peers("anna", "")
	p.is("anna", "talking out")
	p.enter("b1", "boris") // Asterisk knows better
	p.is("boris", "talking in")
	p.leave("b1", "anna")
	p.is("boris", "in") // alone there: a Local channel has gone first
	p.leave("b1", "boris")
	p.later(call.MoveTime)
	p.log = nil
	p.apply(&call.Event{Kind: call.LegHungUp, Channel: p.ch("anna")})
	p.is("anna", "out")
	p.changes("leg state changed anna")
}

func TestWhoIsPutInThePlaceOfADialledLegHasTakenACall(t *testing.T) {
	p := newPBX(t)
	p.leg("anna", "PJSIP/101-00000001", call.StateRing, "*8")
	c := p.ch("anna")
	c.State, c.App = call.StateUp, "AppQueue" // app_queue tells of no Dial that was answered
	p.apply(&call.Event{Kind: call.LegSeen, Channel: c})
	p.is("anna", "talking in")
	c.App = "Dial"
	p.apply(&call.Event{Kind: call.LegSeen, Channel: c})
	p.is("anna", "talking in")
}

func TestTwoWhoCallTheSameAreNotEachOthersPeers(t *testing.T) {
	p := newPBX(t)
	p.leg("anna", "PJSIP/101-00000001", call.StateRing, "600")
	p.leg("client", "PJSIP/trunk-00000002", call.StateRing, "600")
	p.leg("l1", "Local/600@phones-00000001;1", call.StateDown)
	p.leg("l2", "Local/600@phones-00000001;2", call.StateRing, "600")
	p.dial("anna", "l1", "600")
	p.dial("client", "l1", "600")
	p.leg("vera", "PJSIP/103-00000003", call.StateDown)
	p.dial("l2", "vera", "103")
	p.peers("anna", "vera")
	p.peers("client", "vera")
	p.peers("vera", "anna client")
}

func TestALegThatDialsFromWithinACallIsTalking(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	p.leg("vera", "PJSIP/103-00000003", call.StateDown)
	p.dial("anna", "vera", "103")
	p.is("anna", "talking out")
	p.peers("anna", "boris vera")
	p.call("boris", "anna boris vera")
}

func TestAClickToCallIsAnOutgoingOne(t *testing.T) {
	p := newPBX(t)
	p.leg("anna", "PJSIP/101-00000001", call.StateDown)
	p.dial("", "anna", "101")
	p.changes("leg created anna", "dial began anna")
	p.is("anna", "ringing in")
	p.answer("", "anna")
	p.is("anna", "talking in")
	p.leg("boris", "PJSIP/102-00000002", call.StateDown)
	p.dial("anna", "boris", "102")
	p.is("anna", "dialling out")
	p.is("boris", "ringing in")
	p.answer("anna", "boris")
	p.bridge("b1", "mixing")
	p.enter("b1", "anna", "boris")
	p.is("anna", "talking out")
	p.same()
}

func TestWhoWasCalledAndCallsOnStaysTheOneWhoWasCalled(t *testing.T) {
	p := newPBX(t)
	p.leg("anna", "PJSIP/101-00000001", call.StateDown)
	p.dial("", "anna", "101")
	p.answer("", "anna")
	p.bridge("conf", "mixing")
	p.enter("conf", "anna")
	p.leave("conf", "anna")
	p.leg("boris", "PJSIP/102-00000002", call.StateDown)
	p.dial("anna", "boris", "102")
	p.is("anna", "dialling in")
}

func TestALateWordDoesNotBringALegBack(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	boris := p.ch("boris")
	p.gone("boris")
	p.apply(&call.Event{Kind: call.LegSeen, Channel: boris})
	p.apply(&call.Event{Kind: call.DialEnded, Channel: p.ch("anna"), Peer: boris, Answered: true})
	p.apply(&call.Event{Kind: call.BridgeEntered, Channel: boris, Bridge: call.Bridge{ID: "b1"}})
	if p.table.Leg("boris") != nil || !p.table.Gone("boris") {
		t.Error("a leg that was destroyed is back")
	}
	p.peers("anna", "")
	// A unique id chosen by an originator may come again. That is another leg, and must not be hidden.
	boris.Created = p.now
	p.apply(&call.Event{Kind: call.LegSeen, Channel: boris})
	if p.table.Leg("boris") == nil || p.table.Gone("boris") {
		t.Error("a new leg with a used id is hidden")
	}
}

func TestALegFirstSeenInTheMiddleIsNotLost(t *testing.T) {
	p := newPBX(t)
	p.apply(&call.Event{Kind: call.BridgeEntered,
		Channel: call.Channel{ID: "x", Name: "PJSIP/101-1", State: call.StateUp, Created: start}, Bridge: call.Bridge{ID: "b", Type: "mixing"}})
	p.apply(&call.Event{Kind: call.DialProgressed,
		Channel: call.Channel{ID: "y", Name: "PJSIP/102-1", State: call.StateRing, Created: start},
		Peer:    call.Channel{ID: "z", Name: "PJSIP/103-1", State: call.StateRinging, Created: start}})
	p.peers("z", "y")
	if l := p.table.Leg("x"); l == nil || l.Bridge() != "b" {
		t.Error("lost")
	}
}

func TestARenamedLegChangesItsEndpoint(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	p.log = nil
	ch := p.ch("boris")
	ch.Name = "PJSIP/103-00000009"
	p.apply(&call.Event{Kind: call.LegSeen, Channel: ch})
	p.changes("leg renamed boris")
	if got := ids(p.table.LegsOf(nil, "PJSIP/102")) + "|" + ids(p.table.LegsOf(nil, "PJSIP/103")); got != "|boris" {
		t.Errorf("legs of 102|103: %q", got)
	}
}

func TestALegSaysWhichConferenceItIsIn(t *testing.T) {
	p := newPBX(t)
	p.leg("anna", "PJSIP/101-00000001", call.StateRing, "800")
	ch := p.chans["anna"]
	for _, room := range []string{"", "board", "sales"} {
		ch.App, ch.Room = "ConfBridge", room
		p.apply(&call.Event{Kind: call.LegSeen, Channel: *ch})
		if got := p.table.Leg("anna").Room(); got != room {
			t.Errorf("in %q, and it says %q", room, got)
		}
	}
	for name, p := range map[string]*pbx{"that was known": p, "that is new": newPBX(t)} {
		p.apply(&call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{Channels: []call.Channel{*ch}}})
		if got := p.table.Leg("anna").Room(); got != "sales" {
			t.Errorf("after a resync one %s is in sales, and says %q", name, got)
		}
	}
}

func TestALegSaysWhichQueueHasIt(t *testing.T) {
	p := newPBX(t)
	p.leg("client", "PJSIP/trunk-00000001", call.StateRing, "600")
	if q := p.table.Leg("client").Queue(); q != "" {
		t.Errorf("in no queue, and it says %q", q)
	}
	ch := p.chans["client"]
	ch.App, ch.Queue = "Queue", "sales"
	p.state("client", call.StateUp)
	if q := p.table.Leg("client").Queue(); q != "sales" {
		t.Errorf("in sales, and it says %q", q)
	}
	ch.App, ch.Queue = "VoiceMail", ""
	p.apply(&call.Event{Kind: call.LegSeen, Channel: *ch})
	if l := p.table.Leg("client"); l.Queue() != "" || l.App() != "VoiceMail" {
		t.Errorf("queue %q, application %q", l.Queue(), l.App())
	}
	ch.App, ch.Queue = "Queue", "support"
	p.apply(&call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{Channels: []call.Channel{*ch}}})
	if q := p.table.Leg("client").Queue(); q != "support" {
		t.Errorf("the snapshot says support, the table %q", q)
	}
}
