package call_test

import (
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

func (p *pbx) resync(s *call.Snapshot) {
	p.t.Helper()
	p.log = nil
	p.apply(&call.Event{Kind: call.Resynced, Snapshot: s})
	p.changes("resynced")
	if diff := p.table.Diff(s); len(diff) > 0 {
		p.t.Errorf("differs after a resync:\n%s", strings.Join(diff, "\n"))
	}
}

func TestTheStateIsKnownFromTheFirstResyncToTheNextLoss(t *testing.T) {
	table := call.NewTable()
	if table.Known() {
		t.Error("known from the start")
	}
	if c := table.Apply(&call.Event{Kind: call.Resynced}); len(c) > 0 || table.Known() {
		t.Error("known by a resync without a snapshot")
	}
	table.Apply(&call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{}})
	if !table.Known() {
		t.Error("not known after a resync")
	}
	if c := table.Apply(&call.Event{Kind: call.LinkLost}); len(c) != 1 || c[0].Kind != call.LinkLost || table.Known() {
		t.Error("known after the link was lost")
	}
}

func TestAResyncIntoCallsThatRunFindsThem(t *testing.T) {
	old := newPBX(t)
	plainCall(old)
	// A queue call that rings through a Local channel, and a transfer that rings.
	old.leg("client", "PJSIP/trunk-00000003", call.StateRing, "600")
	old.state("client", call.StateUp)
	old.leg("l1", "Local/103@agents-00000001;1", call.StateDown)
	old.leg("l2", "Local/103@agents-00000001;2", call.StateRing, "103")
	old.leg("vera", "PJSIP/103-00000004", call.StateRinging)
	old.leg("gleb", "PJSIP/104-00000005", call.StateDown)
	old.leg("alone", "PJSIP/105-00000006", call.StateDown)
	s := old.snapshot()
	for i := range s.Channels {
		switch s.Channels[i].ID {
		case "boris":
			s.Channels[i].App = "AppDial"
		case "gleb":
			s.Channels[i].App = "AppQueue"
		}
	}
	s.Linked = map[call.LegID]call.LegID{"client": "client", "l1": "client", "l2": "client", "vera": "client", "gleb": "client", "alone": "alone"}
	answered := start.Add(time.Minute)
	s.AnsweredAt = map[call.LegID]time.Time{"boris": answered, "vera": answered}

	p := newPBX(t)
	p.apply(&call.Event{Kind: call.LinkLost})
	p.leg("stale", "PJSIP/109-00000001", call.StateRing)
	p.resync(s)
	if p.table.Leg("stale") != nil || !p.table.Gone("stale") {
		t.Error("what is not in the snapshot is left")
	}
	// It was made while the snapshot was taken: what has happened since tells of it again.
	p.apply(&call.Event{Kind: call.LegSeen, Channel: p.ch("stale")})
	p.is("stale", "dialling out")
	p.gone("stale")
	p.is("anna", "talking out")
	p.is("boris", "talking in")
	p.peers("anna", "boris")
	if l := p.table.Leg("boris"); !l.Answered().Equal(answered) || !l.Since().Equal(answered) {
		t.Errorf("answered %v, since %v", l.Answered(), l.Since())
	}
	if l := p.table.Leg("vera"); !l.Answered().IsZero() || !l.Since().Equal(l.Created()) {
		t.Errorf("a leg that rings: answered %v, since %v", l.Answered(), l.Since())
	}
	p.is("client", "dialling out")
	p.is("vera", "ringing in")
	p.is("gleb", "ringing in")
	p.is("alone", "ringing in")
	p.peers("vera", "client")
	p.peers("gleb", "client")
	p.peers("client", "gleb vera")
	p.call("vera", "client gleb l1 l2 vera")

	// It goes on as it would have.
	p.chans, p.in, p.types, p.order = old.chans, old.in, old.types, old.order
	p.answer("l2", "vera")
	p.bridge("b2", "mixing")
	p.enter("b2", "vera", "l2")
	p.peers("vera", "client")
	p.answer("client", "l1")
	p.dialEnd("client", "gleb", false)
	p.peers("client", "vera")
	p.call("gleb", "gleb")
	p.bridge("b3", "mixing")
	p.enter("b3", "l1", "client")
	p.peers("vera", "client")
	p.call("vera", "client l1 l2 vera")
	p.same()
}

func TestAResyncWithoutALossKeepsWhatASnapshotDoesNotHold(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	p.hold("boris", true)
	p.leg("vera", "PJSIP/103-00000003", call.StateRing, "104")
	p.leg("gleb", "PJSIP/104-00000004", call.StateDown)
	p.dial("vera", "gleb", "104")
	p.leg("irina", "PJSIP/110-00000005", call.StateRing, "*55")
	p.state("irina", call.StateUp)
	p.fact(call.SpyBegan, "irina", "anna")
	boris, since := p.table.Leg("boris"), p.table.Leg("boris").Since()
	s := p.snapshot()
	s.Linked = map[call.LegID]call.LegID{"vera": "vera", "gleb": "vera", "irina": "irina"}
	p.resync(s)
	if p.table.Leg("boris") != boris || !boris.Since().Equal(since) {
		t.Error("a leg that goes on is another one, or has begun anew")
	}
	p.is("boris", "held in")
	p.is("gleb", "ringing in")
	p.peers("gleb", "vera")
	if p.table.Leg("irina").Spied() == nil {
		t.Error("the spy is forgotten")
	}

	// After a loss nothing of this is certain: the hold shows as talking, the dial may have ended, the spy stays only while its
	// application says so.
	p.apply(&call.Event{Kind: call.LinkLost})
	p.resync(p.snapshot())
	p.is("boris", "talking in")
	p.peers("gleb", "")
	if p.table.Leg("irina").Spied() != nil {
		t.Error("the spy is kept on no ground")
	}
	p.is("gleb", "ringing in")
}

// The record that has the answer time begins anew when a leg is put together with somebody else.
func TestAResyncTakesTheEarlierAnswerTime(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	answered := p.table.Leg("boris").Answered()
	for _, at := range []time.Time{answered.Add(time.Minute), answered.Add(-time.Second)} {
		s := p.snapshot()
		s.AnsweredAt = map[call.LegID]time.Time{"boris": at}
		p.resync(s)
		if got := p.table.Leg("boris").Answered(); got.After(answered) || got.After(at) {
			t.Errorf("answered %v from when it was, by a record of %v", got.Sub(answered), at.Sub(answered))
		}
	}
}

func TestASpyInChanSpyOutlastsALostLink(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	p.leg("irina", "PJSIP/110-00000005", call.StateRing, "*55")
	p.chans["irina"].App = "ChanSpy"
	p.state("irina", call.StateUp)
	p.fact(call.SpyBegan, "irina", "anna")
	p.leg("snoop", "Snoop/boris-00000000", call.StateUp)
	p.apply(&call.Event{Kind: call.LinkLost})
	p.resync(p.snapshot())
	p.hears("anna", "anna boris irina snoop", nil)
}

func TestAResyncEndsWhatWasOnItsWay(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	p.leave("b1", "boris")
	p.resync(p.snapshot())
	if p.table.Moving() {
		t.Error("somebody is on the way for ever")
	}
	p.peers("anna", "")
	p.leave("b1", "anna")
	p.unbridge("b1")
	p.resync(p.snapshot())
	// Somebody who was seen here is in another bridge, and another channel has his id.
	p.bridge("b2", "mixing")
	p.enter("b2", "anna", "boris")
	p.hold("anna", true)
	p.hold("boris", true)
	anna := p.table.Leg("anna")
	s := p.snapshot()
	s.Bridges[0].ID = "b3"
	s.Channels[0].Created, s.Channels[0].Name = start.Add(time.Hour), "PJSIP/101-00000007"
	p.resync(s)
	p.peers("boris", "anna")
	p.is("boris", "talking in") // hold ends in another bridge
	if l := p.table.Leg("anna"); l == anna || l.Held() {
		t.Error("another channel is taken for the one that had its id")
	}
}

// Two channels that change places (pickup, a transfer to a phone that rings) exchange the times of their creation.
func TestALegWhoseCreationTimeIsAnotherOneGoesOn(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	p.hold("boris", true)
	boris := p.table.Leg("boris")
	s := p.snapshot()
	for i := range s.Channels {
		s.Channels[i].Created = start.Add(time.Hour)
	}
	p.resync(s)
	if p.table.Leg("boris") != boris || !boris.Held() || !boris.Created().Equal(start.Add(time.Hour)) {
		t.Error("a leg that goes on is another one")
	}
	// It goes as it was last told of, and a late word of that does not bring it back.
	last := p.ch("boris")
	last.Created = start.Add(2 * time.Hour)
	p.apply(&call.Event{Kind: call.LegGone, Channel: last})
	p.apply(&call.Event{Kind: call.LegSeen, Channel: last})
	if p.table.Leg("boris") != nil {
		t.Error("a leg that is gone is back")
	}
	last.Created = start.Add(3 * time.Hour)
	p.apply(&call.Event{Kind: call.LegSeen, Channel: last})
	if p.table.Leg("boris") == nil {
		t.Error("another channel of that id is not seen")
	}
}

func TestADialOfWhichBothSidesAreInACallIsOver(t *testing.T) {
	p := newPBX(t)
	p.leg("vera", "PJSIP/103-00000003", call.StateRing, "104")
	p.leg("gleb", "PJSIP/104-00000004", call.StateDown)
	p.dial("vera", "gleb", "104")
	s := p.snapshot()
	s.Bridges = []call.Bridge{{ID: "b1", Legs: []call.LegID{"vera"}}, {ID: "b2", Legs: []call.LegID{"gleb"}}}
	p.resync(s)
	p.peers("gleb", "")
}

func TestAClickToCallThatIsMetHalfwayIsAnOutgoingOne(t *testing.T) {
	p := newPBX(t)
	p.apply(&call.Event{Kind: call.LinkLost})
	p.chans["anna"] = &call.Channel{ID: "anna", Name: "PJSIP/101-00000001", State: call.StateUp, App: "AppDial2"}
	p.order = append(p.order, "anna")
	p.resync(p.snapshot())
	p.is("anna", "talking in")
	p.chans["anna"].App = "Dial"
	p.leg("boris", "PJSIP/102-00000002", call.StateDown)
	p.dial("anna", "boris", "102")
	p.is("anna", "dialling out")
	p.dialEnd("anna", "boris", false)
	p.chans["anna"].App = "AppDial2" // Asterisk shows it again when the dialplan is left
	p.state("anna", call.StateUp)
	p.is("anna", "talking out")
}

func TestAResyncTellsByTheApplicationWhoWasRung(t *testing.T) {
	for app, want := range map[string]string{"AppDial": "in", "AppDial2": "in", "AppQueue": "in", "Dial": "out", "Queue": "out", "": "out"} {
		table := call.NewTable()
		table.Apply(&call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{
			Channels: []call.Channel{{ID: "x", Name: "PJSIP/101-1", State: call.StateUp, App: app}}}})
		if got := table.Leg("x").Direction().String(); got != want {
			t.Errorf("in %q: %q, want %q", app, got, want)
		}
	}
}

func TestDiffTellsEachDifferenceWithoutNamesOrNumbers(t *testing.T) {
	p := newPBX(t)
	plainCall(p)
	s := p.snapshot()
	s.Channels[0].Name = "Local/79161234567@out-1;1"
	s.Channels[0].Caller.Number = "79161234567"
	s.Channels[0].Connected.Name = "Secret"
	s.Channels[1].State = call.StateRinging
	s.Channels = append(s.Channels, call.Channel{ID: "new", Name: "PJSIP/7-1"})
	s.Bridges[0].Legs = []call.LegID{"anna", "ghost"}
	s.Bridges[0].Type = "holding"
	p.leg("extra", "PJSIP/8-1", call.StateRing)
	got := strings.Join(p.table.Diff(s), "\n")
	for _, want := range []string{
		"leg anna has another name", "leg anna has another caller id", "leg anna has another connected line",
		"leg boris is Up in the table and Ringing on the PBX", "leg new is on the PBX and not in the table",
		`leg boris is in bridge "b1" in the table and in "" on the PBX`, "leg ghost is in bridge \"b1\" on the PBX and no channel there",
		"leg extra is in the table and not on the PBX", `bridge "b1" is of another type`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if strings.Count(got, "\n") != 8 || strings.Contains(got, "7916") || strings.Contains(got, "Secret") {
		t.Errorf("told:\n%s", got)
	}
}
