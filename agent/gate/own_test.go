package gate_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// deed is one thing that is done with a call of one's own: by which method, asked for how, by what word and detail on record, and by what order.
type deed struct {
	do     func(*gate.Gate, context.Context, auth.Subject, gate.OwnAsk) error
	ask    gate.OwnAsk
	word   string
	mode   string
	detail string
	order  any // nil: a leg is dropped
}

const abroad = "88005550199" // nobody's client

func to(number string) pbx.Place { return pbx.Place{Context: "phones", Number: call.Number(number)} }

// deeds are all that can be done by ann, whose leg is x.1, with a call from outside, which is x.0.
func deeds() map[string]deed {
	redirect := func(side gate.Side, leg, with call.LegID) deed {
		return deed{(*gate.Gate).Redirect, gate.OwnAsk{Number: "103", Side: side}, "call.redirect", string(side), "employee", pbx.Redirect{Leg: leg, With: with, To: to("103")}}
	}
	return map[string]deed{
		"hang up":            {(*gate.Gate).HangUp, gate.OwnAsk{}, "call.hangup", "", "", nil},
		"transfer":           {(*gate.Gate).Transfer, gate.OwnAsk{Number: abroad}, "call.transfer", "", "outside", pbx.Transfer{Leg: "x.1", To: to(abroad)}},
		"transfer and ask":   {(*gate.Gate).AttendedTransfer, gate.OwnAsk{Number: "103"}, "call.attended_transfer", "", "employee", pbx.Consult{Asks: "x.1", Waits: "x.0", AsksName: "PJSIP/101-x.1", WaitsName: "PJSIP/trunk-x.0", To: to("103")}},
		"redirect oneself":   redirect(gate.SideOwn, "x.1", ""),
		"redirect the other": redirect(gate.SideOther, "x.0", ""),
		"redirect both":      redirect(gate.SideBoth, "x.1", "x.0"),
		"park":               {(*gate.Gate).Park, gate.OwnAsk{}, "call.park", "", "", pbx.Park{Leg: "x.0", ByName: "PJSIP/101-x.1"}},
		"mute":               {(*gate.Gate).Mute, gate.OwnAsk{Direction: gate.MuteIn, On: true}, "call.mute", "in_on", "", pbx.Mute{Leg: "x.1", Direction: "in", On: true}},
		"unmute":             {(*gate.Gate).Mute, gate.OwnAsk{Direction: gate.MuteAll}, "call.mute", "all_off", "", pbx.Mute{Leg: "x.1", Direction: "all"}},
		"press":              {(*gate.Gate).Press, gate.OwnAsk{Digits: "*2#9"}, "call.press", "", "", pbx.Press{Leg: "x.0", Digits: "*2#9"}},
	}
}

// handle is the id of somebody's n-th call on his own row.
func (o *office) handle(employee string, n int) string {
	o.t.Helper()
	calls := o.row(employee, employee).Calls
	if n >= len(calls) {
		o.t.Fatalf("%s has %d calls", employee, len(calls))
	}
	return calls[n].ID
}

// ownOrders are the orders about calls of somebody's own.
func (p *fakePBX) ownOrders() (all []any) {
	p.set(func() { all = append(all, p.owns...) })
	return all
}

func TestWhatOneDoesWithACallOfOnesOwnIsRecordedAndDone(t *testing.T) {
	for name, c := range deeds() {
		t.Run(name, func(t *testing.T) {
			o, _ := dialOffice(t)
			o.talk("x", other, "PJSIP/101")
			c.ask.Call, c.ask.Door, c.ask.Reason = o.handle("ann", 0), "test", "as he has asked"
			if c.order == nil {
				o.pbx.put("x.1", "")
			}
			if err := c.do(o.gate, t.Context(), who("ann"), c.ask); err != nil {
				t.Fatal(err)
			}
			if c.order == nil {
				if o.pbx.left() != 0 {
					t.Error("nothing was hung up")
				}
			} else if got := o.pbx.ownOrders(); len(got) != 1 || !reflect.DeepEqual(got[0], c.order) {
				t.Errorf("ordered was\n%+v\nwant\n%+v", got, c.order)
			}
			e, done := o.audit.last(t, audit.Decided), o.audit.last(t, audit.Done)
			if e.Outcome != audit.Allow || e.Subject != "ann" || e.Action != c.word || e.Mode != c.mode || e.Detail != c.detail || e.Door != "test" || e.Given != "as he has asked" ||
				!reflect.DeepEqual(e.Employees, []string{"ann"}) || e.Reason == "" {
				t.Errorf("on record is %+v", e)
			}
			if done.ID != e.ID || done.Action != c.word || done.Outcome != "" {
				t.Errorf("done is %+v", done)
			}
			// The record is there before anything is done.
			all := strings.Join(o.log.all(), ", ")
			if i, j := strings.Index(all, "record decided allow"), strings.LastIndex(all, "record done"); i < 0 || j < i || strings.Count(all[:i], "drop")+strings.Count(all[:i], name) > 0 {
				t.Errorf("the order was %s", all)
			}
			for _, word := range []string{abroad, other, "*2#9"} {
				if strings.Contains(e.Mode+e.Detail+e.Reason, word) {
					t.Errorf("%s stands in the record", word)
				}
			}
		})
	}
}

// Whatever is not one's own call has one answer, whether it is another's, is none any more, or never was; and nothing is done.
func TestNobodyDoesAnythingWithAnothersCall(t *testing.T) {
	for name, c := range deeds() {
		o, _ := dialOffice(t)
		o.talk("x", other, "PJSIP/101")
		o.talk("y", other, "PJSIP/103")
		anns, seen := o.handle("ann", 0), o.row("mix", "ann").Calls[0].ID
		var answers []string
		for _, handle := range []string{anns, seen, "", "c", "x.1", "PJSIP/101-x.1", "caaaaaaaaaaaaaaaaaaaa"} {
			c.ask.Call = handle
			err := c.do(o.gate, t.Context(), who("mix"), c.ask)
			p := gate.AsProblem(err)
			if err == nil || p.Code != "no_such_call" {
				t.Fatalf("%s, %q: %v", name, handle, err)
			}
			answers = append(answers, p.Text)
			if e := o.audit.last(t, audit.Decided); e.Outcome != audit.Deny || e.Subject != "mix" || e.Action != c.word || e.Reason != "no_such_call" || len(e.Employees) > 0 {
				t.Errorf("%s: on record is %+v", name, e)
			}
		}
		o.hangUp("x")
		c.ask.Call = anns
		p := gate.AsProblem(c.do(o.gate, t.Context(), who("ann"), c.ask))
		for _, text := range append(answers, p.Text) {
			if text != answers[0] {
				t.Errorf("%s: %q", name, text)
			}
		}
		if got := o.pbx.ownOrders(); len(got) > 0 {
			t.Errorf("%s: ordered was %+v", name, got)
		}
	}
}

// A number is decided as one that is dialled: who may not be called is not called by sending somebody else there.
func TestACallIsSentOnlyWhereItsOwnerMayCall(t *testing.T) {
	sent := map[string]func(*gate.Gate, context.Context, auth.Subject, gate.OwnAsk) error{
		"transfer": (*gate.Gate).Transfer, "ask": (*gate.Gate).AttendedTransfer, "redirect": (*gate.Gate).Redirect,
	}
	for _, c := range []struct{ who, phone, number, code, kind string }{
		{"ann", "PJSIP/101", abroad, "ok", "outside"},
		{"cli", "PJSIP/102", ivanov, "ok", "client"},
		{"cli", "PJSIP/102", abroad, "not_client", "outside"},
		{"cli", "PJSIP/102", "103", "not_client", "employee"},
		{"col", "PJSIP/104", "103", "ok", "employee"},
		{"col", "PJSIP/104", "107", "excluded", "employee"},
		{"col", "PJSIP/104", "9107", "excluded", "outside"},
		{"bar", "PJSIP/109", "+79160000107", "excluded", "employee"},
		{"non", "PJSIP/105", "112", "ok", "emergency"},
		{"non", "PJSIP/105", "103", "no_right", "employee"},
		{"ann", "PJSIP/101", "103&104", "bad_number", "outside"},
		{"ann", "PJSIP/101", "${EXTEN}", "bad_number", "outside"},
		{"ann", "PJSIP/101", "", "bad_number", "outside"},
	} {
		for name, do := range sent {
			o, _ := dialOffice(t)
			o.talk("x", other, c.phone)
			err := do(o.gate, t.Context(), who(c.who), gate.OwnAsk{Call: o.handle(c.who, 0), Number: c.number, Side: gate.SideOther, Door: "test"})
			orders := len(o.pbx.ownOrders())
			if code(err) != c.code || (orders == 1) != (c.code == "ok") {
				t.Errorf("%s by %s to %s: %v, %d orders", name, c.who, c.number, err, orders)
			}
			o.log.until(t, "record decided")
			if e := o.audit.last(t, audit.Decided); e.Detail != c.kind || (e.Outcome == audit.Allow) != (c.code == "ok") {
				t.Errorf("%s by %s to %s: on record is %+v", name, c.who, c.number, e)
			}
		}
	}
}

// Only one's own call for help waits for no record. Others may be sent to an emergency number by who may call nobody, and that is done on record.
func TestNothingIsDoneWithACallUnrecordedButOnesOwnCallForHelp(t *testing.T) {
	for name, c := range deeds() {
		for _, number := range []string{c.ask.Number, "112"} {
			want := "not_recorded"
			if number == "112" && name == "redirect oneself" {
				want = "ok"
			}
			o, _ := dialOffice(t)
			o.talk("x", other, "PJSIP/101")
			o.pbx.put("x.1", "")
			o.audit.failing(audit.Decided, audit.Done)
			c.ask.Call, c.ask.Number = o.handle("ann", 0), number
			err := c.do(o.gate, t.Context(), who("ann"), c.ask)
			if code(err) != want || (len(o.pbx.ownOrders()) == 1) != (want == "ok") || o.pbx.left() != 1 {
				t.Errorf("%s, to %q: %v", name, number, err)
			}
		}
	}
	o, _ := dialOffice(t)
	calling("x", "112")(o, "PJSIP/105")
	from("y", other)(o, "PJSIP/105")
	o.audit.failing(audit.Decided)
	ask := gate.OwnAsk{Call: o.handle("non", 0), Other: o.handle("non", 1)}
	if err := o.gate.Connect(t.Context(), who("non"), ask); code(err) != "not_recorded" || len(o.pbx.ownOrders()) > 0 {
		t.Errorf("connect: %v", err)
	}
}

// While it is written down the call may have moved: then nothing is done, and that is on record.
func TestACallThatHasMovedMeanwhileIsLeftAlone(t *testing.T) {
	for name, c := range deeds() {
		for what, move := range map[string]func(*office){
			"the other side has gone": func(o *office) { o.gone("x.0", "x.1") },
			"it talks to another": func(o *office) {
				o.leave("x", "x.0")
				o.leg("z.0", ivanov, call.StateUp, "")
				o.enter("x", "z.0")
			},
			"it is in another bridge": func(o *office) { o.leave("x", "x.0", "x.1"); o.enter("z", "x.0", "x.1") },
			"nothing is known":        func(o *office) { o.ingest(call.Event{Kind: call.LinkLost}) },
		} {
			o, _ := dialOffice(t)
			o.talk("x", other, "PJSIP/101")
			o.pbx.put("x.1", "")
			c.ask.Call = o.handle("ann", 0)
			o.audit.before = func(e audit.Entry) {
				if e.Phase == audit.Decided {
					move(o)
				}
			}
			err := c.do(o.gate, t.Context(), who("ann"), c.ask)
			want := "call_moved"
			if what == "nothing is known" {
				want = "state_unknown"
			}
			if code(err) != want || len(o.pbx.ownOrders()) > 0 || strings.Contains(strings.Join(o.log.all(), " "), "drop") {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			if e := o.audit.last(t, audit.Failed); e.Reason != want || e.Action != c.word {
				t.Errorf("%s, %s: on record is %+v", name, what, e)
			}
		}
	}
}

// Who is in the bridge with him may change and not to whom he talks: a Local channel that Asterisk takes out. Then what was decided names a leg that is gone.
func TestACallWhoseLocalChannelIsTakenOutMeanwhileIsLeftAlone(t *testing.T) {
	for _, moves := range []bool{false, true} {
		o, _ := dialOffice(t)
		o.leg("x.0", other, call.StateUp, "")
		o.leg("x.1", "PJSIP/101", call.StateUp, "")
		o.local("101")
		o.state("l.1", call.StateUp)
		o.state("l.2", call.StateUp)
		o.enter("x", "l.1", "x.1")
		o.enter("l", "l.2", "x.0")
		o.audit.before = func(e audit.Entry) {
			if e.Phase == audit.Decided && moves {
				o.leave("l", "l.2", "x.0")
				o.leave("x", "l.1")
				o.enter("x", "x.0")
			}
		}
		err := o.gate.Redirect(t.Context(), who("ann"), gate.OwnAsk{Call: o.handle("ann", 0), Number: "103", Side: gate.SideOther})
		got, want := o.pbx.ownOrders(), []any{pbx.Redirect{Leg: "l.1", To: to("103")}}
		if moves && (code(err) != "call_moved" || len(got) > 0) || !moves && (err != nil || !reflect.DeepEqual(got, want)) {
			t.Errorf("moves: %v, %v, ordered was %+v", moves, err, got)
		}
	}
}

// What the PBX does not do has a word for why, in the answer and on record.
func TestWhyThePBXDidNothingIsTold(t *testing.T) {
	for err, want := range map[error]string{
		pbx.ErrGone: "call_moved", pbx.ErrNoRight: "no_ami_right", pbx.ErrNoExtension: "number_leads_nowhere", pbx.ErrNoInclude: "no_include",
		errors.New("no"): "pbx_failed",
	} {
		o, _ := dialOffice(t)
		o.talk("x", other, "PJSIP/101")
		o.pbx.failing("consult", err)
		ask := gate.OwnAsk{Call: o.handle("ann", 0), Number: "103"}
		got := o.gate.AttendedTransfer(t.Context(), who("ann"), ask)
		p := gate.AsProblem(got)
		if p.Code != want || p.ID == "" {
			t.Errorf("%v: %v", err, got)
		}
		if e := o.audit.last(t, audit.Failed); e.Reason != want || e.ID != p.ID {
			t.Errorf("%v: on record is %+v", err, e)
		}
		if got := o.gate.CancelTransfer(t.Context(), who("ann"), ask); code(got) != "no_transfer" {
			t.Errorf("%v: it goes on: %v", err, got)
		}
		if got := o.gate.Transfer(t.Context(), who("ann"), ask); got != nil {
			t.Errorf("%v: it stands in the way: %v", err, got)
		}
	}
}

// What makes no sense, or not with this call, is not decided about.
func TestWhatCannotBeDoneWithACallIsNotDone(t *testing.T) {
	o, _ := dialOffice(t)
	o.rings("x", other, "PJSIP/101")
	g, s := o.gate, who("ann")
	ask := gate.OwnAsk{Call: o.handle("ann", 0), Number: "103", Side: gate.SideOwn, Digits: "1", Direction: gate.MuteAll}
	for name, err := range map[string]error{
		"transfer": g.Transfer(t.Context(), s, ask), "ask": g.AttendedTransfer(t.Context(), s, ask), "redirect": g.Redirect(t.Context(), s, ask),
		"park": g.Park(t.Context(), s, ask), "mute": g.Mute(t.Context(), s, ask), "press": g.Press(t.Context(), s, ask),
	} {
		if code(err) != "not_on_such_call" {
			t.Errorf("%s of a call that rings: %v", name, err)
		}
	}
	o.answers("x", 1)
	o.leg("x.2", ivanov, call.StateUp, "")
	o.enter("x", "x.2")
	ask.Call = o.handle("ann", 0)
	if err := g.Transfer(t.Context(), s, ask); code(err) != "not_on_such_call" {
		t.Errorf("of a conference: %v", err)
	}
	if err := g.Redirect(t.Context(), s, ask); err != nil {
		t.Errorf("out of a conference: %v", err)
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{g.Redirect(t.Context(), s, gate.OwnAsk{Call: ask.Call, Number: "103"}), "bad_side"},
		{g.Mute(t.Context(), s, gate.OwnAsk{Call: ask.Call, Direction: "up"}), "bad_direction"},
		{g.Press(t.Context(), s, gate.OwnAsk{Call: ask.Call}), "bad_digits"},
		{g.Press(t.Context(), s, gate.OwnAsk{Call: ask.Call, Digits: strings.Repeat("1", gate.MaxDigits+1)}), "bad_digits"},
		{g.Press(t.Context(), s, gate.OwnAsk{Call: ask.Call, Digits: "1w2"}), "bad_digits"},
		{g.Park(t.Context(), s, gate.OwnAsk{Call: ask.Call, Reason: "two\nlines"}), "bad_reason"},
		{g.CancelTransfer(t.Context(), s, ask), "no_transfer"},
	} {
		if code(c.err) != c.want {
			t.Errorf("%v, want %s", c.err, c.want)
		}
	}
}

// A lock is against supervision: who is on a locked call does with it what he could before, and it stays locked.
func TestALockBarsNobodyFromACallOfHisOwn(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", "PJSIP/102", "PJSIP/101")
	if _, err := o.gate.Lock(t.Context(), who("anna"), gate.LockAsk{}); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"anna", "boris"} {
		if err := o.gate.Park(t.Context(), who(subject), gate.OwnAsk{Call: o.handle(subject, 0)}); err != nil {
			t.Errorf("%s: %v", subject, err)
		}
	}
	if _, code := o.ask("carl", "spy", "anna"); code == "" {
		t.Error("the lock is gone")
	}
}

// A supervision is ended by hanging up, and nothing else is done with its leg. The call that is supervised is still its owner's.
func TestASupervisionsLegIsHungUpAndNothingElse(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", other, "PJSIP/101")
	id := o.active("carl", "spy", "anna")
	handle := o.handle("carl", 0)
	for name, c := range deeds() {
		if c.ask.Call = handle; name == "hang up" {
			continue
		}
		if err := c.do(o.gate, t.Context(), who("carl"), c.ask); code(err) == "ok" {
			t.Errorf("%s was done", name)
		}
	}
	if err := o.gate.Mute(t.Context(), who("anna"), gate.OwnAsk{Call: o.handle("anna", 0), Direction: gate.MuteIn, On: true}); err != nil {
		t.Error(err)
	}
	if err := o.gate.HangUp(t.Context(), who("carl"), gate.OwnAsk{Call: handle}); err != nil {
		t.Fatal(err)
	}
	if e := o.audit.waits(t, id, audit.Ended); e.Reason != "ended_by_supervisor" {
		t.Errorf("on record is %+v", e)
	}
	if got := o.pbx.ownOrders(); len(got) != 1 {
		t.Errorf("ordered was %+v", got)
	}
	if e := o.audit.last(t, audit.Decided); e.Action != "call.mute" {
		t.Errorf("its end is decided as %+v", e)
	}
}
