package agent_test

import (
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/child"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// A good policy file is taken up when it changes and when it is asked for; a broken one changes nothing, and a gauge says so.
func TestFilesAreReadAnew(t *testing.T) {
	o := open(t)
	const good, broken = `earshot_policy_reloads_total{result="good"}`, `earshot_policy_reloads_total{result="broken"}`
	o.scene("a changed policy", func(o *office) {
		w := o.watch("nina")
		before := o.metric("earshot_policy_generation")
		o.must(o.Edit("policy.yaml", "name: Nina Accountant", "name: Nina Kuznetsova"))
		o.must(w.Until(o.ctx, "the new name is shown", func(s *site.Stream) bool { return s.Rows["nina"].Name == "Nina Kuznetsova" }))
		o.reaches("earshot_policy_generation", before+1)
	})

	o.scene("a broken policy", func(o *office) {
		peer, target := o.talk(stranger, "anna")
		w := o.watch("irina")
		_, sup := o.supervises(w, "irina", "anna", "spy")
		generation, failures := o.metric("earshot_policy_generation"), o.metric(broken)
		if o.metric("earshot_policy_last_reload_successful") != 1 {
			o.Error("the gauge says that the policy in force is not the file's")
		}
		o.must(o.Edit("policy.yaml", grant, "listen: {to: any, excepts: [pavel]}"))
		o.reaches("earshot_policy_last_reload_successful", 0)
		if status, text := o.get(http.MethodPost, "/-/reload"); status != 422 || !strings.Contains(text, "policy.yaml:") || !strings.Contains(text, "except") {
			o.Errorf("a broken file is answered with %d %s", status, text)
		}
		if got := o.metric("earshot_policy_generation"); got != generation {
			o.Errorf("generation %g where %g was", got, generation)
		}
		if got := o.metric(broken); got <= failures {
			o.Errorf("%g broken reloads where there were %g before", got, failures)
		}
		// Nothing has changed: what ran runs, and who may still may.
		o.must(sup.HearsOnly(o.ctx, proof, target.Tone(), peer.Tone()))
		_, second := o.supervises(o.watch("olga"), "olga", "anna", "whisper")
		_, err := second.WaitHears(o.ctx, target.Tone())
		o.must(err)
		o.must(o.Edit("policy.yaml", "excepts", "except"))
		o.reaches("earshot_policy_last_reload_successful", 1)
	})

	o.scene("asked for", func(o *office) {
		before := o.metric(good)
		if status, text := o.get(http.MethodPost, "/-/reload"); status != 200 {
			o.Errorf("%d %s", status, text)
		}
		o.reaches(good, before+1)
		// When it is answered it is done.
		o.must(o.Write("policy.yaml", strings.Replace(houseRules, "Nina Accountant", "Nina Asked", 1)))
		if status, text := o.get(http.MethodPost, "/-/reload"); status != 200 {
			o.Errorf("%d %s", status, text)
		}
		row, err := o.as("anna").Row(o.ctx, "nina")
		o.must(err)
		if row.Name != "Nina Asked" {
			o.Errorf("her name is %s", row.Name)
		}
	})

	o.scene("the directory of clients", func(o *office) {
		w := o.watch("boris")
		o.calls(vera, "101")
		o.rings("anna")
		_, err := w.UntilState(o.ctx, "anna", "ringing")
		o.must(err)
		if may := w.Rows["anna"].Can; slices.Contains(may, "intercept") && w.Rows["anna"].Calls[0].Peer != nil {
			o.Errorf("boris may %v", may)
		}
		o.must(o.Edit("clients.yaml", "responsible: anna", "responsible: boris"))
		o.must(w.Until(o.ctx, "boris sees his client", func(s *site.Stream) bool {
			r := s.Rows["anna"]
			return slices.Contains(r.Can, "intercept") && len(r.Calls) == 1 && r.Calls[0].Peer != nil && r.Calls[0].Peer.Name == "Vera Client"
		}))
		o.must(o.Write("clients.yaml", "clients: [{number: 5"))
		o.reaches(`earshot_file_good{file="clients"}`, 0)
		if r, err := o.as("boris").Row(o.ctx, "anna"); err != nil || !slices.Contains(r.Can, "intercept") {
			o.Errorf("%v, %+v", err, r)
		}
		o.must(o.Write("clients.yaml", directory))
		o.reaches(`earshot_file_good{file="clients"}`, 1)
	})
}

// SIGHUP has the program read its files.
func TestTheProgramReadsItsFilesOnSIGHUP(t *testing.T) {
	o := enter(t)
	binary, err := earshot()
	o.must(err)
	log, err := os.CreateTemp(t.TempDir(), "log")
	o.must(err)
	defer func() { _ = log.Close() }()
	cmd := exec.Command(binary, "run", "--config", o.Path("earshot.yaml"))
	cmd.Stdout, cmd.Stderr = log, log
	p, err := child.Start(cmd)
	o.must(err)
	defer func() { o.must(p.Stop(10 * time.Second)) }()
	o.scene("good and broken", func(o *office) {
		o.must(o.WaitReady(o.ctx, p.Done()))
		const good, broken = `earshot_policy_reloads_total{result="good"}`, `earshot_policy_reloads_total{result="broken"}`
		before := o.metric(good)
		o.must(p.Signal(syscall.SIGHUP))
		o.reaches(good, before+1)
		o.must(o.Edit("policy.yaml", "version: 1", "version: one"))
		o.reaches(broken, 1)
		o.must(p.Signal(syscall.SIGHUP))
		o.reaches(broken, 2)
		o.reaches("earshot_policy_last_reload_successful", 0)
		o.reaches("earshot_policy_generation", 1)
		o.until("the log says so", func() error {
			text, err := os.ReadFile(log.Name())
			o.must(err)
			if !strings.Contains(string(text), `"message":"reload"`) {
				return os.ErrNotExist
			}
			return nil
		})
	})
}

// Everything that a dashboard needs is counted.
func TestTheMetricsTellWhatHappens(t *testing.T) {
	o := open(t)
	o.scene("a supervision, a refusal, a taken call", func(o *office) {
		peer, target := o.talk(stranger, "anna")
		w := o.watch("irina")
		s, sup := o.supervises(w, "irina", "anna", "spy")
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}})
		o.denied("nina", supervisions, spy("anna"), 403, "no_right")
		o.reaches(`earshot_supervisions_running{mode="spy"}`, 1)
		o.must(o.Edit("policy.yaml", grant, noGrant))
		o.over(w, s.ID, sup, "no_right")
		outside := o.calls(vera, "102")
		o.rings("boris")
		o.offered(o.watch("anna"), "boris")
		_, err := o.as("anna").Intercept(o.ctx, "boris")
		o.must(err)
		o.together(outside, o.answers("anna"))
		for series, want := range map[string]float64{
			`earshot_decisions_total{action="spy",outcome="allow",reason="allowed"}`:       1,
			`earshot_decisions_total{action="spy",outcome="deny",reason="no_right"}`:       1,
			`earshot_decisions_total{action="intercept",outcome="allow",reason="allowed"}`: 1,
			`earshot_acts_ended_total{action="spy",reason="no_right"}`:                     1,
			`earshot_supervisions_running{mode="spy"}`:                                     0,
			`earshot_supervisions_running{mode="whisper"}`:                                 0,
			`earshot_supervisions_running{mode="barge"}`:                                   0,
			`earshot_supervision_start_seconds_count`:                                      1,
			`earshot_revocation_seconds_count`:                                             1,
			`earshot_intercept_seconds_count`:                                              1,
			`earshot_link_up{link="ami"}`:                                                  1,
			`earshot_link_up{link="ari"}`:                                                  1,
			`earshot_resyncs_total{cause="connected"}`:                                     1,
			`earshot_resyncs_total{cause="asked"}`:                                         0,
			`earshot_policy_generation`:                                                    2,
			`earshot_policy_last_reload_successful`:                                        1,
			`earshot_watchers`:                                                             2,
			`earshot_watcher_cutoffs_total`:                                                0,
			`earshot_audit_errors_total`:                                                   0,
			`earshot_schema_faults_total`:                                                  0,
		} {
			if !strings.Contains(o.metricsText(), "\n"+series+" ") {
				o.Errorf("there is no %s", series)
				continue
			}
			o.reaches(series, want)
		}
		if o.metric("earshot_deliveries_total") < 10 {
			o.Errorf("%g deliveries", o.metric("earshot_deliveries_total"))
		}
		if at := o.metric("earshot_policy_last_reload_success_timestamp_seconds"); time.Since(time.Unix(int64(at), 0)) > time.Minute {
			o.Errorf("the policy was read last at %g", at)
		}
	})
}
