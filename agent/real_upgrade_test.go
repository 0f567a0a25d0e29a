package agent_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// recorded are the phases and reasons of an act, in their order.
func (o *office) recorded(id string) (all []string) {
	o.Helper()
	for _, e := range o.audited() {
		if e.ID == id {
			all = append(all, string(e.Phase)+" "+e.Reason)
		}
	}
	return all
}

// An upgrade loses nothing of what runs. Asked to end, as systemd and docker ask it, the old program ends its supervisions and records how; a program
// that is killed leaves them to the next one, which is another binary, goes on with them and records their end. The chain of the log runs through.
func TestAnUpgradeLosesNoRecord(t *testing.T) {
	o := enter(t)
	p := o.start()
	o.Cleanup(func() {
		p.Stop()
		if o.Failed() {
			o.Logf("Earshot's log:\n%s", o.log.unusual())
		}
	})
	next := filepath.Join(t.TempDir(), "earshot")
	if out, err := exec.Command("go", "build", "-ldflags", "-X main.release=v9.8.7", "-o", next, "../cmd/earshot").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	upgrade := func(o *office) *site.Process {
		o.Helper()
		p, err := o.Site.Run(o.ctx, next, o.log)
		o.must(err)
		o.reaches(`earshot_build_info{version="v9.8.7"}`, 1)
		return p
	}
	listen := func(o *office) (id string, sup, target, peer *phone.Call) {
		o.Helper()
		peer, target = o.talk(stranger, "anna")
		w := o.watch("irina")
		_, err := w.UntilState(o.ctx, "anna", "talking")
		o.must(err)
		s, sup := o.supervises(w, "irina", "anna", "spy")
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}})
		return s.ID, sup, target, peer
	}
	o.scene("in good order", func(o *office) {
		id, sup, target, peer := listen(o)
		p.Stop()
		o.must(sup.WaitEnded(o.ctx))
		if got, want := o.recorded(id), []string{"decided allowed", "done ", "ended earshot_stops"}; !slices.Equal(got, want) {
			o.Errorf("on record is %q, want %q", got, want)
		}
		o.hear(0, map[*phone.Call][]phone.Tone{target: {peer.Tone()}, peer: {target.Tone()}})
		p = upgrade(o)
		o.verified()
	})
	o.scene("in none", func(o *office) {
		id, sup, target, peer := listen(o)
		p.Kill()
		p = upgrade(o)
		// Longer than the lease, so that the new one, which has decided it anew, has renewed it.
		o.hear(lease+time.Second, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}})
		o.must(o.as("irina").End(o.ctx, id))
		o.must(sup.WaitEnded(o.ctx))
		o.until("the end is on record", func() error {
			if got, want := o.recorded(id), []string{"decided allowed", "done ", "decided allowed", "ended ended_by_supervisor"}; !slices.Equal(got, want) {
				return fmt.Errorf("on record is %q, want %q", got, want)
			}
			return nil
		})
		o.verified()
	})
}
