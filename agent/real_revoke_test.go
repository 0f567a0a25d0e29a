package agent_test

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// rounds is how often the end by an edit of the policy is measured.
const rounds = 20

const (
	grant   = "listen: {to: any, except: [pavel]}"
	noGrant = "listen: false"
)

// end is how a supervision ended, measured from the cause.
type end struct {
	deaf   time.Duration // until the end of the last window in which the supervisor heard anybody; negative if that was before the cause
	hungUp time.Duration // until the supervisor's phone was hung up, after which it hears nothing
}

// ended waits until the supervisor's phone is hung up and measures from the cause.
func (o *office) ended(since time.Time, sup, target, peer *phone.Call) end {
	o.Helper()
	o.must(sup.WaitEnded(o.ctx))
	e := end{deaf: -time.Hour, hungUp: time.Since(since)}
	for _, t := range []phone.Tone{target.Tone(), peer.Tone()} {
		e.deaf = max(e.deaf, sup.LastHeard(t).Sub(since))
	}
	return e
}

// dumb is until the beginning of the last window in which the target heard the supervisor. It needs a window from after the end to go by.
func dumb(since, next time.Time, target *phone.Call, supervisor phone.Tone) time.Duration {
	late := time.Duration(0)
	for _, w := range target.HeardBetween(supervisor, since, next) {
		late = max(late, w.From.Sub(since))
	}
	return late
}

// An edit of the policy ends a running supervision. It is done twenty times over, since it is time that is promised.
func TestAnEditOfThePolicyEndsASupervision(t *testing.T) {
	o := open(t)
	o.scene("twenty times", func(o *office) {
		peer, target := o.talk(stranger, "anna")
		w := o.watch("irina")
		var deaf, mute, hungUp []time.Duration
		var saved, again []time.Time
		for range rounds {
			o.must(w.Until(o.ctx, "irina may", func(s *site.Stream) bool { return slices.Contains(s.Rows["anna"].Can, "barge") }))
			again = append(again, time.Now())
			s, sup := o.supervises(w, "irina", "anna", "barge")
			o.hear(0, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}, target: {peer.Tone(), sup.Tone()}})
			saved = append(saved, time.Now())
			o.must(o.Edit("policy.yaml", grant, noGrant))
			e := o.ended(saved[len(saved)-1], sup, target, peer)
			o.over(w, s.ID, sup, "no_right")
			if len(saved) == rounds { // once: a door that is asked too often says no more than that
				o.denied("irina", supervisions, spy("anna"), 403, "no_right")
			}
			deaf, hungUp = append(deaf, e.deaf), append(hungUp, e.hungUp)
			o.must(o.Edit("policy.yaml", noGrant, grant))
		}
		o.must(target.DoesNotHear(o.ctx, o.tone("irina"), peer.Tone(), proof))
		again = append(again, time.Now())
		for i, since := range saved {
			mute = append(mute, dumb(since, again[i+1], target, o.tone("irina")))
		}
		for what, d := range map[string][]time.Duration{"last heard by the supervisor": deaf, "last window in which the target heard her began": mute, "phone hung up": hungUp} {
			median, most := spread(d)
			o.Logf("from saving the policy, %d times: %s: median %d ms, at most %d ms", len(d), what, median.Milliseconds(), most.Milliseconds())
			if most > time.Second {
				o.Errorf("%s: it took %v", what, most)
			}
		}
		o.reaches(`earshot_revocation_seconds_count`, rounds)
		o.Logf("the metric's mean, from the loss of ground to the end of the legs: %.1f ms", 1000*o.metric("earshot_revocation_seconds_sum")/rounds)
		o.reaches(`earshot_supervisions_running{mode="barge"}`, 0)
		o.reaches(`earshot_acts_ended_total{action="barge",reason="no_right"}`, rounds)
	})
}

// Whatever ends a supervision, afterwards nobody is heard at the supervisor's, nor he at the target's, and nothing of it is left on the PBX.
func TestEveryEndOfASupervisionIsSilent(t *testing.T) {
	o := open(t)
	for _, cause := range []struct {
		name, reason string
		do           func(o *office, id string, sup, target, peer *phone.Call) error
	}{
		{"he ends it", "ended_by_supervisor", func(o *office, id string, _, _, _ *phone.Call) error { return o.as("irina").End(o.ctx, id) }},
		{"he hangs up", "ended_by_supervisor", func(o *office, _ string, sup, _, _ *phone.Call) error { return sup.Hangup(o.ctx) }},
		{"the target hangs up", "call_ended", func(o *office, _ string, _, target, _ *phone.Call) error { return target.Hangup(o.ctx) }},
		{"the peer hangs up", "call_ended", func(o *office, _ string, _, _, peer *phone.Call) error { return peer.Hangup(o.ctx) }},
		{"the target is taken out of the policy", "unknown_target", func(o *office, _ string, _, _, _ *phone.Call) error {
			return o.Edit("policy.yaml", "  anna:   {", "  another:   {")
		}},
		{"his phone becomes another's", "unknown_subject", func(o *office, _ string, _, _, _ *phone.Call) error {
			return o.Edit("policy.yaml", "phones: [PJSIP/103]", "phones: [PJSIP/109]")
		}},
		{"the peer's number becomes protected", "not_for_this_call", func(o *office, _ string, _, _, _ *phone.Call) error {
			return o.Edit("policy.yaml", "+7 495 765-43-21", stranger.number)
		}},
	} {
		o.scene(cause.name, func(o *office) {
			peer, target := o.talk(stranger, "anna")
			w := o.watch("irina")
			s, sup := o.supervises(w, "irina", "anna", "barge")
			o.hear(0, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}, target: {peer.Tone(), sup.Tone()}})
			since := time.Now()
			o.must(cause.do(o, s.ID, sup, target, peer))
			e := o.ended(since, sup, target, peer)
			o.over(w, s.ID, sup, cause.reason)
			o.until("nothing is left of it", func() error { return o.empty(o.ctx, "earshot-") })
			mute := time.Duration(0)
			if target.State() == phone.Up && peer.State() == phone.Up {
				o.hear(proof, map[*phone.Call][]phone.Tone{target: {peer.Tone()}, peer: {target.Tone()}})
				mute = dumb(since, time.Now(), target, sup.Tone())
			}
			o.Logf("last heard by the supervisor after %d ms, hung up after %d ms; the target's last window with her began after %d ms",
				e.deaf.Milliseconds(), e.hungUp.Milliseconds(), mute.Milliseconds())
			if e.deaf > time.Second || mute > time.Second || e.hungUp > 2*time.Second { // on a machine that has much to do; the lease is longer
				o.Errorf("it took too long: %+v, %v", e, mute)
			}
			o.must(o.Write("policy.yaml", houseRules))
		})
	}
}

// A token that is taken out of its file is refused from then on, and the stream that it opened and the supervision that was begun with it end.
func TestATokenThatIsTakenAwayEnds(t *testing.T) {
	o := open(t)
	o.scene("while he supervises", func(o *office) {
		peer, target := o.talk(stranger, "anna")
		w := o.watch("irina")
		_, sup := o.supervises(w, "irina", "anna", "spy")
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}})
		all, err := os.ReadFile(o.Path("tokens.yaml"))
		o.must(err)
		defer func() { o.must(o.Write("tokens.yaml", string(all))) }()
		var left []string
		entries := strings.SplitAfter(string(all), "\n- ")
		for i, e := range entries {
			if !strings.Contains(e, "irina") {
				left = append(left, entries[i])
			}
		}
		if len(left) != len(entries)-1 {
			o.Fatalf("the tokens file is not as this test takes it to be:\n%s", all)
		}
		other := o.watch("nina")
		since := time.Now()
		o.must(o.Write("tokens.yaml", strings.Join(left, "")))
		for err == nil {
			_, err = w.Next(o.ctx)
		}
		if websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
			o.Errorf("her stream ended with %v", err)
		}
		o.Logf("her stream ended %d ms after the file was saved", time.Since(since).Milliseconds())
		_ = o.refused(o.as("irina").Do(o.ctx, http.MethodGet, "/v1/me", nil, nil), 401, "unauthenticated")
		e := o.ended(since, sup, target, peer)
		o.Logf("last heard by the supervisor after %d ms, hung up after %d ms", e.deaf.Milliseconds(), e.hungUp.Milliseconds())
		o.must(target.Hangup(o.ctx))
		if _, err := other.UntilState(o.ctx, "anna", "idle"); err != nil {
			o.Errorf("another's stream goes on: %v", err)
		}
	})
}
