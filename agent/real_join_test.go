package agent_test

import (
	"flag"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

var joins = flag.Int("joins", 1, "how often an excluded person joins in each way")

// Pavel, whom irina may not hear, comes to a call that she listens to. It ends, and she has not heard him.
func TestAnExcludedPersonWhoJoinsEndsASupervision(t *testing.T) {
	o := open(t)
	for _, way := range []struct {
		name  string
		begin func(o *office) (target, peer *phone.Call)
		join  func(o *office, target, peer *phone.Call) (pavel *phone.Call)
	}{
		{"by an attended transfer", bothOf("boris", "anna"), func(o *office, _, peer *phone.Call) *phone.Call {
			o.must(peer.Hold(o.ctx))
			consultation := o.dials("boris", "203")
			pavel := o.answers("pavel")
			o.must(consultation.WaitAnswered(o.ctx))
			o.must(peer.TransferTo(o.ctx, consultation))
			return pavel
		}},
		{"by a blind transfer", bothOf("boris", "anna"), func(o *office, _, peer *phone.Call) *phone.Call {
			o.must(peer.Transfer(o.ctx, "203"))
			return o.answers("pavel")
		}},
		{"by a blind transfer through Local", bothOf("boris", "anna"), func(o *office, _, peer *phone.Call) *phone.Call {
			o.must(peer.Transfer(o.ctx, "*61203"))
			return o.answers("pavel")
		}},
		{"by a transfer of the target's", bothOf("boris", "anna"), func(o *office, target, _ *phone.Call) *phone.Call {
			o.must(target.Hold(o.ctx))
			o.dials("anna", "203") // her phone carries both calls: neither is held once she takes the first one back
			pavel := o.answers("pavel")
			o.must(target.Unhold(o.ctx))
			return pavel
		}},
		{"in a conference room", func(o *office) (target, peer *phone.Call) {
			target, peer = o.dials("anna", "800"), o.dials("boris", "800")
			o.together(target, peer)
			return target, peer
		}, func(o *office, _, _ *phone.Call) *phone.Call {
			pavel := o.dials("pavel", "800")
			o.must(pavel.WaitAnswered(o.ctx))
			return pavel
		}},
	} {
		o.scene(way.name, func(o *office) {
			heard := 0
			for range *joins {
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
				o.over(w, s.ID, sup, "not_for_this_call")
				if windows := sup.HeardBetween(o.tone("pavel"), time.Time{}, time.Now()); len(windows) > 0 {
					heard++
					o.Errorf("irina heard pavel in %d windows of 100 ms", len(windows))
				}
				o.clear()
			}
			o.Logf("heard by the supervisor in %d of %d", heard, *joins)
		})
	}
}

func bothOf(peer, target string) func(o *office) (*phone.Call, *phone.Call) {
	return func(o *office) (*phone.Call, *phone.Call) {
		out, in := o.chat(peer, target)
		return in, out
	}
}
