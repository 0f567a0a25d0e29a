package agent_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
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
func (o *office) killedStages() (talking, supervisors []*phone.Call, ids []string) {
	o.Helper()
	type watched struct{ who, target, mode string }
	for _, s := range []watched{{"irina", "anna", "barge"}, {"olga", "boris", "whisper"}} {
		peer, target := o.talk(map[string]caller{"anna": stranger, "boris": vera}[s.target], s.target)
		w := o.watch(s.who)
		_, err := w.UntilState(o.ctx, s.target, "talking")
		o.must(err)
		v, sup := o.supervises(w, s.who, s.target, s.mode)
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}, target: {peer.Tone(), sup.Tone()}})
		talking, supervisors, ids = append(talking, target, peer), append(supervisors, sup), append(ids, v.ID)
	}
	out, in := o.chat("sergei", "gleb")
	w := o.watch("pavel")
	_, err := w.UntilState(o.ctx, "sergei", "talking")
	o.must(err)
	v, err := o.as("pavel").Supervise(o.ctx, "sergei", "spy")
	o.must(err)
	return append(talking, out, in), append(supervisors, o.rings("pavel")), append(ids, v.ID)
}

// A killed Earshot leaves no supervision behind after the lease. One that is started within it takes up what was running and has a ground still,
// and ends the rest. The calls go on.
func TestAKilledEarshotLeavesNothingWithoutAGround(t *testing.T) {
	o := enter(t)
	start := o.start
	p := start()
	o.scene("the lease ends all", func(o *office) {
		talking, supervisors, _ := o.killedStages()
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
	o.scene("the next one takes them up", func(o *office) {
		talking, supervisors, ids := o.killedStages()
		p.Kill()
		p = start()
		ready := time.Now()
		o.must(supervisors[2].WaitEnded(o.ctx))
		o.Logf("the phone that rang was hung up %d ms after the next Earshot was ready", time.Since(ready).Milliseconds())
		// Longer than the lease, so that what is heard was renewed by the one that is there now.
		o.hear(lease+time.Second, map[*phone.Call][]phone.Tone{
			supervisors[0]: {talking[0].Tone(), talking[1].Tone()}, talking[0]: {talking[1].Tone(), supervisors[0].Tone()}, talking[1]: {talking[0].Tone(), supervisors[0].Tone()},
			supervisors[1]: {talking[2].Tone(), talking[3].Tone()}, talking[2]: {talking[3].Tone(), supervisors[1].Tone()}, talking[3]: {talking[2].Tone()},
		})
		w := o.watch("irina")
		if v := w.Acts[ids[0]]; v.State != "active" || v.Mode != "barge" || v.Target != "anna" || v.Call != w.Rows["anna"].Calls[0].ID {
			o.Errorf("irina's supervision after the restart: %+v", v)
		}
		row := w.Rows["anna"]
		if row.State != "talking" || len(row.Calls) != 1 || row.Calls[0].Peer == nil || !strings.HasSuffix(row.Calls[0].Peer.Number, stranger.number[1:]) {
			o.Errorf("the board after the restart: %+v", row)
		}
		// They are supervisions like all others: their mode changes, they end when they are told to and when the policy says so.
		_, err := o.as("irina").Change(o.ctx, ids[0], "spy")
		o.must(err)
		o.hear(0, map[*phone.Call][]phone.Tone{talking[0]: {talking[1].Tone()}, talking[1]: {talking[0].Tone()}})
		o.must(o.as("irina").End(o.ctx, ids[0]))
		o.over(w, ids[0], supervisors[0], "ended_by_supervisor")
		o.must(o.Edit("policy.yaml", "department: support\n    listen: {to: any, allow: [spy, whisper]}", "department: support\n    listen: {to: any, allow: [spy]}"))
		o.must(supervisors[1].WaitEnded(o.ctx))
		o.until("nothing is left", func() error { return o.empty(o.ctx, "earshot-") })
		o.verified()
	})
	o.must(o.Write("policy.yaml", houseRules))
	o.scene("the next one ends those whose ground is gone", func(o *office) {
		talking, supervisors, ids := o.killedStages()
		p.Kill()
		o.must(o.Edit("policy.yaml", "listen: {to: any, except: [pavel]}", "listen: {to: any, except: [pavel, anna]}"))
		p = start()
		ready := time.Now()
		o.must(supervisors[0].WaitEnded(o.ctx))
		o.Logf("the one without a ground was hung up %d ms after the next Earshot was ready", time.Since(ready).Milliseconds())
		o.hear(proof, map[*phone.Call][]phone.Tone{
			talking[0]: {talking[1].Tone()}, supervisors[1]: {talking[2].Tone(), talking[3].Tone()}, talking[2]: {talking[3].Tone(), supervisors[1].Tone()},
		})
		ends := map[string]string{ids[0]: "revoked excluded", ids[2]: "failed earshot_restarted"}
		o.until("the ends are on record", func() error {
			for id, want := range ends {
				if got := o.lastOf(id); got != want {
					return fmt.Errorf("%q is on record and not %q", got, want)
				}
			}
			return nil
		})
	})
	o.discreet()
	p.Stop()
	o.discreetOnDisk()
	if o.Failed() {
		o.Logf("Earshot's log:\n%s", o.log.unusual())
	}
}

// lastOf is the last that the audit log has of an act: its phase and reason.
func (o *office) lastOf(id string) (last string) {
	o.Helper()
	b, err := os.ReadFile(o.Path("audit.jsonl"))
	o.must(err)
	for line := range strings.Lines(string(b)) {
		var e audit.Entry
		if err := json.Unmarshal([]byte(line), &e); err == nil && e.ID == id {
			last = string(e.Phase) + " " + e.Reason
		}
	}
	return last
}
