package gate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// trunked lets anna on a and boris on b talk with each other: one call on each.
func (p *pair) trunked() {
	p.a.talk("x", "PJSIP/101", "102")
	p.b.talk("x", "101", "PJSIP/102")
	p.settle()
}

// callWith is the handle of an employee's call with a number, by which he knows it himself.
func (o *office) callWith(employee, number string) string {
	o.t.Helper()
	for _, c := range o.row(employee, employee).Calls {
		if c.Peer != nil && c.Peer.Number == number {
			return c.ID
		}
	}
	o.t.Fatalf("%s has no call with that number", employee)
	return ""
}

// unlocks takes a lock off.
func (o *office) unlocks(subject, id string) {
	o.t.Helper()
	if err := o.gate.Unlock(o.t.Context(), who(subject), id); err != nil {
		o.t.Fatal(err)
	}
}

func TestALockHoldsOverATrunkAndOnNoOtherCallOfTheSameEmployee(t *testing.T) {
	p := newPair(t)
	p.b.talk("y", other, "PJSIP/102")
	p.b.mustLock("boris")
	p.b.ingest(call.Event{Kind: call.LegHeld, Channel: p.b.ch("y.1")})
	p.trunked()
	id := p.a.active("dora", "spy", "anna")
	w := p.a.watch("dora")
	lock := p.b.mustLock("boris", p.b.callWith("boris", "101"))
	p.settle()
	if reason := w.act(id, "ended"); reason != "not_for_this_call" {
		t.Fatal(reason)
	}
	if e := p.a.audit.waits(t, id, audit.Revoked); e.Reason != "locked" || e.Outcome != audit.Deny {
		t.Errorf("on record is %+v", e)
	}
	p.a.refused("not_for_this_call", "dora", "spy", "anna")
	if e := p.a.audit.last(t, audit.Decided); e.Reason != "locked" {
		t.Errorf("on record is %+v", e)
	}
	p.b.unlocks("boris", lock.ID)
	p.settle()
	p.a.active("dora", "spy", "anna")
}

func TestAnExclusionHoldsOverATrunkInEitherOrder(t *testing.T) {
	p := newPair(t)
	p.trunked()
	id := p.a.active("dora", "spy", "anna")
	w := p.a.watch("dora")
	speaks := p.b.active("egor", "spy", "boris")
	p.settle()
	if p.a.gate.Ending(id) {
		t.Fatal("she hears nobody who only listens")
	}
	if got := p.b.change("egor", speaks, "whisper"); got != "whisper" {
		t.Fatal(got)
	}
	if reason := w.act(id, "ended"); reason != "not_for_this_call" {
		t.Fatal(reason)
	}
	if e := p.a.audit.waits(t, id, audit.Revoked); e.Reason != "excluded_other" {
		t.Errorf("on record is %+v", e)
	}
	p.settle()
	p.a.refused("not_for_this_call", "dora", "spy", "anna")
	if got := p.b.change("egor", speaks, "spy"); got != "spy" {
		t.Fatal(got)
	}
	p.settle()
	id = p.a.active("dora", "spy", "anna")
	if err := p.b.gate.EndSupervision(t.Context(), who("egor"), speaks); err != nil {
		t.Fatal(err)
	}
	speaks = p.b.active("egor", "barge", "boris")
	if reason := w.act(id, "ended"); reason != "not_for_this_call" {
		t.Fatal(reason)
	}
	// Where somebody comes into the call on the other PBX, too.
	if err := p.b.gate.EndSupervision(t.Context(), who("egor"), speaks); err != nil {
		t.Fatal(err)
	}
	p.settle()
	id = p.a.active("dora", "spy", "anna")
	p.b.leg("e", "PJSIP/105", call.StateUp, "")
	p.b.enter("x", "e")
	if reason := w.act(id, "ended"); reason != "not_for_this_call" {
		t.Fatal(reason)
	}
}

func TestARecordingKeepsToALockOverATrunk(t *testing.T) {
	p := newPair(t)
	p.a.talk("x", "102", "PJSIP/101")
	p.b.talk("x", "PJSIP/102", "101")
	p.settle()
	w := p.b.watch("carl")
	tape, err := p.b.gate.StartRecording(t.Context(), who("carl"), gate.RecordAsk{Target: "boris", Door: "test"})
	if err != nil {
		t.Fatal(err)
	}
	w.taped(tape.ID, "recording")
	p.a.mustLock("anna")
	if v := w.taped(tape.ID, "stopped"); v.Reason != "not_for_this_call" {
		t.Fatalf("%+v", v)
	}
	if _, err = p.b.gate.StartRecording(t.Context(), who("carl"), gate.RecordAsk{Target: "boris", Door: "test"}); code(err) != "not_for_this_call" {
		t.Fatal(err)
	}
}

func TestWhoJoinsALineKeepsToALockOverATrunk(t *testing.T) {
	text := strings.NewReplacer("employees:\n", "lines: {sales: {queue: q-sales, members: [boris]}}\nemployees:\n", "settings.user: any}", "settings.user: any, line.join: any}").Replace(houses)
	c := newFakeCluster(t)
	a, b := c.office(t, "a", text), c.office(t, "b", text)
	a.talk("x", "PJSIP/101", "600") // which is no employee's, so that nothing but this says whose call it is
	b.converses("x", "101", "q-sales", "PJSIP/102")
	c.settle()
	w := b.watch("carl")
	id := b.mustJoin("join", "carl", "sales", "boris")
	lock := a.mustLock("anna")
	if reason := w.becomes(id, "ended"); reason != "not_for_this_call" {
		t.Fatal(reason)
	}
	if _, got := b.join("join", "carl", "sales", "boris"); got != "not_for_this_call" {
		t.Fatal(got)
	}
	a.unlocks("anna", lock.ID)
	c.settle()
	b.mustJoin("join", "carl", "sales", "boris")
}

func TestWhatWasKnownOverATrunkIsVoidWhileThatPBXIsOutOfReach(t *testing.T) {
	p := newPair(t)
	p.trunked()
	p.b.mustLock("boris")
	p.settle()
	p.a.refused("not_for_this_call", "dora", "spy", "anna")
	p.cut("b")
	id := p.a.active("dora", "spy", "anna")
	w := p.a.watch("dora")
	p.join("b")
	if reason := w.act(id, "ended"); reason != "not_for_this_call" {
		t.Fatal(reason)
	}
}

// half is what a PBX b shows of boris's side of the call, with what is put behind it.
func half(more string) string {
	return `{"v":1,"e":"boris","d":"in","ph":"talking","o":"o","p":{"n":"101"},"in":["boris"],"no":["101","102"]` + more + `}`
}

func TestWhichCallOnAnotherPBXIsTheOtherHalf(t *testing.T) {
	const refused = "not_for_this_call"
	put := func(old, to string) string { return strings.Replace(half(`,"lock":true`), old, to, 1) }
	for name, c := range map[string]struct{ row, third, want string }{
		"open":                     {half(""), "", ""},
		"locked":                   {half(`,"lock":true`), "", refused},
		"locked and held":          {put("talking", "held"), "", refused},
		"rings":                    {put("talking", "ringing"), "", refused},
		"of another version":       {put(`"v":1`, `"v":2`), "", ""},
		"excluded and present":     {strings.Replace(half(""), `"in":["boris"]`, `"in":["boris","egor"]`, 1), "", refused},
		"excluded by a number":     {strings.Replace(half(""), `"102"]`, `"102","105"]`, 1), "", refused},
		"excluded and heard":       {half(`,"ear":["egor"]`), "", refused},
		"heard by herself":         {half(`,"ear":["dora","ivo"]`), "", ""},
		"heard, and not known":     {half(`,"ear":["eve"]`), "", refused},
		"protected":                {strings.Replace(half(""), `"in":["boris"]`, `"in":["boris","hana"]`, 1), "", refused},
		"an unknown phone":         {half(`,"x":true`), "", refused},
		"herself":                  {strings.Replace(half(""), `"in":["boris"]`, `"in":["boris","dora"]`, 1), "", refused},
		"a call with a client":     {`{"v":1,"e":"boris","d":"in","ph":"talking","o":"o","p":{"n":"+78120000000"},"in":["boris"],"no":["102","+78120000000"],"lock":true}`, "", ""},
		"a call with a colleague":  {`{"v":1,"e":"boris","d":"in","ph":"talking","o":"o","p":{"e":"ivo"},"in":["boris","ivo"],"no":["102","109"],"lock":true}`, "", ""},
		"with one who is here too": {`{"v":1,"e":"boris","d":"in","ph":"talking","o":"o","p":{"e":"carl"},"in":["boris","carl"],"no":["102","103"],"lock":true}`, "", ""},
		"a call with another far":  {`{"v":1,"e":"boris","d":"in","ph":"talking","o":"o","p":{"n":"104"},"in":["boris"],"no":["102","104"],"lock":true}`, "", ""},
		"a conference":             {`{"v":1,"e":"boris","d":"in","ph":"talking","o":"o","p":{"e":"ivo"},"in":["boris","ivo"],"no":["101","102","109"],"lock":true}`, "", refused},
		"another's":                {`{"v":1,"e":"ivo","d":"in","ph":"talking","o":"o","p":{"n":"101"},"in":["ivo"],"no":["101"],"lock":true}`, "", ""},
		"whose phone is not there": {
			`{"v":1,"e":"anna","d":"in","ph":"talking","o":"o","p":{"n":"101"},"in":["anna"],"no":["101","103"],"lock":true}`, "", "",
		},
		"by a number that both have":         {`{"v":1,"e":"boris","d":"in","ph":"talking","o":"o","p":{"n":"7007"},"in":["boris"],"no":["102","7007"],"lock":true}`, "", refused},
		"by one with what a route puts on":   {`{"v":1,"e":"boris","d":"in","ph":"talking","o":"o","p":{"n":"987007"},"in":["boris"],"no":["102","987007"],"lock":true}`, "", refused},
		"by one, and with a colleague there": {`{"v":1,"e":"boris","d":"in","ph":"talking","o":"o","p":{"e":"ivo"},"in":["boris","ivo"],"no":["102","7007"],"lock":true}`, "", ""},
		"by one, and somebody else's":        {`{"v":1,"e":"boris","d":"in","ph":"talking","o":"o","p":{"n":"104"},"in":["boris"],"no":["104","7007"],"lock":true}`, "", ""},
		"of a half": {
			strings.Replace(half(""), `"102"]`, `"102","111"]`, 1), `{"v":1,"e":"olga","d":"in","ph":"talking","o":"o","p":{"n":"102"},"in":["olga"],"no":["111","102"],"lock":true}`, refused,
		},
		"of none": {half(""), `{"v":1,"e":"olga","d":"in","ph":"talking","o":"o","p":{"n":"102"},"in":["olga"],"no":["111","102"],"lock":true}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o, tell := told(t, houses)
			o.leg("x.0", "102", call.StateRing, "7007")
			o.leg("x.1", "PJSIP/101", call.StateDown, "")
			o.dial("x.0", "x.1", "101")
			o.answers("x", 1)
			o.leg("x.2", "PJSIP/103", call.StateUp, "") // carl is on it too
			o.enter("x", "x.2")
			if c.third != "" {
				o.gate.Elsewhere(gate.News{PBX: "c", Known: true, Shown: []gate.Shown{{Key: "state", Value: []byte(thereKnown)}, {Key: "leg/1", Value: []byte(c.third)}}})
			}
			tell("state", thereKnown, "leg/1", c.row)
			if _, got := o.ask("dora", "spy", "anna"); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestWhatIsShownOverATrunkGrantsNothing(t *testing.T) {
	for _, row := range []string{
		"", half(""), half(`,"ear":["carl","dora","nils"],"own":true`), strings.Replace(half(""), `"in":["boris"]`, `"in":["boris","carl","anna","olga","dora"]`, 1),
		strings.Replace(half(`,"resp":"anna","rung":["anna"]`), `"102"]`, `"102","103","104","110","111"]`, 1), `{"v":1,"e":"carl","ph":"talking","in":["carl","anna"],"no":["101","102","103"]}`,
	} {
		o, tell := told(t, houses)
		o.talk("x", "102", "PJSIP/101")
		o.talk("y", "105", "PJSIP/104")
		tell("state", thereKnown, "leg/1", row)
		for _, c := range [][3]string{{"anna", "spy", "dora"}, {"dora", "barge", "anna"}, {"boris", "spy", "anna"}, {"nils", "spy", "anna"}, {"ivo", "spy", "dora"}, {"dora", "spy", "dora"}} {
			if id, _ := o.ask(c[0], c[1], c[2]); id != "" {
				t.Errorf("with %s %s may %s %s", row, c[0], c[1], c[2])
			}
		}
		if got := o.log.all(); slices.ContainsFunc(got, func(line string) bool { return line == "ring" }) {
			t.Errorf("a phone has been rung: %q", got)
		}
	}
}
