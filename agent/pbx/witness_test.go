package pbx

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/ami"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
)

// sink counts what a link hands on.
type sink struct {
	ingested []call.Event
	since    []call.Event // came with the last snapshot
	asked    int
}

func (s *sink) Ingest(ev *call.Event)                       { s.ingested = append(s.ingested, *ev) }
func (s *sink) Resync(_ *call.Snapshot, since []call.Event) { s.since = since }
func (s *sink) LinkLost()                                   {}
func (s *sink) RequestResync()                              { s.asked++ }

// witnessOf gives a link of its own one block of AMI, and returns what it did.
func witnessOf(t *testing.T, block string) *sink {
	t.Helper()
	s := &sink{}
	p := newPlayer(t)
	p.link.cfg.Sink, p.link.log = s, zerolog.Nop()
	r := ami.NewReader(strings.NewReader(block), ami.Limits{})
	for {
		m, err := r.Read()
		if err != nil {
			return s
		}
		if err := p.link.witness(m); err != nil {
			t.Fatal(err)
		}
	}
}

// recorded are events of a real Asterisk, one of each that is witnessed.
func recorded(t *testing.T) map[string][]string {
	found := map[string][]string{}
	for _, tape := range tapes(t) {
		for i := range tape {
			if lines := tape[i].AMI; lines != nil {
				found[strings.TrimPrefix(lines[0], "Event: ")] = lines
			}
		}
	}
	return found
}

// maxSingle is how many fields an event about one channel has at most.
const maxSingle = 20

const end = "\r\n\r\n"

func TestEachWitnessedEventOfARealAsteriskFits(t *testing.T) {
	found := recorded(t)
	for name := range witnessed {
		lines, ok := found[name]
		if !ok {
			t.Errorf("no %s has been recorded", name)
			continue
		}
		s := witnessOf(t, strings.Join(lines, "\r\n")+end)
		if len(s.ingested) != 1 || s.asked != 0 {
			t.Errorf("%s: handed on %d times, %d resyncs", name, len(s.ingested), s.asked)
			continue
		}
		if ev := s.ingested[0]; ev.Channel.ID == "" || ev.Peer.ID == "" && len(witnessed[name].fields) > maxSingle && name != "ChanSpyStop" && name != "ParkedCall" || ev.At.IsZero() {
			t.Errorf("%s: %v", name, ev)
		}
	}
}

func TestAParkedLegIsToldWithItsPlace(t *testing.T) {
	ev := witnessOf(t, strings.Join(recorded(t)["ParkedCall"], "\r\n")+end).ingested[0]
	if p := ev.Parking; ev.Kind != call.Parked || p == nil || *p != (call.Parking{Lot: "default", Space: "701", By: "PJSIP/101", Timeout: 600e9}) {
		t.Errorf("%v %+v", ev, p)
	}
}

func TestAnEventThatDiffersInOneLineIsDroppedAndAnsweredByAResync(t *testing.T) {
	found := recorded(t)
	for _, name := range slices.Sorted(maps.Keys(found)) {
		lines := found[name]
		try := func(what string, forged []string) {
			t.Helper()
			if s := witnessOf(t, strings.Join(forged, "\r\n")+end); len(s.ingested) != 0 || s.asked != 1 {
				t.Errorf("%s, %s: handed on %d times, %d resyncs", name, what, len(s.ingested), s.asked)
			}
		}
		for i := 1; i < len(lines); i++ {
			field, _, _ := strings.Cut(lines[i], ":")
			if !strings.HasSuffix(field, "Tenantid") {
				try("without "+field, slices.Delete(slices.Clone(lines), i, i+1))
			}
			try("with a second "+field, slices.Insert(slices.Clone(lines), i, lines[i]))
			try("with a line before "+field, slices.Insert(slices.Clone(lines), i, "X-Added: 1"))
			try("with "+field+" spelled otherwise", slices.Replace(slices.Clone(lines), i, i+1, strings.ToLower(lines[i])))
			if i+1 < len(lines) {
				swapped := slices.Clone(lines)
				swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
				try("with "+field+" and the next changed over", swapped)
			}
		}
		try("with a line at the end", append(slices.Clone(lines), "X-Added: 1"))
		try("of another class", slices.Replace(slices.Clone(lines), 1, 2, "Privilege: user,all"))
		try("with a control byte", slices.Replace(slices.Clone(lines), 2, 3, lines[2]+"\x01"))
		bare := strings.Replace(strings.Join(lines, "\r\n"), "\r\n", "\n", 1) + end
		if s := witnessOf(t, bare); len(s.ingested) != 0 || s.asked != 1 {
			t.Errorf("%s, with a bare LF: handed on %d times, %d resyncs", name, len(s.ingested), s.asked)
		}
	}
}

func TestWhatIsNotWitnessedIsLeftToARI(t *testing.T) {
	for _, block := range []string{
		"Event: Hangup\r\nPrivilege: call,all\r\nUniqueid: 1.1" + end,
		"Event: BridgeLeave\r\nPrivilege: call,all\r\nUniqueid: 1.1" + end,
	} {
		if s := witnessOf(t, block); len(s.ingested) != 0 || s.asked != 0 {
			t.Errorf("handed on %d times, %d resyncs", len(s.ingested), s.asked)
		}
	}
}

func TestWhatIsLeftOfAnEventThatWasCutInTwoIsNoticed(t *testing.T) {
	for _, lines := range recorded(t) {
		for i := 1; i < len(lines); i++ {
			if s := witnessOf(t, strings.Join(lines[i:], "\r\n")+end); len(s.ingested) != 0 || s.asked != 1 {
				t.Errorf("from line %d: handed on %d times, %d resyncs", i, len(s.ingested), s.asked)
			}
		}
	}
}

func TestWhatAMITellsWhileASnapshotIsTakenIsNotLost(t *testing.T) {
	lines := recorded(t)["ChanSpyStart"]
	s := &sink{}
	p := newPlayer(t)
	p.link.cfg.Sink = s
	p.link.known.Store(false)
	for range maxEarly + 1 {
		p.take(&entry{AMI: lines}, nil)
	}
	if len(s.ingested) != 0 {
		t.Fatalf("%d facts were handed on before the state was known", len(s.ingested))
	}
	p.link.taken(&collection{have: &call.Snapshot{}, events: []call.Event{{Kind: call.LegSeen}}})
	if len(s.since) != maxEarly+1 || s.since[0].Kind != call.LegSeen || s.since[1].Kind != call.SpyBegan {
		t.Errorf("%d facts came with the snapshot", len(s.since))
	}
	p.take(&entry{AMI: lines}, nil)
	p.link.taken(&collection{have: &call.Snapshot{}})
	if len(s.ingested) != 1 || len(s.since) != 0 {
		t.Errorf("%d facts were handed on, %d came with the second snapshot", len(s.ingested), len(s.since))
	}
}

// The From of a call is chosen by the caller, and Asterisk writes it into the stream of AMI as it is, line breaks too.
func TestAForgedEventInACallersNumberChangesNothing(t *testing.T) {
	o := openOffice(t)
	r := run(t, o, nil, nil)
	r.up()
	defer o.hangupAll(t)
	_, _, err := o.talk(r.ctx, "101", "102")
	r.must(err)
	r.shows("101 talking out with 102", "102 talking in with 101")
	target := string(r.legs("PJSIP/101")[0])
	dropped := func() float64 { return testutil.ToFloat64(r.link.met.faults) }
	for forged, noticed := range map[string]bool{
		"\r\n\r\nEvent: ChanSpyStart\r\nSpyeeUniqueid: " + target:   true,
		"\r\n\r\nEvent: Pickup\r\nUniqueid: " + target:              true,
		"\r\n\r\nEvent: BridgeLeave\r\nUniqueid: " + target:         false, // ARI tells this, so nobody looks at it
		"\r\n\r\nEvent: Hangup\r\nUniqueid: " + target + "\r\n\r\n": true,  // what comes after is nobody's event
	} {
		before := dropped()
		user := "200" + strings.NewReplacer("\r", "%0D", "\n", "%0A", ":", "%3A", " ", "%20").Replace(forged)
		c, err := o.phones["trunk"].Dial(r.ctx, "74950000103", phone.As(user, "Client"))
		r.must(err)
		rings, err := o.phones["103"].Incoming(r.ctx)
		r.must(err)
		r.shows("101 talking out with 102", "102 talking in with 101", "trunk dialling out with 103", "103 ringing in with trunk")
		var spies int
		r.feed.Read(func(table *call.Table) { spies = len(table.Leg(call.LegID(target)).Spies(nil)) })
		if spies > 0 {
			t.Error("somebody seems to spy")
		}
		r.must(c.Hangup(r.ctx))
		r.must(rings.WaitEnded(r.ctx))
		r.shows("101 talking out with 102", "102 talking in with 101")
		if noticed {
			r.until("the forgery is noticed and a snapshot taken", func() bool { return dropped() > before })
		}
		r.again()
		if strings.Contains(r.said(), target) || strings.Contains(r.said(), "Hangup") {
			t.Error("the log holds the text of a forged block")
		}
	}
	r.same()
}
