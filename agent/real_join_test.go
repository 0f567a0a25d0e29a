package agent_test

import (
	"flag"
	"slices"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

var joins = flag.Int("joins", 1, "how often an excluded person joins in each way")

// alien is the tone that pavel has here: far enough from all others for a single frame of it to be told.
const alien phone.Tone = 31

// comes waits for pavel's phone to ring and has him answer.
func (o *office) comes() *phone.Call {
	o.Helper()
	pavel := o.rings("pavel")
	pavel.SetTone(alien)
	o.must(pavel.Answer(o.ctx))
	return pavel
}

// goes has pavel dial.
func (o *office) goes(number string) *phone.Call {
	o.Helper()
	pavel, err := o.Phones["pavel"].Dial(o.ctx, number, phone.WithTone(alien))
	o.must(err)
	o.must(pavel.WaitAnswered(o.ctx))
	return pavel
}

// passed has boris hand anna on to sergei, whose phone rings and is not answered.
func (o *office) passed(peer *phone.Call) {
	o.Helper()
	o.must(peer.Transfer(o.ctx, "201"))
	o.rings("sergei")
}

// Pavel, whom irina may not hear, comes to a call that she listens to. It ends, and she has not heard a frame of his voice.
func TestAnExcludedPersonWhoJoinsEndsASupervision(t *testing.T) {
	o := open(t, func(c *agent.Config) {
		c.HTTP.Limits.Commands = agent.Rate{PerMinute: 6000, Burst: 1000}
		c.Watchdog.Pickup = "report" // or who takes a call past Earshot is gone before anybody could hear him
	})
	for _, way := range []struct {
		name  string
		begin func(o *office) (target, peer *phone.Call)
		join  func(o *office, target, peer *phone.Call) (pavel *phone.Call)
		// allowed is how many frames may be heard of who is in the call before anything has told that he comes: none is, unless the machine has
		// so much else to do that the events come late.
		allowed int
		before  string // why it has ended before he comes
	}{
		{"by an attended transfer", bothOf("boris", "anna"), func(o *office, _, peer *phone.Call) *phone.Call {
			o.must(peer.Hold(o.ctx))
			consultation := o.dials("boris", "203")
			pavel := o.comes()
			o.must(consultation.WaitAnswered(o.ctx))
			o.must(peer.TransferTo(o.ctx, consultation))
			return pavel
		}, 0, ""},
		{"by a blind transfer", bothOf("boris", "anna"), func(o *office, _, peer *phone.Call) *phone.Call {
			o.must(peer.Transfer(o.ctx, "203"))
			return o.comes()
		}, 0, ""},
		{"by a blind transfer through Local", bothOf("boris", "anna"), func(o *office, _, peer *phone.Call) *phone.Call {
			o.must(peer.Transfer(o.ctx, "*61203"))
			return o.comes()
		}, 0, ""},
		{"by a transfer of the target's", bothOf("boris", "anna"), func(o *office, target, _ *phone.Call) *phone.Call {
			o.must(target.Hold(o.ctx))
			o.dials("anna", "203") // her phone carries both calls: neither is held once she takes the first one back
			pavel := o.comes()
			o.must(target.Unhold(o.ctx))
			return pavel
		}, 0, ""},
		{"in a conference of three by keys", bothOf("boris", "anna"), func(o *office, _, peer *phone.Call) *phone.Call {
			o.must(peer.DTMF(o.ctx, pbxtest.FeatureAtxfer))
			o.must(peer.DTMF(o.ctx, "203"))
			pavel := o.comes()
			_, err := pavel.WaitHears(o.ctx, peer.Tone())
			o.must(err)
			o.must(peer.DTMF(o.ctx, pbxtest.FeatureThree))
			return pavel
		}, 0, "call_ended"}, // boris leaves anna alone to ask pavel
		{"in a conference room", func(o *office) (target, peer *phone.Call) {
			target, peer = o.dials("anna", "800"), o.dials("boris", "800")
			o.together(target, peer)
			return target, peer
		}, func(o *office, _, _ *phone.Call) *phone.Call { return o.goes("800") }, 5, ""},
		{"by taking a call that rings", bothOf("boris", "anna"), func(o *office, _, peer *phone.Call) *phone.Call {
			o.passed(peer)
			return o.goes(pbxtest.PrefixPickup + "201")
		}, 5, ""},
		{"by taking a call that rings in his group", bothOf("boris", "anna"), func(o *office, _, peer *phone.Call) *phone.Call {
			o.passed(peer)
			return o.goes(pbxtest.NumberPickup)
		}, 5, ""},
		{"past Earshot, by BridgeAdd", bothOf("boris", "anna"), func(o *office, _, _ *phone.Call) *phone.Call { return o.goes("*92") }, 5, ""},
	} {
		var frames []int
		for range *joins {
			o.scene(way.name, func(o *office) {
				target, peer := way.begin(o)
				w := o.watch("irina")
				s, sup := o.supervises(w, "irina", "anna", "spy")
				o.hear(0, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}})
				pavel := way.join(o, target, peer)
				// That he is heard by the target is the presence beside his absence.
				if target.State() == phone.Up && !target.Held() {
					_, err := pavel.WaitHears(o.ctx, target.Tone())
					o.must(err)
				}
				if way.before != "" {
					o.over(w, s.ID, sup, way.before)
				} else {
					o.over(w, s.ID, sup, "not_for_this_call")
				}
				heard := sup.Frames(alien, time.Time{}, time.Now())
				frames = append(frames, heard)
				if windows := sup.HeardBetween(alien, time.Time{}, time.Now()); heard > way.allowed || len(windows) > 0 && way.allowed == 0 {
					o.Errorf("irina heard %d frames of pavel", heard)
				}
			})
		}
		if len(frames) > 0 {
			slices.Sort(frames)
			with := len(frames) - slices.IndexFunc(append(slices.Clone(frames), 1), func(n int) bool { return n > 0 })
			o.Logf("%s: pavel was heard by the supervisor in %d of %d, %d frames at most", way.name, max(with, 0), len(frames), frames[len(frames)-1])
		}
	}
}

func bothOf(peer, target string) func(o *office) (*phone.Call, *phone.Call) {
	return func(o *office) (*phone.Call, *phone.Call) {
		out, in := o.chat(peer, target)
		return in, out
	}
}
