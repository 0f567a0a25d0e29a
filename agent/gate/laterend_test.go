package gate_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// A token may be given a later end while somebody is logged in by it: what he knew of its end then is not what counts. What he has begun goes on behind
// that, what he begins then goes on too, and all is over when the credential is.
func TestWhatRunsByACredentialThatWasGivenALaterEndGoesOn(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		var holds atomic.Bool
		holds.Store(true)
		o := newOffice(t, house, func(c *gate.Config) { c.Holds = func(auth.Subject) bool { return holds.Load() } })
		defer o.close()
		carl := whoUntil(time.Now().Add(time.Minute))
		steers := o.steersAs(carl)
		leg := steers.rings("PJSIP/103")
		o.talk("x", ivanov, "PJSIP/101")
		runs := func(id string) bool {
			v, err := o.gate.Supervision(carl, id)
			return err == nil && v.State == "active"
		}
		spies := func() string {
			t.Helper()
			v, err := o.gate.Supervise(t.Context(), carl, gate.Ask{Target: "anna", Mode: "spy", Phone: "PJSIP/113", Door: "test"})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if !runs(v.ID) {
				t.Fatalf("what was just begun does not run: %q", o.log.all())
			}
			return v.ID
		}
		first := spies()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if !runs(first) {
			t.Error("what was begun before the end that the credential had once does not run behind it")
		}
		if there, up := steers.Has(leg); !there || !up {
			t.Error("the leg that a client steers is gone behind that end")
		}
		if err := o.gate.EndSupervision(t.Context(), carl, first); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		second := spies()
		time.Sleep(time.Minute)
		synctest.Wait()
		if !runs(second) {
			t.Error("what was begun behind that end does not run")
		}
		holds.Store(false)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if runs(second) {
			t.Error("it runs though the credential is over")
		}
		if there, _ := steers.Has(leg); there {
			t.Error("the leg is there though the credential is over")
		}
	})
}
