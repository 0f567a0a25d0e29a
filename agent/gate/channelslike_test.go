package gate_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// What comes in another order than usual is told as Asterisk tells it.

func TestAPhoneThatRingsBeforeItIsKnownWhoCallsIsToldToRing(t *testing.T) {
	o := newOffice(t, house)
	p, hidden := o.panel("carl"), o.panel("dora")
	o.leg("x.0", other, call.StateRing, "101")
	o.leg("x.1", "PJSIP/101", call.StateRinging, "")
	p.tells("it rings", "appeared anna Down", "state anna Ringing")
	hidden.tells("it rings", "appeared anna Down hidden", "dial -, anna Down hidden", "state anna Ringing hidden", "rings -, anna Ringing hidden")
	o.dial("x.0", "x.1", "101")
	p.tells("it is known who calls", "appeared out:+78120000000 Ring with anna101",
		"dial out:+78120000000 Ring with anna101, anna Ringing", "rings out:+78120000000 Ring with anna101, anna Ringing",
		"peer anna Ringing with +78120000000")
	hidden.tells("it is known who calls")
	p.agrees()
}

func TestAPhoneThatAnswersBeforeItIsKnownWhoCallsIsToldToAnswer(t *testing.T) {
	o := newOffice(t, house)
	p, hidden := o.panel("carl"), o.panel("dora")
	o.leg("x.0", other, call.StateRing, "101")
	o.leg("x.1", "PJSIP/101", call.StateDown, "")
	o.state("x.1", call.StateUp)
	p.tells("it answers", "appeared anna Down", "state anna Up")
	hidden.tells("it answers", "appeared anna Down hidden", "state anna Up hidden", "made", "entered anna Up hidden 1")
	p.agrees()
	hidden.agrees()
	// What went on before anybody could know is told as it is.
	before := o.picture()
	o.ingest(call.Event{Kind: call.LinkLost})
	o.leg("y.1", "PJSIP/102", call.StateUp, "")
	before.Channels = append(before.Channels, o.ch("y.1"))
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: before})
	p.tells("meanwhile", "appeared boris Up")
}

// AMI and ARI are two connections: that somebody has taken a call may be told behind the end of the phone that rang.
func TestAPickupIsToldThoughThePhoneThatRangIsGone(t *testing.T) {
	o := newOffice(t, house)
	carl, late, hidden := o.panel("carl"), o.panel("ivo"), o.panel("dora")
	o.rings("x", other, "PJSIP/101")
	o.leg("x.2", "PJSIP/102", call.StateRing, "*8")
	rang := call.Channel{ID: "x.1", Name: o.ch("x.1").Name}
	o.answers("x", 2)
	o.goes("x.1", 26)
	for _, p := range []*panel{carl, late, hidden} {
		if got := p.tale(p.changes()); !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "gone anna Ringing") }) {
			t.Fatalf("%s is told %q", p.who, got)
		}
	}
	picked := call.Event{Kind: call.PickedUp, Channel: o.ch("x.2"), Peer: rang}
	o.ingest(picked)
	for _, p := range []*panel{carl, late} {
		told := p.tale(p.late())
		if want := []string{"pickup boris Up with +78120000000, anna Ringing with +78120000000"}; !slices.Equal(told, want) {
			t.Errorf("%s is told %q", p.who, told)
		}
		p.agrees()
	}
	hidden.tells("taken")
	// Of one of whose end nobody was told nothing is told; nor of whom a policy has hidden since.
	newcomer := o.panel("carl")
	o.ingest(picked)
	newcomer.tells("he came later")
	late.late()
	o.gate.SetPolicy(set(t, strings.Replace(house, "observe: {to: any, except: [egor]}", "observe: {to: [boris]}", 1)))
	late.changes()
	o.ingest(picked)
	if told := late.tale(late.late()); len(told) != 0 {
		t.Errorf("under another policy he is told %q", told)
	}
}

// late takes what is there, of which some may be about channels that are gone.
func (p *panel) late() (all []mask.ChannelChange) {
	for {
		s, ok := p.TryNext()
		if !ok {
			return all
		}
		all = append(all, s.Changes()...)
	}
}

// Asterisk's channels keep whom they were connected with last. So do Earshot's, for who has seen him.
func TestWhoWasOnTheOtherSideLastStaysForWhoSawHim(t *testing.T) {
	o := newOffice(t, house)
	carl, ivo, dora := o.panel("carl"), o.panel("ivo"), o.panel("dora")
	last := func(p *panel) string {
		for o.gate.Lingering() > 0 {
			o.log.wait(time.Millisecond)
		}
		p.agrees()
		at := slices.IndexFunc(p.have, func(c mask.Channel) bool { return c.Employee == "anna" })
		if at < 0 || p.have[at].Hidden {
			return "hidden"
		}
		if p.have[at].Peer == nil {
			return ""
		}
		return p.have[at].Peer.Number
	}
	compare := func(when string, want ...string) {
		t.Helper()
		if got := []string{last(carl), last(ivo), last(dora)}; !slices.Equal(got, want) {
			t.Errorf("%s: they have %q and not %q", when, got, want)
		}
	}
	o.talk("x", other, "PJSIP/101")
	compare("they talk", "+78120000000", "+78120000000", "hidden")
	o.leave("x", "x.0")
	o.goes("x.0", 16)
	compare("he is gone", "+78120000000", "+78120000000", "hidden")
	// Egor, who is protected, is not for ivo: that anna is alone then shows him no more.
	o.leg("y.0", "PJSIP/105", call.StateUp, "")
	o.enter("x", "y.0")
	compare("egor is there", "105", "hidden", "hidden")
	o.leave("x", "y.0")
	o.goes("y.0", 16)
	o.pass(1)
	compare("egor is gone", "105", "", "hidden")
	for _, c := range o.channels("ivo").All {
		if c.Peer != nil || c.Employee != "anna" {
			t.Errorf("ivo is shown %+v", c)
		}
	}
	o.leg("z.0", other, call.StateUp, "")
	o.enter("x", "z.0")
	o.leave("x", "z.0")
	o.goes("z.0", 16)
	o.pass(1)
	compare("another has been there", "+78120000000", "+78120000000", "hidden")
	// Also for whose dial has ended before its phone says that it rings, which is on no row in between.
	o.goes("x.1", 16)
	for _, p := range []*panel{carl, ivo, dora} {
		p.changes()
	}
	o.leg("v.0", other, call.StateRing, "101")
	o.leg("v.1", "PJSIP/101", call.StateDown, "")
	o.dial("v.0", "v.1", "101")
	o.refuses("v.0", "v.1", call.RefusalCancelled)
	o.state("v.1", call.StateRinging)
	compare("given up before it rings", "+78120000000", "+78120000000", "hidden")
	o.goes("v.0", 16)
	o.goes("v.1", 0)
	o.leg("u.1", "PJSIP/101", call.StateRinging, "") // whose memory may be that of the one before
	compare("nobody calls yet", "", "", "hidden")
	o.goes("u.1", 16)
	o.talk("w", other, "PJSIP/101")
	o.leave("w", "w.0")
	o.goes("w.0", 16)
	o.pass(1)
	compare("another call", "+78120000000", "+78120000000", "hidden")
	o.gate.SetPolicy(set(t, strings.Replace(house, "observe: {to: any, except: [egor]}", "observe: false", 1)))
	if got := last(ivo); got != "hidden" {
		t.Errorf("who may see no more has %q", got)
	}
	o.gate.SetPolicy(set(t, house))
	if got := last(ivo); got != "" {
		t.Errorf("who may see again has %q", got)
	}
}

func TestWhoHearsThatSomebodyIsBusyStillCalls(t *testing.T) {
	o := newOffice(t, house)
	p := o.panel("carl")
	o.leg("x.0", "PJSIP/101", call.StateRing, "102")
	p.tells("anna calls", "appeared anna Ring")
	o.state("x.0", call.StateBusy)
	p.tells("it is busy")
	p.agrees()
}
