package gate_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// left is what an Earshot that was killed has left: carl whispers to anna, who talks to a customer. A test changes it as it likes.
type left struct {
	acts     []audit.Act
	channels []call.Channel
	bridges  []call.Bridge
	holds    bool // carl's credential
}

func leftBehind() *left {
	return &left{
		holds: true,
		acts: []audit.Act{{
			Entry: audit.Entry{ID: "act1", Phase: audit.Decided, Outcome: audit.Allow, Subject: "carl", Credential: "token:1", Action: "whisper", Mode: "whisper",
				Targets: []string{"anna"}, Employees: []string{"anna"}, Door: "http", Time: start.Add(-time.Hour)},
			Carried: start.Add(-time.Hour),
		}},
		channels: []call.Channel{
			{ID: "t", Name: "PJSIP/trunk-1", State: call.StateUp, Caller: call.Identity{Number: ivanov}, Created: start},
			{ID: "x.1", Name: "PJSIP/101-1", State: call.StateUp, Created: start, App: "AppDial"},
			{ID: "earshot-act1", Name: "PJSIP/103-1", State: call.StateUp, App: "Stasis", Created: start},
			{ID: "earshot-act1-snoop3", Name: "Snoop/x.1-1", State: call.StateUp, App: "Stasis", Created: start},
		},
		bridges: []call.Bridge{
			{ID: "x", Type: "mixing", Legs: []call.LegID{"t", "x.1"}},
			{ID: "earshot-act1-bridge", Type: "mixing", Legs: []call.LegID{"earshot-act1", "earshot-act1-snoop3"}},
		},
	}
}

// ringing has carl's phone ring, and nothing be carried out.
func ringing(l *left) {
	l.acts[0].Carried, l.channels, l.bridges = time.Time{}, l.channels[:3], l.bridges[:1]
	l.channels[2].State = call.StateRinging
}

// found starts a gate that finds it.
func (l *left) found(t *testing.T, text string) *office {
	o := newOffice(t, text, func(c *gate.Config) {
		c.Estate = gate.Estate{Acts: l.acts, Resume: func(credential, employee string) (auth.Subject, bool) {
			if credential != "token:1" || !l.holds {
				return auth.Subject{}, false
			}
			return who(employee), true
		}}
	})
	for _, ch := range l.channels {
		o.chans[string(ch.ID)] = ch
		if strings.HasPrefix(string(ch.ID), "earshot-") || ch.ID == "c" {
			o.pbx.put(ch.ID, "")
		}
	}
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{Channels: l.channels, Bridges: l.bridges}})
	return o
}

func TestARunningSupervisionIsTakenUpAfterARestart(t *testing.T) {
	o := leftBehind().found(t, house)
	o.log.until(t, "renew")
	if want := []string{"record decided allow allowed", "renew"}; !slices.Equal(o.log.all(), want) {
		t.Fatalf("%q, want %q", o.log.all(), want)
	}
	v, err := o.gate.Supervision(who("carl"), "act1")
	if err != nil || v.State != "active" || v.Mode != "whisper" || v.Target != "anna" || v.Phone != "PJSIP/103" || v.Call != calls(o, "carl", "anna") ||
		!v.Since.Equal(start.Add(-time.Hour)) {
		t.Fatalf("%+v %v", v, err)
	}
	e := o.audit.last(t, audit.Decided)
	if e.ID != "act1" || e.Subject != "carl" || e.Mode != "whisper" || e.Door != "http" || !slices.Equal(e.Targets, []string{"anna"}) || e.Rule.Line == 0 {
		t.Fatalf("%+v", e)
	}
	// It is one like every other from here on: its mode can be changed, with an id that was not used, and its ground is watched.
	if v, err := o.gate.ChangeMode(t.Context(), who("carl"), "act1", "barge", ""); err != nil || v.Mode != "barge" {
		t.Fatalf("%+v %v", v, err)
	}
	if s := o.pbx.swaps[0]; s.Old != "earshot-act1-snoop3" || s.New != "earshot-act1-snoop4" || s.Target != "x.1" || s.Bridge != "earshot-act1-bridge" {
		t.Fatalf("%+v", s)
	}
	o.gate.SetPolicy(set(t, strings.Replace(house, "observe: true, listen: true, intercept: {to: any}", "observe: true", 1)))
	o.log.until(t, "record revoked deny no_right")
	if o.pbx.left() != 0 {
		t.Fatal("legs are left")
	}
}

func TestWhatCannotBeTakenUpIsEndedAndRecorded(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*left)
		policy string
		want   string // on record
	}{
		"the policy has taken the right away": {func(*left) {}, strings.Replace(house, "observe: true, listen: true, intercept: {to: any}", "observe: true", 1),
			"record revoked deny no_right"},
		"an excluded person has come to the call": {func(l *left) { l.channels[0].Name = "PJSIP/108-1" }, house, "record revoked deny protected_other"},
		"the supervisor has left the policy":      {func(*left) {}, strings.Replace(house, "carl:", "karl:", 1), "record ended earshot_restarted"},
		"the credential is gone":                  {func(l *left) { l.holds = false }, house, "record ended earshot_restarted"},
		"it was being changed":                    {func(l *left) { l.acts[0].Changing = true }, house, "record ended earshot_restarted"},
		"the phone still rang":                    {ringing, house, "record failed earshot_restarted"},
		"it was heard, and that is not on record": {func(l *left) { l.acts[0].Carried = time.Time{} }, house, "record ended earshot_restarted"},
		"nobody knows whether it was heard":       {func(l *left) { l.acts[0].Carried, l.channels, l.bridges = time.Time{}, nil, nil }, house, "record failed outcome_unknown"},
		"his phone was answered, and nobody knows": {func(l *left) {
			l.acts[0].Carried, l.channels, l.bridges = time.Time{}, l.channels[:3], l.bridges[:1]
		}, house, "record failed outcome_unknown"},
		"there are two snoops": {func(l *left) {
			l.channels = append(l.channels, call.Channel{ID: "earshot-act1-snoop4", Name: "Snoop/x.1-2", State: call.StateUp})
		}, house, "record ended earshot_restarted"},
		"there was another snoop": {func(l *left) {
			l.channels = append([]call.Channel{{ID: "earshot-act1-snoop2", Name: "Snoop/x.1-0", State: call.StateUp}}, l.channels...)
		}, house, "record ended earshot_restarted"},
		"there is no snoop": {func(l *left) { l.channels = l.channels[:3]; l.bridges[1].Legs = l.bridges[1].Legs[:1] }, house, "record ended earshot_restarted"},
		"somebody else is in its bridge": {func(l *left) {
			l.channels = append(l.channels, call.Channel{ID: "z", Name: "PJSIP/102-9", State: call.StateUp})
			l.bridges[1].Legs = append(l.bridges[1].Legs, "z")
		}, house, "record ended earshot_restarted"},
		"the snoop is on another's leg":     {func(l *left) { l.channels[3].Name = "Snoop/t-1" }, house, "record ended earshot_restarted"},
		"the own leg is another's phone":    {func(l *left) { l.channels[2].Name = "PJSIP/104-1" }, house, "record ended earshot_restarted"},
		"its legs are in another's bridge":  {func(l *left) { l.bridges[1].ID = "earshot-act2-bridge" }, house, "record ended earshot_restarted"},
		"the PBX was started anew":          {func(l *left) { l.channels, l.bridges = nil, nil }, house, "record ended earshot_restarted"},
		"the record names no one as target": {func(l *left) { l.acts[0].Targets = nil }, house, "record ended earshot_restarted"},
	} {
		t.Run(name, func(t *testing.T) {
			l := leftBehind()
			c.change(l)
			o := l.found(t, c.policy)
			o.log.until(t, c.want)
			if o.pbx.legs != nil {
				o.log.until(t, "drop")
			}
			o.waitEmpty()
			for _, line := range o.log.all() {
				if strings.HasPrefix(line, "renew") || strings.HasPrefix(line, "record decided") {
					t.Errorf("it was taken up: %q", o.log.all())
				}
			}
			if _, err := o.gate.Supervision(who("carl"), "act1"); err == nil {
				t.Error("it is shown as running")
			}
		})
	}
}

func TestATakenCallIsOnRecordAfterARestart(t *testing.T) {
	for name, c := range map[string]struct {
		state call.State
		want  string
	}{
		"the call is his": {call.StateUp, "record done"},
		"it still rang":   {call.StateRinging, "record failed earshot_restarted"},
		"it is over":      {call.StateDown, "record failed outcome_unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			l := leftBehind()
			l.acts[0].Action, l.acts[0].Carried = "intercept", time.Time{}
			l.channels = []call.Channel{l.channels[0], {ID: "earshot-act1-take", Name: "PJSIP/103-1", State: c.state, Created: start}}
			l.bridges = nil
			if c.state == call.StateDown {
				l.channels = l.channels[:1]
			}
			if c.state == call.StateUp {
				l.bridges = []call.Bridge{{ID: "x", Type: "mixing", Legs: []call.LegID{"t", "earshot-act1-take"}}}
			}
			o := l.found(t, house)
			o.log.until(t, c.want)
			if c.state == call.StateUp {
				if o.pbx.left() != 1 {
					t.Error("a taken call is lost")
				}
				return
			}
			o.waitEmpty()
		})
	}
}

func TestWhatMayHaveBeenDoneIsNotSaidToHaveFailedForCertain(t *testing.T) {
	for _, action := range []string{"dial", "clients.put", "record", "settings.user"} {
		l := leftBehind()
		l.acts[0].Action, l.acts[0].Mode, l.acts[0].Carried = action, "", time.Time{}
		l.channels, l.bridges = l.channels[:2], l.bridges[:1]
		l.found(t, house).log.until(t, "record failed outcome_unknown")
	}
}

func TestASupervisionThatIsTakenUpWithoutARecordEnds(t *testing.T) {
	l := leftBehind()
	o := newOffice(t, house, func(c *gate.Config) {
		c.Estate = gate.Estate{Acts: l.acts, Resume: func(_, employee string) (auth.Subject, bool) { return who(employee), true }}
	})
	o.audit.failing(audit.Decided)
	for _, ch := range l.channels {
		o.chans[string(ch.ID)] = ch
	}
	o.pbx.put("earshot-act1", "")
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{Channels: l.channels, Bridges: l.bridges}})
	o.waitEmpty()
	o.recovers("record ended not_recorded")
}

// Who comes to a supervised call is heard too, and the record says so before the end.
func TestWhoJoinsASupervisedCallIsOnRecord(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	o.active("carl", "spy", "anna")
	n := len(o.log.all())
	o.leg("y.0", "PJSIP/102", call.StateUp, "")
	o.enter("x", "y.0")
	o.log.until(t, "record decided allow", 2)
	if e := o.audit.last(t, audit.Decided); !slices.Contains(e.Employees, "boris") || !slices.Contains(e.Employees, "anna") || e.Mode != "spy" {
		t.Fatalf("%+v", e)
	}
	o.leave("x", "y.0")
	o.enter("x", "y.0") // he is on record
	o.hangUp("x")
	o.log.until(t, "record ended")
	if got := o.log.all()[n:]; !slices.Equal(got, []string{"record decided allow allowed", "drop snoop own", "record ended call_ended"}) {
		t.Fatalf("%q", got)
	}

	o = newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	o.active("carl", "spy", "anna")
	o.audit.failing(audit.Decided)
	o.leg("y.0", "PJSIP/102", call.StateUp, "")
	o.enter("x", "y.0")
	o.waitEmpty()
	o.recovers("record ended not_recorded")
	if e := o.audit.last(t, audit.Decided); !slices.Contains(e.Employees, "boris") || e.Happened.IsZero() {
		t.Errorf("that he was heard is not on record afterwards: %+v", e)
	}
}

// recovers has the record be written again, what is late as well, until it says so.
func (o *office) recovers(line string) {
	o.t.Helper()
	o.audit.failing()
	for end := time.Now().Add(10 * time.Second); !slices.Contains(o.log.all(), line); o.log.wait(5 * time.Millisecond) {
		if _, err := o.gate.RecordLate(); err != nil || time.Now().After(end) {
			o.t.Fatalf("%v; there was %q", err, o.log.all())
		}
	}
}

// waitEmpty waits until no own leg is left.
func (o *office) waitEmpty() {
	o.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for o.pbx.left() > 0 {
		if time.Now().After(deadline) {
			o.t.Fatalf("%d own legs are left", o.pbx.left())
		}
		o.log.wait(20 * time.Millisecond)
	}
}

// What is certain is said to be so: nothing of a recording is given out before that is on record.
func TestARecordingThatIsNotOnRecordAsDisclosedWasNotHeard(t *testing.T) {
	for _, action := range []string{"play", "download"} {
		l := leftBehind()
		l.acts[0].Action, l.acts[0].Mode, l.acts[0].Carried = action, "", time.Time{}
		l.channels, l.bridges = l.channels[:2], l.bridges[:1]
		l.found(t, house).log.until(t, "record failed earshot_restarted")
	}
}

// Whether a change of what runs came into force is not said when nobody knows.
func TestAChangeOfWhichNobodyKnowsIsSaidToBeOne(t *testing.T) {
	for changing, want := range map[bool]string{true: audit.DetailChangeUnknown, false: ""} {
		l := leftBehind()
		l.acts[0].Happened = start.Add(-time.Hour) // it was decided beside the record, which the end is not
		l.acts[0].Changing, l.channels, l.bridges = changing, nil, nil
		o := l.found(t, house)
		if e := o.audit.waits(t, "act1", audit.Ended); e.Detail != want || e.Reason != audit.ReasonRestarted || !e.Happened.IsZero() {
			t.Errorf("%+v", e)
		}
	}
}
