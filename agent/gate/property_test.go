package gate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
	"pgregory.net/rapid"
)

func sorted(s []string) []string { slices.Sort(s); return s }

// holds decides a supervision's ground in the plainest way: over everybody whose voice the supervisor may hear, found by following every tie
// again and again until nothing is new.
func holds(o *office, subject, target string, leg call.LegID, v mask.Supervision, sealed map[call.LegID]bool) (allowed bool, why string) {
	set := o.gate.Policy()
	s, _ := set.Employee(subject)
	g, _ := set.Employee(target)
	action, _ := policy.ParseAction(v.Mode)
	r := policy.Request{Subject: s, Target: g, Action: action}
	o.feed.Read(func(t *call.Table) {
		first := t.Leg(leg)
		if first == nil {
			why = "the leg is gone"
			return
		}
		heard := map[*call.Leg]bool{first: true}
		for n := 0; n != len(heard); {
			n = len(heard)
			for _, l := range t.All(nil) {
				if !heard[l] {
					continue
				}
				for _, o := range t.Call(nil, l) {
					heard[o] = true
				}
				up := func(l *call.Leg) bool {
					return l.Kind() == call.KindPhone && !l.Held() && (l.State() == call.StateUp || l.Direction() == call.Out)
				}
				for _, other := range t.All(nil) {
					if up(l) && up(other) && other.Endpoint() == l.Endpoint() && !set.Outside(l.Endpoint()) {
						heard[other] = true
					}
				}
				if l.Kind() == call.KindPhone && l.Spied() != nil {
					heard[l.Spied()] = true
				}
				for _, spy := range l.Spies(nil) {
					if spy.Kind() == call.KindPhone {
						heard[spy] = true // a foreign one; the test's own supervisors only spy
					}
				}
			}
		}
		for l := range heard {
			r.Locked = r.Locked || sealed[l.ID()]
			if strings.HasPrefix(string(l.ID()), "earshot-") {
				continue
			}
			if ref, ok := set.Phone(l.Endpoint()); ok {
				r.With = append(r.With, ref)
			} else if l.Kind() == call.KindPhone && !set.Trunk(l.Endpoint()) {
				r.UnknownPhone = true
			}
			for _, n := range []call.Number{l.Caller().Number, l.Connected().Number} {
				r.ProtectedNumber = r.ProtectedNumber || set.ProtectedNumber(n.Digits())
				r.With = set.AppendByNumber(r.With, n.Digits())
			}
		}
		d := set.Decide(&r)
		allowed, why = d.Allowed, d.Reason.String()
	})
	return allowed, why
}

// In any order of events and under any policy: a supervision whose ground does not hold ends, without anything else having to happen.
func TestWhateverHappensNoSupervisionRunsWithoutGround(t *testing.T) {
	phones := []string{"PJSIP/101", "PJSIP/102", "PJSIP/105", "PJSIP/108", "PJSIP/999", "+79161110000", "+79160000105", secret}
	legs := []string{"a", "b", "c", "d", "e", "f"}
	policies := []string{
		house, strings.ReplaceAll(house, "except: [egor]", "except: [boris]"), strings.ReplaceAll(house, "except: [egor]", "except: [anna]"),
		strings.Replace(house, "trunks:", "unknown_phones: outside\ntrunks:", 1), strings.Replace(house, "listen: {to: any, allow: [spy], except: [egor]}", "observe: true", 1),
	}
	ran, ended := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		o := newOffice(t, house)
		defer o.close()
		o.talk("x", ivanov, "PJSIP/101")
		target := map[string]call.LegID{} // by supervision
		sealed := map[call.LegID]bool{}   // legs on which a lock lies
		any := func(name string) string { return rapid.SampledFrom(legs).Draw(r, name) }
		there := func(id string) bool { return o.ch(id).ID != "" }
		for range rapid.IntRange(1, 25).Draw(r, "n") {
			id, other := any("leg"), any("other")
			switch op := rapid.IntRange(0, 14).Draw(r, "op"); {
			case op <= 2 && !there(id):
				s := rapid.SampledFrom([]call.State{call.StateDown, call.StateRing, call.StateUp}).Draw(r, "state")
				o.leg(id, rapid.SampledFrom(phones).Draw(r, "phone"), s, "7")
			case op == 3 && there(id):
				o.gone(id)
			case op <= 5 && there(id):
				o.enter(rapid.SampledFrom([]string{"x", "y"}).Draw(r, "bridge"), id)
			case op == 6 && there(id):
				o.leave(rapid.SampledFrom([]string{"x", "y"}).Draw(r, "bridge"), id)
			case op == 7 && there(id) && there(other) && id != other:
				o.dial(rapid.SampledFrom([]string{id, "x.0"}).Draw(r, "caller"), other, "7")
			case op == 8 && there(id):
				o.ingest(call.Event{Kind: rapid.SampledFrom([]call.Kind{call.LegHeld, call.LegUnheld}).Draw(r, "hold"), Channel: o.ch(id)})
			case op == 9 && there(id):
				o.ingest(call.Event{Kind: rapid.SampledFrom([]call.Kind{call.SpyBegan, call.SpyEnded}).Draw(r, "spy"), Channel: o.ch(id), Peer: o.ch(rapid.SampledFrom([]string{"x.1", "x.0", other}).Draw(r, "spied"))})
			case op == 10 && there(id):
				ch := o.ch(id)
				ch.Connected.Number = call.Number(rapid.SampledFrom([]string{"", "105", secret, "777"}).Draw(r, "number"))
				ch.State = call.StateUp
				o.seen(ch)
			case op == 11:
				o.gate.SetPolicy(set(t, rapid.SampledFrom(policies).Draw(r, "policy")))
			case op == 12:
				o.pass(1)
			case op == 13:
				if _, err := o.gate.Lock(o.t.Context(), who("anna"), gate.LockAsk{}); err == nil {
					for _, leg := range o.gate.LockedLegs("anna") {
						sealed[leg] = true
					}
				}
			case op == 14:
				locks, _ := o.gate.Locks(who("anna"))
				for _, k := range locks {
					if err := o.gate.Unlock(o.t.Context(), who("anna"), k.ID); err != nil {
						r.Fatal(err)
					}
				}
				clear(sealed)
			}
			spread(o, sealed)
			for _, subject := range []string{"dora", "ivo"} {
				if v, _ := o.gate.Supervisions(who(subject)); len(v) == 0 && rapid.Bool().Draw(r, "ask") {
					if rows := o.row(subject, "anna").Calls; len(rows) > 0 {
						if id, code := o.ask(subject, "spy", "anna", rows[0].ID); code == "" {
							o.log.until(t, "record")
							target[id] = ""
						}
					}
				}
				v, _ := o.gate.Supervisions(who(subject))
				for i := range v {
					leg := o.tapped(v[i].ID)
					if leg == "" {
						continue
					}
					ran++
					if ok, why := holds(o, subject, "anna", leg, v[i], sealed); !ok {
						ended++
						o.ends(r, subject, v[i].ID, why)
					}
				}
			}
		}
	})
	if ran < 50 || ended < 3 {
		t.Fatalf("%d times one ran and %d times its ground was gone: too few to say anything", ran, ended)
	}
}

// spread lays a lock on all who are on a call with somebody on whom it lies.
func spread(o *office, sealed map[call.LegID]bool) {
	o.feed.Read(func(t *call.Table) {
		for id := range sealed {
			if t.Leg(id) == nil {
				delete(sealed, id)
			}
		}
		for n := -1; n != len(sealed); {
			n = len(sealed)
			for _, l := range t.All(nil) {
				if sealed[l.ID()] {
					for _, o := range t.Call(nil, l) {
						sealed[o.ID()] = true
					}
				}
			}
		}
	})
}

// tapped is the leg that a supervision listens to, once it does.
func (o *office) tapped(id string) (leg call.LegID) {
	o.pbx.set(func() {
		for _, tap := range o.pbx.taps {
			if strings.Contains(string(tap.Snoop), id) {
				leg = tap.Target
			}
		}
	})
	return leg
}

// ends waits until a supervision is over.
func (o *office) ends(r *rapid.T, subject, id, why string) {
	deadline := time.Now().Add(5 * time.Second)
	for {
		if _, err := o.gate.Supervision(who(subject), id); err != nil {
			return
		}
		if time.Now().After(deadline) {
			r.Fatalf("a supervision runs on, though %s; it was:\n%s", why, fmt.Sprint(o.log.all()))
		}
	}
}
