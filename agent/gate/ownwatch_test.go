package gate_test

import (
	"slices"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/prometheus/client_golang/prometheus"
)

// What somebody does with a call of his own by the gate is nobody's going past it. What comes after it in the same way, by nobody's asking, is.
func TestTheWatchdogLeavesAloneWhatIsDoneWithOnesOwnCall(t *testing.T) {
	leaves := func(y *yard, bridge, leg string) {
		ch := y.ch(leg)
		ch.Exten = "103"
		y.ingest(call.Event{Kind: call.BridgeLeft, Bridge: call.Bridge{ID: call.BridgeID(bridge)}, Channel: ch})
	}
	for name, c := range map[string]struct {
		kind  string
		does  func(y *yard, ask gate.OwnAsk) error
		comes func(y *yard, call string) // of it
	}{
		"redirected": {"redirect", func(y *yard, ask gate.OwnAsk) error {
			return y.gate.Redirect(y.t.Context(), who("ann"), ask)
		}, func(y *yard, call string) { leaves(y, call, call+".0") }},
		"transferred with a question": {"join", func(y *yard, ask gate.OwnAsk) error {
			return y.gate.AttendedTransfer(y.t.Context(), who("ann"), ask)
		}, func(y *yard, call string) {
			y.leave(call, call+".0", call+".1")
			y.into(call+".0", "Wait")
			y.into(call+".1", "Bridge")
			y.enter(call+"back", call+".0", call+".1")
		}},
		"parked": {"redirect", func(y *yard, ask gate.OwnAsk) error {
			return y.gate.Park(y.t.Context(), who("ann"), ask)
		}, func(y *yard, call string) { leaves(y, call, call+".0") }},
	} {
		t.Run(name, func(t *testing.T) {
			y := &yard{reg: prometheus.NewRegistry(), apps: map[call.LegID]string{}}
			y.office = newOffice(t, callers, func(c *gate.Config) {
				c.Watchdog = &gate.Watchdog{Join: gate.Report, Redirect: gate.Report, Look: y.look}
				c.Metrics = gate.NewMetrics(y.reg)
				c.Dialling = gate.Dialling{Context: "phones"}
			})
			y.talk("x", other, "PJSIP/101")
			if err := c.does(y, gate.OwnAsk{Call: y.handle("ann", 0), Number: "103", Side: gate.SideOther}); err != nil {
				t.Fatal(err)
			}
			c.comes(y, "x")
			y.talk("y", ivanov, "PJSIP/104")
			c.comes(y, "y")
			if e := y.became("reported"); e.Action != c.kind || e.Subject != "col" && !slices.Contains(e.Employees, "col") || slices.Contains(e.Employees, "ann") { // the second, which came later
				t.Errorf("%+v", e)
			}
			if n := y.count(c.kind, "reported"); n != 1 {
				t.Errorf("%v are reported", n)
			}
		})
	}
}
