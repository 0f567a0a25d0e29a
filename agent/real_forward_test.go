package agent_test

import (
	"fmt"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

const (
	forwarded = `earshot_phone_requests_total{outcome="unknown_phone",request="none"}`
	ringGroup = "163" // rings at boris and, by a Local leg, outside
)

// A customer whom an employee sends out again goes out when the employee may call there, and comes back to him when he may not. He is never hung up.
func TestWhoeverIsTransferredOutGoesByTheRightsOfWhoTransfersHim(t *testing.T) {
	o := openToDial(t)
	o.scene("where she may call", func(o *office) {
		before := o.decided()
		customer, mine := o.talk(stranger, "anna")
		o.must(mine.Transfer(o.ctx, vera.number[1:]))
		outside := o.called(vera)
		o.together(customer, outside)
		if got := o.entries()[before:]; len(got) != 1 || got[0].Subject != "anna" || got[0].Door != "phone" || got[0].Action != "dial" || got[0].Outcome != audit.Allow {
			o.Errorf("on record is %+v", got)
		}
	})
	for name, number := range map[string]string{"where she may not": oleg.number[1:], "to what is no number": vera.number[1:] + "0000000000"} {
		o.scene(name, func(o *office) {
			before := o.decided()
			customer, mine := o.talk(stranger, "anna")
			_ = mine.Transfer(o.ctx, number) // the PBX has taken it; that it came to nothing is not told
			o.must(mine.WaitEnded(o.ctx))
			again := o.rings("anna")
			o.must(again.Answer(o.ctx))
			o.together(customer, again)
			if customer.State() != phone.Up || len(o.Trunk.Calls()) != 1 {
				o.Errorf("the customer is %v, and outside has %d calls", customer.State(), len(o.Trunk.Calls()))
			}
			if got := o.entries()[before:]; number == oleg.number[1:] && (len(got) != 1 || got[0].Subject != "anna" || got[0].Outcome != audit.Deny) {
				o.Errorf("on record is %+v", got)
			}
		})
	}
}

// A leg of a ring group that leads outside, and that nobody may decide about, fails by itself; the phones of the group go on ringing.
func TestALocalLegThatIsRefusedLeavesTheOthersRinging(t *testing.T) {
	o := open(t)
	o.scene("ring group", func(o *office) {
		was := o.metric(forwarded)
		customer := o.calls(stranger, ringGroup)
		his := o.rings("boris")
		o.until("the Local leg is refused, and gone", func() error {
			if n := o.metric(forwarded); n != was+1 {
				return fmt.Errorf("%g refusals", n-was)
			}
			channels, err := o.admin.ListChannels(o.ctx)
			if err == nil && len(channels) != 2 {
				err = fmt.Errorf("%d channels", len(channels))
			}
			return err
		})
		if customer.State() == phone.Up || his.State() != phone.Ringing {
			o.Fatalf("the customer is %v, and boris's phone is %v", customer.State(), his.State())
		}
		o.must(his.Answer(o.ctx))
		o.together(customer, his)
	})
}
