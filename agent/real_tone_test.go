package agent_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// noticeTone is the phones' tone by which they hear that of a notice: 10 Hz below it. No phone has it.
const noticeTone phone.Tone = 10

// toneEvery is how often it is heard in these tests, and wholeTone is time enough to hear it if it is played.
const (
	toneEvery = 2 * time.Second
	wholeTone = toneEvery + 500*time.Millisecond
)

// told is houseRules with how those are told whom irina supervises.
func told(notify string) string {
	return strings.Replace(houseRules, "listen: {to: any, except: [pavel]}", "listen: {to: any, except: [pavel], notify: "+notify+"}", 1)
}

func openTold(t *testing.T, notify string) *office {
	o := enter(t)
	o.must(o.Write("policy.yaml", told(notify)))
	return openOn(o, func(c *agent.Config) { c.Supervision.ToneEvery = toneEvery })
}

// tones are the ids of the legs that play one.
func (o *office) tones() (ids []string, err error) {
	channels, err := o.admin.ListChannels(o.ctx)
	for _, c := range channels {
		if strings.Contains(c.ID, "-tone-") {
			ids = append(ids, c.ID)
		}
	}
	return ids, err
}

// theTone is the one that is played.
func (o *office) theTone() string {
	o.Helper()
	ids, err := o.tones()
	o.must(err)
	if len(ids) != 1 {
		o.Fatalf("%q are played and not one tone", ids)
	}
	return ids[0]
}

// beeps waits for a while in which the tone would be heard twice, and makes sure that these hear it and those do not.
func (o *office) beeps(hear, not []*phone.Call, beside map[*phone.Call]phone.Tone) {
	o.Helper()
	var wg sync.WaitGroup
	for _, c := range hear {
		wg.Go(func() {
			if _, err := c.WaitHears(o.ctx, noticeTone); err != nil {
				o.Error(err)
			}
		})
	}
	for _, c := range not {
		wg.Go(func() {
			if err := c.DoesNotHear(o.ctx, noticeTone, beside[c], wholeTone); err != nil {
				o.Error(err)
			}
		})
	}
	wg.Wait()
	if o.Failed() {
		o.FailNow()
	}
}

// unwatched makes sure that the watchdog has seen nobody.
func (o *office) unwatched() {
	o.Helper()
	for line := range strings.Lines(o.metricsText()) {
		if strings.HasPrefix(line, "earshot_watchdog_total{") && !strings.HasSuffix(line, " 0\n") {
			o.Errorf("the watchdog has taken somebody for one who goes past the gate: %s", line)
		}
	}
}

// The employee hears the tone from before the supervisor hears him until the end; nobody else does unless the rule says both.
func TestTheSupervisedHearAToneAndTheOthersDoNot(t *testing.T) {
	for name, c := range map[string]struct {
		notify         string
		target, others bool
	}{
		"none": {"none", false, false}, "panel": {"[panel, after]", false, false},
		"the employee": {"[tone, panel]", true, false}, "both": {"{how: tone, to: both}", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			openTold(t, c.notify).scene("told", func(o *office) {
				peer, target := o.talk(stranger, "anna")
				w := o.watch("irina")
				blind := o.watch("olga") // does not see with whom anna talks
				_, err := w.UntilState(o.ctx, "anna", "talking")
				o.must(err)
				asked := time.Now()
				s, sup := o.supervises(w, "irina", "anna", "spy")
				beside := map[*phone.Call]phone.Tone{sup: target.Tone(), peer: target.Tone(), target: peer.Tone()}
				o.must(errors.Join(waited(sup.WaitHears(o.ctx, target.Tone())), waited(sup.WaitHears(o.ctx, peer.Tone()))))
				var hear []*phone.Call
				not := []*phone.Call{sup}
				for call, hears := range map[*phone.Call]bool{target: c.target, peer: c.others} {
					if hears {
						hear = append(hear, call)
					} else {
						not = append(not, call)
					}
				}
				leg := ""
				if c.target {
					leg = o.theTone()
				}
				for _, mode := range []string{"", "whisper", "barge", "spy"} {
					if mode != "" {
						_, err := o.as("irina").Change(o.ctx, s.ID, mode)
						o.must(err)
					}
					o.beeps(hear, not, beside)
					if c.target && o.theTone() != leg {
						o.Errorf("another tone is played since the mode is %s", mode)
					}
				}
				if c.target {
					o.measured(name, asked, target, sup)
				}
				for _, row := range []*site.Stream{w, blind} {
					if calls := row.Rows["anna"].Calls; len(calls) != 1 {
						o.Errorf("anna's row shows %+v", calls)
					}
				}
				if n := o.noticed("anna"); slices.ContainsFunc(n, func(n notice) bool { return n.State == "active" }) != strings.Contains(c.notify, "panel") {
					o.Errorf("anna's panel is told %+v", n)
				}
				o.must(o.as("irina").End(o.ctx, s.ID))
				o.over(w, s.ID, sup, "ended_by_supervisor")
				o.until("no tone is played", func() error {
					ids, err := o.tones()
					if len(ids) > 0 {
						err = errors.Join(err, fmt.Errorf("%q are", ids))
					}
					return err
				})
				_, err = target.WaitHearsOnly(o.ctx, peer.Tone())
				o.must(err)
				o.beeps(nil, []*phone.Call{target, peer}, beside)
				o.unwatched()
			})
		})
	}
}

func waited(_ phone.Window, err error) error { return err }

// frame is how long after a moment the first frame came in which somebody is heard.
func frame(c *phone.Call, who phone.Tone, from time.Time) time.Duration {
	const step = 2 * time.Millisecond
	d := step
	for time.Since(from) > d && c.Frames(who, from, from.Add(d)) == 0 {
		d += step
	}
	return d
}

// measured says when the tone and when the supervisor's hearing began, and what of the tone was heard.
func (o *office) measured(name string, asked time.Time, target, sup *phone.Call) {
	o.Helper()
	tone := target.HeardBetween(noticeTone, asked, time.Now())
	first, begun := frame(target, noticeTone, asked), frame(sup, target.Tone(), asked)
	o.Logf("%s: the first frame with the tone comes %d ms after the request, the first in which the supervisor hears the employee %d ms; the tone is heard in %d windows of 100 ms in %.1f s",
		name, first.Milliseconds(), begun.Milliseconds(), len(tone), time.Since(asked).Seconds())
	if first > begun+50*time.Millisecond { // each comes with the next frame of his own stream, on a machine that has other things to do
		o.Errorf("the supervisor heard the employee %v before that heard the tone", begun-first)
	}
	// None is left out, whatever was changed meanwhile.
	for i := 1; i < len(tone); i++ {
		if pause := tone[i].From.Sub(tone[i-1].To); pause > wholeTone {
			o.Errorf("%s without a tone", pause)
		}
	}
}

// What the policy says while it runs holds at once, and a supervision whose tone somebody ends does not go on without.
func TestATonesEndIsTheSupervisionsAndAPolicyPutsOneUp(t *testing.T) {
	openTold(t, "none").scene("changed", func(o *office) {
		peer, target := o.talk(stranger, "anna")
		w := o.watch("irina")
		_, err := w.UntilState(o.ctx, "anna", "talking")
		o.must(err)
		s, sup := o.supervises(w, "irina", "anna", "spy")
		beside := map[*phone.Call]phone.Tone{sup: target.Tone(), peer: target.Tone()}
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}})
		saved := time.Now()
		o.must(o.Write("policy.yaml", told("tone")))
		_, err = target.WaitHears(o.ctx, noticeTone)
		o.must(err)
		o.Logf("the tone is heard %d ms after the saving of the policy", target.HeardBetween(noticeTone, saved, time.Now())[0].From.Sub(saved).Milliseconds())
		o.beeps([]*phone.Call{target}, []*phone.Call{peer, sup}, beside)
		o.must(o.Write("policy.yaml", told("{how: tone, to: both}")))
		o.beeps([]*phone.Call{target, peer}, nil, beside)
		first := o.theToneBut("")
		o.until("somebody has stopped what is played", func() (err error) {
			for n := range 100 { // ARI lists none
				if err = o.admin.StopPlayback(o.ctx, fmt.Sprintf("%s.%d", first, n)); err == nil {
					return nil
				}
			}
			return err
		})
		stopped := time.Now()
		o.over(w, s.ID, sup, "not_told")
		o.Logf("the supervisor is cut off %d ms after somebody has stopped the tone", sup.LastHeard(target.Tone()).Sub(stopped).Milliseconds())
		s, sup = o.supervises(w, "irina", "anna", "barge")
		o.must(o.admin.Hangup(o.ctx, o.theToneBut(first), "normal"))
		o.over(w, s.ID, sup, "not_told")
		// The call's own end is none of that.
		s, sup = o.supervises(w, "irina", "anna", "spy")
		o.must(peer.Hangup(o.ctx))
		o.over(w, s.ID, sup, "call_ended")
	})
}

// theToneBut is the one tone that is played when another has gone.
func (o *office) theToneBut(gone string) (id string) {
	o.Helper()
	o.until("one tone is played", func() error {
		ids, err := o.tones()
		if len(ids) != 1 || slices.Contains(ids, gone) {
			return errors.Join(err, fmt.Errorf("%q are", ids))
		}
		id = ids[0]
		return err
	})
	return id
}

// A killed Earshot's tone ends within the lease, with all else; one that is started meanwhile puts up another, and tells afterwards what the killed
// one had kept to itself.
func TestATonesLeaseEndsItAndTheNextEarshotTellsOn(t *testing.T) {
	o := enter(t)
	text := told("{how: [tone, after]}")
	o.must(o.Write("policy.yaml", text))
	o.must(o.Edit("earshot.yaml", "supervision: {", "supervision: {tone_every: 2s, "))
	o.Cleanup(func() { o.must(o.Edit("earshot.yaml", "tone_every: 2s, ", "")) })
	start := o.start
	p := start()
	begin := func(o *office) (peer, target, sup *phone.Call, id string) {
		peer, target = o.talk(stranger, "anna")
		w := o.watch("irina")
		_, err := w.UntilState(o.ctx, "anna", "talking")
		o.must(err)
		s, sup := o.supervises(w, "irina", "anna", "spy")
		_, err = target.WaitHears(o.ctx, noticeTone)
		o.must(err)
		return peer, target, sup, s.ID
	}
	o.scene("the lease ends it", func(o *office) {
		peer, target, sup, id := begin(o)
		leg, before := o.theTone(), len(o.noticed("anna"))
		p.Kill()
		killed := time.Now()
		o.must(sup.WaitEnded(o.ctx))
		o.until("the tone's leg is gone", func() error { return o.empty(o.ctx, leg) })
		took := time.Since(killed)
		o.Logf("tone and supervision ended %d ms after the kill; the lease is %v", took.Milliseconds(), lease)
		if took > lease+1500*time.Millisecond {
			o.Errorf("they outlived the lease by %v", took-lease)
		}
		o.beeps(nil, []*phone.Call{target, peer}, map[*phone.Call]phone.Tone{target: peer.Tone(), peer: target.Tone()})
		p = start()
		n := o.noticed("anna")
		if len(n) != before+1 || n[0].ID != id || n[0].By != "irina" || n[0].Mode != "spy" || n[0].State != "ended" || n[0].Until == "" {
			o.Errorf("anna is told %+v afterwards", n)
		}
		p.Stop()
		p = start()
		if again := o.noticed("anna"); len(again) != before+1 || again[0].By != "irina" || again[0].State != "ended" { // by the record now
			o.Errorf("anna is told %+v by the one after that", again)
		}
	})
	o.scene("the next one plays on", func(o *office) {
		peer, target, sup, id := begin(o)
		leg, before := o.theTone(), len(o.noticed("anna"))
		p.Kill()
		p = start()
		next := o.theToneBut(leg)
		// Longer than the lease, so that it was renewed by the one that is there now.
		for until := time.Now().Add(lease + time.Second); time.Now().Before(until); {
			o.beeps([]*phone.Call{target}, []*phone.Call{peer, sup}, map[*phone.Call]phone.Tone{peer: target.Tone(), sup: target.Tone()})
		}
		if o.theTone() != next {
			o.Error("another tone is played")
		}
		w := o.watch("irina")
		o.must(o.as("irina").End(o.ctx, id))
		o.over(w, id, sup, "ended_by_supervisor")
		if n := o.noticed("anna"); len(n) != before+1 || n[0].ID != id {
			o.Errorf("anna is told %+v afterwards", n)
		}
	})
	p.Stop()
	o.discreetOnDisk()
	if o.Failed() {
		o.Logf("Earshot's log:\n%s", o.log.unusual())
	}
}
