package pbx

import (
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/ari"
)

// scenarios are the calls that are recorded. A scenario begins with nobody on a call and ends so. At each mark the board is what a person
// who stands in the room would say; who talks to whom between two marks is what one of the two says.
var scenarios = map[string]func(*scene){
	"internal": func(s *scene) {
		a := s.dial("101", "102")
		b := s.rings("102")
		s.now("101 calls 102", "101 dialling out with 102", "102 ringing in with 101")
		s.answer(b)
		s.now("102 answers", "101 talking out with 102", "102 talking in with 101")
		s.hangup(a)
	},
	"silent-phone": func(s *scene) {
		s.react("102", phone.Reaction{Silent: true})
		a := s.dial("101", "102")
		b := s.rings("102")
		s.now("102 gets the call and sends no 180", "101 dialling out with 102", "102 ringing in with 101")
		s.answer(b)
		s.now("102 answers", "101 talking out with 102", "102 talking in with 101")
		s.hangup(a)
	},
	"trunk-in": func(s *scene) {
		a, _ := s.inbound("101")
		s.hangup(a)
	},
	"trunk-out": func(s *scene) {
		s.dial("101", "974957654321")
		b := s.rings("trunk")
		s.now("101 calls out", "101 dialling out with trunk", "trunk ringing in with 101")
		s.answer(b)
		s.now("outside answers", "101 talking out with trunk", "trunk talking in with 101")
		s.hangup(b)
	},
	"busy": func(s *scene) {
		s.react("102", phone.Reaction{Reject: 486})
		s.must(s.dial("101", "102").WaitEnded(s.ctx))
		s.briefly("101 dialling out with 102", "102 ringing in with 101")
	},
	"declined": func(s *scene) {
		a := s.dial("101", "102")
		b := s.rings("102")
		s.now("101 calls 102", "101 dialling out with 102", "102 ringing in with 101")
		s.must(b.Reject(s.ctx, 603))
		s.must(a.WaitEnded(s.ctx))
	},
	"cancelled": func(s *scene) {
		a := s.client("74950000102")
		s.rings("102")
		s.now("a client calls 102", "trunk dialling out with 102", "102 ringing in with trunk")
		s.hangup(a)
	},
	"queue": func(s *scene) {
		a := s.client("74950000100")
		s.rings("101")
		b := s.rings("102")
		s.now("the queue rings two", "trunk dialling out with 101+102", "101 ringing in with trunk", "102 ringing in with trunk")
		s.answer(b)
		s.now("102 answers", "trunk talking out with 102", "102 talking in with trunk")
		s.hangup(a)
	},
	"queue-member-declines": func(s *scene) {
		a := s.client("74950000100")
		b, c := s.rings("101"), s.rings("102")
		s.now("the queue rings two", "trunk dialling out with 101+102", "101 ringing in with trunk", "102 ringing in with trunk")
		s.must(c.Reject(s.ctx, 486))
		s.now("102 declines", "trunk dialling out with 101", "101 ringing in with trunk")
		s.answer(b)
		s.now("101 answers", "trunk talking out with 101", "101 talking in with trunk")
		s.hangup(a)
	},
	"queue-local": func(s *scene) {
		s.client("74950000200")
		s.rings("201")
		b := s.rings("202")
		s.rings("203")
		s.now("the queue rings three", "trunk dialling out with 201+202+203",
			"201 ringing in with trunk", "202 ringing in with trunk", "203 ringing in with trunk")
		s.answer(b)
		s.now("202 answers", "trunk talking out with 202", "202 talking in with trunk")
		s.hangup(b)
	},
	"queue-given-up": func(s *scene) {
		a := s.client("74950000100")
		s.rings("101")
		s.rings("102")
		s.now("the queue rings two", "trunk dialling out with 101+102", "101 ringing in with trunk", "102 ringing in with trunk")
		s.hangup(a)
	},
	"local": func(s *scene) {
		a := s.dial("101", pbxtest.PrefixLocal+"102")
		b := s.rings("102")
		s.now("101 calls 102", "101 dialling out with 102", "102 ringing in with 101")
		s.answer(b)
		s.noLocals()
		s.now("102 answers, and the Local channel has gone", "101 talking out with 102", "102 talking in with 101")
		s.hangup(a)
	},
	"local-n": func(s *scene) {
		a := s.dial("101", pbxtest.PrefixLocalN+"102")
		b := s.rings("102")
		s.now("101 calls 102", "101 dialling out with 102", "102 ringing in with 101")
		s.answer(b)
		s.now("102 answers", "101 talking out with 102", "102 talking in with 101")
		s.hangup(a)
	},
	"hold": func(s *scene) {
		a, b := s.talk("101", "102")
		s.now("102 answers", "101 talking out with 102", "102 talking in with 101")
		s.must(a.Hold(s.ctx))
		s.now("101 holds", "101 held out with 102", "102 talking in with 101")
		s.must(b.Hold(s.ctx))
		s.now("102 holds too", "101 held out with 102", "102 held in with 101")
		s.must(a.Unhold(s.ctx))
		s.now("101 is back", "101 talking out with 102", "102 held in with 101")
		s.must(b.Unhold(s.ctx))
		s.now("both are back", "101 talking out with 102", "102 talking in with 101")
		s.must(a.Hold(s.ctx))
		s.now("101 holds again", "101 held out with 102", "102 talking in with 101")
		s.hangup(b)
	},
	"music": func(s *scene) {
		a := s.dial("101", pbxtest.NumberMusic)
		s.now("101 hears music", "101 talking out")
		s.hangup(a)
	},
	"pickup": func(s *scene) {
		a := s.client("74950000101")
		s.rings("101")
		s.now("a client calls 101", "trunk dialling out with 101", "101 ringing in with trunk")
		s.dial("103", pbxtest.PrefixPickup+"101")
		s.now("103 picks it up", "trunk talking out with 103", "103 talking in with trunk")
		s.hangup(a)
	},
	"pickup-group": func(s *scene) {
		a := s.dial("201", "101")
		s.rings("101")
		s.now("201 calls 101", "201 dialling out with 101", "101 ringing in with 201")
		s.dial("103", pbxtest.NumberPickup)
		s.now("103 picks it up", "201 talking out with 103", "103 talking in with 201")
		s.hangup(a)
	},
	"pickup-from-queue": func(s *scene) {
		a := s.client("74950000100")
		s.rings("101")
		s.rings("102")
		s.now("the queue rings two", "trunk dialling out with 101+102", "101 ringing in with trunk", "102 ringing in with trunk")
		s.dial("103", pbxtest.NumberPickup)
		s.now("103 picks it up", "trunk talking out with 103", "103 talking in with trunk")
		s.hangup(a)
	},
	"ring-group": func(s *scene) {
		s.dial("101", "630")
		s.rings("303")
		b := s.rings("301")
		s.now("the group rings", "101 dialling out with 301+303", "301 ringing in with 101", "303 ringing in with 101")
		s.answer(b)
		s.now("301 answers", "101 talking out with 301", "301 talking in with 101")
		s.hangup(b)
	},
	"two-calls": func(s *scene) {
		a, b := s.talk("101", "102")
		s.now("102 answers", "101 talking out with 102", "102 talking in with 101")
		c := s.client("74950000101")
		d := s.rings("101")
		s.now("a client calls 101 too", "101 talking out with 102", "102 talking in with 101", "trunk dialling out with 101", "101 ringing in with trunk")
		s.must(a.Hold(s.ctx))
		s.answer(d)
		s.now("101 answers on a second line", "101 held out with 102", "102 talking in with 101", "trunk talking out with 101", "101 talking in with trunk")
		s.must(d.Hold(s.ctx))
		s.must(a.Unhold(s.ctx))
		s.now("101 goes back", "101 talking out with 102", "102 talking in with 101", "trunk talking out with 101", "101 held in with trunk")
		s.hangup(b)
		s.now("102 hangs up", "trunk talking out with 101", "101 held in with trunk")
		s.hangup(c)
	},
	"conference": func(s *scene) {
		a := s.dial("101", "800")
		s.now("101 is alone in the room", "101 talking out")
		b := s.dial("102", "800")
		s.now("102 comes", "101 talking out with 102", "102 talking out with 101")
		c := s.dial("103", "800")
		s.now("103 comes", "101 talking out with 102+103", "102 talking out with 101+103", "103 talking out with 101+102")
		s.hangup(a)
		s.now("101 leaves", "102 talking out with 103", "103 talking out with 102")
		s.hangup(c)
		s.now("103 leaves", "102 talking out")
		s.hangup(b)
	},
	"blind-keys": func(s *scene) {
		a, b := s.inbound("101")
		s.keys(b, pbxtest.FeatureBlind)
		s.keys(b, "102")
		c := s.rings("102")
		s.must(b.WaitEnded(s.ctx))
		s.now("101 has sent the client to 102", "trunk dialling out with 102", "102 ringing in with trunk")
		s.answer(c)
		s.now("102 answers", "trunk talking out with 102", "102 talking in with trunk")
		s.hangup(a)
	},
	"blind-keys-caller": func(s *scene) {
		a, b := s.talk("101", "102")
		s.now("102 answers", "101 talking out with 102", "102 talking in with 101")
		s.keys(a, pbxtest.FeatureBlind)
		s.keys(a, "103")
		c := s.rings("103")
		s.must(a.WaitEnded(s.ctx))
		s.now("101 has sent 102 to 103", "102 dialling in with 103", "103 ringing in with 102")
		s.answer(c)
		s.now("103 answers", "102 talking in with 103", "103 talking in with 102")
		s.hangup(b)
	},
	"blind-refer": func(s *scene) {
		a, b := s.talk("101", "102")
		s.now("102 answers", "101 talking out with 102", "102 talking in with 101")
		s.transfer(b, "103")
		c := s.rings("103")
		s.now("102 has sent 101 to 103", "101 dialling out with 103", "103 ringing in with 101")
		s.answer(c)
		s.now("103 answers", "101 talking out with 103", "103 talking in with 101")
		s.hangup(a)
	},
	"attended-keys": func(s *scene) {
		a, b := s.inbound("101")
		s.keys(b, pbxtest.FeatureAtxfer)
		s.now("101 presses keys for a transfer", "trunk talking out with 101", "101 held in with trunk")
		s.keys(b, "102")
		c := s.rings("102")
		s.now("101 calls 102", "trunk talking out", "101 dialling in with 102", "102 ringing in with 101")
		s.answer(c)
		s.now("102 answers", "trunk talking out", "101 talking in with 102", "102 talking in with 101")
		s.hangup(b)
		s.now("101 leaves the client with 102", "trunk talking out with 102", "102 talking in with trunk")
		s.hangup(a)
	},
	"attended-keys-three": func(s *scene) {
		a, b := s.inbound("101")
		s.keys(b, pbxtest.FeatureAtxfer)
		s.now("101 presses keys for a transfer", "trunk talking out with 101", "101 held in with trunk")
		s.keys(b, "102")
		c := s.rings("102")
		s.now("101 calls 102", "trunk talking out", "101 dialling in with 102", "102 ringing in with 101")
		s.answer(c)
		s.now("102 answers", "trunk talking out", "101 talking in with 102", "102 talking in with 101")
		s.keys(b, pbxtest.FeatureThree)
		s.now("all three talk", "trunk talking out with 101+102", "101 talking in with 102+trunk", "102 talking in with 101+trunk")
		s.hangup(a)
		s.now("the client leaves", "101 talking in with 102", "102 talking in with 101")
		s.hangup(b)
	},
	"attended-keys-abort": func(s *scene) {
		a, b := s.inbound("101")
		s.keys(b, pbxtest.FeatureAtxfer)
		s.now("101 presses keys for a transfer", "trunk talking out with 101", "101 held in with trunk")
		s.keys(b, "102")
		c := s.rings("102")
		s.now("101 calls 102", "trunk talking out", "101 dialling in with 102", "102 ringing in with 101")
		s.answer(c)
		s.now("102 answers", "trunk talking out", "101 talking in with 102", "102 talking in with 101")
		s.keys(b, pbxtest.FeatureAbort)
		s.now("101 is back with the client", "trunk talking out with 101", "101 talking in with trunk")
		s.hangup(a)
	},
	"attended-refer": func(s *scene) {
		a, b := s.inbound("101")
		s.must(b.Hold(s.ctx))
		s.now("101 holds", "trunk talking out with 101", "101 held in with trunk")
		c := s.dial("101", "102")
		d := s.rings("102")
		s.now("101 calls 102", "trunk talking out with 101", "101 held in with trunk", "101 dialling out with 102", "102 ringing in with 101")
		s.answer(d)
		s.must(c.WaitAnswered(s.ctx))
		s.now("102 answers", "trunk talking out with 101", "101 held in with trunk", "101 talking out with 102", "102 talking in with 101")
		s.must(b.TransferTo(s.ctx, c))
		s.now("101 leaves the client with 102", "trunk talking out with 102", "102 talking in with trunk")
		s.hangup(a)
	},
	"attended-refer-ringing": func(s *scene) {
		a, b := s.inbound("101")
		s.must(b.Hold(s.ctx))
		s.now("101 holds", "trunk talking out with 101", "101 held in with trunk")
		c := s.dial("101", "102")
		d := s.rings("102")
		s.must(c.WaitRinging(s.ctx))
		s.now("101 calls 102", "trunk talking out with 101", "101 held in with trunk", "101 dialling out with 102", "102 ringing in with 101")
		s.must(b.TransferTo(s.ctx, c))
		s.now("101 leaves the client to wait for 102", "trunk dialling out with 102", "102 ringing in with trunk")
		s.answer(d)
		s.now("102 answers", "trunk talking out with 102", "102 talking in with trunk")
		s.hangup(a)
	},
	"attended-keys-ringing": func(s *scene) {
		a, b := s.inbound("101")
		s.keys(b, pbxtest.FeatureAtxfer)
		s.now("101 presses keys for a transfer", "trunk talking out with 101", "101 held in with trunk")
		s.keys(b, "102")
		c := s.rings("102")
		s.now("101 calls 102", "trunk talking out", "101 dialling in with 102", "102 ringing in with 101")
		s.hangup(b)
		s.now("101 has left the client to wait for 102", "trunk dialling out with 102", "102 ringing in with trunk")
		s.answer(c)
		s.now("102 answers", "trunk talking out with 102", "102 talking in with trunk")
		s.hangup(a)
	},
	"parking": func(s *scene) {
		a, b := s.inbound("101")
		s.keys(b, pbxtest.FeaturePark)
		s.must(b.WaitEnded(s.ctx))
		s.now("101 has parked the client", "trunk talking out")
		s.dial("201", "701")
		s.now("201 takes the client", "trunk talking out with 201", "201 talking out with trunk")
		s.hangup(a)
	},
	"forward": func(s *scene) {
		a := s.client("74950000" + forwarded)
		b := s.rings("102")
		s.now("a client calls, and 102 rings", "trunk dialling out with 102", "102 ringing in with trunk")
		s.answer(b)
		s.noLocals()
		s.now("102 answers", "trunk talking out with 102", "102 talking in with trunk")
		s.hangup(a)
	},
	"forward-later": func(s *scene) {
		a := s.dial("101", forwardedLater)
		first := s.rings(forwardedLater)
		s.now("101 calls", "101 dialling out with "+forwardedLater, forwardedLater+" ringing in with 101")
		if s.unhurried {
			s.must(first.Reject(s.ctx, 480)) // rather than be timed
		}
		b := s.rings("102")
		s.must(first.WaitEnded(s.ctx))
		s.now("nobody answers, and 102 rings", "101 dialling out with 102", "102 ringing in with 101")
		s.answer(b)
		s.noLocals()
		s.now("102 answers", "101 talking out with 102", "102 talking in with 101")
		s.hangup(a)
	},
	"direct-media": func(s *scene) {
		a, b := s.talk("302", "303")
		s.now("303 answers", "302 talking out with 303", "303 talking in with 302")
		s.must(b.Hold(s.ctx))
		s.now("303 holds", "302 talking out with 303", "303 held in with 302")
		s.must(b.Unhold(s.ctx))
		s.now("303 is back", "302 talking out with 303", "303 talking in with 302")
		s.hangup(a)
	},
	"supervision": func(s *scene) {
		a, _ := s.inbound("101")
		s.react("103", phone.Reaction{Answer: true})
		own, snoop, bridge := call.LegID(Prefix+"scene-own"), call.LegID(Prefix+"scene-snoop"), call.BridgeID(Prefix+"scene-bridge")
		s.must(s.earshot().Ring(s.ctx, Ring{Leg: own, Bridge: bridge, Endpoint: s.endpoint("103"), Display: "Spy 101", Timeout: 20 * time.Second, Lease: time.Minute}))
		s.rings("103")
		s.must(s.until(s.ctx, func() bool { return s.hasEntered(own) }))
		s.now("103's phone is rung for a supervision", "trunk talking out with 101", "101 talking in with trunk", "103 talking in")
		s.bridge(bridge)
		s.must(s.earshot().Tap(s.ctx, Tap{Snoop: snoop, Target: s.leg("101"), Supervisor: own, Bridge: bridge, Voice: VoiceTarget, Lease: time.Minute}))
		s.spied("101")
		s.now("103 listens to 101", "trunk talking out with 101", "101 talking in with trunk", "103 talking in")
		s.must(s.earshot().Drop(s.ctx, bridge, own, snoop))
		s.now("103 has stopped", "trunk talking out with 101", "101 talking in with trunk")
		s.hangup(a)
	},
	"chanspy": func(s *scene) {
		a, _ := s.inbound("101")
		c := s.dial("103", chanSpy)
		s.spied("101")
		s.now("103 spies by the dialplan", "trunk talking out with 101", "101 talking in with trunk", "103 talking out")
		s.hangup(c)
		s.now("103 has stopped", "trunk talking out with 101", "101 talking in with trunk")
		s.hangup(a)
	},
	"recorded": func(s *scene) {
		a := s.dial("101", recording)
		b := s.rings("102")
		s.now("101 calls 102, and is recorded", "101 dialling out with 102", "102 ringing in with 101")
		s.answer(b)
		s.now("102 answers", "101 talking out with 102", "102 talking in with 101")
		s.hangup(a)
	},
	"click-to-call": func(s *scene) {
		_, err := s.admin.Originate(s.ctx, ari.OriginateRequest{Endpoint: s.endpoint("101"), Context: "phones", Extension: s.on.number("102"), Priority: 1, CallerID: `"Boris Orlov" <102>`})
		s.must(err)
		a := s.rings("101")
		s.now("101 is rung first", "101 ringing in")
		s.answer(a)
		b := s.rings("102")
		s.now("101 answers, and 102 rings", "101 dialling out with 102", "102 ringing in with 101")
		s.answer(b)
		s.now("102 answers", "101 talking out with 102", "102 talking in with 101")
		s.hangup(a)
	},
}
