package gate_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"pgregory.net/rapid"
)

// changed is what administrators may make of house.
var changed = []string{
	strings.Replace(house, "listen: {to: any, allow: [spy], except: [egor]}", "observe: true", 1),
	strings.Replace(house, "listen: {to: any, allow: [spy], except: [egor]}", "listen: {to: any, except: [boris]}", 1),
	strings.Replace(house, "observe: true, listen: true, intercept: {to: any}", "observe: kind, spy: true, intercept: own", 1),
	strings.Replace(house, "intercept: {to: any, except: [egor]}", "intercept: own, observe: {to: any, except: [boris]}", 1),
	strings.Replace(house, `numbers: ["+7 495 765-43-21"]`, `numbers: ["`+ivanov+`"]`, 1),
	strings.Replace(house, "employees: [hana]", "employees: [boris]", 1),
	strings.Replace(house, "trunks:", "unknown_phones: outside\ntrunks:", 1),
	strings.Replace(house, "trunks: [PJSIP/trunk]", "trunks: [PJSIP/999]", 1),
	strings.Replace(house, `numbers: ["105", "+79160000105"]`, `numbers: ["105", "`+ivanov+`"]`, 1),
}

// A policy is tried beside the one in force of one office and holds in another, where the same happens. What is told of it there is what is so here.
func TestAShadowPolicySaysWhatWouldBeIfItWereInForce(t *testing.T) {
	phones := []string{"PJSIP/101", "PJSIP/102", "PJSIP/105", "PJSIP/108", "PJSIP/999", ivanov, other, "+79160000105", secret}
	legs, askers := []string{"a.0", "a.1", "b.0", "b.1"}, []string{"carl", "dora", "fay", "gus", "ivo"}
	asked, seen := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		one := func(name string, of []string) string { return rapid.SampledFrom(of).Draw(r, name) }
		then := one("policy", changed)
		s := newShade(t, then)
		tries, holds := newOffice(t, house, s.beside), newOffice(t, then)
		defer func() { s.stop() }()
		defer tries.close()
		defer holds.close()
		tries.pbx.silent, holds.pbx.silent = true, true
		for _, subject := range append([]string{"anna", "boris"}, askers...) {
			tries.watch(subject)
		}
		both := func(f func(o *office)) { f(tries); f(holds) }
		there := func(id string) bool { return tries.ch(id).ID != "" }
		want := map[string]bool{}
		for range rapid.IntRange(1, 25).Draw(r, "n") {
			id, other := one("leg", legs), one("other", legs)
			switch op := rapid.IntRange(0, 9).Draw(r, "op"); {
			case op <= 1 && !there(id):
				who, state := one("phone", phones), rapid.SampledFrom([]call.State{call.StateDown, call.StateRing, call.StateUp}).Draw(r, "state")
				both(func(o *office) { o.leg(id, who, state, "7") })
			case op == 2 && there(id):
				state := rapid.SampledFrom([]call.State{call.StateRinging, call.StateUp}).Draw(r, "state")
				both(func(o *office) { o.state(id, state) })
			case op == 3 && there(id):
				both(func(o *office) { o.gone(id) })
			case op <= 5 && there(id):
				both(func(o *office) { o.enter("x", id) })
			case op == 6 && there(id):
				both(func(o *office) { o.leave("x", id) })
			case op == 7 && there(id) && there(other) && id != other:
				both(func(o *office) { o.dial(id, other, "7") })
			case op == 8:
				then = one("another policy", changed)
				tries.gate.SetShadow(set(t, then))
				holds.gate.SetPolicy(set(t, then))
			case op == 9:
				both(func(o *office) { o.pass(1) })
			}
			for _, subject := range append([]string{"anna", "boris"}, askers...) {
				now, later := tries.gate.Naive(subject), holds.gate.Naive(subject)
				for i := range now {
					for k := range now[i].Calls {
						seen++
						switch hidden, hides := now[i].Calls[k].Hidden, later[i].Calls[k].Hidden; {
						case hidden && !hides:
							want[subject+" "+now[i].ID+" gained"] = true
						case hides && !hidden:
							want[subject+" "+now[i].ID+" lost"] = true
						}
					}
				}
			}
			subject, mode, target := one("asker", askers), one("mode", []string{"spy", "whisper", "barge", "intercept"}), one("target", []string{"anna", "boris"})
			before := [3]float64{}
			for i, change := range []string{gate.Gained, gate.Lost, gate.Ground} {
				before[i] = s.counted("differences_total", "action", mode, "change", change)
			}
			a, b := tries.verdict(subject, mode, target), holds.verdict(subject, mode, target)
			asked++
			change := ""
			switch {
			case a.Outcome != audit.Allow && b.Outcome == audit.Allow:
				change = gate.Gained
			case a.Outcome == audit.Allow && b.Outcome != audit.Allow:
				change = gate.Lost
			case a.Reason != b.Reason:
				change = gate.Ground
			}
			for i, c := range []string{gate.Gained, gate.Lost, gate.Ground} {
				n := s.counted("differences_total", "action", mode, "change", c) - before[i]
				if c == change && n != 1 || c != change && n != 0 {
					r.Fatalf("%s %s %s is %s where it is tried and %s where it holds, and %s is counted %v times; told is\n%s",
						subject, mode, target, a.Reason, b.Reason, c, n, strings.Join(shorts(s.told()), "\n"))
				}
			}
		}
		got := map[string]bool{}
		for _, d := range s.told() {
			if d.Action == "observe" && d.Change != gate.Ground && !slices.Contains(askers, d.Target) { // whose own phones have rung
				got[d.Subject+" "+d.Target+" "+d.Change] = true
			}
		}
		if !maps.Equal(got, want) {
			r.Fatalf("told is %v, and so is %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
	})
	if asked < 500 || seen < 1000 {
		t.Fatalf("%d requests and %d looks are too few to say anything", asked, seen)
	}
}

// verdict asks, ends what is let, and returns what the policy has said: to whom something else than the policy says no, it has said yes.
func (o *office) verdict(subject, mode, target string) audit.Entry {
	id, _ := o.ask(subject, mode, target)
	e := o.audit.last(o.t, audit.Decided)
	switch e.Reason {
	case "not_talking", "not_ringing", "several_calls", "call_moved":
		e.Outcome, e.Reason = audit.Allow, "allowed"
	}
	if id == "" {
		return e
	}
	for over := false; !over; {
		o.gate.Recheck(func(s auth.Subject) bool { return s.Employee() != subject })
		o.audit.mu.Lock()
		for _, e := range o.audit.entries {
			over = over || e.ID == id && e.Phase != audit.Decided && e.Phase != audit.Done
		}
		o.audit.mu.Unlock()
		if !over {
			o.log.wait(time.Millisecond)
		}
	}
	return e
}

// more are steps beside those of every world, for requests that are let.
var more = map[string]func(w *world){
	"mode": func(w *world) {
		if id, code := w.ask("carl", "spy", "anna"); code == "" {
			w.until("carl", "active")
			w.note("carl", w.change("carl", id, "whisper"))
			if err := w.gate.EndSupervision(w.t.Context(), who("carl"), id); err != nil {
				w.t.Fatal(err)
			}
		} else {
			w.note("carl", code)
		}
	},
	"call": func(w *world) {
		for _, subject := range []string{"carl", "dora"} {
			w.note(subject, w.dials(subject, w.side.number), w.dials(subject, "101"))
		}
	},
	"other policy": func(w *world) { w.gate.SetPolicy(set(w.t, changed[0])) },
	"the policy":   func(w *world) { w.gate.SetPolicy(set(w.t, house)) },
}

func (w *world) until(subject, state string) {
	for {
		m := w.streams[subject].next()
		w.note(subject, m)
		if m.Supervision != nil && m.Supervision.State == state {
			return
		}
	}
}

// One script is played with a second policy and without. Nobody is shown or told anything else, and nothing else is ordered or recorded.
func TestASecondPolicyChangesNothingForAnybody(t *testing.T) {
	names := sorted(append(slices.Collect(maps.Keys(steps)), slices.Collect(maps.Keys(more))...))
	differences := 0
	rapid.Check(t, func(r *rapid.T) {
		script := append([]string{"call in"}, rapid.SliceOfN(rapid.SampledFrom(names), 1, 8).Draw(r, "script")...)
		who, second := rapid.SampledFrom(sides).Draw(r, "side"), rapid.SampledFrom(changed).Draw(r, "policy")
		at := rapid.IntRange(0, len(script)).Draw(r, "when another comes")
		played := func(s *shade) string {
			var beside []func(*gate.Config)
			if s != nil {
				defer func() { s.stop() }()
				beside = append(beside, s.beside)
			}
			w := newWorld(t, who, beside...)
			defer w.close()
			for i, step := range script {
				if i == at {
					w.gate.SetShadow(set(t, changed[len(script)%len(changed)])) // without a Shadow it does nothing
				}
				if f := steps[step]; f != nil {
					f(w)
				} else {
					more[step](w)
				}
				w.look()
			}
			return w.everything()
		}
		s := newShade(t, second)
		if without, with := played(nil), played(s); without != with {
			r.Fatalf("without and with a second policy:\n%s", differ(without, with))
		}
		differences += len(s.told())
	})
	if differences < 50 {
		t.Fatalf("%d differences are too few to say anything", differences)
	}
}

var ownID = regexp.MustCompile(`earshot-[a-z2-9]{20}`)

// everything is all that everybody got, all that was ordered, and all that was recorded. It closes the gate, which waits until that is written: who has
// come to a locked call is written down by a goroutine of the lock's.
func (w *world) everything() string {
	w.close()
	var all []string
	for _, subject := range slices.Sorted(maps.Keys(w.got)) {
		all = append(all, subject+":")
		all = append(all, w.got[subject]...)
	}
	// What ends at the same moment is written down by goroutines of their own, one for each act or lock: only what is of one has an order.
	var records []string
	for _, l := range w.log.all() {
		if strings.HasPrefix(l, "record ") {
			records = append(records, l)
		} else {
			all = append(all, l)
		}
	}
	slices.Sort(records)
	all = append(all, records...)
	w.audit.mu.Lock()
	defer w.audit.mu.Unlock()
	entries := slices.Clone(w.audit.entries)
	slices.SortStableFunc(entries, func(a, b audit.Entry) int {
		return cmp.Or(strings.Compare(a.Subject, b.Subject), strings.Compare(a.Action, b.Action), slices.Compare(a.Targets, b.Targets))
	})
	for _, e := range entries {
		e.Credential = "" // who makes a token anew each time
		data, err := json.Marshal(e)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, string(data))
	}
	w.pbx.set(func() {
		for _, order := range []any{w.pbx.rung, w.pbx.takes, w.pbx.taps, w.pbx.swaps, w.pbx.calls} {
			all = append(all, ownID.ReplaceAllString(fmt.Sprintf("%+v", order), "earshot-"))
		}
	})
	return alike(all)
}
