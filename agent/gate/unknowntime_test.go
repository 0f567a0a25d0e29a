package gate_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/queue"
)

// Who has left a call may have come to it again while nothing is known: then nothing has ended, whatever the clock says. Where he has not, it ends as soon as that is seen.
func TestNothingEndsByTheClockWhileNothingIsKnown(t *testing.T) {
	const grace = 20 * time.Millisecond // the office's
	hasLeft := func(o *office) { o.leave("x", "x.0"); o.pass(1) }
	cameBack := func(s *call.Snapshot) {
		for i := range s.Bridges {
			if s.Bridges[i].ID == "x" {
				s.Bridges[i].Legs = append(s.Bridges[i].Legs, "x.0")
			}
		}
	}
	for name, c := range map[string]struct {
		office func(t testing.TB) *office
		begin  func(o *office) (id string)
		parts  func(o *office) // somebody leaves
		comes  func(s *call.Snapshot)
	}{
		"a supervision": {
			func(t testing.TB) *office { return newOffice(t, house) },
			func(o *office) string {
				o.talk("x", ivanov, "PJSIP/101")
				return o.active("carl", "spy", "anna")
			},
			hasLeft,
			cameBack,
		},
		"an intercept": {
			func(t testing.TB) *office { return newOffice(t, house) },
			func(o *office) string {
				o.pbx.silent = true
				o.rings("x", ivanov, "PJSIP/101")
				id := o.must("gus", "intercept", "anna")
				o.waitTaken()
				o.waitRungRow("gus")
				return id
			},
			func(o *office) { o.ingest(call.Event{Kind: call.DialEnded, Channel: o.ch("x.0"), Peer: o.ch("x.1")}) },
			func(s *call.Snapshot) { s.Linked = map[call.LegID]call.LegID{"x.0": "x.0", "x.1": "x.0"} },
		},
		"a take-over": {
			func(t testing.TB) *office { return newLineOffice(t) },
			func(o *office) string {
				o.pbx.silent = true
				o.converses("x", ivanov, "q-sales", "PJSIP/101")
				o.gate.Queues(queue.Event{Kind: queue.MemberSeen, Queue: "q-sales", Member: queue.Member{Interface: "PJSIP/101", Paused: true}}) // a hold no snapshot tells
				id := o.mustJoin("takeover", "rosa", "sales", "anna")
				for n := 0; n == 0; o.log.wait(time.Millisecond) {
					o.pbx.set(func() { n = len(o.pbx.joins) })
				}
				o.waitRungRow("rosa")
				return id
			},
			hasLeft,
			cameBack,
		},
	} {
		for _, back := range []bool{true, false} {
			t.Run(name+map[bool]string{true: ", he is back", false: ", he is not"}[back], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := c.office(t)
					defer o.close()
					id := c.begin(o)
					c.parts(o)
					if o.gate.Ending(id) {
						t.Fatal("it ends at once")
					}
					o.ingest(call.Event{Kind: call.LinkLost})
					time.Sleep(2 * grace)
					synctest.Wait()
					s := o.picture()
					if back {
						c.comes(s)
					}
					if o.gate.Ending(id) {
						t.Fatal("it has ended while nothing was known")
					}
					o.ingest(call.Event{Kind: call.Resynced, Snapshot: s})
					time.Sleep(2 * grace)
					synctest.Wait()
					if o.gate.Ending(id) == back {
						t.Errorf("it ends: %v; there was %q", !back, o.log.all())
					}
				})
			})
		}
	}
}
