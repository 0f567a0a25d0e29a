package journal_test

import (
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/journal"
)

func TestAnAnsweredCallHasItsTimesFromAsterisk(t *testing.T) {
	p := newPBX(t)
	client, anna := p.talk("")
	running := p.call(client)
	is(t, outcomes(t, running, client, anna), "running: running running")
	if !running.Ended.IsZero() || running.Answered.IsZero() {
		t.Errorf("running since %v, answered %v, ended %v", running.Began, running.Answered, running.Ended)
	}
	talked := p.now
	p.now = p.now.Add(time.Minute)
	p.hangup(client)
	p.gone(client, anna)
	c := p.call(client)
	is(t, outcomes(t, c, client, anna), "answered: answered answered")
	l := of(t, c, anna)
	if !c.Began.Equal(start.Add(2*time.Second)) || !l.Began.Equal(start.Add(3*time.Second)) || l.Answered.After(talked) || !l.Answered.After(l.Began) ||
		l.Ended.Sub(talked) < time.Minute || c.Gap || !c.Ended.Equal(l.Ended) {
		t.Errorf("the call began %v, the leg %v, was answered %v and ended %v", c.Began, l.Began, l.Answered, l.Ended)
	}
	is(t, l.Employee+" "+l.Number.Digits()+" "+l.Dialled.Digits()+" "+l.Name+" "+l.Direction.String(), "anna 101 danna Name of anna in")
	is(t, of(t, c, client).Employee+of(t, c, client).Number.Digits(), "+7 916 123-45-67")
}

func TestWhatCameOfACallIsSaidFromEachLegsView(t *testing.T) {
	for name, tc := range map[string]struct {
		play func(p *pbx)
		want string
	}{
		"the caller gives up":    {func(p *pbx) { p.hangup("boris"); p.refuse("boris", "anna", call.RefusalCancelled) }, "cancelled: cancelled missed"},
		"nobody answers in time": {func(p *pbx) { p.refuse("boris", "anna", call.RefusalNoAnswer); p.hangup("boris") }, "unanswered: unanswered missed"},
		"the phone is busy":      {func(p *pbx) { p.refuse("boris", "anna", call.RefusalBusy); p.hangup("boris") }, "busy: busy busy"},
		"the phone declines": {func(p *pbx) {
			p.hangup("anna")
			p.refuse("boris", "anna", call.RefusalNoAnswer)
			p.hangup("boris")
		}, "busy: busy busy"},
		"the phone is away": {func(p *pbx) { p.refuse("boris", "anna", call.RefusalFailed); p.hangup("boris") }, "failed: failed failed"},
		"she answers":       {func(p *pbx) { p.answer("boris", "anna", "b"); p.hangup("boris"); p.gone("anna") }, "answered: answered answered"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPBX(t)
			p.leg("boris", "PJSIP/102-1", "102", "101")
			p.leg("anna", "PJSIP/101-2", "101", "")
			p.dial("boris", "anna")
			tc.play(p)
			p.gone("boris")
			is(t, outcomes(t, p.call("boris"), "boris", "anna"), tc.want)
		})
	}
	t.Run("a number that is none", func(t *testing.T) {
		p := newPBX(t)
		p.leg("boris", "PJSIP/102-1", "102", "999")
		p.hangup("boris")
		p.gone("boris")
		is(t, outcomes(t, p.call("boris"), "boris"), "failed: failed")
	})
	t.Run("a machine answers", func(t *testing.T) {
		p := newPBX(t)
		p.leg("boris", "PJSIP/102-1", "102", "*97")
		p.up("boris")
		p.hangup("boris")
		p.gone("boris")
		c := p.call("boris")
		is(t, outcomes(t, c, "boris"), "answered: answered")
		if c.Answered.IsZero() {
			t.Error("it was never answered")
		}
	})
}

func TestALineIsAbandonedMissedOrAnswered(t *testing.T) {
	for name, tc := range map[string]struct {
		play        func(p *pbx)
		visit, legs string
	}{
		"the caller leaves while it rings": {func(p *pbx) { p.hangup("client"); p.refuse("client", "anna", call.RefusalCancelled) }, "abandoned", "abandoned: abandoned missed"},
		"the caller leaves between rings":  {func(p *pbx) { p.refuse("client", "anna", call.RefusalNoAnswer); p.hangup("client") }, "abandoned", "abandoned: abandoned missed"},
		"time runs out": {func(p *pbx) {
			p.refuse("client", "anna", call.RefusalNoAnswer)
			p.app("client", "Hangup", "")
			p.hangup("client")
		}, "missed", "unanswered: unanswered missed"},
		"she answers": {func(p *pbx) { p.answer("client", "anna", "b"); p.hangup("client"); p.gone("anna") }, "answered", "answered: answered answered"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPBX(t)
			p.leg("client", "PJSIP/trunk-1", "+79161234567", "600")
			p.up("client")
			p.app("client", "Queue", "sales")
			p.leg("anna", "PJSIP/101-2", "101", "")
			p.dial("client", "anna")
			tc.play(p)
			p.gone("client")
			c := p.call("client")
			is(t, outcomes(t, c, "client", "anna"), tc.legs)
			if len(c.Visits) != 1 || c.Line != "sales" || of(t, c, "anna").Line != "sales" {
				t.Fatalf("on line %q with %d visits", c.Line, len(c.Visits))
			}
			v := c.Visits[0]
			is(t, v.Outcome.String(), tc.visit)
			if v.Leg != "client" || v.Line != "sales" || v.Began.IsZero() || v.Ended.Before(v.Began) || (v.Outcome == journal.Answered) == v.Answered.IsZero() {
				t.Errorf("the visit of %s to %s began %v, was answered %v and ended %v", v.Leg, v.Line, v.Began, v.Answered, v.Ended)
			}
		})
	}
	t.Run("two lines one after the other", func(t *testing.T) {
		p := newPBX(t)
		p.leg("client", "PJSIP/trunk-1", "+79161234567", "600")
		p.up("client")
		p.app("client", "Queue", "sales")
		p.app("client", "Queue", "support")
		p.leg("anna", "PJSIP/101-2", "101", "")
		p.dial("client", "anna")
		p.answer("client", "anna", "b")
		p.gone("client", "anna")
		c := p.call("client")
		if len(c.Visits) != 2 {
			t.Fatalf("%d visits", len(c.Visits))
		}
		is(t, c.Visits[0].Line+" "+c.Visits[0].Outcome.String()+", "+c.Visits[1].Line+" "+c.Visits[1].Outcome.String(), "sales missed, support answered")
		is(t, of(t, c, "anna").Line, "support")
	})
	// He is taken out of the music to a phone that the queue has not rung; or he leaves it, and talks to somebody later.
	for wait, want := range map[time.Duration]string{0: "answered", time.Minute: "missed"} {
		t.Run("taken from there after "+wait.String(), func(t *testing.T) {
			p := newPBX(t)
			p.step = time.Millisecond
			p.leg("client", "PJSIP/trunk-1", "+79161234567", "600")
			p.up("client")
			p.app("client", "Queue", "sales")
			p.leg("anna", "PJSIP/101-2", "101", "")
			p.up("anna")
			p.app("client", "Bridge", "")
			p.now = p.now.Add(wait)
			p.enter("b", "anna", "client")
			p.hangup("client")
			p.gone("client", "anna")
			c := p.call("client")
			is(t, outcomes(t, c, "client", "anna"), "answered: answered answered")
			if len(c.Visits) != 1 || c.Visits[0].Outcome.String() != want {
				t.Errorf("the visits are %v", c.Visits)
			}
		})
	}
	t.Run("nobody is there to be rung", func(t *testing.T) {
		p := newPBX(t)
		p.leg("client", "PJSIP/trunk-1", "+79161234567", "600")
		p.up("client")
		waits := p.now
		p.now = p.now.Add(time.Minute)
		p.chans["client"].App, p.chans["client"].Queue = "Queue", "sales"
		p.hangup("client")
		p.gone("client")
		c := p.call("client")
		if is(t, outcomes(t, c, "client"), "abandoned: abandoned"); len(c.Visits) != 1 || !c.Visits[0].Began.Equal(waits) {
			t.Errorf("the visits are %d", len(c.Visits))
		}
	})
}

func TestWhoWasRungWhileAnotherAnsweredIsElsewhere(t *testing.T) {
	p := newPBX(t)
	p.leg("client", "PJSIP/trunk-1", "+79161234567", "600")
	p.up("client")
	for _, who := range []string{"1", "2", "3", "4", "5"} {
		p.leg(who, "PJSIP/10"+who+"-1", "10"+who, "")
		p.dial("client", who)
	}
	p.refuse("client", "3", call.RefusalNoAnswer) // long before
	p.now = p.now.Add(time.Minute)
	p.step = time.Millisecond
	p.refuse("client", "5", call.RefusalNoAnswer) // its time ran out in the last moment
	p.up("2")
	p.apply(&call.Event{Kind: call.DialEnded, Channel: p.ch("client"), Peer: p.ch("2"), Answered: true})
	p.refuse("client", "4", call.RefusalCancelled)
	p.now = p.now.Add(10 * time.Millisecond)
	is(t, outcomes(t, p.call("client"), "client", "1", "2", "3", "4", "5"), "running: running running running missed missed missed")
	p.refuse("client", "1", call.RefusalCancelled)
	p.enter("b", "2", "client")
	p.gone("client", "2")
	is(t, outcomes(t, p.call("client"), "client", "1", "2", "3", "4", "5"), "answered: answered elsewhere answered missed elsewhere missed")
	stats, err := p.store.Statistics(t.Context(), journal.StatsFilter{Employees: []string{"dora"}})
	if err != nil || len(stats) != 1 || stats[0].Calls != 1 || stats[0].Missed != 0 {
		t.Errorf("of who was first said to have missed it: %+v, %v", stats, err)
	}
}

func TestCallsThatComeTogetherAreOneAndBothIdsLeadToIt(t *testing.T) {
	p := newPBX(t)
	client, anna := p.talk("")
	p.leg("consult", "PJSIP/101-9", "101", "102")
	p.leg("boris", "PJSIP/102-3", "102", "")
	p.dial("consult", "boris")
	p.answer("consult", "boris", "b2")
	first, second := p.call(client), p.call("consult")
	if first.ID == second.ID || first.ID == "" {
		t.Fatal("two calls have one id")
	}
	for i, id := range []string{first.ID, second.ID} {
		if err := p.store.Grade(t.Context(), journal.Grade{Call: id, Employee: "anna", By: "irina", Value: i + 1, At: p.now}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.store.AddRecording(t.Context(), journal.Recording{Call: second.ID, Leg: "consult", Spool: "s", File: "f", Began: p.now}); err != nil {
		t.Fatal(err)
	}
	if !p.scribe.Supervised("consult", journal.Supervision{ID: "s1", By: "irina", Target: "anna", Mode: "spy", Began: p.now}) {
		t.Error("the call of consult is not followed")
	}
	p.apply(&call.Event{Kind: call.AttendedTransferred, Channel: p.ch(anna), Peer: p.ch("consult"), Transferee: call.LegID(client)})
	p.enter("b2", client)
	p.scribe.SupervisionEnded("s1", p.now)
	p.gone(anna, "consult")
	p.gone(client, "boris")
	p.sync()
	for _, id := range []string{first.ID, second.ID} {
		c, err := p.store.Call(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		is(t, c.ID, first.ID)
		is(t, outcomes(t, c, client, anna, "consult", "boris"), "answered: answered answered answered answered")
		if len(c.Transfers) != 1 || c.Transfers[0].By != call.LegID(anna) || !c.Transfers[0].Attended || len(c.Recordings) != 1 || c.Recordings[0].Call != first.ID ||
			len(c.Supervisions) != 1 || c.Supervisions[0].Ended.IsZero() {
			t.Errorf("transfers %v, recordings %v, supervisions %v", c.Transfers, c.Recordings, c.Supervisions)
		}
		grades, err := p.store.Grades(t.Context(), id)
		if err != nil || len(grades) != 1 || grades[0].Value != 1 || grades[0].Call != first.ID {
			t.Errorf("grades %v, %v", grades, err)
		}
	}
	rows, err := p.store.Rows(t.Context(), journal.Filter{})
	if err != nil || len(rows) != 3 {
		t.Errorf("%d rows of employees, %v", len(rows), err)
	}
}

func TestWhoListensIsNoParty(t *testing.T) {
	p := newPBX(t)
	client, anna := p.talk("")
	p.leg("own", "PJSIP/103-5", "103", "")
	p.dial("", "own")
	p.up("own")
	p.leg("noop", "Snoop/"+anna+"-00000001", "", "")
	p.enter("listening", "own", "noop")
	p.leg("spy", "PJSIP/102-5", "102", "555")
	p.up("spy")
	p.sync()
	if rows, err := p.store.Rows(t.Context(), journal.Filter{Employees: []string{"boris"}}); err != nil || len(rows) != 1 {
		t.Errorf("before it spies there are %d rows, %v", len(rows), err)
	}
	p.apply(&call.Event{Kind: call.SpyBegan, Channel: call.Channel{ID: "spy"}, Peer: call.Channel{ID: call.LegID(anna)}})
	p.sync()
	p.gone("spy", "own", "noop", client, anna)
	is(t, outcomes(t, p.call(client), client, anna), "answered: answered answered")
	rows, err := p.store.Rows(t.Context(), journal.Filter{})
	if err != nil || len(rows) != 1 || rows[0].Leg.Employee != "anna" {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// Who has talked was a party, whatever he has done with that channel later: who may play the call is decided over him too.
func TestWhoHasTalkedAndListensThenStaysAParty(t *testing.T) {
	p := newPBX(t)
	client, anna := p.talk("")
	p.apply(&call.Event{Kind: call.SpyBegan, Channel: call.Channel{ID: call.LegID(anna)}, Peer: call.Channel{ID: call.LegID(client)}})
	p.gone(client, anna)
	c := p.call(client)
	is(t, outcomes(t, c, client, anna), "answered: answered answered")
	is(t, of(t, c, anna).Employee, "anna")
}

func TestAChannelThatChangesHandsHasARowForEach(t *testing.T) {
	p := newPBX(t)
	client, anna := p.talk("")
	p.chans[call.LegID(anna)].Name = "PJSIP/102-9"
	p.seen(anna)
	p.gone(client, anna)
	c := p.call(client)
	if len(c.Legs) != 3 || c.Legs[1].Employee != "anna" || c.Legs[2].Employee != "boris" || c.Legs[2].Began.Before(c.Legs[1].Ended) || c.Legs[2].Outcome != journal.Answered {
		t.Errorf("the legs are %v", c.Legs)
	}
	if got := c.Legs[0].Peers; len(got) != 2 {
		t.Errorf("the client was with %v", got)
	}
}

func TestACallIsKnownByItsLegWhileItRuns(t *testing.T) {
	p := newPBX(t)
	if _, ok := p.scribe.CallOf("nobody"); ok {
		t.Error("a leg that is not there is on a call")
	}
	client, anna := p.talk("")
	a, _ := p.scribe.CallOf(call.LegID(client))
	b, ok := p.scribe.CallOf(call.LegID(anna))
	if is(t, b, a); !ok {
		t.Error("it is on none")
	}
	is(t, p.call(anna).ID, a)
	if p.scribe.Supervised("nobody", journal.Supervision{ID: "s"}) {
		t.Error("a supervision of nobody was taken in")
	}
}

// The clock of the PBX may be set back while two talk. How long that was nobody can say then; it was not less than nothing.
func TestAClockThatIsSetBackMakesNoCallShorterThanNothing(t *testing.T) {
	p := newPBX(t)
	client, anna := p.talk("")
	ringing, boris := p.talk("b")
	p.now = p.now.Add(-2 * time.Hour)
	p.hangup(client)
	p.gone(client, anna)
	p.gone(ringing, boris)
	p.now = p.now.Add(5 * time.Hour) // and forth
	for _, leg := range []string{client, ringing} {
		c := p.call(leg)
		for _, l := range c.Legs {
			if l.Ended.IsZero() || l.Ended.Before(l.Answered) || l.Answered.Before(l.Began) {
				t.Errorf("a leg began %v, was answered %v and ended %v", l.Began, l.Answered, l.Ended)
			}
		}
		if c.Ended.Before(c.Began) || c.Ended.Before(c.Answered) {
			t.Errorf("it began %v, was answered %v and ended %v", c.Began, c.Answered, c.Ended)
		}
	}
	all, err := p.store.Statistics(t.Context(), journal.StatsFilter{})
	if err != nil || len(all) != 1 || all[0].Answered != 2 || all[0].Talk < 0 || all[0].Wait < 0 {
		t.Errorf("%+v, %v", all, err)
	}
	client, anna = p.talk("c")
	p.gone(client, anna)
	if c := p.call(client); !c.Ended.After(c.Answered) {
		t.Errorf("%+v", c)
	}
}
