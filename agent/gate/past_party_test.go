package gate_test

import (
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// ringsOn lets a call that has not been answered ring somebody else, who answers: NAME.N.
func (o *office) ringsOn(name, who string) {
	id := name + ".2"
	o.leg(id, who, call.StateDown, "")
	o.dial(name+".0", id, "600")
	o.state(id, call.StateRinging)
	o.answers(name, 2)
}

// Who was merely rung on a colleague's call learns of it that he was rung: with whom the colleague talked then, the board did not show him either.
func TestWhoWasMerelyRungIsNotShownWhoElseWasOnTheCall(t *testing.T) {
	for _, answering := range []struct {
		name, who  string
		dora, carl string // what she reads, who has everybody's journal and sees nobody, and what he does, who sees everybody
	}{
		{"a number outside", other, "dora in elsewhere boris102\nboris out answered hidden, among others dora", "dora in elsewhere boris102\nboris out answered " + other + ", among others dora"},
		{"a protected number", secret, "dora in elsewhere boris102", ""},
		{"a colleague", "PJSIP/101", "anna in answered hidden\ndora in elsewhere boris102\nboris out answered hidden, among others dora", "anna in answered boris102\ndora in elsewhere boris102\nboris out answered anna101, among others dora"},
	} {
		for _, rung := range []string{"one after the other", "together"} {
			o := newArchive(t, archive)
			if rung == "together" {
				o.rings("a", "PJSIP/102", "PJSIP/104", answering.who)
				o.answers("a", 2)
				o.gone("a.1")
			} else {
				o.rings("a", "PJSIP/102", "PJSIP/104")
				o.gone("a.1")
				o.ringsOn("a", answering.who)
			}
			if r := o.row("dora", "boris"); len(r.Calls) != 1 || !r.Calls[0].Hidden {
				t.Errorf("%s: the board shows dora %+v", answering.name, r.Calls)
			}
			o.pass(30)
			o.gone("a.0", "a.2")
			sees(t, "dora, "+answering.name+", "+rung, withOthers(o.rows("dora", gate.JournalAsk{})), answering.dora)
			sees(t, "carl, "+answering.name+", "+rung, withOthers(o.rows("carl", gate.JournalAsk{})), answering.carl)
		}
	}
}

// Who had the client himself and handed him on knows who he is.
func TestWhoHandedACallOnSeesOfItWithWhomHeWas(t *testing.T) {
	o := newArchive(t, archive)
	for _, client := range []string{other, secret} {
		in, on := "in"+client, "on"+client
		o.talk(in, client, "PJSIP/104") // dora, who has everybody's journal and sees nobody
		o.talk(on, "PJSIP/104", "PJSIP/102")
		o.ingest(call.Event{Kind: call.AttendedTransferred, Channel: o.ch(in + ".1"), Peer: o.ch(on + ".0"), Transferee: call.LegID(in + ".0")})
		o.leave(in, in+".0", in+".1")
		o.leave(on, on+".0")
		o.enter(on, in+".0")
		o.gone(in+".1", on+".0")
		o.pass(20)
		o.gone(in+".0", on+".1")
		rows := o.rows("dora", gate.JournalAsk{Employee: "boris", Limit: 1})
		if len(rows) != 1 || rows[0].Hidden || rows[0].Peer == nil || rows[0].Peer.Number != client || len(rows[0].Others) != 1 || rows[0].Others[0].Employee != "dora" {
			t.Errorf("of whom she brought together dora reads %+v", rows)
		}
		o.pass(60)
	}
}

// Whether one may grade a call whose other side is hidden follows from its employee alone: asked for every call that there was, and on no record, it would
// tell which of them were with whom a rule excepts. To try is decided in full, and on record.
func TestWhetherOneMayGradeAHiddenCallTellsNothingOfWhoWasOnIt(t *testing.T) {
	for _, line := range []bool{false, true} {
		text := strings.Replace(archive, "statistics: true, grade: true, listen: {to: any, allow: [spy]", "grade: {to: any, except: [egor]}, listen: {to: any, allow: [spy]", 1)
		if line {
			text = strings.Replace(text, "grade: {to: any, except: [egor]}, listen: {to: any, allow: [spy]", "line.history: true, line.grade: {to: any, except: [egor]}, listen: {to: any, allow: [spy]", 1)
		}
		o := newArchive(t, text)
		from := map[string]string{"a": "+79160000105", "b": other} // egor's own number, from outside
		for _, name := range []string{"a", "b"} {
			o.comesBy(name, from[name], "PJSIP/101")
			o.hangUp(name)
			o.pass(60)
		}
		o.comesBy("c", other, "PJSIP/105") // his own is not to be graded, and everybody knows
		o.hangUp("c")
		rows := o.rows("dora", gate.JournalAsk{})
		if len(rows) != 3 || rows[0].CanGrade || !rows[1].CanGrade || !rows[2].CanGrade || !rows[1].Hidden || !rows[2].Hidden {
			t.Fatalf("dora reads %+v", rows)
		}
		_, err := o.gate.Grade(t.Context(), who("dora"), gate.GradeAsk{Row: rows[2].ID, Value: 3})
		refuses(t, err, map[bool]string{false: "not_for_this_call", true: "no_right"}[line]) // what is told is what the right grade says
		if e := o.audit.last(t, audit.Decided); e.Outcome != audit.Deny || e.Reason != "excluded_other" && !line {
			t.Errorf("%+v", e)
		}
		if _, err := o.gate.Grade(t.Context(), who("dora"), gate.GradeAsk{Row: rows[1].ID, Value: 3}); err != nil {
			t.Error(err)
		}
		seen := o.rows("carl", gate.JournalAsk{})
		if len(seen) != 3 || seen[0].Hidden || !seen[0].CanGrade {
			t.Errorf("carl reads %+v", seen)
		}
	}
}
