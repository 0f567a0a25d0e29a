package agent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What Earshot does not see, killed or with Asterisk gone, is marked as a gap, and neither loses a call that it has seen nor makes two of one. A transfer that is
// under way while Earshot is killed is done when it comes back.
func TestTheJournalOverAKillInATransferAndARestartOfAsterisk(t *testing.T) {
	o := enter(t)
	plain, err := os.ReadFile(o.Path("earshot.yaml"))
	o.must(err)
	asked := strings.Replace(string(plain), "http: {", "http: {limits: {reads: {per_minute: 100000, burst: 10000}}, ", 1)
	o.must(o.Write("earshot.yaml", asked+fmt.Sprintf("\njournal: {file: %q}\n", filepath.Join(t.TempDir(), "journal.db"))))
	o.Cleanup(func() {
		if err := o.Write("earshot.yaml", string(plain)); err != nil {
			o.Error(err)
		}
	})
	o.must(o.Write("policy.yaml", readers))
	start := o.start // which lasts to the end of the test, and not of a scene
	p := start()
	var before []string
	o.scene("Earshot is killed in the middle of a transfer", func(o *office) {
		outside, inside := o.talk(stranger, "boris")
		o.must(inside.Hold(o.ctx))
		consultation := o.dials("boris", "201")
		next := o.answers("sergei")
		o.must(consultation.WaitAnswered(o.ctx))
		o.reads("irina", "boris in running STRANGER", "boris out running Sergei Volkovsergei", "sergei in running Boris Orlovboris")
		p.Kill()
		o.must(inside.TransferTo(o.ctx, consultation))
		o.together(outside, next)
		o.must(inside.WaitEnded(o.ctx))
		o.must(consultation.WaitEnded(o.ctx))
		unseen, other := o.talk(oleg, "anna") // which nobody sees
		o.must(unseen.Hangup(o.ctx))
		o.must(other.WaitEnded(o.ctx))
		p = start()
		before = []string{"boris in answered STRANGER gap", "boris out answered Sergei Volkovsergei gap", "sergei in running STRANGER gap"}
		o.reads("irina", before...)
		o.must(outside.Hangup(o.ctx))
		o.must(next.WaitEnded(o.ctx))
		before[2] = "sergei in answered STRANGER gap"
		o.reads("irina", before...)
		if _, gaps, rows := o.past("irina"); gaps != 1 || rows[0].Answered == nil {
			o.Errorf("%d gaps; %+v", gaps, rows)
		}
	})
	o.scene("Asterisk is killed and comes back", func(o *office) {
		outside, inside := o.talk(vera, "anna")
		o.reads("irina", append([]string{"anna in running Vera Client"}, before...)...)
		o.must(o.PBX.Kill())
		o.must(o.PBX.Restart(o.ctx))
		before = append(before, "anna in answered Vera Client gap")
		o.reads("irina", before...)
		_, gaps, rows := o.past("irina")
		if r := rows[0]; gaps != 2 || r.Employee != "anna" || r.Ended == nil || r.Ended.Before(*r.Answered) {
			o.Errorf("%d gaps; %+v", gaps, r)
		}
		_, _ = outside.Hangup(o.ctx), inside.Hangup(o.ctx) // of which Asterisk knows nothing any more
		o.must(o.Register(o.ctx))
		o.must(o.unknown.Register(o.ctx))
		outside, inside = o.talk(vera, "anna")
		o.must(outside.Hangup(o.ctx))
		o.must(inside.WaitEnded(o.ctx))
		before = append(before, "anna in answered Vera Client")
		o.reads("irina", before...)
	})
	o.scene("and both again, with nothing running", func(o *office) {
		p.Kill()
		o.must(o.PBX.Restart(o.ctx))
		o.must(o.Register(o.ctx))
		o.must(o.unknown.Register(o.ctx))
		p = start()
		o.reads("irina", before...)
	})
	p.Stop()
	if o.Failed() {
		o.Logf("Earshot's log:\n%s", o.log.unusual())
	}
}
