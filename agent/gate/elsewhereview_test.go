package gate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

func TestExclusionsAndProtectedNumbersHoldForCallsOnOtherPBXs(t *testing.T) {
	c, a, b := newChain(t, chain)
	a.talk("x", "PJSIP/105", "PJSIP/101")    // egor, whom ivo may not see
	b.talk("y", "+79160000105", "PJSIP/104") // who claims to be egor
	b.talk("z", secret, "PJSIP/106")         // protected
	a.talk("w", secret, "PJSIP/107")
	c.settle()
	for _, at := range []*office{a, b} {
		for _, want := range []struct {
			subject, target string
			sees            bool
		}{
			{"ivo", "anna", false}, {"carl", "anna", true}, {"egor", "anna", true}, {"anna", "egor", true},
			{"ivo", "dora", false}, {"carl", "dora", true}, {"dora", "dora", true},
			{"carl", "fay", false}, {"ivo", "fay", false}, {"fay", "fay", true},
			{"carl", "gus", false}, {"gus", "gus", true},
		} {
			if c := at.row(want.subject, want.target).Calls[0]; c.Hidden == want.sees || (c.Peer != nil) != want.sees {
				t.Errorf("%s on %s: %+v", want.subject, want.target, c)
			}
		}
	}
	// By the receiver's policy, whatever the origin's is: whoever is excluded or protected there is.
	b.gate.SetPolicy(set(t, strings.ReplaceAll(chain, "except: [egor]", "except: [anna]")).Beside("b"))
	if c := b.row("ivo", "egor").Calls[0]; !c.Hidden {
		t.Errorf("%+v", c)
	}
	if c := b.row("ivo", "dora").Calls[0]; c.Hidden {
		t.Errorf("%+v", c)
	}
	b.gate.SetPolicy(set(t, strings.Replace(chain, "+7 495 765-43-21", "+79160000105", 1)).Beside("b"))
	if c := b.row("carl", "gus").Calls[0]; c.Hidden {
		t.Errorf("%+v", c)
	}
}

func TestWhomThePolicyHereDoesNotKnowHidesTheOtherSideFromAll(t *testing.T) {
	c, a, b := newChain(t, chain)
	w := b.watch("carl")
	a.talk("x", "PJSIP/105", "PJSIP/101")
	c.settle()
	w.all()
	text := strings.Replace(strings.ReplaceAll(strings.Join(slices.DeleteFunc(strings.Split(chain, "\n"), func(l string) bool { return strings.HasPrefix(l, "  egor:") }), "\n"), ", except: [egor]", ""), "+79160000105", "", 1)
	b.gate.SetPolicy(set(t, text).Beside("b"))
	for _, subject := range []string{"carl", "ivo", "anna"} {
		r := b.row(subject, "anna")
		if c := r.Calls[0]; r.State != "talking" || c.Peer != nil {
			t.Errorf("%s: %+v", subject, r)
		}
	}
	if r := b.row("carl", "anna"); !r.Calls[0].Hidden {
		t.Errorf("%+v", r)
	}
	b.gate.SetPolicy(set(t, chain).Beside("b"))
	if r := b.row("carl", "anna"); r.Calls[0].Peer == nil || r.Calls[0].Peer.Employee != "egor" {
		t.Errorf("%+v", r)
	}
}

func TestOnACallOfAnotherPBXOnlyWhoHasAPhoneThereHasTheButtons(t *testing.T) {
	// carl has phones on a, dora on b; nils has none, and who is of both has some on both.
	text := strings.NewReplacer("name: Carl, pbx: a,", "name: Carl,", `numbers: ["109"], observe`, `numbers: ["109"], intercept: {to: any}, observe`).Replace(chain)
	c, a, b := newChain(t, text)
	can := func(o *office, subject, target string) string {
		return strings.Join(slices.DeleteFunc(o.row(subject, target).Can, func(s string) bool { return s == "dial" }), " ")
	}
	b.talk("x", other, "PJSIP/106")
	b.rings("y", other, "PJSIP/104")
	c.settle()
	for _, want := range []struct{ subject, target, at, there string }{
		{"carl", "fay", "spy whisper barge", "spy whisper barge"}, {"carl", "dora", "intercept", "intercept"},
		{"ivo", "fay", "", ""}, {"ivo", "dora", "", ""}, {"egor", "fay", "", ""}, {"hana", "fay", "spy whisper barge", "spy whisper barge"},
		{"nils", "fay", "", ""},
	} {
		if got := can(a, want.subject, want.target); got != want.at {
			t.Errorf("%s on %s, from there: %q", want.subject, want.target, got)
		}
		if got := can(b, want.subject, want.target); got != want.there {
			t.Errorf("%s on %s: %q", want.subject, want.target, got)
		}
	}
	// Where he may, other software is told so, and where not why not.
	for subject, want := range map[string]string{"carl": "", "ivo": "other_pbx", "gus": "no_right", "nils": "no_phone"} {
		for _, on := range []gate.Resource{{Type: gate.ResourceEmployee, ID: "fay"}, {Type: gate.ResourceCall, ID: a.row(subject, "fay").Calls[0].ID}} {
			if got := a.gate.Evaluate(t.Context(), who(subject), gate.Question{Action: "spy", Resource: on}); got.Allowed != (want == "") || got.Reason != want {
				t.Errorf("%s: %+v", subject, got)
			}
		}
	}
}

func TestAClientWhoRingsOnAnotherPBXIsOfferedToWhoIsResponsible(t *testing.T) {
	c, a, b := newChain(t, chain)
	w := a.watch("gus")
	b.rings("x", ivanov, "PJSIP/104", "PJSIP/106")
	c.settle()
	offers := func() (states []string) {
		for _, m := range w.all() {
			if m.Incoming != nil {
				states = append(states, m.Incoming.State)
				if m.Incoming.Client.Name != "Ivanov Ltd" || m.Incoming.Client.Number != ivanov || m.Incoming.CanAccept || m.Incoming.Target != "" {
					t.Errorf("%+v", m.Incoming)
				}
			}
		}
		return states
	}
	if got := offers(); !slices.Equal(got, []string{"ringing"}) {
		t.Errorf("%q", got)
	}
	board, err := a.gate.Employees(who("gus"))
	if err != nil || len(board.Incoming) != 1 {
		t.Errorf("%+v, %v", board.Incoming, err)
	}
	if c := a.row("gus", "dora").Calls[0]; c.Hidden || c.Peer == nil {
		t.Errorf("%+v", c)
	}
	if r := a.row("carl", "dora"); r.Calls[0].Hidden {
		t.Errorf("%+v", r)
	}
	if c := a.row("egor", "dora").Calls[0]; !c.Hidden {
		t.Errorf("%+v", c)
	}
	b.answers("x", 1)
	b.gone("x.2")
	c.settle()
	if got := offers(); !slices.Equal(got, []string{"ended"}) {
		t.Errorf("%q", got)
	}
	if c := a.row("gus", "dora").Calls[0]; !c.Hidden {
		t.Errorf("%+v", c)
	}
	// With a phone there he may take it.
	a.gate.SetPolicy(set(t, strings.Replace(chain, "name: Gus, pbx: a,", "name: Gus,", 1)).Beside("a"))
	b.gate.SetPolicy(set(t, strings.Replace(chain, "name: Gus, pbx: a,", "name: Gus,", 1)).Beside("b"))
	b.rings("y", ivanov, "PJSIP/106")
	c.settle()
	board, err = a.gate.Employees(who("gus"))
	if err != nil || len(board.Incoming) != 1 || !board.Incoming[0].CanAccept || board.Incoming[0].Target != "fay" || board.Incoming[0].Call != a.row("gus", "fay").Calls[0].ID {
		t.Errorf("%+v, %v", board.Incoming, err)
	}
}

func TestNothingIsShownToOtherPBXsOfAnEmployeeWhoChangesNothing(t *testing.T) {
	c, a, _ := newChain(t, chain)
	a.talk("x", other, "PJSIP/101")
	a.talk("y", other, "PJSIP/103")
	m := c.members["a"]
	count := func() int { c.mu.Lock(); defer c.mu.Unlock(); return m.shows + m.hides }
	before := count()
	a.gate.Refresh()
	a.gate.SetPolicy(a.gate.Policy())
	if got := count() - before; got != 0 {
		t.Errorf("a board that is made anew is shown %d times", got)
	}
	a.ingest(call.Event{Kind: call.LegHeld, Channel: a.ch("x.1")})
	if got := count() - before; got != 1 {
		t.Errorf("a hold is shown %d times", got)
	}
	a.ingest(call.Event{Kind: call.Resynced, Snapshot: a.picture()})
	if got := count() - before; got != 1 {
		t.Errorf("a resync that finds nothing new is shown %d times", got-1)
	}
	if keys := c.keys("a", ""); !slices.Equal(keys, []string{"leg/x.1", "leg/y.1", "state"}) {
		t.Errorf("%q", keys)
	}
}

func TestASecondPolicyIsNotComparedOnCallsOfOtherPBXsAndStandsThem(t *testing.T) {
	s := newShade(t, strings.Replace(chain, "observe: true,", "observe: false,", 1))
	text := strings.Replace(chain, "name: Fay, pbx: b,", "name: Fay,", 1)
	c := newFakeCluster(t)
	a, b := c.office(t, "a", text, s.beside), c.office(t, "b", text)
	carl := a.watch("carl")
	b.talk("x", other, "PJSIP/106")
	a.rings("y", ivanov, "PJSIP/106") // fay has one on each
	c.settle()
	if r := a.row("carl", "fay"); len(r.Calls) != 2 || r.Calls[0].Hidden || r.Calls[1].Hidden {
		t.Fatalf("%+v", r)
	}
	a.gate.SetShadow(set(t, chain).Beside("a"))
	a.hangUp("y")
	a.rings("z", ivanov, "PJSIP/101")
	b.rings("w", ivanov, "PJSIP/104")
	c.settle()
	a.watch("ivo")
	if got := rows(carl.all()); len(got) < 6 {
		t.Errorf("%q", got)
	}
	for _, d := range s.told() {
		if d.Target == "dora" {
			t.Errorf("%+v", d)
		}
	}
}

func TestOfThreePBXsEachHasTheCallsOfTheOtherTwo(t *testing.T) {
	text := strings.Replace(chain, "name: Gus, pbx: a,", "name: Gus, pbx: c,", 1)
	cluster := newFakeCluster(t)
	offices := map[string]*office{}
	for _, name := range []string{"a", "b", "c"} {
		offices[name] = cluster.office(t, name, text)
	}
	// One phone each; the unique ids are the same on all three.
	offices["a"].talk("x", other, "PJSIP/101")
	offices["b"].talk("x", other, "PJSIP/106")
	offices["c"].talk("x", ivanov, "PJSIP/107")
	cluster.settle()
	handles := map[string]string{}
	for name, o := range offices {
		for _, id := range []string{"anna", "fay", "gus"} {
			r := o.row("carl", id)
			if len(r.Calls) != 1 || r.Calls[0].Peer == nil || r.State != "talking" {
				t.Fatalf("%s on %s: %+v", name, id, r)
			}
			if was, ok := handles[id]; ok && was != r.Calls[0].ID {
				t.Errorf("%s has another handle for the call of %s", name, id)
			}
			handles[id] = r.Calls[0].ID
		}
	}
	if handles["anna"] == handles["fay"] || handles["fay"] == handles["gus"] {
		t.Errorf("%v", handles)
	}
	cluster.cut("c")
	if r := offices["a"].row("carl", "gus"); r.State != "unknown" {
		t.Errorf("%+v", r)
	}
	if r := offices["a"].row("carl", "fay"); r.State != "talking" {
		t.Errorf("%+v", r)
	}
	if r := offices["c"].row("carl", "fay"); r.State != "unknown" {
		t.Errorf("%+v", r)
	}
}

func TestALegThatBecomesAnothersIsOnHisRowAlone(t *testing.T) {
	c, a, b := newChain(t, chain)
	for id, order := range map[string][]string{"m": {"PJSIP/101", "PJSIP/105"}, "n": {"PJSIP/105", "PJSIP/101"}} {
		a.leg(id, order[0], call.StateUp, "7")
		c.settle()
		ch := a.ch(id)
		ch.Name = order[1] + "-" + id
		a.seen(ch)
		c.settle()
		for _, at := range []*office{a, b} {
			if first, second := len(at.row("carl", "anna").Calls), len(at.row("carl", "egor").Calls); first+second != 1 || (first == 1) != (order[1] == "PJSIP/101") {
				t.Errorf("%q: %d and %d", order, first, second)
			}
		}
		a.gone(id)
		c.settle()
	}
}

func TestWhatBarsASupervisionHereBarsTheButtonsOfACallThere(t *testing.T) {
	text := strings.Replace(chain, "name: Carl, pbx: a,", "name: Carl,", 1)
	c, a, b := newChain(t, text)
	a.talk("x", other, "PJSIP/101")
	want := func(when, can string) {
		t.Helper()
		c.settle()
		for _, at := range []*office{a, b} {
			if got := strings.Join(at.row("carl", "anna").Can, " "); got != can {
				t.Errorf("%s: %q", when, got)
			}
		}
	}
	want("talking", "spy whisper barge")
	k, err := a.gate.Lock(t.Context(), who("anna"), gate.LockAsk{})
	if err != nil {
		t.Fatal(err)
	}
	want("locked", "")
	for _, at := range []*office{a, b} {
		if at.row("anna", "anna").Calls[0].Locked != true || at.row("carl", "anna").Calls[0].Locked {
			t.Error("who has locked is not told so, or another is")
		}
	}
	if err := a.gate.Unlock(t.Context(), who("anna"), k.ID); err != nil {
		t.Fatal(err)
	}
	want("unlocked", "spy whisper barge")
	a.leg("z", "PJSIP/999", call.StateUp, "7")
	a.enter("x", "z")
	want("with a phone of nobody's", "")
	a.gone("z")
	want("without it", "spy whisper barge")
	// What is another's doing shows nowhere else on the leg.
	ch := a.ch("x.1")
	ch.Connected.Number = secret
	a.seen(ch)
	c.settle()
	for _, at := range []*office{a, b} {
		if !at.row("carl", "anna").Calls[0].Hidden {
			t.Error("a protected number comes to the call, and its other side is shown")
		}
	}
	a.hangUp("x")
	a.talk("y", "PJSIP/105", "PJSIP/101")
	if _, err := a.gate.Lock(t.Context(), who("anna"), gate.LockAsk{}); err != nil {
		t.Fatal(err)
	}
	c.settle()
	for _, at := range []*office{a, b} {
		if r := at.row("carl", "egor"); len(r.Can) != 0 || len(r.Calls) != 1 {
			t.Errorf("%+v", r)
		}
	}
}
