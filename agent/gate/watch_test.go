package gate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

func rows(ms []gate.Message) (ids []string) {
	for _, m := range ms {
		if m.Employee != nil {
			ids = append(ids, m.Employee.ID+" "+m.Employee.State)
		}
	}
	return ids
}

func TestAChangeThatOneMayNotSeeSendsNothing(t *testing.T) {
	o := newOffice(t, house)
	blind, seeing := o.watch("dora"), o.watch("carl")
	o.talk("x", ivanov, "PJSIP/101")
	if got := rows(blind.all()); !slices.Equal(got, []string{"anna ringing", "anna talking"}) {
		t.Fatalf("%q", got)
	}
	seeing.all()
	ch := o.ch("x.0")
	ch.Caller.Name, ch.Caller.Number = "Somebody else", "+74990000000"
	o.seen(ch)
	o.leg("z", other, call.StateUp, "")
	o.enter("x", "z")
	o.gone("x.0")
	if got := blind.all(); len(got) != 0 {
		t.Fatalf("%d messages", len(got))
	}
	if got := seeing.all(); len(got) < 2 {
		t.Fatal("who may see was told nothing")
	}
}

func TestWhatIsHiddenIsAbsentAndWhatIsSeenIsThere(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", "PJSIP/102", "PJSIP/101")
	for subject, sees := range map[string]bool{"carl": true, "ivo": true, "boris": true, "anna": true, "dora": false, "egor": false, "fay": false} {
		for _, target := range []string{"anna", "boris"} {
			c := o.row(subject, target).Calls[0]
			if c.Hidden == sees || (c.Peer != nil) != sees {
				t.Errorf("%s on %s: %+v", subject, target, c)
			}
		}
	}
	// An exclusion is about the call.
	o.talk("y", "PJSIP/105", "PJSIP/106")
	o.talk("z", "+79160000105", "PJSIP/107")
	for _, target := range []string{"fay", "egor", "gus"} {
		if c := o.row("ivo", target).Calls[0]; !c.Hidden {
			t.Errorf("ivo is shown with whom %s talks", target)
		}
		if c := o.row("carl", target).Calls[0]; c.Hidden {
			t.Errorf("carl is not shown with whom %s talks", target)
		}
	}
}

func TestHandlesDifferByWatcherRowLegAndSightAndMapBack(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", "PJSIP/102", "PJSIP/101")
	o.talk("y", ivanov, "PJSIP/101")
	seen := map[string]string{}
	for _, subject := range []string{"carl", "ivo", "dora", "anna", "boris"} {
		for _, target := range []string{"anna", "boris"} {
			for i, c := range o.row(subject, target).Calls {
				at := fmt.Sprint(subject, target, i)
				if seen[c.ID] != "" {
					t.Fatalf("%s and %s have one handle", at, seen[c.ID])
				}
				seen[c.ID] = at
			}
		}
	}
	if again := o.row("carl", "anna"); seen[again.Calls[1].ID] != "carlanna1" {
		t.Fatal("a handle is not stable")
	}
	o.gate.SetPolicy(set(t, strings.Replace(house, "employees:\n", "employees:\n  aaron: {name: Aaron}\n", 1)))
	if again := o.row("carl", "anna"); seen[again.Calls[1].ID] != "carlanna1" {
		t.Fatal("a policy in which everybody has another place changes a handle")
	}
	o.active("carl", "spy", "anna", o.row("carl", "anna").Calls[1].ID)
	if o.pbx.taps[0].Target != "y.1" {
		t.Fatal("the handle leads to another leg")
	}
	// A change of sight is another handle, on the row and on the supervision.
	id := o.active("dora", "spy", "boris")
	w := o.watch("dora")
	before := o.row("dora", "boris").Calls[0].ID
	o.gate.SetPolicy(set(t, strings.Replace(house, "dora:  {name: Dora,", "dora:  {name: Dora, observe: true,", 1)))
	after := o.row("dora", "boris").Calls[0].ID
	v, err := o.gate.Supervision(who("dora"), id)
	if err != nil || before == after || v.Call != after {
		t.Fatalf("%s %s %+v %v", before, after, v, err)
	}
	if got := w.all(); len(got) != 2 || got[0].Supervision == nil || got[0].Supervision.Call != after || got[1].Type != gate.MessageSnapshot {
		t.Fatalf("%+v", got)
	}
	if err := o.gate.EndSupervision(t.Context(), who("dora"), id); err != nil {
		t.Fatal(err)
	}
	o.refused("no_such_call", "dora", "spy", "boris", before)
}

func TestRowsOfOneChangeComeInThePolicysOrder(t *testing.T) {
	for range 20 {
		o := newOffice(t, house)
		w := o.watch("dora")
		o.rings("x", ivanov, "PJSIP/106", "PJSIP/102", "PJSIP/107", "PJSIP/101")
		w.all()
		o.gone("x.0") // all of them
		for _, id := range []string{"x.4", "x.3", "x.2", "x.1"} {
			o.gone(id)
		}
		o.talk("y", "PJSIP/107", "PJSIP/101")
		w.all()
		o.gone("y.0")
		o.pass(1)
		got := rows(w.all())
		if !slices.IsSorted(got) {
			t.Fatalf("%q", got)
		}
	}
}

func TestAResyncAndAPolicyBeginAnew(t *testing.T) {
	o := newOffice(t, house)
	w := o.watch("ivo")
	o.talk("x", ivanov, "PJSIP/101")
	w.all()
	o.ingest(call.Event{Kind: call.LinkLost})
	o.ingest(call.Event{Kind: call.LinkLost})
	o.gone("x.1")
	if got := w.all(); len(got) != 1 || got[0].Type != gate.MessageUnknown {
		t.Fatalf("%+v", got)
	}
	if b, err := o.gate.Employees(who("ivo")); err != nil || b.Known || b.Employees[0].State != "idle" || len(b.Employees[0].Calls) != 0 {
		t.Fatalf("%+v %v", b, err)
	}
	late := o.watch("carl") // begins in the dark
	o.snapshot()
	for _, w := range []*watcher{w, late} {
		if m := w.next(); m.Type != gate.MessageSnapshot || !m.Board.Known || m.Board.Employees[0].State != "idle" {
			t.Fatalf("%+v", m)
		}
	}
	o.talk("y", ivanov, "PJSIP/102")
	w.all()
	o.gate.SetPolicy(set(t, strings.Replace(house, "observe: {to: any, except: [egor]}", "observe: false", 1)).WithGeneration(7))
	m := w.next()
	if m.Type != gate.MessageSnapshot || m.Board.Generation != 7 || !m.Board.Employees[1].Calls[0].Hidden {
		t.Fatalf("%+v", m)
	}
	// What is not there any more is not a colleague; he who is not there any more is cut off.
	o.gate.SetPolicy(set(t, strings.Replace(house, "  ivo: ", "  ivonne: ", 1)))
	if _, err := w.Next(t.Context()); !errors.Is(err, gate.CutUnknown) {
		t.Fatal(err)
	}
	if _, err := o.gate.Watch(who("ivo")); gate.AsProblem(err).Code != "unknown_subject" {
		t.Fatal(err)
	}
	if _, err := o.gate.Employees(who("ivo")); gate.AsProblem(err).Code != "unknown_subject" {
		t.Fatal(err)
	}
	if _, err := o.gate.Me(who("ivo")); gate.AsProblem(err).Code != "unknown_subject" {
		t.Fatal(err)
	}
}

func TestASlowWatcherIsCutOffAlone(t *testing.T) {
	o := newOffice(t, house)
	slow, quick := o.watch("carl"), o.watch("carl")
	for i := range 600 {
		ch := call.Channel{ID: "x", Name: "PJSIP/101-x", State: call.StateRing, Caller: call.Identity{Number: "101"}}
		if i%2 == 1 {
			ch.State = call.StateUp
		}
		o.seen(ch)
		quick.next()
	}
	n := 0
	for {
		_, err := slow.Next(t.Context())
		if errors.Is(err, gate.CutSlow) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 512 {
		t.Fatalf("%d messages before the cut", n)
	}
	quick.Close()
	quick.Close()
	if _, err := quick.Next(t.Context()); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// Of a call that is hidden, no time is told so exactly that it joins two rows.
func TestTimesAreToldToTheSecond(t *testing.T) {
	o := newOffice(t, house)
	o.feed.Ingest(&call.Event{Kind: call.LegSeen, At: start.Add(1234 * time_), Channel: call.Channel{ID: "x", Name: "PJSIP/101-1", State: call.StateRing}})
	b, err := o.gate.Employees(who("carl"))
	if err != nil {
		t.Fatal(err)
	}
	data, _ := json.Marshal(b.Employees[0])
	if !strings.Contains(string(data), `"since":"2026-10-01T09:00:01Z"`) || strings.Contains(string(data), "01.") {
		t.Fatalf("%s", data)
	}
	o.feed.Ingest(&call.Event{Kind: call.LegGone, At: start.Add(2345 * time_), Channel: call.Channel{ID: "x"}})
	b, _ = o.gate.Employees(who("carl"))
	data, _ = json.Marshal(b.Employees[0])
	if !strings.Contains(string(data), `"state":"idle","since":"2026-10-01T09:00:02Z"`) {
		t.Fatalf("%s", data)
	}
	// A new policy does not forget it.
	o.gate.SetPolicy(o.gate.Policy())
	b, _ = o.gate.Employees(who("carl"))
	again, _ := json.Marshal(b.Employees[0])
	if string(again) != string(data) {
		t.Fatalf("%s", again)
	}
}

const time_ = 1000 * 1000 // a millisecond

func TestMeListsTheButtonsThatWillWork(t *testing.T) {
	o := newOffice(t, house)
	for subject, want := range map[string][]string{
		"anna": {"lock"}, "boris": {}, "carl": {"observe", "spy", "whisper", "barge", "intercept"}, "dora": {"spy"}, "gus": {"intercept"},
	} {
		me, err := o.gate.Me(who(subject))
		if err != nil || !slices.Equal(me.Actions, want) {
			t.Errorf("%s: %q %v", subject, me.Actions, err)
		}
	}
}

// Two who change the policy at once: that Refresh looks at the directory anew must not bring an older policy back.
func TestRefreshDoesNotBringAnOlderPolicyBack(t *testing.T) {
	o := newOffice(t, house)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				o.gate.Refresh()
			}
		}
	}()
	defer func() { close(stop); <-done }()
	for i := range uint64(3000) {
		o.gate.SetPolicy(o.gate.Policy().WithGeneration(i))
		for range 3 {
			o.gate.Refresh()
		}
		if got := o.gate.Policy().Generation(); got != i {
			t.Fatalf("generation %d is in force after %d", got, i)
		}
	}
}
