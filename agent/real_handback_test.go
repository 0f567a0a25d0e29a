package agent_test

import (
	"context"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// A customer who rang at anna's phone, and was taken past Earshot, rings there again; who took him is hung up, and he never is.
func TestAStolenCallIsHandedBackToThePhoneItRangOn(t *testing.T) {
	o := open(t)
	for _, s := range []struct {
		name, number, thief, code, who string
		talk                           time.Duration
	}{
		{"directed", "101", "nina", pbxtest.PrefixPickup + "101", "phone:PJSIP/302", 6 * time.Second},
		{"by the group's code", "101", "boris", pbxtest.NumberPickup, "phone:PJSIP/102", 0},
		{"through a Local channel", "161", "nina", pbxtest.PrefixPickup + "101", "phone:PJSIP/302", 0},
		{"through a Local channel that stays", "162", "nina", pbxtest.PrefixPickup + "101", "phone:PJSIP/302", 0},
	} {
		o.scene(s.name, func(o *office) {
			_, seen := o.caught(0)
			customer := o.calls(stranger, s.number)
			o.rings("anna")
			stolen := time.Now()
			thief := o.dials(s.thief, s.code)
			again := o.rings("anna")
			o.must(thief.WaitEnded(o.ctx))
			o.Logf("rings again and the thief is gone %d ms after the code was dialled", time.Since(stolen).Milliseconds())
			o.is(o.witness(seen, "pickup", audit.Witnessed), "handed_back", s.thief, s.who, "anna")
			if e := o.witness(seen, "pickup", audit.Revoked); e.Detail != "handed_back" || e.Seconds <= 0 || e.Seconds > 5 || e.Subject != s.thief {
				o.Errorf("the record says %+v", e)
			}
			if customer.State() != phone.Up {
				o.Fatalf("the customer is %v", customer.State())
			}
			o.must(again.Answer(o.ctx))
			o.together(customer, again)
			// It is a call like any other, with no limit of time, and that may be supervised.
			w := o.watch("irina")
			sup, leg := o.supervises(w, "irina", "anna", "spy")
			o.hear(s.talk, map[*phone.Call][]phone.Tone{customer: {again.Tone()}, again: {customer.Tone()}, leg: {customer.Tone(), again.Tone()}})
			o.must(again.Hangup(o.ctx))
			o.over(w, sup.ID, leg, "call_ended")
			o.must(customer.WaitEnded(o.ctx))
			if all, _ := o.caught(seen); len(all) != 2 {
				o.Errorf("on record is %+v", all)
			}
		})
	}
	// Her phone is busy when he is handed back: it is tried again, and he is not hung up.
	o.scene("to a phone that declines", func(o *office) {
		customer := o.calls(stranger, "101")
		o.rings("anna")
		thief := o.dials("nina", pbxtest.PrefixPickup+"101")
		o.must(o.rings("anna").Reject(o.ctx, 486))
		o.must(o.rings("anna").Reject(o.ctx, 603))
		o.must(thief.WaitEnded(o.ctx))
		again := o.rings("anna")
		o.must(again.Answer(o.ctx))
		o.together(customer, again)
	})
	o.scene("to a phone that is there no more", func(o *office) {
		_, seen := o.caught(0)
		customer := o.calls(stranger, "101")
		o.rings("anna")
		o.must(o.Phones["anna"].Unregister(o.ctx))
		defer func() { o.must(o.Phones["anna"].Register(context.Background())) }()
		thief := o.dials("nina", pbxtest.PrefixPickup+"101")
		o.together(customer, thief)
		o.is(o.witness(seen, "pickup", audit.Witnessed), "reported", "nina", "phone:PJSIP/302", "anna")
		o.hear(proof, map[*phone.Call][]phone.Tone{customer: {thief.Tone()}, thief: {customer.Tone()}})
	})
	for _, s := range []struct{ name, without, again, did string }{
		{"without the include", "dialplan remove context earshot-back", "dialplan reload", "reported"},
		{"without the function that looks for it", "module unload func_dialplan.so", "module load func_dialplan.so", "failed"},
		{"without the function that says where", "module unload func_global.so", "module load func_global.so", "failed"},
		{"without the application that moves", "module unload app_channelredirect.so", "module load app_channelredirect.so", "failed"},
	} {
		o.scene(s.name, func(o *office) {
			_, err := o.PBX.Command(o.ctx, s.without)
			o.must(err)
			defer func() {
				_, err := o.PBX.Command(context.Background(), s.again)
				o.must(err)
			}()
			_, seen := o.caught(0)
			customer := o.calls(stranger, "101")
			o.rings("anna")
			thief := o.dials("nina", pbxtest.PrefixPickup+"101")
			o.together(customer, thief)
			o.is(o.witness(seen, "pickup", audit.Witnessed), s.did, "nina", "phone:PJSIP/302", "anna")
			o.hear(proof, map[*phone.Call][]phone.Tone{customer: {thief.Tone()}, thief: {customer.Tone()}})
			o.must(thief.Hangup(o.ctx))
			if e := o.witness(seen, "pickup", audit.Ended); e.Detail != s.did || e.Seconds < proof.Seconds() {
				o.Errorf("the record says %+v", e)
			}
		})
	}
}

// Where that is configured a stolen call is reported, and goes on.
func TestAStolenCallIsReportedWhereThatIsConfigured(t *testing.T) {
	o := open(t, func(c *agent.Config) { c.Watchdog.Pickup = "report" })
	for _, s := range []struct{ name, who, did string }{
		{"by who may not", "nina", "reported"}, {"by who may take any call", "gleb", "left"},
	} {
		o.scene(s.name, func(o *office) {
			_, seen := o.caught(0)
			customer := o.calls(stranger, "101")
			o.rings("anna")
			taken := o.dials(s.who, pbxtest.PrefixPickup+"101")
			o.together(customer, taken)
			o.is(o.witness(seen, "pickup", audit.Witnessed), s.did, s.who, "phone:PJSIP/"+o.Phones[s.who].User(), "anna")
		})
	}
}
