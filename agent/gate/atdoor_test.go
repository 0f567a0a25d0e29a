package gate_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
)

func hangup(code string) gate.DoorRefusal {
	return gate.DoorRefusal{Door: "ami", Action: "Hangup", Code: code}
}

func TestWhatADoorRefusesStandsInTheRecord(t *testing.T) {
	o := newOffice(t, house)
	o.gate.RefusedAtDoor(who("anna"), hangup("no_such_channel"))
	o.gate.RefusedAtDoor(auth.Subject{}, gate.DoorRefusal{Door: "ami", Action: "Originate", Code: "nobody_named", Panel: "crm"})
	all := o.audit.all()
	if len(all) != 2 {
		t.Fatalf("there are %d entries", len(all))
	}
	if e := all[0]; e.Phase != audit.Decided || e.Outcome != audit.Deny || e.Subject != "anna" || e.Action != "ami.Hangup" || e.Reason != "no_such_channel" || e.Door != "ami" || e.ID == "" {
		t.Errorf("of anna's it says %+v", e)
	}
	if e := all[1]; e.Subject != "" || e.Credential != "panel:crm" || e.Action != "ami.Originate" {
		t.Errorf("of the panel's it says %+v", e)
	}
}

func TestWhatADoorLetsPassStandsInTheRecordOrDoesNotPass(t *testing.T) {
	o := newOffice(t, house)
	sent := gate.DoorRefusal{Door: "ami", Action: "UserEvent", Code: "own_sessions", Panel: "crm"}
	if err := o.gate.SentAtDoor(auth.Subject{}, sent); err != nil {
		t.Fatal(err)
	}
	if e := o.audit.last(t, audit.Decided); e.Outcome != audit.Allow || e.Credential != "panel:crm" || e.Action != "ami.UserEvent" || e.Reason != "own_sessions" {
		t.Errorf("it says %+v", e)
	}
	o.audit.failing(audit.Decided)
	if err := o.gate.SentAtDoor(who("anna"), sent); gate.AsProblem(err).Kind != gate.Unavailable {
		t.Errorf("what is not recorded passes: %v", err)
	}
	o.audit.failing()
}

// A flood is counted, and takes nothing from what others are refused.
func TestAFloodOfRefusalsIsCountedInOneEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, anna := newOffice(t, house), who("anna")
		defer o.close()
		for range 1000 {
			o.gate.RefusedAtDoor(anna, hangup("no_such_channel"))
		}
		o.gate.RefusedAtDoor(who("boris"), hangup("no_such_channel"))
		written := o.audit.count()
		if written < 10 || written > 50 {
			t.Errorf("%d entries were written", written)
		}
		if last := o.audit.all()[written-1]; last.Subject != "boris" {
			t.Errorf("what boris is refused is not there: %+v", last)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		all := o.audit.all()
		if len(all) != written+1 {
			t.Fatalf("there are %d entries more", len(all)-written)
		}
		if e := all[written]; e.Subject != "anna" || e.Reason != "refusals_not_recorded" || e.Detail != "refusals:970" || e.Outcome != audit.Deny {
			t.Errorf("they are counted as %+v", e)
		}
		o.gate.RefusedAtDoor(anna, hangup("no_such_channel"))
		if o.audit.count() != written+2 {
			t.Error("after a while nothing is written")
		}
	})
}

func TestWhatIsNotCountedYetIsWhenTheGateCloses(t *testing.T) {
	o, anna := newOffice(t, house), who("anna")
	for range 100 {
		o.gate.RefusedAtDoor(anna, hangup("no_such_channel"))
	}
	o.close()
	if e := o.audit.last(t, audit.Decided); e.Detail != "refusals:70" {
		t.Errorf("the last entry is %+v", e)
	}
}

func TestARefusalThatCannotBeWrittenOpensNothing(t *testing.T) {
	o := newOffice(t, house)
	o.audit.failing(audit.Decided)
	o.gate.RefusedAtDoor(who("anna"), hangup("no_such_channel"))
	o.audit.failing()
	o.gate.RefusedAtDoor(who("boris"), hangup("no_such_channel"))
	if got := o.log.all(); len(got) != 1 || got[0] != "record decided deny no_such_channel" {
		t.Errorf("what happened is %q", got)
	}
}
