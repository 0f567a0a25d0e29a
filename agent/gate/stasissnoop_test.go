package gate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

func TestASnoopWaitsForALegAndHearsByIt(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	c := o.snoopsBy("carl")
	v, err := c.Snoop(t.Context(), gate.Ask{Target: "anna", Mode: "spy", Phone: "PJSIP/113", Leg: "x.0", Reason: "because", Door: "test"})
	if err != nil || v.State != "waiting" || v.Phone != "" || v.Target != "anna" || v.Mode != "spy" {
		t.Fatalf("%+v %v", v, err)
	}
	if e := o.audit.last(t, audit.Decided); e.ID != v.ID || e.Outcome != audit.Allow || e.Action != "spy" || e.Door != "ari" || e.Given != "because" || !slices.Equal(e.Targets, []string{"anna"}) {
		t.Fatalf("%+v", e)
	}
	if got := o.supervises("carl"); len(got) != 1 || got[0].ID != v.ID || got[0].State != "waiting" {
		t.Fatalf("%+v", got)
	}
	if there, up := c.Has(v.ID); !there || !up {
		t.Fatal("the snoop is not there")
	}
	if len(o.pbx.rung) != 0 {
		t.Fatalf("rung: %+v", o.pbx.rung)
	}
	bridge := c.bridge()
	c.add(bridge, v.ID)
	if got := c.View().Snoops; len(got) != 1 || got[0].ID != v.ID || len(c.View().Bridges) != 1 || !slices.Equal(c.View().Bridges[0].Channels, []string{v.ID}) {
		t.Fatalf("%+v", c.View())
	}
	leg := c.phone("PJSIP/113")
	if o.tapCount() != 0 {
		t.Fatal("he hears before his leg is in the bridge")
	}
	c.add(bridge, leg)
	own := o.rungLeg(0)
	if len(o.pbx.taps) != 1 {
		t.Fatalf("%+v", o.pbx.taps)
	}
	tap := o.pbx.taps[0]
	if tap.Target != "x.1" || tap.Supervisor != own || tap.Voice != pbx.VoiceNobody || !strings.HasSuffix(string(tap.Bridge), v.ID+"-bridge") || tap.Lease != 30*time.Second {
		t.Fatalf("%+v", tap)
	}
	if got := o.supervises("carl"); len(got) != 1 || got[0].State != "active" || got[0].Phone != "PJSIP/113" {
		t.Fatalf("%+v", got)
	}
	if row := o.row("carl", "carl").Calls; len(row) != 1 || row[0].Supervision != v.ID {
		t.Fatalf("%+v", row)
	}
	if e := o.audit.last(t, audit.Done); e.ID != v.ID || e.Mode != "spy" {
		t.Fatalf("%+v", e)
	}
	if got := c.bridges(); len(got) != 1 || !slices.Equal(got[0], []string{v.ID, leg}) {
		t.Fatalf("%q", got)
	}
	// It is one like every other: its mode is changed over HTTP.
	if v, err := o.gate.ChangeMode(t.Context(), who("carl"), v.ID, "barge", ""); err != nil || v.Mode != "barge" || v.State != "active" {
		t.Fatalf("%+v %v", v, err)
	}
	if s := o.pbx.swaps[0]; s.Bridge != tap.Bridge || s.Old != tap.Snoop || s.Voice != pbx.VoiceBoth {
		t.Fatalf("%+v", s)
	}
	c.must(c.HangUp(t.Context(), v.ID))
	if there, _ := c.Has(v.ID); there {
		t.Fatal("the snoop is there")
	}
	if there, up := c.Has(leg); !there || !up {
		t.Fatal("his leg has gone with it")
	}
	if got := c.bridges(); !slices.Equal(got[0], []string{leg}) {
		t.Fatalf("%q", got)
	}
	o.at(own, "-room")
	if e := o.audit.waits(t, v.ID, audit.Ended); e.Reason != "ended_by_supervisor" {
		t.Fatalf("%+v", e)
	}
	o.log.until(t, "told ended snoop ended_by_supervisor")
	want := []string{"told began snoop", "told made", "told entered snoop of 1", "told began leg", "told entered leg of 2", "told left snoop of 1", "told ended snoop ended_by_supervisor"}
	if got := toldAll(o); !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	if o.pbx.left() != 1 {
		t.Fatal("there are others than his leg")
	}
}

// A snoop's lease is renewed by the supervision, and its leg's by its Stasis alone.
func TestTheSnoopsLeaseIsRenewedByItself(t *testing.T) {
	o := newOffice(t, house, func(c *gate.Config) { c.Lease = 60 * time.Millisecond })
	o.talk("x", ivanov, "PJSIP/101")
	c := o.snoopsBy("carl")
	snoop, _, _ := c.hears("spy", "anna")
	seen := map[string]bool{}
	for n := 1; len(seen) < 2; n++ {
		o.log.until(t, "renew", n)
		o.pbx.set(func() { seen[fmt.Sprint(o.pbx.renewed)] = true })
	}
	if own, ear := fmt.Sprint([]call.LegID{o.rungLeg(0)}), fmt.Sprint([]call.LegID{o.pbx.taps[0].Snoop}); !seen[own] || !seen[ear] {
		t.Fatalf("%v: no %s or no %s", seen, own, ear)
	}
	if got := o.supervises("carl"); len(got) != 1 || got[0].ID != snoop {
		t.Fatalf("%+v", got)
	}
}

// In whatever order the two come, he hears when both are there.
func TestASnoopAndALegComeInAnyOrder(t *testing.T) {
	for name, come := range map[string]func(c *snooping, bridge, snoop, leg string){
		"snoop first":   func(c *snooping, b, s, l string) { c.add(b, s); c.add(b, l) },
		"leg first":     func(c *snooping, b, s, l string) { c.add(b, l); c.add(b, s) },
		"both at once":  func(c *snooping, b, s, l string) { c.add(b, s, l) },
		"the other way": func(c *snooping, b, s, l string) { c.add(b, l, s) },
		"the leg out of another bridge": func(c *snooping, b, s, l string) {
			other := c.bridge()
			c.add(other, l)
			c.add(b, s, l)
		},
		"the leg from another leg": func(c *snooping, b, s, l string) {
			other := c.bridge()
			c.add(other, l, c.phone(""))
			c.add(b, s)
			c.add(b, l)
		},
		"the snoop out of another bridge": func(c *snooping, b, s, l string) {
			other := c.bridge()
			c.add(other, s)
			c.add(b, l)
			c.add(b, s)
		},
		"where another leg was": func(c *snooping, b, s, l string) {
			other := c.phone("")
			c.add(b, l, other)
			c.must(c.Remove(c.o.t.Context(), b, other))
			c.add(b, s)
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, house)
			o.talk("x", ivanov, "PJSIP/101")
			c := o.snoopsBy("carl")
			bridge, snoop, leg := c.bridge(), c.snoop("spy", "anna"), c.phone("")
			o.passes(t)
			come(c, bridge, snoop, leg)
			if got := o.supervises("carl"); len(got) != 1 || got[0].State != "active" || o.tapCount() != 1 {
				t.Fatalf("%+v", got)
			}
			if got := c.bridges()[0]; len(got) != 2 || !slices.Contains(got, snoop) || !slices.Contains(got, leg) {
				t.Fatalf("%q", got)
			}
			o.at(o.rungLeg(0), "-bridge")
			c.must(c.HangUp(t.Context(), snoop))
			o.at(o.rungLeg(0), "-room")
			if got := c.bridges()[0]; !slices.Equal(got, []string{leg}) {
				t.Fatalf("%q", got)
			}
		})
	}
}

// A supervision has its bridge to itself, and each leg hears one.
func TestASupervisionIsOneSnoopAndOneLeg(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	o.talk("y", other, "PJSIP/102")
	c := o.snoopsBy("carl")
	one, two := c.snoop("spy", "anna"), c.snoop("spy", "boris")
	leg, more, bridge := c.phone("PJSIP/103"), c.phone("PJSIP/113"), c.bridge()
	for _, all := range [][]string{{one, two, leg}, {one, leg, more}, {one, two}} {
		if err := c.Add(t.Context(), bridge, all...); code(err) != "supervision_alone" {
			t.Fatalf("%d: %v", len(all), err)
		}
	}
	if o.tapCount() != 0 || len(c.bridges()[0]) != 0 || len(o.supervises("carl")) != 2 {
		t.Fatalf("%+v", o.pbx.taps)
	}
	c.add(bridge, one, leg)
	for _, all := range [][]string{{two}, {more}, {two, more}} {
		if err := c.Add(t.Context(), bridge, all...); code(err) != "supervision_alone" {
			t.Fatalf("%d: %v", len(all), err)
		}
	}
	second := c.bridge()
	if err := c.Add(t.Context(), second, one); code(err) != "already_supervising" {
		t.Fatal(err)
	}
	if got := o.supervises("carl"); len(got) != 2 || got[0].State != "active" || got[1].State != "waiting" {
		t.Fatalf("%+v", got)
	}
	// The leg leaves the one by going to the other.
	c.add(second, two, leg)
	o.audit.waits(t, one, audit.Ended)
	if got := o.supervises("carl"); len(got) != 1 || got[0].ID != two || got[0].State != "active" || o.pbx.taps[1].Target != "y.1" {
		t.Fatalf("%+v", got)
	}
}

// Each of his phones carries one supervision, whichever door it came by.
func TestASnoopCountsAsOneOfHisPhones(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	o.talk("y", other, "PJSIP/102")
	one := o.active("carl", "spy", "anna", "PJSIP/103")
	c := o.snoopsBy("carl")
	id := c.snoop("spy", "boris")
	ask := gate.Ask{Target: "boris", Mode: "spy"}
	if _, err := c.Snoop(t.Context(), ask); code(err) != "already_supervising" {
		t.Fatal(err)
	}
	leg, bridge := c.phone("PJSIP/113"), c.bridge()
	c.add(bridge, id, leg)
	o.refused("already_supervising", "carl", "spy", "boris", "PJSIP/113")
	if err := o.gate.EndSupervision(t.Context(), who("carl"), one); err != nil {
		t.Fatal(err)
	}
	// A phone that supervises already hears no second, though it has another leg.
	same, second := c.phone("PJSIP/113"), c.bridge()
	two := c.snoop("spy", "anna")
	if err := c.Add(t.Context(), second, two, same); code(err) != "already_supervising" {
		t.Fatal(err)
	}
	if got := o.supervises("carl"); len(got) != 2 || got[1].State != "waiting" {
		t.Fatalf("%+v", got)
	}
	d := o.snoopsBy("dora")
	d.snoop("spy", "anna")
	if _, err := d.Snoop(t.Context(), ask); code(err) != "already_supervising" {
		t.Fatal(err)
	}
	if _, err := o.snoopsBy("nils").Snoop(t.Context(), ask); code(err) != "no_phone" {
		t.Fatal(err)
	}
}

func TestASnoopIsDecidedAsASupervision(t *testing.T) {
	for name, c := range map[string]struct{ subject, mode, target, want string }{
		"no right":          {"boris", "spy", "anna", "no_right"},
		"another mode":      {"dora", "barge", "anna", "no_right"},
		"excluded":          {"dora", "spy", "egor", "excluded"},
		"with one excluded": {"dora", "spy", "boris", "not_for_this_call"},
		"protected":         {"carl", "spy", "hana", "protected"},
		"locked":            {"carl", "spy", "anna", "not_for_this_call"},
		"on no call":        {"carl", "spy", "gus", "not_talking"},
		"himself":           {"carl", "spy", "carl", "self"},
		"nobody":            {"carl", "spy", "zoe", "no_such_employee"},
		"no mode":           {"carl", "shout", "anna", "unknown_mode"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, house)
			o.talk("x", ivanov, "PJSIP/101")
			o.talk("y", "PJSIP/105", "PJSIP/102")
			o.talk("z", other, "PJSIP/108")
			o.mustLock("anna")
			s := o.snoopsBy(c.subject)
			_, err := s.Snoop(t.Context(), gate.Ask{Target: c.target, Mode: c.mode})
			_, want := o.ask(c.subject, c.mode, c.target)
			if code(err) != c.want || want != c.want {
				t.Fatalf("%v, and over HTTP %q", err, want)
			}
			if len(s.View().Snoops) != 0 || len(toldAll(o)) != 0 {
				t.Fatalf("%q", toldAll(o))
			}
		})
	}
}

// At the moment when the leg comes it is decided once more: here the leg has become another phone's.
func TestASnoopIsDecidedAgainWhenItsLegComes(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	c := o.snoopsBy("carl")
	snoop, leg, bridge := c.snoop("spy", "anna"), c.phone(""), c.bridge()
	c.add(bridge, snoop)
	ch := o.ch(string(o.rungLeg(0)))
	ch.Name = "PJSIP/102-00000001"
	o.seen(ch)
	if there, _ := c.Has(leg); !there {
		t.Fatal("the leg is not there any more, so nothing was to be decided")
	}
	if err := c.Add(t.Context(), bridge, leg); code(err) != "not_for_this_call" {
		t.Fatal(err)
	}
	if o.tapCount() != 0 {
		t.Fatalf("%+v", o.pbx.taps)
	}
	o.log.until(t, "told ended snoop not_for_this_call")
	o.audit.waits(t, snoop, audit.Revoked)
	if got := c.bridges()[0]; len(got) != 0 {
		t.Fatalf("%q", got)
	}
	if _, up := c.Has(leg); !up {
		t.Fatal("the leg is not his any more")
	}
}

// Nothing is heard where the PBX fails, and the leg is where it was.
func TestASnoopThatThePBXDoesNotCarryOut(t *testing.T) {
	for _, order := range []string{"create", "leave", "tap"} {
		t.Run(order, func(t *testing.T) {
			o := newOffice(t, house)
			o.talk("x", ivanov, "PJSIP/101")
			c := o.snoopsBy("carl")
			snoop, leg, bridge, first := c.snoop("spy", "anna"), c.phone(""), c.bridge(), c.bridge()
			c.add(first, leg)
			o.pbx.failing(order, errPBX)
			if err := c.Add(t.Context(), bridge, snoop, leg); code(err) != "pbx_failed" {
				t.Fatal(err)
			}
			o.log.until(t, "told ended snoop pbx_failed")
			if e := o.audit.waits(t, snoop, audit.Failed); e.Reason != "pbx_failed" {
				t.Fatalf("%+v", e)
			}
			o.at(o.rungLeg(0), "-room")
			if got := c.bridges(); len(got[0]) != 0 || !slices.Equal(got[1], []string{leg}) {
				t.Fatalf("%q", got)
			}
		})
	}
}

// A client that goes while its leg is being joined hears nothing any more.
func TestASnoopOfAClientThatGoesWhileItsLegComes(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	c := o.snoopsBy("carl")
	snoop, leg, bridge := c.snoop("spy", "anna"), c.phone(""), c.bridge()
	o.pbx.holds("create")
	got := make(chan error, 1)
	go func() { got <- c.Add(t.Context(), bridge, snoop, leg) }()
	o.log.until(t, "create", 2)
	c.Close()
	if err := <-got; err == nil {
		t.Fatal("it is said to run")
	}
	o.pbx.let()
	o.audit.waits(t, snoop, audit.Failed)
	if o.tapCount() != 0 || o.pbx.left() != 0 {
		t.Fatalf("%+v", o.pbx.taps)
	}
}

// One that goes while the decision is being recorded has nothing begun, and is told nothing.
func TestASnoopOfAClientThatGoesWhileItIsRecorded(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	c := o.snoopsBy("carl")
	o.audit.mu.Lock()
	o.audit.before = func(e audit.Entry) {
		if e.Phase == audit.Decided {
			c.Close()
		}
	}
	o.audit.mu.Unlock()
	v, err := c.Snoop(t.Context(), gate.Ask{Target: "anna", Mode: "spy"})
	if err != nil {
		t.Fatal(err)
	}
	o.audit.waits(t, v.ID, audit.Failed)
	if len(o.supervises("carl")) != 0 || len(toldAll(o)) != 0 || len(c.View().Snoops) != 0 {
		t.Fatalf("%q", toldAll(o))
	}
	if _, err := c.Snoop(t.Context(), gate.Ask{Target: "anna", Mode: "spy"}); code(err) != "state_unknown" {
		t.Fatal(err)
	}
}

// Nobody hears while it is not known who would be heard.
func TestASnoopIsNotLetHearWhileTheStateIsUnknown(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	c := o.snoopsBy("carl")
	snoop, leg, bridge := c.snoop("spy", "anna"), c.phone(""), c.bridge()
	o.pbx.holds("create")
	got := make(chan error, 1)
	go func() { got <- c.Add(t.Context(), bridge, snoop, leg) }()
	o.log.until(t, "create", 2)
	o.ingest(call.Event{Kind: call.LinkLost})
	o.pbx.let()
	if err := <-got; code(err) != "state_unknown" {
		t.Fatal(err)
	}
	if e := o.audit.waits(t, snoop, audit.Failed); e.Reason != "state_unknown" || o.tapCount() != 0 {
		t.Fatalf("%+v", e)
	}
}

// A key that is pressed on a leg which its client steers changes no mode: it is the client's.
func TestTheKeysOfALegThatASnoopHasAreItsClients(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	c := o.snoopsBy("carl")
	c.hears("spy", "anna")
	if err := o.gate.ChangeModeOn(t.Context(), string(o.rungLeg(0)), "barge", func(auth.Subject) error { return nil }); code(err) != "no_such_supervision" {
		t.Fatal(err)
	}
}

// A PBX that is slow to tell where his leg is: he is let hear when the table has seen it by itself, and not before.
func TestASnoopWaitsForWhatTheTableHasYetToTellOfItsLeg(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	c := o.snoopsBy("carl")
	leg, with, first := c.phone("PJSIP/103"), c.phone("PJSIP/113"), c.bridge()
	late, held := &lateEvents{}, make(chan struct{}, 3)
	o.pbx.set(func() { o.pbx.later = func(events func()) { late.add(events); held <- struct{}{} } })
	c.add(first, leg, with)
	bridge, snoop, added := c.bridge(), c.snoop("spy", "anna"), make(chan error, 1)
	go func() { added <- c.Add(t.Context(), bridge, snoop, leg) }()
	for range 3 { // two that enter, and one that leaves
		<-held
	}
	if o.tapCount() != 0 {
		t.Fatal("he hears though the table may have him with another yet")
	}
	o.pbx.set(func() { o.pbx.later = nil })
	late.come()
	o.passes(t)
	c.must(<-added)
	if got := o.supervises("carl"); len(got) != 1 || got[0].State != "active" {
		t.Fatalf("%+v", got)
	}
}
