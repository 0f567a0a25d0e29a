package agent_test

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
	"github.com/earshot-pbx/earshot/agent/recording"
	"github.com/earshot-pbx/earshot/ari"
)

// Tones that no phone has from the start, far from each other: a window in which two meet is not to seem to have the one between.
const (
	pausedTone phone.Tone = 30
	laterTone  phone.Tone = 26
)

// studio opens an Earshot that finds what ARI records, and in which anna may record her own calls, and irina all but pavel's and play everything.
func studio(t *testing.T, change ...func(*agent.Config)) *office {
	t.Helper()
	o := enter(t)
	rules := strings.Replace(houseRules, "roles:\n", "roles:\n  archivist: {journal: any, recordings: any, record: {to: any, except: [pavel]}}\n  own: {record: own}\n  reader: {journal: any}\n", 1)
	o.must(o.Write("policy.yaml", strings.Replace(rules, "assign:\n", "assign:\n  - {role: archivist, to: [irina]}\n  - {role: own, to: [anna]}\n  - {role: reader, to: [nina]}\n", 1)))
	return openOn(o, append(change, func(c *agent.Config) {
		c.Journal.File = filepath.Join(t.TempDir(), "journal.db")
		c.Recordings.Spools = []recording.SpoolConfig{{Name: "ari", Path: filepath.Join(o.PBX.Dir(), "spool", "recording"), ARI: true}}
	})...)
}

// tapes asks for a recording and returns its path.
func (o *office) tapes(who, target string) string {
	o.Helper()
	var v mask.Taping
	o.must(o.as(who).Do(o.ctx, http.MethodPost, "/v1/recordings", map[string]string{"target": target}, &v))
	if v.State != mask.TapeRecording {
		o.Fatalf("%+v", v)
	}
	return "/v1/recordings/" + v.ID
}

func (o *office) turns(who, path, state string) {
	o.Helper()
	var v mask.Taping
	o.must(o.as(who).Do(o.ctx, http.MethodPatch, path, map[string]string{"state": state}, &v))
	if v.State != state {
		o.Fatalf("%s: %+v", state, v)
	}
}

// finished waits until an employee's last call has one finished recording, and returns what irina is played of it.
func (o *office) finished(employee string) (path string, samples []byte) {
	o.Helper()
	o.until("the recording is there", func() error {
		var page mask.JournalPage
		if err := o.as("irina").Do(o.ctx, http.MethodGet, "/v1/journal?employee="+employee+"&limit=1", nil, &page); err != nil {
			return err
		}
		if len(page.Rows) == 0 || len(page.Rows[0].Recordings) != 1 || page.Rows[0].Recordings[0].State != mask.RecordingAvailable {
			return fmt.Errorf("the journal has %+v", page.Rows)
		}
		path = "/v1/recordings/" + page.Rows[0].Recordings[0].ID
		return nil
	})
	status, whole := o.fetch("irina", path, "")
	if status != 200 || len(whole) < 44 {
		o.Fatalf("%d, %d bytes", status, len(whole))
	}
	return path, whole[44:]
}

// lag is how far what Asterisk records may be behind what a phone hears, on a machine that has much to do.
const lag = 500 * time.Millisecond

func (o *office) near(what string, got, want time.Duration) {
	o.Helper()
	if d := got - want; d < -lag || d > lag {
		o.Errorf("%s is %v, want about %v", what, got, want)
	}
}

// A call of one's own is recorded from one second to another, and paused in the middle. What the door plays holds the tones of the seconds that were
// recorded, in their order, and nothing of those that were not; both sides saw it, and who has no right is refused.
func TestARecordingThatIsAskedForHoldsWhatWasSaidWhileItRan(t *testing.T) {
	o := studio(t)
	o.scene("of one's own call", func(o *office) {
		outside, anna := o.talk(stranger, "anna")
		o.denied("nina", "/v1/recordings", map[string]string{"target": "anna"}, 403, "no_right")
		o.denied("anna", "/v1/recordings", map[string]string{"target": "boris"}, 403, "no_right")
		first := outside.Tone()
		path := o.tapes("anna", "anna")
		began := time.Now()
		if !strings.Contains(o.board("anna"), `"recording":{"id":`) || strings.Contains(o.board("nina"), `"recording":`) {
			o.Errorf("her row says %s, and nina sees %s", o.board("anna"), o.board("nina"))
		}
		o.must(anna.HearsOnly(o.ctx, 1500*time.Millisecond, first))
		o.turns("anna", path, "paused")
		paused := time.Now()
		o.must(anna.HearsOnly(o.ctx, lag, first))
		outside.SetTone(pausedTone)
		_, err := anna.WaitHears(o.ctx, pausedTone)
		o.must(err)
		o.must(anna.HearsOnly(o.ctx, 4*time.Second, pausedTone)) // longer than the lease
		outside.SetTone(laterTone)
		_, err = anna.WaitHearsOnly(o.ctx, laterTone)
		o.must(err)
		o.must(anna.HearsOnly(o.ctx, lag, laterTone))
		o.turns("anna", path, "recording")
		resumed := time.Now()
		o.must(anna.HearsOnly(o.ctx, 4*time.Second, laterTone))
		o.turns("anna", path, "stopped")
		stopped := time.Now()
		outside.SetTone(pausedTone)
		_, err = anna.WaitHears(o.ctx, pausedTone)
		o.must(err)

		file, samples := o.finished("anna")
		a0, a1 := heard(samples, first)
		b0, b1 := heard(samples, laterTone)
		own0, own1 := heard(samples, anna.Tone())
		part := paused.Sub(began)
		whole := part + stopped.Sub(resumed)
		o.Logf("recorded for %v, paused for %v, recorded for %v; in the file of %v: first %v to %v, later %v to %v, anna %v to %v", part, resumed.Sub(paused), stopped.Sub(resumed),
			time.Duration(len(samples)/2)*time.Second/rate, a0, a1, b0, b1, own0, own1)
		if from, _ := heard(samples, pausedTone); from >= 0 {
			o.Errorf("what was said while it was paused, or after its end, is heard from %v on", from)
		}
		o.near("the first tone's beginning", a0, 0)
		o.near("its end", a1, part)
		o.near("the later tone's beginning", b0, part)
		o.near("its end", b1, whole)
		o.near("anna's beginning", own0, 0)
		o.near("anna's end", own1, whole)
		// A second out of the later part.
		from := 44 + 2*int((part+time.Second).Seconds()*rate)
		status, second := o.fetch("irina", file, fmt.Sprintf("bytes=%d-%d", from, from+rate*2-1))
		if x, y := heard(second, laterTone); status != 206 || x != 0 || y != time.Second {
			o.Errorf("a part: %d, the later tone from %v to %v", status, x, y)
		}
		if status, _ := o.fetch("nina", file, ""); status != 404 {
			o.Errorf("nina got %d", status)
		}
		if s := o.board("anna"); strings.Contains(s, `"recording":`) {
			o.Errorf("her row still says %s", s)
		}
		o.must(errors.Join(outside.Hangup(o.ctx), anna.WaitEnded(o.ctx)))
	})
	o.scene("of a call that is handed on to whom one may not record", func(o *office) {
		boris, anna := o.chat("boris", "anna")
		path := o.tapes("irina", "anna")
		began := time.Now()
		o.must(anna.HearsOnly(o.ctx, 1500*time.Millisecond, boris.Tone()))
		moved := time.Now()
		o.must(boris.Transfer(o.ctx, "203"))
		pavel := o.comes()
		_, err := anna.WaitHears(o.ctx, alien)
		o.must(err)
		o.must(anna.HearsOnly(o.ctx, time.Second, alien))
		var e audit.Entry
		o.until("it is on record that it was revoked", func() error {
			for _, found := range o.audited() {
				if found.Action == "record" && found.Phase == audit.Revoked {
					e = found
				}
			}
			if e.ID != strings.TrimPrefix(path, "/v1/recordings/") {
				return errors.New("it is not")
			}
			return nil
		})
		if e.Reason != "excluded_other" || e.Subject != "irina" {
			o.Errorf("%+v", e)
		}
		var p *site.Problem
		if err := o.as("irina").Do(o.ctx, http.MethodPatch, path, map[string]string{"state": "recording"}, nil); !errors.As(err, &p) || p.Code != "no_such_recording" {
			o.Errorf("to go on: %v", err)
		}
		o.denied("irina", "/v1/recordings", map[string]string{"target": "anna"}, 403, "not_for_this_call")
		o.must(errors.Join(pavel.Hangup(o.ctx), anna.WaitEnded(o.ctx)))
		_, samples := o.finished("anna")
		length := time.Duration(len(samples)/2) * time.Second / rate
		last, _ := heard(samples, boris.Tone())
		o.Logf("talked for %v before the transfer; the file has %v, boris from %v", moved.Sub(began), length, last)
		o.near("the file", length, moved.Sub(began))
		if from, _ := heard(samples, alien); from >= 0 {
			o.Errorf("pavel is heard from %v on", from)
		}
		if last != 0 {
			o.Error("boris is not heard from the beginning")
		}
	})
}

// What another ARI application records belongs to the call that its snoop spies on, and cannot be paused or stopped here.
func TestARecordingOfAnotherApplicationIsFound(t *testing.T) {
	o := studio(t, func(c *agent.Config) { c.Watchdog.Applications = []string{"recorder"} })
	o.scene("by a snoop", func(o *office) {
		outside, anna := o.talk(stranger, "anna")
		o.listening("recorder")
		name := fmt.Sprintf("theirs-%d", time.Now().UnixNano())
		_, err := o.admin.Snoop(o.ctx, ari.SnoopRequest{Channel: o.legOf("PJSIP/101"), SnoopID: "theirs", Spy: ari.DirectionBoth, App: "recorder"})
		o.must(err)
		o.until("it is recorded", func() error {
			_, err := o.admin.Record(o.ctx, "theirs", ari.RecordRequest{Name: name, Format: "wav"})
			return err
		})
		began := time.Now()
		o.must(anna.HearsOnly(o.ctx, 1500*time.Millisecond, outside.Tone()))
		path := ""
		o.until("the journal says that it is being made", func() error {
			var page mask.JournalPage
			if err := o.as("irina").Do(o.ctx, http.MethodGet, "/v1/journal?employee=anna&limit=1", nil, &page); err != nil {
				return err
			}
			if len(page.Rows) == 0 || len(page.Rows[0].Recordings) != 1 || page.Rows[0].Recordings[0].State != mask.RecordingRunning {
				return fmt.Errorf("the journal has %+v", page.Rows)
			}
			path = "/v1/recordings/" + page.Rows[0].Recordings[0].ID
			return nil
		})
		var p *site.Problem
		if err := o.as("irina").Do(o.ctx, http.MethodPatch, path, map[string]string{"state": "stopped"}, nil); !errors.As(err, &p) || p.Code != "not_ours" {
			o.Errorf("to stop it: %v", err)
		}
		o.must(o.admin.StopRecording(o.ctx, name))
		ended := time.Now()
		o.must(o.admin.Hangup(o.ctx, "theirs", "normal"))
		_, samples := o.finished("anna")
		from, to := heard(samples, outside.Tone())
		o.near("the caller's beginning", from, 0)
		o.near("his end", to, ended.Sub(began))
	})
}
