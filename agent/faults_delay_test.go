//go:build faults

package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// slowLease is long enough to be renewed by a PBX that takes its time, and short enough that a test outlasts it.
const slowLease = 12 * time.Second

// A PBX that answers late, and tells late what happens, is slow and not away: what runs goes on, what is asked for is done once or has failed and leaves nothing, nobody
// is told or hears more than he may, and when the delay is over all is as before. One that takes longer than Earshot waits for a sign of life is away, and said to be.
func TestFaultAPBXThatAnswersSlowly(t *testing.T) {
	base := apart(t)
	v, through := base.valves()
	o := openOn(base, through, func(c *agent.Config) { c.Supervision.Lease = slowLease })
	for _, c := range []struct {
		name  string
		d     delay
		kinds []string
	}{
		{"all that it says", delay{500 * time.Millisecond, 3 * time.Second}, []string{"ami", "stream", "rest"}},
		{"its events alone", delay{time.Second, 3 * time.Second}, []string{"stream"}},
		{"its answers alone", delay{time.Second, 3 * time.Second}, []string{"rest"}},
	} {
		o.fault(c.name, func(o *office) {
			defer v.slows(delay{}, c.kinds...)
			late := &lateness{office: o, v: v}
			late.begins()
			began := time.Now()
			v.slows(c.d, c.kinds...)
			late.lasts()
			o.Logf("it was slow for %.1f s", time.Since(began).Seconds())
			late.ends(c.kinds)
		})
	}
	o.fault("longer than it may take", func(o *office) {
		kinds := []string{"ami", "stream", "rest"}
		defer v.slows(delay{}, kinds...)
		late := &lateness{office: o, v: v}
		late.begins()
		began := time.Now()
		connects := o.logged("ARI connected")
		v.slows(delay{11 * time.Second, 12 * time.Second}, kinds...)
		o.unready("ami", "ari")
		o.within("readyz names both links after", began, noticeTime)
		o.denied("irina", supervisions, spy("anna"), 503, "state_unknown")
		o.must(late.kept.WaitEnded(o.ctx)) // by its lease
		o.within("the supervisor's phone was hung up after", began, slowLease+noticeTime)
		o.Logf("in that time it connected %d times", o.logged("ARI connected")-connects)
		late.ends(kinds)
	})
}

// lateness is a scene beside a PBX that is slow.
type lateness struct {
	*office
	v            *valves
	peer, target *phone.Call
	w            *site.Stream
	blind        *tape // who may not see with whom anybody talks
	run          site.Supervision
	kept         *phone.Call // of the supervision that runs all the while
	since        time.Time
}

// begins has a supervision run, before anything is slow.
func (l *lateness) begins() {
	l.Helper()
	l.must(l.Write("policy.yaml", houseRules))
	l.peer, l.target = l.talk(stranger, "anna")
	l.w, l.blind = l.watch("irina"), l.record("nina")
	_, err := l.w.UntilState(l.ctx, "anna", "talking")
	l.must(err)
	l.run, l.kept = l.supervises(l.w, "irina", "anna", "spy")
	l.since = time.Now()
	l.hear(0, map[*phone.Call][]phone.Tone{l.kept: {l.target.Tone(), l.peer.Tone()}})
}

// lasts tries everything while it is slow, for more than two leases.
func (l *lateness) lasts() {
	l.Helper()
	both := []phone.Tone{l.target.Tone(), l.peer.Tone()}
	began := time.Now()

	// A call that comes meanwhile is seen late.
	l.Phones["boris"].SetReaction(phone.Reaction{Answer: true})
	called := time.Now()
	customer := l.calls(vera, l.Phones["boris"].User())
	in := l.rings("boris")
	_, err := l.w.UntilState(l.ctx, "boris", "talking")
	l.must(err)
	l.Logf("that a call is answered is seen %d ms after it has begun", time.Since(called).Milliseconds())

	// Who may not is refused as ever.
	l.denied("nina", supervisions, spy("anna"), http.StatusForbidden, "no_right")

	// Who may is let hear, or it fails: once, and one phone rings once.
	visits, own := l.visited("olga"), l.watch("olga")
	asked := time.Now()
	s, err := l.as("olga").Supervise(l.ctx, "anna", "spy")
	l.must(err)
	runs := false
	l.until("it runs or has failed", func() error {
		last := l.lastOf(s.ID)
		if runs = strings.HasPrefix(last, string(audit.Done)); runs || strings.HasPrefix(last, string(audit.Failed)) {
			l.Logf("another supervision: %q after %d ms", last, time.Since(asked).Milliseconds())
			return nil
		}
		return fmt.Errorf("%q is on record", last)
	})

	// A change of mode is made, or it is not made and what was there goes on.
	if runs {
		_, err = own.UntilAct(l.ctx, s.ID, "active")
		l.must(err)
		before := time.Now()
		_, err = l.as("olga").Change(l.ctx, s.ID, "whisper")
		l.Logf("a change of mode took %d ms: %v", time.Since(before).Milliseconds(), err)
		employee := []phone.Tone{l.peer.Tone()}
		if err == nil {
			employee = append(employee, l.tone("olga"))
		} else {
			var p *site.Problem
			if !errors.As(err, &p) || p.Status != http.StatusServiceUnavailable || p.Code != "pbx_failed" {
				l.Errorf("of the change is said %v", err)
			}
			l.until("the change has failed", func() error {
				if last := l.lastOf(s.ID); !strings.HasPrefix(last, string(audit.Failed)) {
					return fmt.Errorf("%q is on record", last)
				}
				return nil
			})
		}
		l.hear(proof, map[*phone.Call][]phone.Tone{l.target: employee})
		if last := l.lastOf(s.ID); strings.HasPrefix(last, string(audit.Ended)) {
			l.Errorf("of whose mode was not changed is on record %q", last)
		}
	}
	l.unheard("the customer", l.peer, l.since, l.tone("olga"), l.tone("irina"))

	// What ran goes on, for two leases and longer.
	time.Sleep(time.Until(began.Add(2*slowLease + 5*time.Second))) // the fault itself
	l.hear(proof, map[*phone.Call][]phone.Tone{l.kept: both})
	l.unready() // it is slow, and not away
	l.Logf("its metrics say of its answers %g s and of its events %g s", l.metric(`earshot_link_latency_seconds{of="requests"}`), l.metric(`earshot_link_latency_seconds{of="events"}`))

	// Whoever may not any more is cut off, however late the PBX says so.
	revoked := time.Now()
	l.must(l.Edit("policy.yaml", "department: support\n    listen: {to: any, allow: [spy, whisper]}", "department: support\n    listen: {to: [sergei]}"))
	calls := visits()
	if len(calls) > 1 {
		l.Errorf("olga's phone rang %d times", len(calls))
	}
	for _, c := range calls {
		l.must(c.WaitEnded(l.ctx))
		last := max(c.LastHeard(both[0]).Sub(revoked), c.LastHeard(both[1]).Sub(revoked))
		l.Logf("who was revoked heard the call until %d ms after the file changed; on record is %q", max(last, 0).Milliseconds(), l.recorded(s.ID))
	}
	l.must(customer.Hangup(l.ctx))
	l.must(in.WaitEnded(l.ctx))
}

// ends has nothing be slow any more.
func (l *lateness) ends(kinds []string) {
	l.Helper()
	healed := time.Now()
	l.v.slows(delay{}, kinds...)
	l.unready()
	l.until("what is known is what is", func() error {
		var b site.Board
		if err := json.Unmarshal([]byte(l.board("irina")), &b); err != nil {
			return err
		}
		if !b.Known {
			return fmt.Errorf("nothing is known")
		}
		for _, r := range b.Employees {
			if talks := r.ID == "anna" || r.ID == "irina" && alive(l.kept); talks != (len(r.Calls) > 0) {
				return fmt.Errorf("%s has %d calls", r.ID, len(r.Calls))
			}
		}
		return nil
	})
	l.within("all is right again after", healed, noticeTime+10*time.Second)
	// Who may not see with whom has not been told, however late and in whichever pieces.
	l.blind.mu.Lock()
	for _, m := range l.blind.messages {
		for _, seed := range []string{stranger.number[1:], stranger.name, vera.number[1:], vera.name} {
			if strings.Contains(string(m), seed) {
				l.Errorf("who may not see it was told %q", seed)
			}
		}
	}
	n := len(l.blind.messages)
	l.blind.mu.Unlock()
	if n < 2 {
		l.Errorf("who may not see with whom was told %d times", n)
	}
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	l.w = l.watch("irina") // the one before was not read for so long that it has been given up
	if alive(l.kept) {
		l.hear(proof, map[*phone.Call][]phone.Tone{l.kept: {l.target.Tone(), l.peer.Tone()}, l.target: {l.peer.Tone()}, l.peer: {l.target.Tone()}})
		l.must(l.as("irina").End(ctx, l.run.ID))
		l.over(l.w, l.run.ID, l.kept, "ended_by_supervisor")
	}
	l.unheard("the customer", l.peer, l.since, l.tone("irina"), l.tone("olga"))
	l.unheard("the employee", l.target, l.since, l.tone("irina"))
	l.until("nothing is left", func() error { return l.empty(l.ctx, "earshot-") })
	l.until("each decision has an outcome", l.decidedHaveOutcomes)
	s, sup := l.supervises(l.w, "irina", "anna", "whisper")
	l.hear(0, map[*phone.Call][]phone.Tone{sup: {l.target.Tone(), l.peer.Tone()}, l.target: {l.peer.Tone(), sup.Tone()}, l.peer: {l.target.Tone()}})
	l.must(l.as("irina").End(ctx, s.ID))
	l.over(l.w, s.ID, sup, "ended_by_supervisor")
	l.agrees()
}

// alive reports whether a call is not over.
func alive(c *phone.Call) bool {
	select {
	case <-c.Done():
		return false
	default:
		return true
	}
}
