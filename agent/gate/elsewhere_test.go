package gate_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// chain is the house with its people on two PBXs: anna, carl, egor, gus and ivo on a, boris, dora, fay and hana on b. The same endpoints are on both.
var chain = strings.NewReplacer(
	"name: Anna,", "name: Anna, pbx: a,", "name: Carl,", "name: Carl, pbx: a,", "name: Egor,", "name: Egor, pbx: a,", "name: Gus,", "name: Gus, pbx: a,", "name: Ivo,", "name: Ivo, pbx: a,",
	"name: Boris, phones: [PJSIP/102]", "name: Boris, pbx: b, phones: [PJSIP/101]", "name: Dora,", "name: Dora, pbx: b,", "name: Fay,", "name: Fay, pbx: b,", "name: Hana,", "name: Hana, pbx: b,",
).Replace(house)

// company of offices: one beside PBX a and one beside b.
func newChain(t testing.TB, text string, change ...func(*gate.Config)) (c *fakeCluster, a, b *office) {
	c = newFakeCluster(t)
	a = c.office(t, "a", text, change...)
	b = c.office(t, "b", text, change...)
	c.settle()
	return c, a, b
}

func TestACallOnAnotherPBXIsSeenByWhoMaySeeItAndHiddenFromWhoMayNot(t *testing.T) {
	c, a, b := newChain(t, chain)
	a.talk("x", ivanov, "PJSIP/101")
	c.settle()
	for _, at := range []*office{a, b} {
		for subject, sees := range map[string]bool{"carl": true, "ivo": true, "anna": true, "dora": false, "fay": false, "boris": false, "gus": false} {
			r := at.row(subject, "anna")
			if r.State != "talking" || len(r.Calls) != 1 || r.Calls[0].Direction != "in" {
				t.Fatalf("%s: %+v", subject, r)
			}
			if c := r.Calls[0]; c.Hidden == sees || (c.Peer != nil) != sees || sees && (c.Peer.Name != "Ivanov Ltd" || c.Peer.Number != ivanov) {
				t.Errorf("%s: %+v", subject, c)
			}
			if r := at.row(subject, "boris"); r.State != "idle" || len(r.Calls) != 0 {
				t.Errorf("whose endpoint has the same name elsewhere: %+v", r)
			}
		}
	}
	a.ingest(call.Event{Kind: call.LegHeld, Channel: a.ch("x.1")})
	c.settle()
	if r := b.row("dora", "anna"); r.State != "held" {
		t.Errorf("%+v", r)
	}
	a.hangUp("x")
	c.settle()
	if r := b.row("carl", "anna"); r.State != "idle" || len(r.Calls) != 0 {
		t.Errorf("%+v", r)
	}
	if keys := c.keys("a", "leg/"); len(keys) != 0 {
		t.Errorf("%q are still shown", keys)
	}
}

func TestWhoWatchesIsToldOfACallOnAnotherPBXAsOfOneHere(t *testing.T) {
	c, a, b := newChain(t, chain)
	blind, seeing := b.watch("dora"), b.watch("carl")
	a.talk("x", other, "PJSIP/101")
	c.settle()
	want := []string{"anna ringing", "anna talking"}
	if got := rows(blind.all()); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := rows(seeing.all()); len(got) < 2 {
		t.Errorf("%q", got)
	}
	ch := a.ch("x.0")
	ch.Caller.Name = "Somebody else"
	a.seen(ch)
	c.settle()
	if got := blind.all(); len(got) != 0 {
		t.Errorf("who may not see is told of it: %q", rows(got))
	}
	if got := rows(seeing.all()); !slices.Equal(got, []string{"anna talking"}) {
		t.Errorf("%q", got)
	}
}

func TestAPBXThatIsGoneIsNotKnownUntilItIsBack(t *testing.T) {
	c, a, b := newChain(t, chain)
	a.talk("x", other, "PJSIP/101")
	c.settle()
	handle := b.row("carl", "anna").Calls[0].ID
	w := b.watch("carl")
	c.cut("a")
	for _, id := range []string{"anna", "carl"} {
		if r := b.row("carl", id); r.State != "unknown" || len(r.Calls) != 0 || !r.Unknown {
			t.Errorf("%s: %+v", id, r)
		}
	}
	for _, id := range []string{"boris", "nils"} {
		if r := b.row("carl", id); r.State != "idle" || r.Unknown {
			t.Errorf("%s: %+v", id, r)
		}
	}
	if r := a.row("carl", "anna"); r.State != "talking" {
		t.Errorf("there: %+v", r)
	}
	if got := rows(w.all()); !slices.Equal(got, []string{"anna unknown", "carl unknown", "egor unknown", "gus unknown", "ivo unknown"}) {
		t.Errorf("%q", got)
	}
	a.talk("y", other, "PJSIP/105")
	c.join("a")
	if r := b.row("carl", "anna"); r.State != "talking" || r.Unknown || r.Calls[0].ID != handle {
		t.Errorf("%+v", r)
	}
	if r := b.row("carl", "egor"); r.State != "talking" {
		t.Errorf("%+v", r)
	}
	// The PBX itself, and not what is beside it.
	p := a.picture()
	a.ingest(call.Event{Kind: call.LinkLost})
	c.settle()
	if r := b.row("carl", "anna"); r.State != "unknown" || len(r.Calls) != 0 {
		t.Errorf("%+v", r)
	}
	if keys := c.keys("a", ""); !slices.Equal(keys, []string{"state"}) {
		t.Errorf("%q are shown", keys)
	}
	a.ingest(call.Event{Kind: call.Resynced, Snapshot: p})
	c.settle()
	if r := b.row("carl", "anna"); r.State != "talking" || r.Calls[0].ID != handle {
		t.Errorf("%+v", r)
	}
}

func TestSinceWhenSomebodyIsIdleIsToldAsFarAsItWasSeen(t *testing.T) {
	c, a, b := newChain(t, chain)
	since := func() *time.Time {
		board, err := b.gate.Employees(who("carl"))
		if err != nil || board.Employees[0].ID != "anna" || board.Employees[0].State != "idle" {
			t.Fatalf("%+v, %v", board.Employees[0], err)
		}
		return board.Employees[0].Since
	}
	a.talk("x", other, "PJSIP/101")
	a.hangUp("x")
	c.settle()
	if since() == nil {
		t.Error("nobody knows since when")
	}
	a.talk("y", other, "PJSIP/101")
	c.cut("a")
	a.hangUp("y")
	c.join("a")
	if at := since(); at != nil {
		t.Errorf("since %v, while nobody looked", at)
	}
	a.talk("z", other, "PJSIP/101")
	c.settle()
	state := []gate.Shown{{Key: "state", Value: []byte(thereKnown)}}
	b.gate.Elsewhere(gate.News{PBX: "a", Known: true, Whole: true, Shown: state}) // who has begun to tell anew, without having been away
	if at := since(); at != nil {
		t.Errorf("since %v, which is when it was told", at)
	}
}

func TestWhereNotAllIsShownWhoSeemsIdleIsNotKnownToBe(t *testing.T) {
	o, _ := told(t, chain)
	state, fay := gate.Shown{Key: "state", Value: []byte(thereKnown)}, gate.Shown{Key: "leg/1", Value: []byte(fayTalks)}
	o.gate.Elsewhere(gate.News{PBX: "b", Known: true, Whole: true, Shown: []gate.Shown{state, fay}})
	for _, want := range []struct {
		partial bool
		dora    string
	}{{true, "unknown"}, {false, "idle"}, {true, "unknown"}} {
		o.gate.Elsewhere(gate.News{PBX: "b", Known: true, Partial: want.partial})
		if r, d := o.row("carl", "fay"), o.row("carl", "dora"); r.State != "talking" || d.State != want.dora || len(r.Calls) != 1 || r.Unknown != want.partial || d.Unknown != want.partial {
			t.Errorf("%v: %+v, and %+v", want.partial, r, d)
		}
	}
}
