package journal_test

import (
	"errors"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/journal"
)

// restart is a kill of Earshot, and a new one with a table of its own.
func (p *pbx) restart() {
	p.t.Helper()
	p.table = call.NewTable()
	p.open()
}

func TestAfterAKillCallsGoOnOrHaveEndedWhenTheyWereLastSeen(t *testing.T) {
	p := newPBX(t)
	client, anna := p.talk("")
	p.leg("boris", "PJSIP/102-7", "102", "103")
	p.leg("clara", "PJSIP/103-8", "103", "")
	p.dial("boris", "clara")
	p.scribe.Supervised(call.LegID(anna), journal.Supervision{ID: "s1", By: "irina", Target: "anna", Mode: "spy", Began: p.now})
	p.sync()
	seen := p.now
	p.now = p.now.Add(10 * time.Minute)
	p.vanish("boris", "clara")
	p.leg0("late", "PJSIP/102-9", "102")
	p.restart()
	p.resync()
	is(t, outcomes(t, p.call(client), client, anna), "running: running running")
	ended := p.call("boris")
	is(t, outcomes(t, ended, "boris", "clara"), "unanswered: unanswered missed")
	if !ended.Gap || ended.Ended.Sub(seen).Abs() > 0 {
		t.Errorf("cut %v, ended %v; it was last seen %v", ended.Gap, ended.Ended, seen)
	}
	if c := p.call("late"); !c.Gap || len(c.Legs) != 1 {
		t.Errorf("a call that began unseen has the gap %v and %d legs", c.Gap, len(c.Legs))
	}
	p.scribe.SupervisionEnded("s1", p.now)
	p.gone(client, anna)
	c := p.call(client)
	if is(t, outcomes(t, c, client, anna), "answered: answered answered"); !c.Gap || c.Supervisions[0].Ended.IsZero() {
		t.Errorf("cut %v; the supervision ended %v", c.Gap, c.Supervisions[0].Ended)
	}
	gaps, err := p.store.Gaps(t.Context(), time.Time{}, time.Time{})
	if err != nil || len(gaps) != 1 || !gaps[0].Began.Equal(seen) || gaps[0].Ended.Sub(seen) < 10*time.Minute || gaps[0].Lost != 0 {
		t.Errorf("gaps %v, %v", gaps, err)
	}
	p.leg("new", "PJSIP/101-9", "101", "5")
	p.gone("new")
	if c := p.call("new"); c.Gap {
		t.Error("a call after the gap is marked too")
	}
}

// leg0 is a leg of which nobody is told.
func (p *pbx) leg0(id, name, number string) {
	p.chans[call.LegID(id)] = &call.Channel{ID: call.LegID(id), Name: name, State: call.StateUp, Created: p.now, Caller: call.Identity{Number: call.Number(number)}}
	p.order = append(p.order, call.LegID(id))
}

func TestWhatWasSeenLastIsNotedWhileNothingHappens(t *testing.T) {
	p := newPBX(t)
	client, anna := p.talk("")
	p.sync()
	p.now = p.now.Add(20 * time.Minute)
	p.sync() // as Run does from time to time
	quiet := p.now
	p.now = p.now.Add(time.Hour)
	p.vanish(client, anna)
	p.restart()
	p.resync()
	if c := p.call(client); !c.Ended.Equal(quiet) || c.Outcome != journal.Answered {
		t.Errorf("%s, ended %v; it was seen until %v", c.Outcome, c.Ended, quiet)
	}
}

func TestALostLinkIsAGapAndAWitnessedResyncIsNone(t *testing.T) {
	p := newPBX(t)
	client, anna := p.talk("")
	p.resync()
	if c := p.call(client); c.Gap {
		t.Error("a snapshot that was taken while nothing was missed has made a gap")
	}
	p.apply(&call.Event{Kind: call.LinkLost})
	lost := p.now
	p.now = p.now.Add(time.Minute)
	p.resync()
	if c := p.call(client); !c.Gap || c.Outcome != journal.Running {
		t.Errorf("cut %v, %s", c.Gap, c.Outcome)
	}
	p.apply(&call.Event{Kind: call.LinkLost})
	p.vanish(client, anna) // Asterisk was restarted
	again := p.now
	p.now = p.now.Add(time.Minute)
	p.resync()
	if c := p.call(client); !c.Ended.Equal(again) || c.Outcome != journal.Answered {
		t.Errorf("%s, ended %v and not %v", c.Outcome, c.Ended, again)
	}
	gaps, err := p.store.Gaps(t.Context(), time.Time{}, time.Time{})
	if err != nil || len(gaps) != 2 || !gaps[0].Began.Equal(lost) || !gaps[1].Began.Equal(again) {
		t.Errorf("gaps %v, %v", gaps, err)
	}
	if gaps, err := p.store.Gaps(t.Context(), again, time.Time{}); err != nil || len(gaps) != 1 {
		t.Errorf("%d gaps since the second, %v", len(gaps), err)
	}
}

// Asterisk takes a channel off its list before it tells of its end, and puts one on it before it tells of that: no event was missed.
func TestASnapshotThatIsAheadOfTheEventsCutsNothing(t *testing.T) {
	p := newPBX(t)
	client, anna := p.talk("")
	p.vanish(client, anna)
	p.resync()
	if c := p.call(client); c.Gap || !c.Ended.Equal(p.now) {
		t.Errorf("cut %v, ended %v", c.Gap, c.Ended)
	}
	p.chans["early"] = &call.Channel{ID: "early", Name: "PJSIP/trunk-2", State: call.StateRing, Created: p.now, Exten: "74950000101", Caller: call.Identity{Number: "+7 916 123-45-67"}}
	p.order = append(p.order, "early")
	p.resync()
	p.seen("early")
	p.leg("late", "PJSIP/101-3", "101", "")
	p.dial("early", "late")
	p.answer("early", "late", "b2")
	if c := p.call("late"); c.Gap {
		t.Error("what was listed before it was told of is cut")
	}
	p.apply(&call.Event{Kind: call.LinkLost})
	p.vanish("early", "late")
	p.resync()
	if c := p.call("late"); !c.Gap {
		t.Error("over a lost link it is not cut")
	}
}

func TestWhatCannotBeSavedIsKeptAndSavedLater(t *testing.T) {
	for name, how := range map[string]struct{ fail, mend string }{
		"the disk is full":      {`PRAGMA max_page_count = 1`, `PRAGMA max_page_count = 1000000`},
		"it cannot be written":  {`PRAGMA query_only = 1`, `PRAGMA query_only = 0`},
		"somebody's table lock": {`DROP TABLE gaps; CREATE TABLE gaps (no INTEGER NOT NULL)`, `DROP TABLE gaps; CREATE TABLE gaps (began INTEGER NOT NULL, ended INTEGER NOT NULL, lost INTEGER NOT NULL)`},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPBX(t)
			client, anna := p.talk("")
			p.sync()
			if err := p.store.Exec(t.Context(), how.fail); err != nil {
				t.Fatal(err)
			}
			p.apply(&call.Event{Kind: call.LinkLost})
			p.resync()
			p.gone(client, anna)
			for i := range 200 { // as many as make the file grow
				client, anna := p.talk(string(rune('a'+i%26)) + string(rune('a'+i/26)))
				p.gone(client, anna)
			}
			var failed error
			for range 3 {
				failed = errors.Join(failed, p.scribe.Sync(t.Context()))
			}
			if st := p.scribe.Stats(); failed == nil || len(p.errors) != 1 || !st.Failing || st.Unsaved != 201 || st.Failures != 3 || st.Lost != 0 {
				t.Errorf("%v; told %d times; %+v", failed, len(p.errors), st)
			}
			if err := p.store.Exec(t.Context(), how.mend); err != nil {
				t.Fatal(err)
			}
			c := p.call(client)
			if is(t, outcomes(t, c, client, anna), "answered: answered answered"); !c.Gap {
				t.Error("it was cut, and does not say so")
			}
			if st := p.scribe.Stats(); st.Failing || st.Unsaved != 0 {
				t.Errorf("%+v", st)
			}
			all, err := p.store.Statistics(t.Context(), journal.StatsFilter{})
			if err != nil || len(all) != 1 || all[0].Answered != 201 {
				t.Errorf("%+v, %v", all, err)
			}
			if err := p.store.Exec(t.Context(), `PRAGMA query_only = 1`); err != nil {
				t.Fatal(err)
			}
			p.talk("again")
			if err := p.scribe.Sync(t.Context()); err == nil || len(p.errors) != 2 {
				t.Errorf("failing anew is %v and was told %d times", err, len(p.errors))
			}
		})
	}
}

func TestWhatIsKeptUnsavedIsBoundedAndWhatIsLostIsAGap(t *testing.T) {
	p := newPBX(t)
	p.max = 5
	p.open()
	p.resync()
	client, anna := p.talk("first")
	p.sync()
	if err := p.store.Exec(t.Context(), `PRAGMA query_only = 1`); err != nil {
		t.Fatal(err)
	}
	p.gone(client, anna)
	from := p.now
	for i := range 8 {
		client, anna := p.talk(string(rune('a' + i)))
		p.gone(client, anna)
		if err := p.scribe.Sync(t.Context()); err == nil {
			t.Fatal("it was saved")
		}
	}
	if st := p.scribe.Stats(); st.Lost != 4 || st.Unsaved != 5 {
		t.Errorf("%+v", st)
	}
	if err := p.store.Exec(t.Context(), `PRAGMA query_only = 0`); err != nil {
		t.Fatal(err)
	}
	// The end of the one that the store has the beginning of is not among what is lost.
	is(t, p.call(client).Outcome.String(), "answered")
	gaps, err := p.store.Gaps(t.Context(), from, time.Time{})
	if err != nil || len(gaps) != 1 || gaps[0].Lost != 4 || gaps[0].Began.Before(from) || !gaps[0].Ended.Before(p.now) {
		t.Errorf("gaps %v, %v", gaps, err)
	}
	rows, err := p.store.Rows(t.Context(), journal.Filter{})
	if err != nil || len(rows) != 5 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}
