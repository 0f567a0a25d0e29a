package gate_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// What could not be recorded when it happened is on record later: behind each other, and with its time.
func TestWhatHappenedWhileNothingCouldBeRecordedIsRecordedLater(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	w := o.watch("carl")
	id := o.active("carl", "spy", "anna")
	before := len(o.audit.of(id))
	o.audit.failing(audit.Decided, audit.Done, audit.Ended, audit.Revoked, audit.Failed)
	began := time.Now()
	if err := o.gate.EndSupervision(t.Context(), who("carl"), id); err != nil {
		t.Fatal(err)
	}
	if reason := w.act(id, "ended"); reason != "ended_by_supervisor" {
		t.Fatal(reason)
	}
	over := time.Now()
	if n, err := o.gate.RecordLate(); n != 0 || err == nil {
		t.Fatalf("%d were recorded, %v", n, err)
	}
	o.refused("not_recorded", "carl", "spy", "anna") // what is refused leaves nothing to be recorded
	o.audit.failing()
	if n, err := o.gate.RecordLate(); n != 1 || err != nil {
		t.Fatalf("%d were recorded, %v", n, err)
	}
	if n, err := o.gate.RecordLate(); n != 0 || err != nil {
		t.Fatalf("%d were recorded again, %v", n, err)
	}
	all := o.audit.of(id)
	if len(all) != before+1 {
		t.Fatalf("%d entries, were %d", len(all), before)
	}
	e := all[len(all)-1]
	if e.Phase != audit.Ended || e.Reason != "ended_by_supervisor" || e.Happened.Before(began) || e.Happened.After(over) {
		t.Errorf("%+v", e)
	}
}

// An end that can be written again waits until what came before it is on record.
func TestWhatComesBehindWhatIsLateWaitsForIt(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	w := o.watch("carl")
	tried := make(chan struct{}, 100)
	o.audit.before = func(e audit.Entry) {
		if e.Phase == audit.Done {
			tried <- struct{}{}
		}
	}
	o.audit.failing(audit.Done)
	id := o.must("carl", "spy", "anna")
	if reason := w.act(id, "ended"); reason != "not_recorded" {
		t.Fatal(reason)
	}
	for range 2 { // the second time for the end, of which was told before
		select {
		case <-tried:
		case <-time.After(30 * time.Second):
			t.Fatal("what is late is not tried again before what comes behind it")
		}
	}
	o.recovers("record ended not_recorded")
	var got []audit.Phase
	for _, e := range o.audit.of(id) {
		got = append(got, e.Phase)
	}
	if len(got) != 3 || got[0] != audit.Decided || got[1] != audit.Done || got[2] != audit.Ended {
		t.Errorf("%v", got)
	}
}

func ended(id string) audit.Entry { return audit.Entry{ID: id, Phase: audit.Ended, Action: "spy"} }

// So many wait that one more is lost; whoever brought it is told so, and what waits is not touched. When there is room again the next is recorded.
func TestWhatIsLostIsNotSaidToBeRecorded(t *testing.T) {
	const most = 10_000
	o := newOffice(t, house)
	o.audit.failing(audit.Ended)
	for i := range most {
		if err := o.gate.Fact(ended("waits" + strconv.Itoa(i))); !errors.Is(err, errDisk) {
			t.Fatal(err)
		}
	}
	if err := o.gate.Fact(ended("lost")); err == nil || !strings.Contains(err.Error(), "too many") || !errors.Is(err, errDisk) {
		t.Errorf("it was said of what is lost: %v", err)
	}
	o.audit.failing()
	if err := o.gate.Fact(ended("next")); err != nil || len(o.audit.of("next")) != 1 {
		t.Errorf("%v, and %d are on record of what came when the log could be written again", err, len(o.audit.of("next")))
	}
	all := slices.DeleteFunc(o.audit.all(), func(e audit.Entry) bool { return e.ID == "audit" })
	if len(all) != most+1 || len(o.audit.of("lost")) != 0 {
		t.Fatalf("%d are on record", len(all))
	}
	// How much was lost is on record once.
	for range 2 {
		if n, err := o.gate.RecordLate(); n != 0 || err != nil {
			t.Fatalf("%d were recorded again, %v", n, err)
		}
	}
	if own := o.audit.of("audit"); len(own) != 1 || own[0].Detail != "lost:1" || own[0].Phase != audit.Recovered {
		t.Errorf("%+v", own)
	}
	if all[0].ID != "waits0" || all[most].ID != "next" || all[most].Happened.IsZero() {
		t.Errorf("the first is %q, the last %+v", all[0].ID, all[most])
	}
}

// What may not stand in the log is told to whoever brought it, also when it comes behind what is late.
func TestWhatMayNotBeRecordedIsSaidBehindWhatIsLate(t *testing.T) {
	o := newOffice(t, house)
	o.audit.within = func(_ context.Context, e audit.Entry) error {
		if e.ID == "bad" {
			return audit.ErrInvalid
		}
		return nil
	}
	o.audit.failing(audit.Ended)
	if err := o.gate.Fact(ended("late")); !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	o.audit.failing()
	if err := o.gate.Fact(ended("bad")); !errors.Is(err, audit.ErrInvalid) {
		t.Errorf("it was said %v", err)
	}
	if len(o.audit.of("late")) != 1 || len(o.audit.of("bad")) != 0 {
		t.Error(o.audit.all())
	}
}

// Whoever has what is late written may be told to stop meanwhile. The log would say "perhaps not recorded" then of what it has, and that would be written again.
func TestWhatIsLateIsWrittenToItsEnd(t *testing.T) {
	o := newOffice(t, house)
	o.audit.failing(audit.Ended)
	if err := o.gate.Fact(ended("late")); !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	o.audit.failing()
	asked := 0
	o.audit.within = func(ctx context.Context, _ audit.Entry) error {
		if asked++; ctx.Done() != nil {
			t.Error("the log is told to give up when whoever asked does")
		}
		return nil
	}
	if n, err := o.gate.RecordLate(); n != 1 || err != nil || asked != 1 {
		t.Errorf("%d, %v; asked %d times", n, err, asked)
	}
}

// The log cannot say what was refused while it could not be written; but how much that was it says once, when it can.
func TestHowMuchWasRefusedWhileNothingCouldBeRecordedIsOnRecord(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	o.audit.failing(audit.Decided, audit.Ended, audit.Recovered)
	o.refused("not_recorded", "carl", "spy", "anna")
	o.refused("not_recorded", "carl", "barge", "anna")
	if err := o.gate.Fact(ended("late")); !errors.Is(err, errDisk) { // which is not refused, and comes itself
		t.Fatal(err)
	}
	if n, err := o.gate.RecordLate(); n != 0 || err == nil {
		t.Fatalf("%d were recorded, %v", n, err)
	}
	o.audit.failing(audit.Recovered)
	if n, err := o.gate.RecordLate(); n != 1 || err == nil {
		t.Fatalf("%d were recorded, %v", n, err)
	}
	o.audit.failing()
	for range 2 {
		if n, err := o.gate.RecordLate(); n != 0 || err != nil {
			t.Fatalf("%d were recorded, %v", n, err)
		}
	}
	all := o.audit.of("audit")
	if len(all) != 1 || all[0].Phase != audit.Recovered || all[0].Action != "audit" || all[0].Detail != "refused:2" {
		t.Errorf("%+v", all)
	}
}
