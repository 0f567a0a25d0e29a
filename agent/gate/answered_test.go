package gate_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// houseThatCalls is house with somebody who may call.
const houseThatCalls = house + `
roles: {calls: {dial: any}}
assign: [{role: calls, to: [anna]}]
`

// answer asks, for whoever, whether a phone was answered, and returns how to hear it.
func (o *office) answered(subject, id string) func() bool {
	said := make(chan bool, 1)
	go func() {
		up, err := o.gate.Answered(o.t.Context(), who(subject), id)
		said <- up && err == nil
	}()
	return func() bool { return <-said }
}

func TestWhoCallsIsToldWhetherHisPhoneWasAnswered(t *testing.T) {
	for name, up := range map[string]bool{"it is": true, "it is not": false} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, houseThatCalls)
			v, err := o.gate.Dial(t.Context(), who("anna"), gate.DialAsk{Number: "102", Door: "test"})
			if err != nil {
				t.Fatal(err)
			}
			leg := o.pbx.calls[0].Leg
			o.pbx.appear(leg, "PJSIP/101")
			early, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := o.gate.Answered(early, who("anna"), v.ID); !errors.Is(err, context.Canceled) {
				t.Errorf("while it rings: %v", err)
			}
			if o.answered("boris", v.ID)() {
				t.Error("another is told")
			}
			said := o.answered("anna", v.ID)
			if up {
				o.pbx.answer(leg)
			} else {
				o.gone(string(leg))
			}
			if said() != up {
				t.Errorf("it was told otherwise")
			}
			if o.answered("anna", v.ID)() != up {
				t.Errorf("later it is told otherwise")
			}
		})
	}
}

// While nothing is known the phone may be answered, or give up: the snapshot says so.
func TestWhoCallsIsToldWhatASnapshotSaysOfHisPhone(t *testing.T) {
	for name, c := range map[string]struct {
		then, after func(o *office, leg string) // what becomes of it while nothing is known, and behind the snapshot
		up          bool
	}{
		"answered": {then: func(o *office, leg string) { o.set(leg, call.StateUp) }, up: true},
		"given up": {then: func(*office, string) {}},
		"it rings, and is answered behind it": {
			then: func(*office, string) {}, after: func(o *office, leg string) { o.state(leg, call.StateUp) }, up: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, houseThatCalls)
			v, err := o.gate.Dial(t.Context(), who("anna"), gate.DialAsk{Number: "102", Door: "test"})
			if err != nil {
				t.Fatal(err)
			}
			leg := string(o.pbx.calls[0].Leg)
			o.pbx.appear(call.LegID(leg), "PJSIP/101")
			o.ingest(call.Event{Kind: call.LinkLost})
			c.then(o, leg)
			s := o.picture()
			if name == "given up" {
				s = o.picture(leg)
			}
			o.ingest(call.Event{Kind: call.Resynced, Snapshot: s})
			if c.after != nil {
				c.after(o, leg)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if up, err := o.gate.Answered(ctx, who("anna"), v.ID); up != c.up || err != nil {
				t.Errorf("%v, %v", up, err)
			}
		})
	}
}

// set has a leg be in a state of which nobody is told.
func (o *office) set(leg string, s call.State) {
	o.mu.Lock()
	defer o.mu.Unlock()
	ch := o.chans[leg]
	ch.State = s
	o.chans[leg] = ch
}

func TestWhoSupervisesIsToldWhetherHisPhoneWasAnswered(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	id, code := o.ask("carl", "spy", "anna")
	if code != "" {
		t.Fatal(code)
	}
	if !o.answered("carl", id)() {
		t.Error("it was")
	}
	if o.answered("dora", id)() || o.answered("carl", "nothing")() {
		t.Error("of another's, and of nothing, it is told too")
	}
}

func TestWhoseSupervisionIsNotAnsweredIsToldSo(t *testing.T) {
	o := newOffice(t, house)
	o.pbx.set(func() { o.pbx.silent = true })
	o.talk("x", ivanov, "PJSIP/101")
	id, code := o.ask("carl", "spy", "anna")
	if code != "" {
		t.Fatal(code)
	}
	said := o.answered("carl", id)
	if err := o.gate.EndSupervision(t.Context(), who("carl"), id); err != nil {
		t.Fatal(err)
	}
	if said() {
		t.Error("it is told that it was")
	}
}

// A panel is somebody who asks, and has no phone and no row of his own.
func TestAPanelSeesWhatItIsGrantedAndIsOnNoBoard(t *testing.T) {
	o := newOffice(t, houseThatCalls, func(c *gate.Config) {
		c.Policy = set(t, "version: 1\nemployees:\n  wall: {panel: true, observe: true, lock: true, listen: true}\n  anna: {phones: [PJSIP/101], numbers: [\"101\"]}\n  boris: {phones: [PJSIP/102]}\ntrunks: [PJSIP/trunk]\n")
	})
	o.talk("x", ivanov, "PJSIP/101")
	b, err := o.gate.Employees(who("wall"))
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Employees) != 2 || b.Employees[0].Calls[0].Peer == nil || b.Employees[0].Calls[0].Peer.Number != ivanov {
		t.Errorf("the panel sees %+v", b.Employees)
	}
	if b, err = o.gate.Employees(who("anna")); err != nil || len(b.Employees) != 2 {
		t.Errorf("anna sees %+v, %v", b.Employees, err)
	}
	if _, err := o.gate.Lock(t.Context(), who("wall"), gate.LockAsk{}); code(err) != "unknown_target" {
		t.Errorf("it locks: %v", err)
	}
	if _, err := o.gate.Supervise(t.Context(), who("wall"), gate.Ask{Target: "anna", Mode: "spy"}); code(err) != "no_phone" {
		t.Errorf("it listens: %v", err)
	}
	for _, c := range o.gate.Phonebook().Colleagues {
		if c.ID == "wall" {
			t.Error("it is in the phonebook")
		}
	}
}
