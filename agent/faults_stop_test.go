//go:build faults

package agent_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// standstill is how long the PBX stands still.
const standstill = 30 * time.Second

// A PBX that stands still for half a minute and goes on, with supervisions running, and one that is being begun, ended, revoked, changed. The lease is longer than the
// standstill, so that nothing of what follows is its work: what has lost its ground, or has been ended, is hung up as soon as the PBX goes on, what was asked for
// is not done late, and what holds goes on.
func TestFaultAPBXThatStandsStill(t *testing.T) {
	base := apart(t)
	base.must(base.Write("policy.yaml", openHouse))
	o := openOn(base, func(c *agent.Config) { c.Supervision.Lease = 2 * standstill })
	o.fault("half a minute", func(o *office) {
		peer, target := o.talk(stranger, "anna")
		w, p := o.watch("irina"), o.record("irina")
		_, err := w.UntilState(o.ctx, "anna", "talking")
		o.must(err)
		run := map[string]*staged{}
		for who, mode := range map[string]string{"nina": "spy", "gleb": "spy", "pavel": "spy", "boris": "whisper", "maria": "spy"} {
			s := &staged{office: o, who: who, w: o.watch(who)}
			v, err := o.as(who).Supervise(o.ctx, "anna", mode)
			o.must(err)
			s.id, s.call = v.ID, o.answers(who)
			_, err = s.w.UntilAct(o.ctx, s.id, "active")
			o.must(err)
			run[who] = s
		}
		both := []phone.Tone{target.Tone(), peer.Tone()}
		o.hear(0, map[*phone.Call][]phone.Tone{run["nina"].call: both, run["boris"].call: both, run["pavel"].call: both, target: {peer.Tone(), o.tone("boris")}, peer: {target.Tone()}})
		visits := o.visited("olga")
		p.take()
		o.must(o.PBX.Pause())
		paused := time.Now()
		o.Cleanup(func() { _ = o.PBX.Continue() }) // or the PBX hangs for all tests to come
		asked, err := o.as("olga").Supervise(o.ctx, "anna", "spy")
		o.must(err)
		ended, changed := make(chan error, 1), make(chan error, 1)
		go func() { ended <- o.as("gleb").End(o.ctx, run["gleb"].id) }()
		go func() {
			_, err := o.as("maria").Change(o.ctx, run["maria"].id, "whisper")
			changed <- err
		}()
		o.must(o.Edit("policy.yaml", "phones: [PJSIP/203], department: office, listen: true", "phones: [PJSIP/203], department: office"))
		o.must(o.Edit("policy.yaml", "phones: [PJSIP/102], department: office, listen: true", "phones: [PJSIP/102], department: office"))
		o.told(p, "unknown")
		o.within("watchers are told after", paused, noticeTime)
		o.unready("ami", "ari")
		o.denied("irina", supervisions, spy("anna"), 503, "state_unknown")
		o.until("the revoked ones are on record", func() error {
			for _, who := range []string{"pavel", "boris"} {
				if got := o.lastOf(run[who].id); got != "revoked no_right" {
					return fmt.Errorf("%q is on record of %s", got, who)
				}
			}
			return nil
		})
		o.within("the revocations are on record after", paused, 10*time.Second+slack)
		o.Logf("to end one was answered by %v, to change one by %v", <-ended, <-changed)
		time.Sleep(time.Until(paused.Add(standstill))) // the fault itself
		for who, c := range map[string]*phone.Call{"the customer": peer, "the employee": target, "a supervisor": run["nina"].call, "a revoked one": run["pavel"].call} {
			for _, tone := range append(both, o.tone("boris")) {
				if n := len(c.HeardBetween(tone, paused.Add(time.Second), time.Now())); n > 0 {
					o.Errorf("%s heard %v in %d windows while the PBX stood still", who, tone, n)
				}
			}
		}
		p.take()
		on := time.Now()
		o.must(o.PBX.Continue())
		if m := o.told(p, "snapshot"); !m.Board.Known {
			o.Error("the snapshot says that nothing is known")
		}
		o.unready()
		o.within("all is known again after", on, noticeTime)
		for _, who := range []string{"gleb", "pavel", "boris", "maria"} {
			s := run[who]
			o.must(s.call.WaitEnded(o.ctx))
			o.within(who+"'s phone was hung up, after the PBX went on,", on, noticeTime)
			last := max(s.call.LastHeard(both[0]).Sub(on), s.call.LastHeard(both[1]).Sub(on))
			o.Logf("%s heard the call until %d ms after the PBX went on; on record is %q", who, max(last, 0).Milliseconds(), o.recorded(s.id))
		}
		o.hear(proof, map[*phone.Call][]phone.Tone{target: {peer.Tone()}, peer: {target.Tone()}, run["nina"].call: both})
		o.Logf("the employee heard the whisper until %d ms after the PBX went on", max(target.LastHeard(o.tone("boris")).Sub(on), 0).Milliseconds())
		o.unheard("the customer", peer, paused, o.tone("boris"), o.tone("maria"), o.tone("olga"), o.tone("nina"))
		o.unheard("the employee", target, paused, o.tone("maria"), o.tone("olga"), o.tone("nina"))
		for _, c := range visits() {
			o.unheard("who asked while it stood still", c, paused, both...)
			o.must(c.WaitEnded(o.ctx))
		}
		o.Logf("of the one asked for while it stood still is on record %q", o.recorded(asked.ID))
		o.must(o.as("nina").End(o.ctx, run["nina"].id))
		o.must(run["nina"].call.WaitEnded(o.ctx))
		o.until("nothing is left", func() error { return o.empty(o.ctx, "earshot-") })
		o.until("each decision has an outcome", o.decidedHaveOutcomes)
		if o.decided() == 0 {
			o.must(errors.New("nothing is on record"))
		}
		o.agrees()
	})
}
