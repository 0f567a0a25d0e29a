//go:build faults

package agent_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// A PBX that stands still for a moment, less than it takes to be noticed, so that no link is lost and nothing is looked at anew: what was revoked meanwhile, and whose
// orders came to nothing, goes as soon as the PBX goes on, with its bridge, which has no lease.
func TestFaultAPBXThatStandsStillForAMoment(t *testing.T) {
	const moment = 6 * time.Second // longer than an order has, and shorter than the next question whether the PBX is there may take
	base := apart(t)
	base.must(base.Write("policy.yaml", openHouse))
	o := openOn(base, func(c *agent.Config) { c.Supervision.Lease = 2 * standstill })
	o.fault("six seconds", func(o *office) {
		peer, target := o.talk(stranger, "anna")
		s := &staged{office: o, who: "pavel", w: o.watch("pavel")}
		v, err := o.as("pavel").Supervise(o.ctx, "anna", "spy")
		o.must(err)
		s.id, s.call = v.ID, o.answers("pavel")
		_, err = s.w.UntilAct(o.ctx, s.id, "active")
		o.must(err)
		o.must(o.PBX.Pause())
		paused := time.Now()
		o.Cleanup(func() { _ = o.PBX.Continue() })
		o.must(o.Edit("policy.yaml", "phones: [PJSIP/203], department: office, listen: true", "phones: [PJSIP/203], department: office"))
		o.until("the revocation is on record", func() error {
			if got := o.lastOf(s.id); got != "revoked no_right" {
				return fmt.Errorf("%q is on record", got)
			}
			return nil
		})
		time.Sleep(time.Until(paused.Add(moment))) // the fault itself
		on := time.Now()
		o.must(o.PBX.Continue())
		o.must(s.call.WaitEnded(o.ctx))
		o.within("the phone was hung up, after the PBX went on,", on, noticeTime)
		o.until("nothing of it is left, nor its bridge", func() error { return o.empty(o.ctx, "earshot-") })
		o.within("nothing was left, after the PBX went on,", on, noticeTime)
		o.hear(proof, map[*phone.Call][]phone.Tone{target: {peer.Tone()}, peer: {target.Tone()}})
		o.agrees()
	})
}
