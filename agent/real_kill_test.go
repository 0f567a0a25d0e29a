package agent_test

import (
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// start runs the earshot program itself.
func (o *office) start() *site.Process {
	o.Helper()
	binary, err := earshot()
	o.must(err)
	p, err := o.Site.Run(o.ctx, binary, o.log)
	o.must(err)
	o.Cleanup(p.Stop)
	return p
}

// killedStages puts one supervision into each stage: one that barges in, one that whispers, one whose phone rings.
func (o *office) killedStages() (talking []*phone.Call, supervisors []*phone.Call) {
	o.Helper()
	type watched struct{ who, target, mode string }
	for _, s := range []watched{{"irina", "anna", "barge"}, {"olga", "boris", "whisper"}} {
		peer, target := o.talk(map[string]caller{"anna": stranger, "boris": vera}[s.target], s.target)
		w := o.watch(s.who)
		_, err := w.UntilState(o.ctx, s.target, "talking")
		o.must(err)
		_, sup := o.supervises(w, s.who, s.target, s.mode)
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}, target: {peer.Tone(), sup.Tone()}})
		talking, supervisors = append(talking, target, peer), append(supervisors, sup)
	}
	out, in := o.chat("sergei", "gleb")
	w := o.watch("pavel")
	_, err := w.UntilState(o.ctx, "sergei", "talking")
	o.must(err)
	_, err = o.as("pavel").Supervise(o.ctx, "sergei", "spy")
	o.must(err)
	return append(talking, out, in), append(supervisors, o.rings("pavel"))
}

// A killed Earshot leaves no supervision behind after the lease, and nothing at all once it is started again. The calls go on.
func TestAKilledEarshotLeavesNothingBehind(t *testing.T) {
	o := enter(t)
	start := o.start
	p := start()
	o.scene("the lease ends all", func(o *office) {
		talking, supervisors := o.killedStages()
		p.Kill()
		killed := time.Now()
		for i, want := range []phone.State{phone.Up, phone.Up, phone.Ringing} {
			if got := supervisors[i].State(); got != want {
				o.Fatalf("supervisor %d's phone is %v and not %v", i+1, got, want)
			}
		}
		for i, sup := range supervisors {
			o.must(sup.WaitEnded(o.ctx))
			took := time.Since(killed)
			o.Logf("supervision %d ended %d ms after the kill; the lease is %v", i+1, took.Milliseconds(), lease)
			if took > lease+1500*time.Millisecond {
				o.Errorf("supervision %d outlived its lease by %v", i+1, took-lease)
			}
		}
		o.hear(0, map[*phone.Call][]phone.Tone{talking[0]: {talking[1].Tone()}, talking[2]: {talking[3].Tone()}})
		o.verified()
		p = start()
		o.until("nothing is left", func() error { return o.empty(o.ctx, "earshot-") })
		o.hear(0, map[*phone.Call][]phone.Tone{talking[1]: {talking[0].Tone()}, talking[3]: {talking[2].Tone()}, talking[4]: {talking[5].Tone()}})
	})
	o.scene("the next one ends all at once", func(o *office) {
		talking, supervisors := o.killedStages()
		p.Kill()
		p = start()
		ready := time.Now()
		o.until("nothing is left", func() error { return o.empty(o.ctx, "earshot-") })
		o.Logf("nothing was left %d ms after the next Earshot was ready", time.Since(ready).Milliseconds())
		for _, sup := range supervisors {
			o.must(sup.WaitEnded(o.ctx))
		}
		o.hear(0, map[*phone.Call][]phone.Tone{talking[0]: {talking[1].Tone()}, talking[2]: {talking[3].Tone()}})
		w := o.watch("irina")
		row := w.Rows["anna"]
		if row.State != "talking" || len(row.Calls) != 1 || row.Calls[0].Peer == nil || !strings.HasSuffix(row.Calls[0].Peer.Number, stranger.number[1:]) {
			o.Errorf("the board after the restart: %+v", row)
		}
	})
	o.discreet()
	p.Stop()
	o.discreetOnDisk()
	if o.Failed() {
		o.Logf("Earshot's log:\n%s", o.log.unusual())
	}
}
