//go:build faults

package agent_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// AMI is only the witness. While nothing gets through it Earshot says so; whoever listens goes on listening, and what needs AMI is not done.
func TestFaultAHalfOpenAMIIsNoticedAndEndsNothing(t *testing.T) {
	base := apart(t)
	v, through := base.valves()
	o := openOn(base, through)
	for _, c := range []struct {
		name  string
		lanes []lane
	}{{"to the PBX", []lane{{"ami", true}}}, {"from the PBX", []lane{{"ami", false}}}, {"both ways", both("ami")}} {
		o.fault(c.name, func(o *office) {
			defer v.open()
			peer, target := o.talk(stranger, "anna")
			w := o.watch("irina")
			_, err := w.UntilState(o.ctx, "anna", "talking")
			o.must(err)
			s, sup := o.supervises(w, "irina", "anna", "spy")
			o.hear(0, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}})
			stopped := time.Now()
			v.close(c.lanes)
			// Calls that come and go meanwhile are told by AMI too, where it still tells.
			stop := make(chan struct{})
			busy := make(chan error, 1)
			go func() { busy <- o.coming(stop) }()
			o.unready("ami")
			o.within("readyz names AMI after", stopped, noticeTime)
			o.reaches(`earshot_link_up{link="ami"}`, 0)
			o.reaches(`earshot_link_up{link="ari"}`, 1)
			close(stop)
			o.must(<-busy)
			o.hear(lease+time.Second, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}, target: {peer.Tone()}, peer: {target.Tone()}})
			healed := time.Now()
			v.open()
			o.unready()
			o.within("ready again after", healed, noticeTime+5*time.Second)
			o.reaches(`earshot_link_up{link="ami"}`, 1)
			o.unheard("the customer", peer, stopped, sup.Tone())
			o.must(o.as("irina").End(o.ctx, s.ID))
			o.over(w, s.ID, sup, "ended_by_supervisor")
			o.until("nothing is left", func() error { return o.empty(o.ctx, "earshot-") })
			o.agrees()
		})
	}
}

// coming has somebody outside call a phone that does not answer, again and again, so that the PBX has something to tell.
func (o *office) coming(stop <-chan struct{}) error {
	for {
		c, err := o.Trunk.Dial(o.ctx, "74950000"+o.Phones["boris"].User(), phone.As(vera.number, vera.name), phone.WithTone(vera.tone))
		if err != nil {
			return err
		}
		if err := c.WaitRinging(o.ctx); err != nil {
			return err
		}
		if err := c.Hangup(o.ctx); err != nil {
			return err
		}
		select {
		case <-stop:
			return nil
		default:
		}
	}
}

// While nothing gets through to ARI, or from it, nothing is known and nothing is done. What runs ends on the PBX by its lease, and what was asked for in the
// moment before it was noticed brings nobody into earshot, be it that the PBX hears of it only later.
func TestFaultAHalfOpenARIEndsWhatRunsByItsLease(t *testing.T) {
	halfOpen(t, map[string][]lane{
		"events, to the PBX": {{"stream", true}}, "events, from the PBX": {{"stream", false}}, "events, both ways": both("stream"), "everything": both("ami", "stream", "rest"),
	})
}

// The same with the connections of requests, which are others than that of the events.
func TestFaultHalfOpenRequestsEndWhatRunsByItsLease(t *testing.T) {
	halfOpen(t, map[string][]lane{
		"requests, to the PBX": {{"rest", true}}, "requests, from the PBX": {{"rest", false}}, "requests, both ways": both("rest"),
	})
}

func halfOpen(t *testing.T, cases map[string][]lane) {
	base := apart(t)
	v, through := base.valves()
	o := openOn(base, through)
	for name, lanes := range cases {
		o.fault(name, func(o *office) {
			defer v.open()
			peer, target := o.talk(stranger, "anna")
			w, p := o.watch("irina"), o.record("nina")
			_, err := w.UntilState(o.ctx, "anna", "talking")
			o.must(err)
			s, sup := o.supervises(w, "irina", "anna", "spy")
			o.hear(0, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}})
			visits := o.visited("olga")
			p.take()
			stopped := time.Now()
			v.close(lanes)
			early, err := o.as("olga").Supervise(o.ctx, "anna", "spy") // nobody knows yet
			o.must(err)
			o.told(p, "unknown")
			noticed := time.Now()
			o.within("watchers are told after", stopped, noticeTime)
			o.unready(linksOf(lanes)...)
			o.reaches(`earshot_link_up{link="ari"}`, 0)
			for _, ask := range []func(){
				func() { o.denied("irina", supervisions, spy("boris"), 503, "state_unknown") },
				func() { o.denied("gleb", intercepts, map[string]string{"target": "anna"}, 503, "state_unknown") },
			} {
				before := time.Now()
				ask()
				o.within("the refusal came after", before, slack)
			}
			var b site.Board
			o.must(json.Unmarshal([]byte(o.board("nina")), &b))
			if b.Known {
				o.Error("the board says that the state is known")
			}
			o.must(sup.WaitEnded(o.ctx))
			o.within("the supervisor's phone was hung up, after it was noticed", noticed, lease+slack)
			o.Logf("she heard the call for %d ms after the fault", sup.LastHeard(target.Tone()).Sub(stopped).Milliseconds())
			o.hear(0, map[*phone.Call][]phone.Tone{target: {peer.Tone()}, peer: {target.Tone()}})
			p.take()
			healed := time.Now()
			v.open()
			if m := o.told(p, "snapshot"); !m.Board.Known {
				o.Error("the snapshot says that nothing is known")
			}
			o.unready()
			o.within("all is known again after", healed, noticeTime+5*time.Second)
			one, err := w.UntilAct(o.ctx, s.ID, "ended")
			o.must(err)
			o.until("the other is over", func() error { return o.decidedHaveOutcomes() })
			o.until("nothing is left", func() error { return o.empty(o.ctx, "earshot-") })
			o.within("nothing is left after", healed, lease+noticeTime+5*time.Second)
			o.Logf("the supervision ended because of %s; on record is %q, of the early one %q", one.Reason, o.recorded(s.ID), o.recorded(early.ID))
			for _, c := range visits() {
				if lanes[0] != (lane{"stream", true}) || len(lanes) > 1 { // where only that is dead, everything is known and done until it is noticed
					o.unheard("who asked before it was noticed", c, stopped, target.Tone(), peer.Tone())
				}
				o.must(c.WaitEnded(o.ctx))
			}
			o.unheard("the customer", peer, stopped, sup.Tone(), o.tone("olga"))
			o.unheard("the employee", target, stopped, sup.Tone(), o.tone("olga"))
			// And all is as before.
			s, sup = o.supervises(w, "irina", "anna", "whisper")
			o.hear(0, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}, target: {peer.Tone(), sup.Tone()}, peer: {target.Tone()}})
			o.must(o.as("irina").End(o.ctx, s.ID))
			o.over(w, s.ID, sup, "ended_by_supervisor")
			o.agrees()
		})
	}
}

// linksOf are what readyz names while lanes are closed.
func linksOf(lanes []lane) []string {
	links := []string{"ari"}
	for _, l := range lanes {
		if l.kind == "ami" {
			return []string{"ami", "ari"}
		}
	}
	return links
}
