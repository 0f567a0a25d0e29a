package gate_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"

	"github.com/earshot-pbx/earshot/agent/gate"
)

// waits lets a phone call in and wait in the application, as the dialplan's include has it.
func (o *office) waits(leg, phone string) string {
	o.seen(call.Channel{ID: call.LegID(leg), Name: phone + "-" + leg, State: call.StateRing, App: "Stasis", Exten: "*50101", Caller: call.Identity{Number: call.Number(strings.TrimPrefix(phone, "PJSIP/"))}})
	return leg
}

func (o *office) desk(leg, phone, number, mode string) gate.Ask {
	return gate.Ask{Number: number, Mode: mode, Phone: phone, Leg: o.waits(leg, phone), Door: gate.DoorPhone}
}

// hears begins a supervision from a desk phone and waits until it is active.
func (o *office) hears(subject, leg, phone, number, mode string) string {
	o.t.Helper()
	w := o.watch(subject)
	defer w.Close()
	s, err := o.gate.Supervise(o.t.Context(), who(subject), o.desk(leg, phone, number, mode))
	if err != nil {
		o.t.Fatal(err)
	}
	w.act(s.ID, "active")
	return s.ID
}

var errPBX = errors.New("no")

func code(err error) string {
	if err == nil {
		return "ok"
	}
	return gate.AsProblem(err).Code
}

func TestWhoHasCalledInSupervisesOnThatLeg(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	id := o.hears("dora", "d", "PJSIP/104", "101", "spy")
	if len(o.pbx.rung) != 0 || len(o.pbx.seats) != 1 || len(o.pbx.taps) != 1 {
		t.Fatalf("rung %v, seated %v, tapped %v", o.pbx.rung, o.pbx.seats, o.pbx.taps)
	}
	if s, p := o.pbx.seats[0], o.pbx.taps[0]; s.Leg != "d" || s.Bridge != p.Bridge || p.Supervisor != "d" || p.Target != "x.1" || !strings.HasPrefix(string(p.Snoop), "earshot-") || s.Lease != 30*time.Second {
		t.Fatalf("%+v %+v", s, p)
	}
	e := o.audit.last(t, audit.Decided)
	if e.ID != id || e.Door != "phone" || e.Subject != "dora" || e.Mode != "spy" || !slices.Equal(e.Targets, []string{"anna"}) {
		t.Fatalf("%+v", e)
	}
	// The leg's numbers are none of the call's, and nobody on it is a party: others may listen too, and are not ended by it.
	o.active("carl", "spy", "anna")
	v, err := o.gate.Supervision(who("dora"), id)
	if err != nil || v.State != "active" || v.Phone != "PJSIP/104" {
		t.Fatalf("%+v %v", v, err)
	}
	o.hangsUp("d")
	o.log.until(t, "record ended")
	if e := o.audit.last(t, audit.Ended); e.ID != id || e.Reason != "ended_by_supervisor" {
		t.Fatalf("%+v", e)
	}
}

// What ends it is told to who has called in, unless it is he who ends it or the call that is over.
func TestWhoHasCalledInIsToldWhyItEnds(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*office)
		phase  audit.Phase
		want   string // to what he is sent; empty: hung up
	}{
		"revoked": {func(o *office) {
			o.gate.SetPolicy(set(o.t, strings.Replace(house, "listen: {to: any, allow: [spy], except: [egor]}", "observe: true", 1)))
		}, audit.Revoked, "refused"},
		"an excluded colleague joins": {func(o *office) { o.leg("e", "PJSIP/105", call.StateUp, ""); o.enter("x", "e") }, audit.Revoked, "refused"},
		"the phone is another's": {func(o *office) {
			o.gate.Recheck(func(s auth.Subject) bool { return s.Employee() != "dora" })
		}, audit.Revoked, "refused"},
		"the call is over": {func(o *office) { o.hangUp("x") }, audit.Ended, ""},
		"Earshot stops":    {func(o *office) { o.close() }, audit.Ended, "away"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, house)
			o.talk("x", ivanov, "PJSIP/101")
			o.hears("dora", "d", "PJSIP/104", "101", "spy")
			c.change(o)
			o.log.until(t, "record "+string(c.phase))
			var sent []string
			o.pbx.set(func() {
				for _, s := range o.pbx.sends {
					sent = append(sent, string(s.Leg)+" "+s.Context+" "+s.Extension)
				}
			})
			want := []string{"d earshot " + c.want}
			if c.want == "" {
				want = nil
			}
			if !slices.Equal(sent, want) || o.pbx.left() != 0 {
				t.Fatalf("sent %q and not %q; %d legs are left", sent, want, o.pbx.left())
			}
			if c.want != "" && slices.Index(o.log.all(), "send "+c.want) < slices.Index(o.log.all(), "drop snoop") {
				t.Fatalf("he hears on while he is told: %q", o.log.all())
			}
		})
	}
}

// What a supervisor's phone says of itself, and whom he has dialled, is about no call that others listen to.
func TestTheNumbersOnASupervisorsOwnLegExcludeNobody(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	ask := o.desk("c", "PJSIP/103", "101", "barge")
	ch := o.ch("c")
	ch.Caller.Number = "105" // egor's, whom dora may not hear
	o.seen(ch)
	w := o.watch("carl")
	v, err := o.gate.Supervise(t.Context(), who("carl"), ask)
	if err != nil {
		t.Fatal(err)
	}
	w.act(v.ID, "active")
	o.active("dora", "spy", "anna")
}

func TestALegThatIsBeingToldWhyItEndsAsksNothing(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	o.hears("dora", "d", "PJSIP/104", "101", "spy")
	o.gate.Recheck(func(auth.Subject) bool { return false })
	o.log.until(t, "record revoked")
	o.leave(string(o.pbx.seats[0].Bridge), "d")
	o.pass(5)
	ask := gate.Ask{Number: "101", Mode: "spy", Phone: "PJSIP/104", Leg: "d", Door: gate.DoorPhone}
	if _, err := o.gate.Supervise(t.Context(), who("dora"), ask); code(err) != "not_your_phone" {
		t.Fatal(err)
	}
}

func TestALegThatIsNotHisOwnPhonesIsNotTaken(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	o.talk("y", "PJSIP/104", "PJSIP/102")
	o.waits("f", "PJSIP/103")
	o.waits("g", "PJSIP/104")
	id := o.hears("carl", "c", "PJSIP/113", "101", "spy")
	for name, ask := range map[string]gate.Ask{
		"another's":      {Number: "101", Mode: "spy", Phone: "PJSIP/104", Leg: "f"},
		"none":           {Number: "101", Mode: "spy", Phone: "PJSIP/104", Leg: "nobody"},
		"one in a call":  {Number: "101", Mode: "spy", Phone: "PJSIP/104", Leg: "y.0"},
		"a supervisor's": {Number: "101", Mode: "spy", Phone: "PJSIP/104", Leg: "c"},
		"another phone":  {Number: "101", Mode: "spy", Phone: "PJSIP/103", Leg: "f"},
	} {
		if _, err := o.gate.Supervise(t.Context(), who("dora"), ask); code(err) != "not_your_phone" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if v, err := o.gate.Supervision(who("carl"), id); err != nil || v.State != "active" {
		t.Fatalf("%+v %v", v, err)
	}
	if _, err := o.gate.Supervise(t.Context(), who("dora"), gate.Ask{Number: "101", Mode: "spy", Phone: "PJSIP/104", Leg: "g"}); err != nil {
		t.Errorf("his own: %v", err)
	}
}

// A number is that of one employee as the policy writes it, and nothing that begins or ends like it.
func TestANumberIsExactlyOneEmployees(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	for number, want := range map[string]string{
		"101": "ok", "10": "no_such_employee", "1": "no_such_employee", "1011": "no_such_employee", "0101": "no_such_employee", "": "no_such_employee",
		"89160000105": "no_such_employee", "9160000105": "no_such_employee", "102": "not_talking", "anna": "no_such_employee",
	} {
		_, err := o.gate.Supervise(t.Context(), who("carl"), o.desk("c"+number, "PJSIP/103", number, "spy"))
		if code(err) != want {
			t.Errorf("%q: %s and not %s", number, code(err), want)
		}
		if err == nil {
			for id := range map[string]bool{o.audit.last(t, audit.Decided).ID: true} {
				if err := o.gate.EndSupervision(t.Context(), who("carl"), id); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestWhoHasCalledInTakesACallThatRings(t *testing.T) {
	o := newOffice(t, house)
	o.rings("x", other, "PJSIP/101")
	w := o.watch("fay")
	v, err := o.gate.Intercept(t.Context(), who("fay"), o.desk("f", "PJSIP/106", "101", ""))
	if err != nil {
		t.Fatal(err)
	}
	w.act(v.ID, "taken") // which is told when it is on record
	if s := o.pbx.sends; len(s) != 1 || s[0].Leg != "f" || s[0].Context != "earshot" || s[0].Extension != "pickup" || s[0].Ringing != "x.1" || len(o.pbx.takes) != 0 {
		t.Fatalf("%+v", s)
	}
	if e := o.audit.last(t, audit.Decided); e.ID != v.ID || e.Door != "phone" || e.Subject != "fay" || e.Action != "intercept" {
		t.Fatalf("%+v", e)
	}
	if p := gate.AsProblem(func() error {
		_, err := o.gate.Intercept(t.Context(), who("fay"), o.desk("f2", "PJSIP/106", "102", ""))
		return err
	}()); p.Code != "not_ringing" {
		t.Fatal(p.Code)
	}
}

// The dialplan tells who does not get the call, and hangs him up; where it has not got him, Earshot does.
func TestWhoDoesNotGetTheCallIsTold(t *testing.T) {
	t.Run("somebody else was quicker", func(t *testing.T) {
		o := newOffice(t, house)
		o.pbx.silent = true
		o.rings("x", other, "PJSIP/101")
		if _, err := o.gate.Intercept(t.Context(), who("fay"), o.desk("f", "PJSIP/106", "101", "")); err != nil {
			t.Fatal(err)
		}
		o.log.until(t, "send pickup")
		o.answers("x", 1)
		o.log.until(t, "record failed")
		if e := o.audit.last(t, audit.Failed); e.Reason != "answered" || len(o.pbx.sends) != 1 {
			t.Fatalf("%+v %+v", e, o.pbx.sends)
		}
	})
	t.Run("the PBX does not do it", func(t *testing.T) {
		o := newOffice(t, house)
		o.pbx.failing("send pickup", errPBX)
		o.rings("x", other, "PJSIP/101")
		if _, err := o.gate.Intercept(t.Context(), who("fay"), o.desk("f", "PJSIP/106", "101", "")); err != nil {
			t.Fatal(err)
		}
		o.log.until(t, "record failed")
		if s := o.pbx.sends; len(s) != 1 || s[0].Extension != "away" {
			t.Fatalf("%+v", s)
		}
	})
}

func TestTheOldestCallThatOneMayTake(t *testing.T) {
	o := newOffice(t, house)
	oldest := func(subject, leg, phone string) string {
		_, err := o.gate.InterceptOldest(t.Context(), who(subject), gate.Ask{Phone: phone, Leg: o.waits(leg, phone), Door: gate.DoorPhone})
		return code(err)
	}
	if got := oldest("fay", "n", "PJSIP/106"); got != "not_ringing" {
		t.Fatal(got)
	}
	if e := o.audit.last(t, audit.Decided); e.Outcome != audit.Deny || e.Reason != "not_ringing" || e.Subject != "fay" || e.Door != "phone" || len(e.Targets) > 0 {
		t.Fatalf("%+v", e)
	}
	o.pass(1)
	o.rings("e", other, "PJSIP/105") // excluded for fay
	if got := oldest("fay", "n2", "PJSIP/106"); got != "excluded" {
		t.Fatal(got)
	}
	o.pass(1)
	o.rings("b", other, "PJSIP/102")
	o.pass(1)
	o.rings("a", other, "PJSIP/101")
	if got := oldest("fay", "f", "PJSIP/106"); got != "ok" {
		t.Fatal(got)
	}
	o.log.until(t, "record done")
	if s := o.pbx.sends; len(s) != 1 || s[0].Ringing != "b.1" {
		t.Fatalf("%+v", s)
	}
}

func TestWhoHasCalledInDialsAsHeMay(t *testing.T) {
	o, _ := dialOffice(t)
	for i, c := range []struct{ subject, phone, number, want string }{
		{"ann", "PJSIP/101", "88121234567", "ok"},
		{"ann", "PJSIP/111", "+78121234567", "ok"},
		{"non", "PJSIP/105", "88121234567", "no_right"},
		{"non", "PJSIP/105", "112", "ok"},
		{"cli", "PJSIP/102", "88121234567", "not_client"},
	} {
		before := len(o.pbx.sends)
		v, err := o.gate.Dial(t.Context(), who(c.subject), gate.DialAsk{Number: c.number, Phone: c.phone, Leg: o.waits("l"+string(rune('0'+i)), c.phone), Door: gate.DoorPhone})
		if code(err) != c.want {
			t.Fatalf("%+v: %v", c, err)
		}
		if s := o.pbx.sends[before:]; (c.want == "ok") != (len(s) == 1) || len(s) == 1 && (s[0].Context != "earshot-outgoing" || s[0].Extension != c.number || s[0].Ringing != "") {
			t.Errorf("%+v: %+v", c, s)
		}
		id := v.ID
		if err != nil {
			id = gate.AsProblem(err).ID
		}
		if e := o.audit.waits(t, id, audit.Decided); e.Door != "phone" || e.Action != "dial" || e.Subject != c.subject {
			t.Errorf("%+v: %+v", c, e)
		}
	}
	if len(o.pbx.calls) > 0 {
		t.Error("a phone was rung")
	}
	// Another's leg dials nothing; while nothing is known, an emergency number alone is dialled.
	ask := func(number string) string {
		_, err := o.gate.Dial(t.Context(), who("ann"), gate.DialAsk{Number: number, Phone: "PJSIP/101", Leg: "l2", Door: gate.DoorPhone})
		return code(err)
	}
	if got := ask("88121234567"); got != "not_your_phone" {
		t.Error(got)
	}
	o.ingest(call.Event{Kind: call.LinkLost})
	if got := ask("88121234567"); got != "state_unknown" {
		t.Error(got)
	}
	if got := ask("112"); got != "ok" {
		t.Error(got)
	}

}

func TestAnAskWithoutAnAnswerIsTurnedAway(t *testing.T) {
	o := newOffice(t, house)
	for kind, want := range map[gate.Kind]string{
		gate.Internal: "away", gate.Unavailable: "away", gate.Conflict: "nothing", gate.Refused: "refused", gate.NotFound: "refused", gate.Invalid: "refused",
	} {
		o.pbx.sends = nil
		o.gate.TurnAway("l", &gate.Problem{Kind: kind})
		if s := o.pbx.sends; len(s) != 1 || s[0].Leg != "l" || s[0].Context != "earshot" || s[0].Extension != want {
			t.Errorf("%d: %+v", kind, s)
		}
	}
	o.pbx.sends = nil
	o.gate.TurnAway("l", &gate.Problem{Kind: gate.Refused, Code: "reason_required"})
	if s := o.pbx.sends; len(s) != 1 || s[0].Extension != "reason" {
		t.Errorf("without a reason: %+v", s)
	}
	o.pbx.put("l", "")
	o.pbx.failing("send refused", errPBX)
	o.gate.TurnAway("l", &gate.Problem{Kind: gate.Refused})
	if o.pbx.left() != 0 {
		t.Error("a leg that cannot be told is left in the application")
	}
}

func TestTheModeIsChangedOnTheSupervisorsOwnLegAlone(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	id := o.hears("carl", "c", "PJSIP/103", "101", "spy")
	asked := 0
	may := func(s auth.Subject) error {
		asked++
		return map[bool]error{true: errPBX}[s.Employee() != "carl" || asked > 1]
	}
	for _, leg := range []string{"x.0", "x.1", string(o.pbx.taps[0].Snoop), "", "nobody"} {
		if err := o.gate.ChangeModeOn(t.Context(), leg, "barge", may); code(err) != "no_such_supervision" {
			t.Errorf("%q: %v", leg, err)
		}
	}
	if err := o.gate.ChangeModeOn(t.Context(), "c", "whisper", may); err != nil {
		t.Fatal(err)
	}
	if v, err := o.gate.Supervision(who("carl"), id); err != nil || v.Mode != "whisper" {
		t.Fatalf("%+v %v", v, err)
	}
	if err := o.gate.ChangeModeOn(t.Context(), "c", "spy", may); !errors.Is(err, errPBX) || asked != 2 {
		t.Fatal(err, asked)
	}
	if s := o.pbx.swaps[0]; len(o.pbx.swaps) != 1 || !strings.HasPrefix(string(s.New), "earshot-") {
		t.Fatalf("%+v", s)
	}
}

// deskLeft is leftBehind with carl on a leg that he has called in on.
func deskLeft() *left {
	l := leftBehind()
	l.acts[0].Door = "phone"
	l.channels[2] = call.Channel{ID: "c", Name: "PJSIP/103-1", State: call.StateUp, App: "Stasis", Created: start}
	l.bridges[1].Legs[0] = "c"
	return l
}

func TestASupervisionOnALegOfHisOwnIsTakenUpAfterARestart(t *testing.T) {
	o := deskLeft().found(t, house)
	o.log.until(t, "renew")
	v, err := o.gate.Supervision(who("carl"), "act1")
	if err != nil || v.State != "active" || v.Mode != "whisper" || v.Target != "anna" {
		t.Fatalf("%+v %v", v, err)
	}
	o.gate.SetPolicy(set(t, strings.Replace(house, "observe: true, listen: true, intercept: {to: any}", "observe: true", 1)))
	o.log.until(t, "record revoked deny no_right")
	if s := o.pbx.sends; len(s) != 1 || s[0].Leg != "c" || s[0].Extension != "refused" || o.pbx.left() != 0 {
		t.Fatalf("%+v, %d left", s, o.pbx.left())
	}
}

// What cannot be taken up is hung up with the leg that sits there, but never a leg that was brought there from elsewhere.
func TestASeatThatNobodyAnswersForIsCleared(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*left)
		gone   bool
	}{
		"the credential is gone":     {func(l *left) { l.holds = false }, true},
		"somebody was brought there": {func(l *left) { l.channels[2].Name, l.channels[2].App = "PJSIP/trunk-2", "Dial" }, false},
	} {
		l := deskLeft()
		c.change(l)
		o := l.found(t, house)
		o.log.until(t, "record ended earshot_restarted")
		o.log.until(t, "drop")
		o.close()
		there := false
		o.pbx.set(func() { _, there = o.pbx.legs["c"] })
		if there == c.gone {
			t.Errorf("%s: the leg is there: %v", name, there)
		}
	}
}
