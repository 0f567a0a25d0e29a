package agent_test

import (
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// proof is for how long those who must not hear somebody are listened to, beside those whom they hear.
const proof = 200 * time.Millisecond

// conversation is a kind of call, with somebody whom irina may supervise on one side.
type conversation struct {
	name, target string
	begin        func(o *office) (target, peer *phone.Call)
}

var conversations = []conversation{
	{"in", "anna", func(o *office) (target, peer *phone.Call) {
		outside, inside := o.talk(stranger, "anna")
		return inside, outside
	}},
	{"out", "anna", func(o *office) (target, peer *phone.Call) {
		inside := o.dials("anna", "9"+stranger.number[1:])
		outside := o.called(stranger)
		o.together(inside, outside)
		return inside, outside
	}},
	{"internal, called", "anna", func(o *office) (target, peer *phone.Call) {
		out, in := o.chat("boris", "anna")
		return in, out
	}},
	{"internal, calling", "boris", func(o *office) (target, peer *phone.Call) { return o.chat("boris", "anna") }},
	{"queue", "boris", func(o *office) (target, peer *phone.Call) {
		outside := o.calls(stranger, "100")
		other := o.rings("anna")
		inside := o.answers("boris")
		o.together(outside, inside)
		o.must(other.WaitEnded(o.ctx))
		return inside, outside
	}},
	{"queue through Local", "sergei", func(o *office) (target, peer *phone.Call) {
		outside := o.calls(stranger, "200")
		o.rings("olga")
		pavel := o.rings("pavel")
		inside := o.answers("sergei")
		o.together(outside, inside)
		o.must(pavel.WaitEnded(o.ctx)) // while he rings he is within earshot, and excluded
		return inside, outside
	}},
	{"Local", "anna", func(o *office) (target, peer *phone.Call) {
		out := o.dials("boris", "*61101")
		in := o.answers("anna")
		o.together(out, in)
		return in, out
	}},
	{"Local that stays", "anna", func(o *office) (target, peer *phone.Call) {
		out := o.dials("boris", "*62101")
		in := o.answers("anna")
		o.together(out, in)
		return in, out
	}},
}

// A supervisor hears both sides of every kind of call. Neither hears one who spies, the target alone hears one who whispers, both hear one
// who barges in.
func TestSupervisorsAreHeardAsTheirModeSays(t *testing.T) {
	o := open(t)
	for _, c := range conversations {
		o.scene(c.name, func(o *office) {
			target, peer := c.begin(o)
			w := o.watch("irina")
			if _, err := w.UntilState(o.ctx, c.target, "talking"); err != nil {
				o.Fatal(err)
			}
			me, it, other := o.tone("irina"), target.Tone(), peer.Tone()
			for _, mode := range []struct {
				name               string
				toTarget, toOthers []phone.Tone
			}{
				{"spy", []phone.Tone{other}, []phone.Tone{it}},
				{"whisper", []phone.Tone{other, me}, []phone.Tone{it}},
				{"barge", []phone.Tone{other, me}, []phone.Tone{it, me}},
			} {
				s, sup := o.supervises(w, "irina", c.target, mode.name)
				o.hear(proof, map[*phone.Call][]phone.Tone{sup: {it, other}, target: mode.toTarget, peer: mode.toOthers})
				o.must(o.as("irina").End(o.ctx, s.ID))
				o.over(w, s.ID, sup, "ended_by_supervisor")
			}
		})
	}
}
