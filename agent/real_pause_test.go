package agent_test

import (
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// While the PBX hangs, with its connections open, Earshot comes to know it, says so and refuses at once; when it goes on, what has changed
// meanwhile is shown, and nothing that was asked for shortly before is done late.
func TestAPausedPBXIsTold(t *testing.T) {
	o := open(t)
	o.scene("in the middle of a supervision", func(o *office) {
		peer, target := o.talk(stranger, "anna")
		ends, _ := o.talk(oleg, "sergei")
		w, late, p := o.watch("irina"), o.watch("olga"), o.record("nina")
		_, err := w.UntilState(o.ctx, "anna", "talking")
		o.must(err)
		_, err = late.UntilState(o.ctx, "anna", "talking")
		o.must(err)
		s, sup := o.supervises(w, "irina", "anna", "spy")
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}})
		p.take()
		o.must(o.PBX.Pause())
		paused := time.Now()
		o.Cleanup(func() { _ = o.PBX.Continue() }) // or the PBX hangs for all tests to come
		// The PBX is not known to hang yet. The answer comes all the same, and the order that it means must not outlive the pause.
		asked, err := o.as("olga").Supervise(o.ctx, "anna", "spy")
		o.must(err)
		o.told(p, "unknown")
		o.Logf("watchers were told %d ms after the PBX had stopped", time.Since(paused).Milliseconds())
		if took := time.Since(paused); took > 11*time.Second {
			o.Errorf("it took %v to notice", took)
		}
		o.unready("ami", "ari")
		for _, ask := range []func(){
			func() { o.denied("irina", supervisions, spy("sergei"), 503, "state_unknown") },
			func() { o.denied("gleb", intercepts, map[string]string{"target": "anna"}, 503, "state_unknown") },
		} {
			before := time.Now()
			ask()
			if took := time.Since(before); took > time.Second {
				o.Errorf("the refusal took %v", took)
			}
		}
		hungUp := make(chan error, 1)
		go func() { hungUp <- ends.Hangup(o.ctx) }()
		p.take()
		o.must(o.PBX.Continue())
		on := time.Now()
		if m := o.told(p, "snapshot"); !m.Board.Known {
			o.Error("the snapshot says that nothing is known")
		}
		o.Logf("the snapshot came %d ms after the PBX went on", time.Since(on).Milliseconds())
		o.unready()
		o.must(<-hungUp)
		_, err = w.UntilState(o.ctx, "sergei", "idle")
		o.must(err)
		if row := p.row("anna"); row.State != "talking" {
			o.Errorf("anna is %s", row.State)
		}
		// The lease of the one has run out while the PBX stood still; the other never was.
		one, err := w.UntilAct(o.ctx, s.ID, "ended")
		o.must(err)
		other, err := late.UntilAct(o.ctx, asked.ID, "ended")
		o.must(err)
		o.Logf("the supervision ended because of %s, the one asked for too late because of %s", one.Reason, other.Reason)
		o.until("nothing is left of either", func() error { return o.empty(o.ctx, "earshot-") })
		o.hear(0, map[*phone.Call][]phone.Tone{target: {peer.Tone()}, peer: {target.Tone()}})
		o.agrees()
	})
}
