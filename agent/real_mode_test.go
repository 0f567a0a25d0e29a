package agent_test

import (
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// voiced says to whom a supervisor's voice goes in a mode.
var voiced = map[string]struct{ target, peer bool }{"spy": {}, "whisper": {target: true}, "barge": {target: true, peer: true}}

// swaps is every change from one mode to another.
var swaps = []string{"whisper", "barge", "spy", "barge", "whisper", "spy"}

// A machine that has much else to do loses frames by itself, so a change is made again, up to tries times, as long as it has lost more than it
// may each time.
const tries = 6

// fewest holds, of each change, the fewest frames that it has lost.
type fewest map[string]int

func (f fewest) note(change string, lost int) {
	if n, tried := f[change]; !tried || lost < n {
		f[change] = lost
	}
}

// within reports whether each has lost no more than so many at least once.
func (f fewest) within(most int) bool {
	for _, n := range f {
		if n > most {
			return false
		}
	}
	return true
}

// A change of mode costs the supervisor a frame of what he hears at most. Nobody hears him whom neither the mode before nor the one after
// lets hear him; whom both let hear him goes on hearing him.
func TestAChangeOfModeLosesAFrameAtMostAndIsHeardByNobodyElse(t *testing.T) {
	o := open(t)
	o.scene("swaps", func(o *office) {
		peer, target := o.talk(stranger, "anna")
		w := o.watch("irina")
		_, err := w.UntilState(o.ctx, "anna", "talking")
		o.must(err)
		s, sup := o.supervises(w, "irina", "anna", "spy")
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}, target: {peer.Tone()}, peer: {target.Tone()}})
		me, mode, most, all, changes := sup.Tone(), "spy", 0, 0, 0
		least := fewest{}
		for try := 0; try < 2 || try < tries && !least.within(1); try++ {
			for _, next := range swaps {
				asked := time.Now()
				changed, err := o.as("irina").Change(o.ctx, s.ID, next)
				o.must(err)
				if changed.ID != s.ID || changed.Mode != next || changed.State != "active" {
					o.Fatalf("%+v", changed)
				}
				was, is := voiced[mode], voiced[next]
				o.hear(proof, map[*phone.Call][]phone.Tone{
					sup: {target.Tone(), peer.Tone()}, target: with(me, is.target, peer.Tone()), peer: with(me, is.peer, target.Tone()),
				})
				until := time.Now()
				lost := max(sup.Missing(target.Tone(), asked, until), sup.Missing(peer.Tone(), asked, until))
				most, all, changes = max(most, lost), all+lost, changes+1
				least.note(mode+" to "+next, lost)
				for who, c := range map[string]struct {
					call *phone.Call
					may  bool
				}{"the target": {target, was.target || is.target}, "the peer": {peer, was.peer || is.peer}} {
					if n := len(c.call.HeardBetween(me, asked, until)); n > 0 && !c.may {
						o.Errorf("from %s to %s: %s heard the supervisor in %d windows", mode, next, who, n)
					}
				}
				mode = next
			}
		}
		if !least.within(1) {
			o.Errorf("so many frames are missing each time: %v", least)
		}
		o.Logf("%d changes of mode: %d frames of 20 ms missing, at most %d in one", changes, all, most)
		o.must(o.as("irina").End(o.ctx, s.ID))
		o.over(w, s.ID, sup, "ended_by_supervisor")
	})
}

func with(t phone.Tone, yes bool, others ...phone.Tone) []phone.Tone {
	if yes {
		return append(others, t)
	}
	return others
}

// Asterisk hands a whisper to the target with the frames that come from the other side. When none come, the supervisor is told; and what a
// mode does not allow is not heard either.
func TestASilentPeerIsToldAndHearsNoMoreThanTheModeAllows(t *testing.T) {
	o := open(t)
	o.scene("silence", func(o *office) {
		peer, target := o.talk(stranger, "anna")
		w := o.watch("irina")
		_, err := w.UntilState(o.ctx, "anna", "talking")
		o.must(err)
		s, sup := o.supervises(w, "irina", "anna", "spy")
		me := sup.Tone()
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}})
		peer.Silence(true)
		o.silence(w, s.ID, true)
		o.hear(proof, map[*phone.Call][]phone.Tone{sup: {target.Tone()}, peer: {target.Tone()}})
		least := fewest{}
		for try := 0; try < 3 || try < 2*tries && (!least.within(1) || try%2 == 0); try++ { // and the last is a whisper
			mode := []string{"whisper", "barge"}[try%2]
			asked := time.Now()
			v, err := o.as("irina").Change(o.ctx, s.ID, mode)
			o.must(err)
			if !v.PeerSilent {
				o.Errorf("%s: %+v", mode, v)
			}
			// The target sends, so the peer hears one who barges in; nothing comes from the peer, so nothing goes to the target.
			o.hear(proof, map[*phone.Call][]phone.Tone{sup: {target.Tone()}, peer: with(me, mode == "barge", target.Tone())})
			if n := len(target.HeardBetween(me, asked, time.Now())); n > 0 {
				o.Errorf("%s: the target heard the supervisor in %d windows, though nothing came for it to ride on", mode, n)
			}
			least.note(mode, sup.Missing(target.Tone(), asked, time.Now()))
		}
		if !least.within(1) {
			o.Errorf("so many frames of the target are missing each time: %v", least)
		}
		peer.Silence(false)
		o.silence(w, s.ID, false)
		o.hear(proof, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}, target: {peer.Tone(), me}, peer: {target.Tone()}})
		o.must(o.as("irina").End(o.ctx, s.ID))
		o.over(w, s.ID, sup, "ended_by_supervisor")
	})
}

// silence waits until the supervisor is told whether the other side sends audio.
func (o *office) silence(w *site.Stream, id string, want bool) {
	o.Helper()
	o.must(w.Until(o.ctx, "silence is told", func(w *site.Stream) bool { return w.Acts[id].PeerSilent == want }))
}
