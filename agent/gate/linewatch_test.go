package gate_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/agent/queue"
	"github.com/prometheus/client_golang/prometheus"
)

// What the gate lets somebody take is on record already, whenever AMI tells of it; a line's ringing call is taken over without the right to intercept.
func TestAPickupByWhichALinesCallIsTakenOverIsNotPastTheGate(t *testing.T) {
	y := newYard(t, lineHouse)
	y.gate.Queues(queue.Event{Kind: queue.Taken, Queues: []queue.State{{Name: "q-sales", Members: []queue.Member{{Interface: "PJSIP/101"}}}}})
	y.queued("x", ivanov, "q-sales")
	y.ringsAt("x", "PJSIP/101")
	ch := y.ch("x.1")
	w := y.watch("rosa")
	id := y.mustJoin("takeover", "rosa", "sales", "anna")
	w.becomes(id, "taken")
	var own string
	y.pbx.set(func() { own = string(y.pbx.takes[0].Leg) })
	y.ingest(call.Event{Kind: call.PickedUp, Channel: y.ch(own), Peer: ch})
	// Another's is.
	y.rings("z", other, "PJSIP/102")
	y.ingest(call.Event{Kind: call.PickedUp, Channel: y.ch(own), Peer: y.ch("z.1")})
	if e := y.became("reported"); e.Subject != "rosa" || len(e.Targets) != 1 || e.Targets[0] != "boris" {
		t.Errorf("%+v", e)
	}
}

// Whoever has taken over a customer, or is left with him, stays in the application that has put him there, as whoever joins past the gate does.
func TestWhoHasTheCustomerOfALineByTheGateIsNotPastItWhenThePBXIsLookedAtAnew(t *testing.T) {
	for name, c := range map[string]struct {
		mode, app string
		then      func(y *yard)
	}{
		"taken over": {"takeover", "Bridge", func(*yard) {}},
		"left with":  {"join", "BridgeAdd", func(y *yard) { y.gone("x.1") }},
	} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t, lineHouse)
			y.gate.Queues(queue.Event{Kind: queue.Taken, Queues: []queue.State{{Name: "q-sales", Members: []queue.Member{{Interface: "PJSIP/101"}}}}})
			y.converses("x", ivanov, "q-sales", "PJSIP/101")
			if c.mode == "takeover" {
				y.holds("x.1")
			}
			w := y.watch("rosa")
			id := y.mustJoin(c.mode, "rosa", "sales", "anna")
			over := "taken"
			if c.mode == "join" {
				w.becomes(id, "active")
				over = "ended"
			}
			c.then(y)
			w.becomes(id, over)
			own := ""
			y.pbx.set(func() { own = string(y.pbx.joins[0].Leg) })
			ch := y.ch(own)
			ch.App = c.app
			y.seen(ch)
			y.ingest(call.Event{Kind: call.Resynced, Snapshot: y.picture()})
			if r := y.row("carl", "rosa"); r.State != "talking" {
				t.Error(r.State)
			}
			// Whoever comes so by another way is.
			y.talk("z", other, "PJSIP/101")
			y.strange("j", "PJSIP/102", call.StateUp)
			in := y.ch("j")
			in.App = c.app
			y.seen(in)
			y.enter("z", "j")
			y.ingest(call.Event{Kind: call.Resynced, Snapshot: y.picture()})
			y.log.until(t, "record witnessed")
			if err := y.gate.Close(t.Context()); err != nil { // what is on its way is on record then
				t.Fatal(err)
			}
			for _, e := range y.audit.all() {
				if e.Phase == audit.Witnessed && (e.Subject != "boris" || e.Action != "join") {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}

// Of an Earshot before nobody tells any more what it had done; what looks like its doing at the first look is left alone, and later nothing is for its looks.
func TestWhoHasACustomerByAnEarshotBeforeIsNotPastTheGate(t *testing.T) {
	y := &yard{reg: prometheus.NewRegistry(), apps: map[call.LegID]string{}}
	w := &gate.Watchdog{Join: gate.Report, Look: y.look}
	old := audit.Act{Entry: audit.Entry{ID: "before", Phase: audit.Decided, Action: "dial", Subject: "anna", Outcome: audit.Allow}}
	y.office = newOffice(t, lineHouse, func(c *gate.Config) {
		c.Watchdog, c.Metrics = w, gate.NewMetrics(y.reg)
		c.Estate = gate.Estate{Acts: []audit.Act{old}, Resume: func(string, string) (auth.Subject, bool) { return auth.Subject{}, false }}
	})
	s := &call.Snapshot{}
	has := func(bridge, leg, phone string) {
		customer := call.Channel{ID: call.LegID("c." + bridge), Name: "PJSIP/trunk-" + bridge, State: call.StateUp, App: "Queue"}
		s.Channels = append(s.Channels, customer, call.Channel{ID: call.LegID(leg), Name: phone + "-" + bridge, State: call.StateUp, App: "Bridge"})
		s.Bridges = append(s.Bridges, call.Bridge{ID: call.BridgeID(bridge), Type: "mixing", Legs: []call.LegID{customer.ID, call.LegID(leg)}})
	}
	has("one", pbx.Prefix+"abc-take", "PJSIP/103")
	y.ingest(call.Event{Kind: call.Resynced, Snapshot: s})
	has("two", pbx.Prefix+"def-take", "PJSIP/102")
	y.ingest(call.Event{Kind: call.Resynced, Snapshot: s})
	y.log.until(t, "record witnessed")
	if err := y.gate.Close(t.Context()); err != nil { // what is on its way is on record then
		t.Fatal(err)
	}
	for _, e := range y.audit.all() {
		if e.Phase == audit.Witnessed && (e.Subject != "boris" || e.Action != "join") {
			t.Errorf("%+v", e)
		}
	}
}
