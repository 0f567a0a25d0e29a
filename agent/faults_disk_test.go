//go:build faults

package agent_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
	"github.com/earshot-pbx/earshot/agent/publication"
	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// The disk of the audit log and the journal is full. Nothing is begun that cannot be recorded; what runs goes on, is watched and ends as it should; calls go on.
// All of it is said, and when there is room again everything is on record and in the journal, with nobody having to do or ask anything.
func TestFaultDiskFull(t *testing.T) {
	o := enter(t)
	d := mount(t, o.Path("disk"), "3m")
	o.configure("audit.jsonl", "disk/audit.jsonl", "policy: policy.yaml\n", "policy: policy.yaml\njournal: {file: disk/journal.db}\n")
	o.must(o.Write("policy.yaml", strings.Replace(houseRules, "seller: {intercept: true}", "seller: {intercept: true, journal: own}", 1)))
	o.runs(d.within())
	o.scene("it is full", func(o *office) {
		ctx, cancel := context.WithTimeout(context.Background(), faultPatience)
		defer cancel()
		o.ctx = ctx
		outside, anna := o.talk(stranger, "anna")
		client, boris := o.talk(vera, "boris")
		wi, wo := o.watch("irina"), o.watch("olga")
		first, irina := o.supervises(wi, "irina", "anna", "spy")
		second, olga := o.supervises(wo, "olga", "boris", "spy")
		both := map[*phone.Call][]phone.Tone{irina: {outside.Tone(), anna.Tone()}, olga: {client.Tone(), boris.Tone()}, anna: {outside.Tone()}, boris: {client.Tone()}}
		o.hear(0, both)
		o.until("the journal has them", func() error {
			if n := o.metric("earshot_journal_unsaved_calls"); n != 0 {
				return fmt.Errorf("%g calls are not saved", n)
			}
			return nil
		})

		d.fill()
		filled := time.Now()
		refused := 0
		for { // what is left of the last block takes a few lines
			_, err := o.as("nina").Supervise(o.ctx, "anna", "spy")
			if problem := (*site.Problem)(nil); errors.As(err, &problem) && problem.Code == "not_recorded" {
				break
			}
			if refused++; refused > 15 {
				t.Fatalf("after %d refusals: %v", refused, err)
			}
		}
		_, err := o.as("maria").Supervise(o.ctx, "anna", "spy")
		_ = o.refused(err, http.StatusServiceUnavailable, "not_recorded")
		if n := len(o.Phones["maria"].Calls()); n != 0 {
			t.Error("her phone rings for what is not on record")
		}
		o.readiness(http.StatusServiceUnavailable, "audit: the audit log cannot be written")
		o.reaches("earshot_audit_good", 0)
		o.above("earshot_audit_errors_total", 1)

		// What runs goes on, beyond the lease, and so do calls.
		o.hear(lease+time.Second, both)
		out, in := o.chat("sergei", "gleb")
		o.must(out.Hangup(o.ctx))
		o.must(in.WaitEnded(o.ctx))
		o.above("earshot_journal_write_errors_total", 0)
		o.above("earshot_journal_unsaved_calls", 0)

		// It ends by its supervisor's wish, and when its ground is gone, which an edit of the policy takes away.
		o.must(o.as("irina").End(o.ctx, first.ID))
		o.over(wi, first.ID, irina, "ended_by_supervisor")
		o.must(o.Edit("policy.yaml", "department: support\n    listen: {to: any, allow: [spy, whisper]}", "department: support"))
		o.over(wo, second.ID, olga, "no_right")
		o.hear(proof, map[*phone.Call][]phone.Tone{anna: {outside.Tone()}, boris: {client.Tone()}})
		o.reaches("earshot_audit_late_entries", 2)
		o.Logf("full for %v", time.Since(filled).Round(time.Millisecond))

		d.free()
		freed := time.Now()
		o.readiness(http.StatusOK, "ready")
		o.reaches("earshot_audit_late_entries", 0)
		o.reaches("earshot_audit_good", 1)
		o.Logf("the audit log is whole and Earshot ready %v after there was room", time.Since(freed).Round(time.Millisecond))
		o.reaches("earshot_journal_unsaved_calls", 0)
		o.Logf("the journal has everything %v after there was room", time.Since(freed).Round(time.Millisecond))
		if lost := o.metric("earshot_journal_lost_calls_total") + o.metric("earshot_audit_lost_entries_total"); lost != 0 {
			t.Errorf("%g are lost", lost)
		}
		for id, want := range map[string]string{first.ID: "decided allowed, done , ended ended_by_supervisor", second.ID: "decided allowed, done , revoked no_right"} {
			var got []string
			for _, e := range o.onRecord(d.root(), id) {
				got = append(got, string(e.Phase)+" "+e.Reason)
				if late := !e.Happened.IsZero(); late != (e.Phase == audit.Ended || e.Phase == audit.Revoked) || late && (e.Happened.Before(filled) || !e.Happened.Before(freed)) {
					t.Errorf("%s is said to have happened at %v, between %v and %v", e.Phase, e.Happened, filled, freed)
				}
			}
			if strings.Join(got, ", ") != want {
				t.Errorf("on record are %q and not %q", got, want)
			}
		}
		var page struct {
			Rows []struct{ Employee, Outcome string }
		}
		o.must(o.as("sergei").Do(o.ctx, http.MethodGet, "/v1/journal", nil, &page))
		if len(page.Rows) != 1 || page.Rows[0].Outcome != "answered" {
			t.Errorf("of the call while it was full the journal has %+v", page.Rows)
		}
		for _, words := range []string{"the audit log cannot be written; until", "the journal cannot be written"} {
			if n := o.logged(words); n != 1 {
				t.Errorf("%q is in the log %d times", words, n)
			}
		}
		again, maria := o.supervises(o.watch("maria"), "maria", "anna", "spy")
		o.hear(0, map[*phone.Call][]phone.Tone{maria: {outside.Tone(), anna.Tone()}})
		o.must(o.as("maria").End(o.ctx, again.ID))
	})
	report, err := audit.VerifyFiles(nil, filepath.Join(d.root(), "audit.jsonl"))
	if err != nil || !report.OK() {
		t.Errorf("the audit log is not whole: %v, %v", err, report.Fault)
	}
	if left, err := filepath.Glob(filepath.Join(d.root(), ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if t.Failed() {
		t.Logf("Earshot's log:\n%s", o.log.unusual())
	}
}

// There is no room for the last good copy of a policy that another Earshot gives. It is in force all the same, said to be unsaved, and the copy before stays whole: the new one is
// saved once there is room.
func TestFaultDiskFullForThePolicysCopy(t *testing.T) {
	d := mount(t, t.TempDir(), "1m")
	file := filepath.Join(d.root(), "copy")
	store, key := cache.NewMemory(cache.Options{}), []byte(strings.Repeat("k", 32))
	cfg := publication.Config{Store: store, Key: func() ([]byte, error) { return key, nil }}
	ctx, cancel := context.WithTimeout(t.Context(), faultPatience)
	defer cancel()
	publish := func(employee string) uint64 {
		t.Helper()
		// More than the last block of the copy before has room for.
		text := "version: 1\nemployees:\n  " + employee + ": {name: X}\n" + strings.Repeat("# "+strings.Repeat("x", 70)+"\n", 1000)
		g, _, err := publication.Publish(ctx, store, key, publication.Edition{Documents: []policyfile.Document{{Name: "policy.yaml", Text: text}}}, false, false)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	first := publish("anna")
	f, err := publication.Fetch(ctx, cfg, file, policyfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	run, stop := context.WithCancel(t.Context())
	go func() { ran <- f.Run(run) }()
	defer func() {
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	}()
	stands := func(generation uint64, trouble publication.Trouble) {
		t.Helper()
		for s := f.Status(); s.Generation != generation || s.Trouble != trouble; s = f.Status() {
			if ctx.Err() != nil {
				t.Fatalf("it stands at %+v", s)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	saved := func(generation uint64) {
		t.Helper()
		other, err := publication.Load(cfg, file, policyfile.Options{})
		if err != nil || other.Status().Generation != generation {
			t.Errorf("the copy: %v", err)
		}
		all, err := os.ReadDir(d.root())
		for _, e := range all {
			if name := e.Name(); err != nil || name != "copy" && name != "filler" {
				t.Errorf("beside the copy is %s, %v", name, err)
			}
		}
	}
	stands(first, "")
	saved(first)
	d.fill()
	second := publish("boris")
	stands(second, publication.Unsaved)
	if _, ok := f.File().Current().Employee("boris"); !ok {
		t.Error("the new policy is not in force")
	}
	saved(first)
	freed := time.Now()
	d.free()
	stands(second, "")
	t.Logf("saved %v after there was room", time.Since(freed).Round(time.Millisecond))
	saved(second)
}
