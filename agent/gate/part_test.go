package gate_test

import (
	"encoding/json"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
)

// What the policy makes of a leg is kept only as long as the leg is as it was: whatever changes of it, all are shown what is worked out afresh.
func TestWhatIsKeptOfALegGoesWithWhatItWasMadeOf(t *testing.T) {
	unnamed := func(o *office) {
		o.seen(call.Channel{ID: "x.0", Name: "PJSIP/trunk-x.0", State: call.StateRing, Exten: "101"})
		o.leg("x.1", "PJSIP/101", call.StateDown, "")
		o.dial("x.0", "x.1", "101")
		o.answers("x", 1)
	}
	for name, c := range map[string]struct{ before, after func(*office) }{
		"it is called by another number": {
			func(o *office) { o.talk("x", ivanov, "PJSIP/101") },
			func(o *office) { o.dial("x.0", "x.1", "105") }, // egor's, of whose calls ivo sees nothing
		},
		"it turns out to be another's": {
			func(o *office) { o.talk("x", "PJSIP/102", "PJSIP/101") },
			func(o *office) { ch := o.ch("x.0"); ch.Name = "PJSIP/105-00000009"; o.seen(ch) },
		},
		"it turns out to be nobody's": {
			func(o *office) { o.talk("x", "PJSIP/102", "PJSIP/101") },
			func(o *office) { ch := o.ch("x.0"); ch.Name = "PJSIP/999-00000009"; o.seen(ch) },
		},
		"it turns out to be called": {
			unnamed,
			func(o *office) { ch := o.ch("x.0"); ch.App, ch.State = "AppDial", call.StateRing; o.seen(ch) },
		},
		"its half is gone, by which it was tied to another row": {
			func(o *office) {
				for _, half := range []string{"1", "2"} {
					o.seen(call.Channel{ID: call.LegID("l" + half), Name: "Local/700@ctx-1;" + half, State: call.StateUp})
				}
				o.leg("a", "PJSIP/101", call.StateUp, "")
				o.leg("b", "PJSIP/102", call.StateUp, "")
				o.enter("one", "a", "l1")
				o.enter("two", "l2", "b")
			},
			func(o *office) { o.gone("l1") },
		},
		"its id comes again": {
			func(o *office) { o.talk("x", ivanov, "PJSIP/101"); o.hangUp("x") },
			func(o *office) { o.leg("a", "PJSIP/106", call.StateRing, ""); o.talk("x", other, "PJSIP/102") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, house)
			shown := func() string {
				all := ""
				for _, subject := range []string{"carl", "ivo", "dora", "anna"} {
					board, err := o.gate.Employees(who(subject))
					if err != nil {
						t.Fatal(err)
					}
					got, _ := json.Marshal(board.Employees)
					if want, _ := json.Marshal(o.gate.Naive(subject)); string(got) != string(want) {
						t.Fatalf("%s is shown\n%s of what is\n%s", subject, got, want)
					}
					all += string(got)
				}
				return all
			}
			c.before(o)
			was := shown()
			c.after(o)
			if shown() == was {
				t.Fatal("nothing has changed")
			}
			for _, id := range []string{"x.0", "x.1", "a", "b", "l1", "l2"} {
				if o.ch(id).ID != "" {
					o.gone(id)
				}
			}
			shown()
			if n := o.gate.Parts(); n != 0 {
				t.Fatalf("%d legs that are gone are kept", n)
			}
		})
	}
}
