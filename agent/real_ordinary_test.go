package agent_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// hunting is a number that rings one phone, and then another at another extension.
func hunting(plan *pbxtest.Plan) {
	plan.Extensions = append(plan.Extensions,
		pbxtest.Extension{Number: "*81", Steps: []string{"Dial(PJSIP/101,1)", "ExecIf($[1]?Goto(*82,1))"}},
		pbxtest.Extension{Number: "*82", Steps: []string{"Dial(PJSIP/201,30)"}})
}

// What people do on phones every day is nothing for the watchdog: calls of every kind, transfers of every kind, conferences.
func TestOrdinaryCallsAreNotCaught(t *testing.T) {
	o := open(t)
	_, seen := o.caught(0)
	nothing := func(o *office) {
		o.Helper()
		o.must(o.eventually(o.ctx, "the PBX is empty", func() error { o.hangUpAll(); return o.empty(o.ctx, "") }))
		if all, _ := o.caught(seen); len(all) > 0 {
			o.Errorf("the watchdog has seen %+v", all)
			_, seen = o.caught(0)
		}
	}
	for _, c := range conversations {
		o.scene(c.name, func(o *office) {
			c.begin(o)
			nothing(o)
		})
	}
	// Each is done with boris, who talks with anna, and ends with anna hearing sergei.
	for _, way := range []struct {
		name string
		do   func(o *office, peer *phone.Call) (sergei *phone.Call)
	}{
		{"a blind transfer", func(o *office, peer *phone.Call) *phone.Call {
			o.must(peer.Transfer(o.ctx, "201"))
			return o.answers("sergei")
		}},
		{"a blind transfer by keys", func(o *office, peer *phone.Call) *phone.Call {
			o.must(peer.DTMF(o.ctx, pbxtest.FeatureBlind))
			_ = peer.DTMF(o.ctx, "201") // his call ends with the last digit
			return o.answers("sergei")
		}},
		{"an attended transfer", func(o *office, peer *phone.Call) *phone.Call {
			o.must(peer.Hold(o.ctx))
			consultation := o.dials("boris", "201")
			sergei := o.answers("sergei")
			o.must(consultation.WaitAnswered(o.ctx))
			o.must(peer.TransferTo(o.ctx, consultation))
			return sergei
		}},
		{"an attended transfer to a phone that rings", func(o *office, peer *phone.Call) *phone.Call {
			o.must(peer.Hold(o.ctx))
			consultation := o.dials("boris", "201")
			sergei := o.rings("sergei")
			o.must(consultation.WaitRinging(o.ctx))
			o.must(peer.TransferTo(o.ctx, consultation))
			o.must(sergei.Answer(o.ctx))
			return sergei
		}},
		{"an attended transfer by keys", func(o *office, peer *phone.Call) *phone.Call {
			o.must(peer.DTMF(o.ctx, pbxtest.FeatureAtxfer))
			o.must(peer.DTMF(o.ctx, "201"))
			sergei := o.answers("sergei")
			_, err := sergei.WaitHears(o.ctx, peer.Tone())
			o.must(err)
			o.must(peer.Hangup(o.ctx))
			return sergei
		}},
		{"three in one call by keys", func(o *office, peer *phone.Call) *phone.Call {
			o.must(peer.DTMF(o.ctx, pbxtest.FeatureAtxfer))
			o.must(peer.DTMF(o.ctx, "201"))
			sergei := o.answers("sergei")
			_, err := sergei.WaitHears(o.ctx, peer.Tone())
			o.must(err)
			o.must(peer.DTMF(o.ctx, pbxtest.FeatureThree))
			return sergei
		}},
	} {
		o.scene(way.name, func(o *office) {
			target, peer := bothOf("boris", "anna")(o)
			sergei := way.do(o, peer)
			_, err := target.WaitHears(o.ctx, sergei.Tone())
			o.must(err)
			nothing(o)
		})
	}
	o.scene("a phone that nobody answers, and the next one", func(o *office) {
		caller := o.dials("boris", "*81")
		o.rings("anna")
		o.together(caller, o.answers("sergei"))
		nothing(o)
	})
	o.scene("a conference room", func(o *office) {
		a, b, c := o.dials("anna", "800"), o.dials("boris", "800"), o.dials("sergei", "800")
		o.hear(0, map[*phone.Call][]phone.Tone{a: {b.Tone(), c.Tone()}})
		nothing(o)
	})
	o.scene("a supervision and an intercept by Earshot", func(o *office) {
		outside, inside := o.talk(stranger, "anna")
		w := o.watch("irina")
		s, sup := o.supervises(w, "irina", "anna", "spy")
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {outside.Tone(), inside.Tone()}})
		if _, err := o.as("irina").Change(o.ctx, s.ID, "barge"); err != nil {
			o.Fatal(err)
		}
		o.must(o.as("irina").End(o.ctx, s.ID))
		o.over(w, s.ID, sup, "ended_by_supervisor")
		nothing(o)
	})
}

// hangUpAll has everybody hang up.
func (o *office) hangUpAll() {
	for _, p := range o.Phones {
		for _, c := range p.Calls() {
			_ = c.Hangup(o.ctx)
		}
	}
	for _, c := range o.Trunk.Calls() {
		_ = c.Hangup(o.ctx)
	}
}
