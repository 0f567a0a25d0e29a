package gate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// alone leads a leg out of its call to a menu or a queue, where nobody is with it.
func (o *office) alone(leg, other string) {
	o.t.Helper()
	var in call.BridgeID
	o.feed.Read(func(t *call.Table) { in = t.Leg(call.LegID(leg)).Bridge() })
	o.leave(string(in), leg, other)
	o.gone(other)
	ch := o.ch(leg)
	ch.App = "Queue"
	o.seen(ch)
	o.ingest(call.Event{Kind: call.TimePassed, Seen: o.moment().Add(call.MoveTime)})
}

// resync takes a snapshot and returns the orders that came of it.
func (o *office) resync() []string {
	o.t.Helper()
	n := len(o.log.all())
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: o.picture()})
	if err := o.gate.Close(o.t.Context()); err != nil { // what is to be hung up has been then
		o.t.Fatal(err)
	}
	return o.log.all()[n:]
}

func dropped(orders []string) bool {
	return slices.ContainsFunc(orders, func(s string) bool { return strings.HasPrefix(s, "drop") })
}

// A leg that has taken a call is its owner's: alone, in a menu or a queue to which he went from there, it is not taken for what an act has left.
func TestALegThatHasTakenACallIsItsOwnersThoughNobodyIsWithIt(t *testing.T) {
	o := newOffice(t, house)
	o.rings("x", ivanov, "PJSIP/101")
	w := o.watch("gus")
	w.act(o.must("gus", "intercept", "anna"), "taken")
	own := ""
	o.pbx.set(func() { own = string(o.pbx.takes[0].Leg) })
	o.alone(own, "x.0")
	if r := o.row("carl", "gus"); r.State != "talking" {
		t.Fatalf("%+v", r)
	}
	if orders := o.resync(); dropped(orders) {
		t.Errorf("%q", orders)
	}
}

// Of an Earshot before it is known by whom it was with when this one came; one that was alone then is what was left.
func TestALegThatHasTakenACallByAnEarshotBeforeIsItsOwners(t *testing.T) {
	const own = pbx.Prefix + "before-take"
	for name, with := range map[string]bool{"in its call": true, "alone": false} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, house)
			o.leg("x.0", ivanov, call.StateUp, "100")
			o.leg(own, "PJSIP/107", call.StateUp, "")
			o.pbx.put(own, "")
			o.enter("x", "x.0", own)
			if with {
				o.ingest(call.Event{Kind: call.Resynced, Snapshot: o.picture()})
			}
			o.alone(own, "x.0")
			if orders := o.resync(); dropped(orders) == with {
				t.Errorf("%q", orders)
			}
		})
	}
}
