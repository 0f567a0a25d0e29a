package gate_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

func TestTheLeaseIsRenewedWhileTheStateIsKnownAndNotOtherwise(t *testing.T) {
	o := newOffice(t, house, func(c *gate.Config) { c.Lease = 90 * time.Millisecond })
	o.talk("x", ivanov, "PJSIP/101")
	w := o.watch("carl")
	id := o.must("carl", "spy", "anna")
	o.log.until(t, "renew", 3)
	o.ingest(call.Event{Kind: call.LinkLost})
	if reason := w.act(id, "ended"); reason != "leg_gone" {
		t.Fatal(reason)
	}
	lines := o.log.all()
	o.refused("state_unknown", "carl", "spy", "anna")
	if got := o.log.all()[len(lines):]; len(got) > 1 { // its end may be recorded a moment later
		t.Fatalf("%q", got)
	}
}

func TestARenewalThatFailsIsTriedAgain(t *testing.T) {
	o := newOffice(t, house, func(c *gate.Config) { c.Lease = 300 * time.Millisecond })
	o.talk("x", ivanov, "PJSIP/101")
	w := o.watch("carl")
	o.pbx.failing("renew", errors.New("busy"))
	id := o.must("carl", "spy", "anna")
	o.log.until(t, "renew", 2)
	o.pbx.failing("", nil)
	o.log.until(t, "renew", 5)
	if v, err := o.gate.Supervision(who("carl"), id); err != nil || v.State != "active" {
		t.Fatalf("%+v %v", v, err)
	}
	o.pbx.failing("renew", errors.New("gone"))
	if reason := w.act(id, "ended"); reason != "leg_gone" {
		t.Fatal(reason)
	}
}

// While requests come to nothing and events still arrive, the lease ends the supervisor's leg, and that is no hanging up of his.
func TestAnEndByTheLeaseIsNotRecordedAsTheSupervisors(t *testing.T) {
	const lease = 600 * time.Millisecond
	o := newOffice(t, house, func(c *gate.Config) { c.Lease = lease })
	o.talk("x", ivanov, "PJSIP/101")
	w := o.watch("carl")
	o.pbx.holds("renew")
	defer o.pbx.let()
	id := o.must("carl", "spy", "anna")
	w.act(id, "active")
	time.Sleep(lease + lease/6) // it is over, and the renewal that is under way not given up yet
	o.gone(string(o.pbx.rung[0].Leg))
	o.pbx.let()
	if reason := w.act(id, "ended"); reason != "leg_gone" {
		t.Fatal(reason)
	}
}

// picture is the PBX as it is, for a resync.
func (o *office) picture(without ...string) *call.Snapshot {
	s := &call.Snapshot{}
	bridges := map[call.BridgeID]*call.Bridge{}
	o.feed.Read(func(t *call.Table) {
		for _, l := range t.All(nil) {
			if slices.Contains(without, string(l.ID())) {
				continue
			}
			s.Channels = append(s.Channels, o.ch(string(l.ID())))
			if b := l.Bridge(); b != "" {
				if bridges[b] == nil {
					bridges[b] = &call.Bridge{ID: b, Type: "mixing"}
				}
				bridges[b].Legs = append(bridges[b].Legs, l.ID())
			}
		}
	})
	for _, b := range bridges {
		s.Bridges = append(s.Bridges, *b)
	}
	return s
}

func TestAResyncKeepsWhatHoldsAndEndsWhatDoesNot(t *testing.T) {
	for name, c := range map[string]struct {
		without []string
		reason  string
	}{
		"all there":           {nil, ""},
		"the target is gone":  {[]string{"x.1"}, "call_ended"},
		"the own leg is gone": {[]string{"own"}, "leg_gone"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, house)
			o.talk("x", ivanov, "PJSIP/101")
			id := o.active("carl", "spy", "anna")
			w := o.watch("carl")
			p := o.picture(append(c.without, strings.Replace(strings.Join(c.without, ""), "own", string(o.pbx.rung[0].Leg), 1))...)
			o.ingest(call.Event{Kind: call.LinkLost})
			if m := w.next(); m.Type != gate.MessageUnknown {
				t.Fatalf("%+v", m)
			}
			o.ingest(call.Event{Kind: call.Resynced, Snapshot: p})
			if m := w.next(); m.Type != gate.MessageSnapshot || !m.Board.Known {
				t.Fatalf("%+v", m)
			}
			if c.reason != "" {
				if reason := w.act(id, "ended"); reason != c.reason {
					t.Fatal(reason)
				}
				return
			}
			if v, err := o.gate.Supervision(who("carl"), id); err != nil || v.State != "active" || v.Call != calls(o, "carl", "anna") {
				t.Fatalf("%+v %v", v, err)
			}
		})
	}
}

func TestWhileTheStateIsUnknownThePolicyStillRevokes(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	o.active("dora", "spy", "anna")
	o.ingest(call.Event{Kind: call.LinkLost})
	o.gate.SetPolicy(set(t, strings.Replace(house, "listen: {to: any, allow: [spy], except: [egor]}", "observe: true", 1)))
	o.log.until(t, "record revoked deny no_right")
	if b, _ := o.gate.Employees(who("carl")); b.Known || len(o.row("carl", "anna").Calls) > 0 {
		t.Fatal("calls are shown that are not known")
	}
}

func TestAPhoneAnsweredWhileTheStateIsUnknownHearsNothing(t *testing.T) {
	o := newOffice(t, house)
	o.pbx.silent = true
	o.talk("x", ivanov, "PJSIP/101")
	w := o.watch("carl")
	id := o.must("carl", "spy", "anna")
	o.waitRung(1)
	o.ingest(call.Event{Kind: call.LinkLost})
	o.gate.Entered(o.pbx.rung[0].Leg)
	if reason := w.act(id, "ended"); reason != "state_unknown" || slices.Contains(o.log.all(), "tap") {
		t.Fatal(reason)
	}
}

func TestLegsThatAnEarlierEarshotLeftBehindAreHungUpButNotCallsThatWereTaken(t *testing.T) {
	o := newOffice(t, house)
	for _, id := range []call.LegID{"earshot-1", "earshot-1-snoop", "earshot-2-take", "earshot-3-take"} {
		o.pbx.put(id, "")
	}
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{
		Channels: []call.Channel{
			{ID: "t", Name: "PJSIP/trunk-1", State: call.StateUp}, {ID: "x.1", Name: "PJSIP/101-1", State: call.StateUp},
			{ID: "earshot-1", Name: "PJSIP/103-1", State: call.StateUp}, {ID: "earshot-1-snoop", Name: "Snoop/x.1-1", State: call.StateUp},
			{ID: "c", Name: "PJSIP/trunk-2", State: call.StateUp}, {ID: "earshot-2-take", Name: "PJSIP/106-1", State: call.StateUp},
			{ID: "earshot-3-take", Name: "PJSIP/107-1", State: call.StateRinging},
		},
		Bridges: []call.Bridge{
			{ID: "x", Type: "mixing", Legs: []call.LegID{"t", "x.1"}}, {ID: "b", Type: "mixing", Legs: []call.LegID{"earshot-1", "earshot-1-snoop"}},
			{ID: "y", Type: "mixing", Legs: []call.LegID{"c", "earshot-2-take"}},
		},
	}})
	o.log.until(t, "drop own snoop take")
	if _, ok := o.pbx.legs["earshot-2-take"]; !ok || o.pbx.left() != 1 {
		t.Fatal("a call that had been taken is lost")
	}
	if r := o.row("carl", "fay"); r.State != "talking" || r.Calls[0].Peer == nil {
		t.Fatalf("%+v", r)
	}
}
