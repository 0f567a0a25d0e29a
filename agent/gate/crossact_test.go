package gate_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// toldHouses is houses where whoever carl supervises is told.
var toldHouses = strings.Replace(houses, "observe: true, listen: true,", "observe: true, listen: {to: any, notify: panel},", 1)

func TestWhoIsListenedToIsToldWhereverHeLooks(t *testing.T) {
	p := newPair(t)
	for name, o := range map[string]*office{"a": p.a, "b": p.b} {
		o.gate.SetPolicy(set(t, toldHouses).Beside(name))
	}
	p.talks("x", "PJSIP/102")
	w, me := p.a.watch("boris"), p.b.watch("carl")
	id := p.a.must("carl", "spy", "boris")
	me.act(id, "active")
	p.settle()
	states := func() (states []string) {
		for _, m := range w.all() {
			if m.Supervised != nil && m.Supervised.ID == id {
				states = append(states, m.Supervised.By+" "+m.Supervised.Mode+" "+m.Supervised.State)
			}
		}
		return states
	}
	if got := states(); !slices.Equal(got, []string{"carl spy active"}) {
		t.Fatalf("%q", got)
	}
	if list, _ := p.a.gate.Supervised(who("boris")); len(list) != 1 || list[0].ID != id || list[0].State != "active" {
		t.Fatalf("%+v", list)
	}
	if list, _ := p.a.gate.Supervised(who("ivo")); len(list) != 0 {
		t.Fatalf("%+v", list)
	}
	if err := p.a.gate.EndSupervision(t.Context(), who("carl"), id); err != nil {
		t.Fatal(err)
	}
	p.settle()
	if got := states(); !slices.Equal(got, []string{"carl spy ended"}) {
		t.Fatalf("%q", got)
	}
	if list, _ := p.a.gate.Supervised(who("boris")); len(list) != 0 {
		t.Fatalf("%+v", list)
	}
}

func TestWhatRunsOutOfReachIsNotKnownToRunUntilItIsBack(t *testing.T) {
	p := newPair(t)
	p.talks("x", "PJSIP/102")
	w := p.a.watch("carl")
	id := p.a.must("carl", "spy", "boris")
	w.act(id, "active")
	p.settle()
	p.cut("b")
	if reason := w.act(id, "ended"); reason != "other_pbx_unreachable" {
		t.Fatal(reason)
	}
	if got := p.lists(p.a, "carl"); len(got) != 0 {
		t.Fatalf("%q", got)
	}
	if _, err := p.a.gate.Supervision(who("carl"), id); code(err) != "no_such_supervision" {
		t.Fatal(err)
	}
	p.join("b")
	w.act(id, "active")
	p.listed("carl", id)
	if err := p.a.gate.EndSupervision(t.Context(), who("carl"), id); err != nil {
		t.Fatal(err)
	}
	w.act(id, "ended")
}

// A client's call that rings on another PBX is offered to who is responsible for him, and taken there.
func TestAnOfferOfACallOnAnotherPBXIsTakenThere(t *testing.T) {
	p := newPair(t)
	text := strings.Replace(houses, "  boris:", "  gus:   {name: Gus, phones: [PJSIP/107], numbers: [\"107\"], intercept: own}\n  boris:", 1)
	for name, o := range map[string]*office{"a": p.a, "b": p.b} {
		o.gate.SetPolicy(set(t, text).Beside(name))
	}
	p.b.rings("x", ivanov, "PJSIP/102")
	p.settle()
	offers := p.a.offers("gus")
	if len(offers) != 1 || !offers[0].CanAccept {
		t.Fatalf("%+v", offers)
	}
	p.b.pbx.set(func() { p.b.pbx.silent = true })
	w := p.a.watch("gus")
	v, err := p.a.gate.Intercept(t.Context(), who("gus"), gate.Ask{Call: offers[0].ID, Door: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if other := p.a.answered("carl", v.ID); other() {
		t.Fatal("somebody else is told that it was answered")
	}
	answered := p.a.answered("gus", v.ID)
	p.b.waitTaken()
	p.b.waitRungRow("gus")
	p.b.pbx.pickUp(p.b.pbx.takes[0])
	w.act(v.ID, "taken")
	if !answered() {
		t.Fatal("it was not answered")
	}
	p.b.happened("record decided allow allowed", "take", "record done")
	p.idle(p.a)
}

// What has ended before anything of it was shown: who has begun it is told so once, and who has not is not.
func TestWhatEndsBeforeItIsShownIsToldAsEnded(t *testing.T) {
	p := newPair(t)
	p.talks("x", "PJSIP/102")
	w, another := p.a.watch("carl"), p.a.watch("ivo")
	begun := mask.Supervision{ID: "act1", Target: "boris", Mode: "spy", State: "ringing"}
	over := begun
	over.State, over.Reason = "ended", "no_answer"
	form := func(v any) []byte {
		value, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	ended := gate.News{PBX: "b", Known: true, Shown: []gate.Shown{{Key: "act/act1", Value: form(map[string]any{"v": 1, "e": "carl", "o": "a", "s": over})}}}
	p.ways["a"].sends(func(context.Context, string, []byte) ([]byte, error) {
		p.a.gate.Elsewhere(ended)
		return form(map[string]any{"v": 1, "done": begun}), nil
	})
	if id := p.a.must("carl", "spy", "boris"); id != "act1" {
		t.Fatal(id)
	}
	if reason := w.act("act1", "ended"); reason != "no_answer" {
		t.Fatal(reason)
	}
	ended.Shown[0].Value = form(map[string]any{"v": 1, "e": "carl", "o": "a", "s": over, "t": 1})
	p.a.gate.Elsewhere(ended)
	for _, m := range append(w.all(), another.all()...) {
		if m.Supervision != nil {
			t.Errorf("it is told: %+v", m.Supervision)
		}
	}
	p.listed("carl")
}
