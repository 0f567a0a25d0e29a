package gate_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/queue"
)

// goes ends a leg for a cause.
func (o *office) goes(id string, cause int) {
	o.ingest(call.Event{Kind: call.LegGone, Channel: o.ch(id), Cause: cause})
	o.mu.Lock()
	delete(o.chans, id)
	o.mu.Unlock()
}

// refuses is the end of a dial that nobody answered.
func (o *office) refuses(from, to string, why call.Refusal) {
	o.ingest(call.Event{Kind: call.DialEnded, Channel: o.ch(from), Peer: o.ch(to), Refusal: why})
}

func TestChannelsTellOfAHiddenCallWhatTheBoardDoes(t *testing.T) {
	o := newOffice(t, house)
	p := o.panel("dora")
	o.rings("x", "PJSIP/102", "PJSIP/101")
	p.tells("rings", "appeared boris Ring hidden", "appeared anna Down hidden", "dial -, anna Down hidden", "state anna Ringing hidden", "rings -, anna Ringing hidden")
	o.answers("x", 1)
	p.tells("answered",
		"state anna Up hidden", "dialled -, anna Up hidden ANSWER", "made", "entered anna Up hidden 1",
		"state boris Up hidden", "made", "entered boris Up hidden 1")
	for _, c := range p.have {
		if c.Linked != c.ID || c.Mates != 1 || c.DialledBy != "" || c.Peer != nil || c.Dialled != "" || c.App != "" || c.Queue != "" || c.Endpoint != "PJSIP/10"+map[string]string{"anna": "1", "boris": "2"}[c.Employee] {
			t.Errorf("%+v", c)
		}
	}
	if p.have[0].Bridge == p.have[1].Bridge {
		t.Error("two hidden legs have one bridge")
	}
	o.ingest(call.Event{Kind: call.LegHeld, Channel: o.ch("x.1")})
	p.tells("held", "hold anna Up hidden")
	o.ingest(call.Event{Kind: call.LegUnheld, Channel: o.ch("x.1")})
	p.tells("not held", "unhold anna Up hidden")
	o.leave("x", "x.1", "x.0")
	p.tells("left, of which the board says nothing")
	o.goes("x.1", 127)
	o.goes("x.0", 16)
	p.tells("gone", "left anna Up hidden 0", "removed", "gone anna Up hidden 16", "left boris Up hidden 0", "removed", "gone boris Up hidden 16")
	// Why a call came to nothing is not told either.
	o.rings("y", other, "PJSIP/101")
	p.changes()
	o.refuses("y.0", "y.1", call.RefusalBusy)
	p.tells("busy, of which the board says nothing")
	o.goes("y.1", 17)
	p.tells("gone", "dialled -, anna Ringing hidden CANCEL", "gone anna Ringing hidden 16")
	p.agrees()
}

func TestChannelsOfACallThatIsSeenOnOneRowAlone(t *testing.T) {
	o := newOffice(t, strings.Replace(house, "dora:  {name: Dora,", "dora:  {name: Dora, observe: {to: [anna]},", 1))
	p := o.panel("dora")
	o.rings("x", "PJSIP/102", "PJSIP/101")
	p.tells("rings", "appeared boris Ring hidden", "appeared anna Down with boris102", "dial -, anna Down with boris102", "state anna Ringing with boris102", "rings -, anna Ringing with boris102")
	o.answers("x", 1)
	p.tells("answered", "state anna Up with boris102", "state boris Up hidden", "dialled -, anna Up with boris102 ANSWER",
		"made", "entered boris Up hidden 1", "made", "entered anna Up with boris102 1")
	anna, boris := p.have[1], p.have[0]
	if anna.Bridge == boris.Bridge || anna.Linked != anna.ID || boris.Linked != boris.ID || anna.Mates != 1 || anna.DialledBy != "" {
		t.Errorf("they are tied: %+v %+v", anna, boris)
	}
	o.goes("x.1", 21)
	o.goes("x.0", 16)
	p.tells("gone", "left anna Up with boris102 0", "removed", "gone anna Up with boris102 21", "left boris Up hidden 0", "removed", "gone boris Up hidden 16")
	p.agrees()
}

func TestChannelsTellWhyACallCameToNothingToWhoSeesIt(t *testing.T) {
	for word, end := range map[string]call.Event{
		"BUSY": {Refusal: call.RefusalBusy}, "NOANSWER": {Refusal: call.RefusalNoAnswer}, "CANCEL": {Refusal: call.RefusalCancelled},
		"CHANUNAVAIL": {Refusal: call.RefusalFailed}, "CONGESTION": {Refusal: call.RefusalFailed, Congested: true},
	} {
		o := newOffice(t, house)
		p := o.panel("carl")
		o.rings("x", other, "PJSIP/101")
		p.changes()
		end.Kind, end.Channel, end.Peer = call.DialEnded, o.ch("x.0"), o.ch("x.1")
		o.ingest(end)
		o.goes("x.1", 17)
		o.goes("x.0", 34)
		p.tells(word, "dialled out:+78120000000 Ring with anna101, anna Ringing with +78120000000 "+word, "gone anna Ringing with +78120000000 17", "gone out:+78120000000 Ring with anna101 34")
	}
}

// seesAnna is a house in which dora sees anna's calls and nobody else's.
var seesAnna = strings.Replace(house, "dora:  {name: Dora,", "dora:  {name: Dora, observe: {to: [anna]},", 1)

// That another has answered is told to who sees him answer; for who does not, the call was given up.
func TestThatAnotherHasAnsweredIsToldToWhoSeesHim(t *testing.T) {
	for _, dialEnds := range []bool{false, true} { // Asterisk may tell before that the phone is rung no more
		o := newOffice(t, seesAnna)
		dora, carl := o.panel("dora"), o.panel("carl")
		o.rings("x", other, "PJSIP/101", "PJSIP/102")
		o.state("x.2", call.StateUp)
		if dialEnds {
			o.refuses("x.0", "x.1", call.RefusalCancelled)
		}
		dora.changes()
		carl.changes()
		o.goes("x.1", 26)
		for p, want := range map[*panel]int{carl: 26, dora: 16} {
			gone := 0
			for _, c := range p.changes() {
				if c.Kind == mask.ChannelGone && c.Channel.Employee == "anna" {
					gone++
					if c.Cause != want {
						t.Errorf("%s is told of %d, not %d", p.who, c.Cause, want)
					}
				}
			}
			if gone != 1 {
				t.Errorf("%s is told %d times that anna's leg is gone", p.who, gone)
			}
		}
		o.state("x.0", call.StateUp)
		for _, c := range dora.changes() {
			if c.Channel != nil && c.Channel.Employee == "" && c.Channel.State == mask.ChannelUp {
				t.Errorf("dora is told that somebody has answered: %q", dora.tale([]mask.ChannelChange{c}))
			}
		}
		if got := carl.tale(carl.changes()); !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, "state out:+78120000000 Up") }) {
			t.Errorf("carl is told %q", got)
		}
	}
}

// Who goes on alone after a call is on nobody's row: after a moment he is gone for who watches.
func TestWhoGoesOnAloneIsGoneAfterAMoment(t *testing.T) {
	o := newOffice(t, house)
	p := o.panel("carl")
	o.talk("x", other, "PJSIP/101")
	o.leave("x", "x.1")
	o.goes("x.1", 16)
	for len(p.have) > 0 { // what is told of him says so
		if err := p.Wait(); err != nil {
			t.Fatal(err)
		}
		for _, c := range p.changes() {
			if c.Kind == mask.ChannelGone && c.Cause != 16 {
				t.Errorf("%q", p.tale([]mask.ChannelChange{c}))
			}
		}
	}
	if all := o.channels("carl").All; len(all) != 0 || o.ch("x.0").ID == "" {
		t.Errorf("%+v", all)
	}
}

func TestWhoGoesOnAloneIsGoneAfterAMomentAlsoWhereTheLinkWasLostMeanwhile(t *testing.T) {
	o := newOffice(t, house)
	p := o.panel("carl")
	o.talk("x", other, "PJSIP/101")
	o.leave("x", "x.1")
	o.goes("x.1", 16)
	before := o.picture()
	o.ingest(call.Event{Kind: call.LinkLost})
	o.relaxed()
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: before})
	p.agrees()
	o.talk("y", ivanov, "PJSIP/102")
	o.leave("y", "y.1")
	o.goes("y.1", 16)
	p.changes()
	if len(p.have) != 1 {
		t.Fatalf("nobody is kept on stage: %+v", p.have)
	}
	o.relaxed()
	p.tells("after a moment", "left out:+79161234567 Up with boris102 0", "removed", "gone out:+79161234567 Up with boris102 16")
}

// relaxed waits until the moment is over for which somebody is kept on stage.
func (o *office) relaxed() {
	o.t.Helper()
	for range 5000 {
		if !o.gate.Relaxing() {
			return
		}
		o.log.wait(1e6)
	}
	o.t.Fatal("the moment does not end")
}

func TestChannelsTellOfTransfers(t *testing.T) {
	o := newOffice(t, house)
	p, hidden := o.panel("carl"), o.panel("dora")
	o.talk("x", other, "PJSIP/101")
	p.changes()
	hidden.changes()
	o.ingest(call.Event{Kind: call.BlindTransferred, Channel: o.ch("x.1"), Transferee: "x.0", Dialled: "102"})
	o.leave("x", "x.1")
	o.goes("x.1", 16)
	o.leave("x", "x.0")
	o.leg("x.2", "PJSIP/102", call.StateDown, "")
	o.dial("x.0", "x.2", "102")
	o.state("x.2", call.StateRinging)
	p.tells("blind",
		"blind anna Up with +78120000000, out:+78120000000 Up with anna101 to 102", "left anna Up with +78120000000 1", "gone anna Up with +78120000000 16",
		"left out:+78120000000 Up with anna101 0", "removed",
		"appeared boris Down with +78120000000", "dial out:+78120000000 Up with anna101, boris Down with +78120000000", "peer out:+78120000000 Up with boris102",
		"state boris Ringing with +78120000000", "rings out:+78120000000 Up with boris102, boris Ringing with +78120000000")
	hidden.tells("blind", "left anna Up hidden 0", "removed", "gone anna Up hidden 16", "appeared boris Down hidden", "dial -, boris Down hidden", "state boris Ringing hidden", "rings -, boris Ringing hidden")
	p.agrees()

	o.talk("y", other, "PJSIP/101")
	o.talk("z", "PJSIP/101", "PJSIP/102")
	p.changes()
	o.ingest(call.Event{Kind: call.AttendedTransferred, Channel: o.ch("y.1"), Peer: o.ch("z.0"), Transferee: "y.0"})
	p.tells("attended", "attended anna Up with +78120000000, anna Up with boris102, out:+78120000000 Up with anna101")
	o.leave("y", "y.0")
	o.enter("z", "y.0")
	o.leave("z", "z.0")
	o.goes("z.0", 16)
	o.leave("y", "y.1")
	o.goes("y.1", 16)
	p.changes()
	p.agrees()
}

// Where to somebody is transferred is not told to who may not see with whom he talks then.
func TestWhereToIsNotToldToWhoMayNotSeeWhoIsThere(t *testing.T) {
	o := newOffice(t, house)
	ivo, carl := o.panel("ivo"), o.panel("carl")
	for number, told := range map[string]bool{"102": true, "105": false} {
		o.talk(number, other, "PJSIP/101")
		ivo.changes()
		carl.changes()
		o.ingest(call.Event{Kind: call.BlindTransferred, Channel: o.ch(number + ".1"), Transferee: call.LegID(number + ".0"), Dialled: number})
		for _, p := range []*panel{ivo, carl} {
			c := p.changes()
			if len(c) != 1 || c[0].Kind != mask.BlindTransferred || (c[0].Dialled == number) != (told || p == carl) {
				t.Errorf("%s of %s: %q", p.who, number, p.tale(c))
			}
		}
		o.goes(number+".1", 16)
		o.goes(number+".0", 16)
	}
}

func TestChannelsTellOfAPickup(t *testing.T) {
	o := newOffice(t, house)
	p := o.panel("carl")
	o.rings("x", other, "PJSIP/101")
	o.leg("x.2", "PJSIP/102", call.StateRing, "*8")
	p.changes()
	o.ingest(call.Event{Kind: call.PickedUp, Channel: o.ch("x.2"), Peer: o.ch("x.1")})
	p.tells("picked up", "pickup boris Ring, anna Ringing with +78120000000")
	o.answers("x", 2)
	o.goes("x.1", 26)
	p.tells("and answered", "state boris Up", "state out:+78120000000 Up with anna101",
		"peer out:+78120000000 Up with boris102", "peer boris Up with +78120000000", "made", "entered boris Up with +78120000000 1",
		"entered out:+78120000000 Up with boris102 2", "dialled out:+78120000000 Up with boris102, anna Ringing with +78120000000 CANCEL", "gone anna Ringing with +78120000000 26")
	p.agrees()
}

func TestChannelsOfAConferenceOfThree(t *testing.T) {
	o := newOffice(t, house)
	p := o.panel("carl")
	o.talk("x", other, "PJSIP/101")
	p.changes()
	o.leg("x.2", "PJSIP/102", call.StateUp, "700")
	o.enter("x", "x.2")
	p.agrees()
	if len(p.have) != 3 {
		t.Fatalf("%+v", p.have)
	}
	for _, c := range p.have {
		if c.Mates != 3 || c.Bridge != p.have[0].Bridge || c.Linked != p.have[0].Linked || c.Bridge == "" {
			t.Errorf("%+v", c)
		}
	}
	// Of who is in there one may not see, nothing more of the call is seen either.
	o.leg("x.3", "PJSIP/108", call.StateUp, "700")
	ivo := o.panel("ivo")
	o.enter("x", "x.3")
	o.leg("y.3", "PJSIP/105", call.StateUp, "700")
	ivo.changes()
	o.enter("x", "y.3")
	for _, c := range ivo.changes() {
		if c.Channel != nil && c.Kind == mask.ChannelAppeared && !c.Channel.Hidden {
			t.Errorf("ivo is told %q", ivo.tale([]mask.ChannelChange{c}))
		}
	}
	ivo.agrees()
	for _, c := range ivo.have {
		if !c.Hidden || c.Mates != 1 {
			t.Errorf("%+v", c)
		}
	}
	p.agrees()
}

func TestChannelsTellACallOfAQueue(t *testing.T) {
	o := newLineOffice(t)
	rosa, vic := o.panel("rosa"), o.panel("vic") // both may view the line; vic observes nobody
	nobody := o.panel("anna")
	o.queued("x", ivanov, "q-sales")
	rosa.tells("joined", "appeared out:+79161234567 Up", "joined out:+79161234567 Up q-sales 1/1", "music out:+79161234567 Up")
	vic.tells("joined", "joined q-sales 1/1")
	nobody.tells("joined")
	o.ringsAt("x", "PJSIP/101")
	rosa.tells("rings", "appeared anna Down with +79161234567", "dial out:+79161234567 Up, anna Down with +79161234567",
		"agent called out:+79161234567 Up, anna Down with +79161234567 q-sales 0/1 anna", "peer out:+79161234567 Up with anna101",
		"state anna Ringing with +79161234567", "rings out:+79161234567 Up with anna101, anna Ringing with +79161234567")
	vic.tells("rings", "appeared anna Down hidden", "dial -, anna Down hidden", "state anna Ringing hidden", "rings -, anna Ringing hidden")
	o.answers("x", 1)
	o.gate.Queues(queue.Event{Kind: queue.CallerLeft, Queue: "q-sales", Caller: queue.Caller{Leg: "x.0"}})
	rosa.tells("answered", "state anna Up with +79161234567", "dialled out:+79161234567 Up with anna101, anna Up with +79161234567 ANSWER",
		"made", "entered anna Up with +79161234567 1", "agent connected out:+79161234567 Up with anna101, anna Up with +79161234567 q-sales 0/1 anna",
		"quiet out:+79161234567 Up with anna101", "entered out:+79161234567 Up with anna101 2", "answered out:+79161234567 Up with anna101 q-sales 1/0")
	vic.tells("answered", "state anna Up hidden", "dialled -, anna Up hidden ANSWER", "made", "entered anna Up hidden 1", "answered q-sales 1/0")
	rosa.agrees()
	o.pass(7)
	o.leave("x", "x.1")
	o.goes("x.1", 16)
	for _, c := range rosa.changes() {
		if c.Kind == mask.AgentCompleted && c.Queue.Talk != 7 {
			t.Errorf("%+v", c.Queue)
		}
		nobody.names[kindWords[c.Kind]] = "told"
	}
	if nobody.names["agent completed"] == "" {
		t.Error("the end is not told")
	}
	o.goes("x.0", 16)

	o.queued("y", other, "q-sales")
	rosa.changes()
	vic.changes()
	o.goes("y.0", 16)
	rosa.tells("gave up", "quiet out:+78120000000 Up", "abandoned out:+78120000000 Up q-sales 1/0", "gone out:+78120000000 Up 16")
	vic.tells("gave up", "abandoned q-sales 1/0")
	// That he has hung up is AMI's word too, which may come before ARI's.
	o.queued("w", other, "q-sales")
	vic.changes()
	o.gate.Queues(queue.Event{Kind: queue.CallerLeft, Queue: "q-sales", GaveUp: true, Caller: queue.Caller{Leg: "w.0"}})
	vic.tells("gave up", "abandoned q-sales 1/0")
	o.goes("w.0", 16)
	rosa.changes()
	vic.tells("is gone")
	m := queue.Member{Interface: "PJSIP/101", Fixed: true, Paused: true, Penalty: 2}
	o.gate.Queues(queue.Event{Kind: queue.MemberSeen, Queue: "q-sales", Member: m})
	o.gate.Queues(queue.Event{Kind: queue.MemberGone, Queue: "q-sales", Member: m})
	o.gate.Queues(queue.Event{Kind: queue.MemberSeen, Queue: "q-sales", Member: m})
	for _, p := range []*panel{rosa, vic} {
		p.tells("members", "penalty q-sales 0/0 anna", "pause q-sales 0/0 anna", "no member q-sales 0/0 anna", "member q-sales 0/0 anna")
	}
	nobody.changes()
	// What has happened to queues while nobody knew is told when it is known again.
	o.gate.Queues(queue.Event{Kind: queue.Lost})
	vic.tells("lost")
	o.gate.Queues(queue.Event{Kind: queue.Taken, Queues: []queue.State{{Name: "q-sales"}, {Name: "support"}}})
	vic.tells("taken", "no member q-sales 0/0 boris", "no member q-sales 0/0 anna")
	vic.agrees()
}

// Who sees a call is not told by which line it has come unless he may view that one.
func TestTheQueueOfACallIsShownToWhoMayViewTheLine(t *testing.T) {
	o := newLineOffice(t)
	rosa, carl := o.panel("rosa"), o.panel("carl")
	named := func(when string) {
		t.Helper()
		for p, want := range map[*panel]string{rosa: "q-sales", carl: ""} {
			p.agrees()
			apps := 0
			for _, c := range p.have {
				if c.Queue != want {
					t.Errorf("%s: %s is shown %+v", when, p.who, c)
				}
				if c.App == "Queue" {
					apps++
				}
			}
			if len(p.have) != 2 || apps != 1 {
				t.Fatalf("%s: %s has %+v", when, p.who, p.have)
			}
		}
	}
	o.queued("x", ivanov, "q-sales")
	o.ringsAt("x", "PJSIP/101")
	named("rings")
	o.answers("x", 1)
	named("answered")
}

// A caller on whom AMI's word alone is is none.
func TestChannelsHaveNoCallerWhomARIHasNot(t *testing.T) {
	o := newLineOffice(t)
	p := o.panel("rosa")
	o.gate.Queues(queue.Event{Kind: queue.CallerJoined, Queue: "q-sales", Caller: queue.Caller{Leg: "z.9", Channel: "PJSIP/trunk-z.9", Since: start}})
	p.tells("forged")
	o.queued("x", ivanov, "q-sales")
	if got := p.tale(p.changes()); !slices.Contains(got, "joined out:+79161234567 Up q-sales 1/1") {
		t.Errorf("%q", got)
	}
}

func TestChannelsOfAnotherSightAreOtherChannels(t *testing.T) {
	o := newOffice(t, house)
	p := o.panel("ivo")
	o.talk("x", other, "PJSIP/101")
	p.changes()
	was := p.have[1].ID
	o.gate.SetPolicy(set(t, strings.Replace(house, "observe: {to: any, except: [egor]}", "observe: false", 1)))
	p.tells("no right any more", "left out:+78120000000 Up with anna101 1", "left anna Up with +78120000000 0", "removed",
		"gone out:+78120000000 Up with anna101 16", "gone anna Up with +78120000000 16", "appeared anna Up hidden", "made", "entered anna Up hidden 1")
	p.agrees()
	if p.have[0].ID == was {
		t.Error("the handle is the same")
	}
	o.gate.SetPolicy(set(t, house))
	p.tells("the right again", "left anna Up hidden 0", "removed", "gone anna Up hidden 16", "appeared out:+78120000000 Up with anna101", "appeared anna Up with +78120000000",
		"made", "entered out:+78120000000 Up with anna101 1", "entered anna Up with +78120000000 2")
	p.agrees()
	o.gate.SetPolicy(set(t, strings.Replace(house, "  ivo: ", "  ivonne: ", 1)))
	if _, err := p.Next(t.Context()); !errors.Is(err, gate.CutUnknown) {
		t.Error(err)
	}
	if _, err := o.gate.WatchChannels(who("ivo")); gate.AsProblem(err).Code != "unknown_subject" {
		t.Error(err)
	}
	if _, err := o.gate.Channels(who("ivo")); gate.AsProblem(err).Code != "unknown_subject" {
		t.Error(err)
	}
}

func TestChannelsAfterAResync(t *testing.T) {
	o := newOffice(t, house)
	p := o.panel("carl")
	o.talk("x", other, "PJSIP/101")
	o.talk("y", ivanov, "PJSIP/102")
	p.changes()
	before := o.picture()
	o.ingest(call.Event{Kind: call.LinkLost})
	p.tells("lost")
	if c := o.channels("carl"); c.Known || len(c.All) != 0 || len(c.Presence) != 0 {
		t.Errorf("%+v", c)
	}
	late := o.panel("ivo")
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: before})
	p.tells("nothing has happened")
	if got := late.tale(late.changes()); len(got) < 4 || !strings.HasPrefix(got[0], "appeared") {
		t.Errorf("who came in the dark is told %q", got)
	}
	o.ingest(call.Event{Kind: call.LinkLost})
	o.gone("x.0", "x.1")
	o.leg("z.0", "PJSIP/106", call.StateRing, "9")
	p.tells("still in the dark")
	after := o.picture("x.0", "x.1")
	after.Channels = append(after.Channels, o.ch("z.0"))
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: after})
	p.tells("meanwhile", "left out:+78120000000 Up with anna101 1", "left anna Up with +78120000000 0", "removed",
		"gone out:+78120000000 Up with anna101 16", "gone anna Up with +78120000000 16", "appeared fay Ring")
	p.agrees()
	late.agrees()
}

func TestASlowWatcherOfChannelsIsCutOffAlone(t *testing.T) {
	o := newOffice(t, house)
	slow, quick := o.panel("carl"), o.panel("carl")
	o.talk("x", other, "PJSIP/101")
	quick.changes()
	for i := range 600 {
		o.ingest(call.Event{Kind: []call.Kind{call.LegHeld, call.LegUnheld}[i%2], Channel: o.ch("x.1")})
		if got := quick.changes(); len(got) == 0 {
			t.Fatal("nothing came")
		}
	}
	n := 0
	err := error(nil)
	for ; err == nil; n++ {
		_, err = slow.Next(t.Context())
	}
	if !errors.Is(err, gate.CutSlow) || n != 513 {
		t.Errorf("%v behind %d scenes", err, n-1)
	}
	quick.agrees()
	quick.Close()
	quick.Close()
	if _, err := quick.Next(t.Context()); err == nil {
		t.Error("a closed stream goes on")
	}
}

func TestASupervisionIsToldAmongChannelsToTheSupervisorAlone(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", other, "PJSIP/101")
	dora, carl, anna := o.panel("dora"), o.panel("carl"), o.panel("anna")
	id := o.active("dora", "spy", "anna")
	own := func(p *panel) (got []string) {
		for _, c := range p.changes() {
			if c.Kind == mask.SupervisionBegan || c.Kind == mask.SupervisionEnded {
				got = append(got, p.tale([]mask.ChannelChange{c})...)
				if c.Channel.Supervision != id {
					t.Errorf("of %q", c.Channel.Supervision)
				}
			} else if c.Channel != nil && c.Channel.Supervision != "" && p != dora {
				t.Errorf("%s is told of the supervision", p.who)
			}
		}
		return got
	}
	if got := own(dora); !slices.Equal(got, []string{"supervision dora Up, anna Up hidden"}) {
		t.Errorf("%q", got)
	}
	dora.agrees()
	if err := o.gate.EndSupervision(t.Context(), who("dora"), id); err != nil {
		t.Fatal(err)
	}
	if got := own(dora); !slices.Equal(got, []string{"supervised dora Up, anna Up hidden"}) {
		t.Errorf("%q", got)
	}
	for _, p := range []*panel{carl, anna} {
		if got := own(p); len(got) != 0 {
			t.Errorf("%s: %q", p.who, got)
		}
		p.agrees()
	}
}
