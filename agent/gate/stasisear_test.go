package gate_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"pgregory.net/rapid"
)

// order is at which place of the log a line is that begins so, the last; -1: none.
func (o *office) order(prefix string) int {
	at := -1
	for i, l := range o.log.all() {
		if strings.HasPrefix(l, prefix) {
			at = i
		}
	}
	return at
}

// Ivo may not hear egor: he is taken off carl's leg before that hears egor, and does not come to it again. Anna he may hear.
func TestWhoListensToALegHearsWhatASnoopLetsItHear(t *testing.T) {
	for target, may := range map[string]bool{"egor": false, "anna": true} {
		t.Run(target, func(t *testing.T) {
			o := newOffice(t, house)
			o.talk("x", ivanov, map[bool]string{true: "PJSIP/101", false: "PJSIP/105"}[may])
			c := o.snoopsBy("carl")
			leg, with, first := c.phone("PJSIP/103"), c.phone("PJSIP/113"), c.bridge()
			c.add(first, leg, with)
			row := o.row("ivo", "carl").Calls
			if len(row) != 2 {
				t.Fatalf("%+v", row)
			}
			ivo := o.active("ivo", "spy", "carl", row[0].ID)
			if on := o.pbx.taps[0].Target; on != o.rungLeg(0) {
				ivo = ""
				for _, v := range o.supervises("ivo") {
					if err := o.gate.EndSupervision(t.Context(), who("ivo"), v.ID); err != nil {
						t.Fatal(err)
					}
				}
				ivo = o.active("ivo", "spy", "carl", row[1].ID)
			}
			if on := o.pbx.taps[len(o.pbx.taps)-1].Target; on != o.rungLeg(0) {
				t.Fatalf("he listens to %s", on)
			}
			o.passes(t)
			snoop, bridge := c.snoop("spy", target), c.bridge()
			if may {
				c.add(bridge, snoop, leg)
			} else {
				o.pbx.holds("drop snoop own")
				got := make(chan error, 1)
				go func() { got <- c.Add(t.Context(), bridge, snoop, leg) }()
				o.log.until(t, "leave")
				for range 20 {
					o.log.wait(5 * time.Millisecond) // in which he would come to hear
				}
				o.pbx.let()
				c.must(<-got)
				o.audit.waits(t, ivo, audit.Revoked)
				if over, tap := o.order("record revoked"), o.order("tap"); over < 0 || over > tap {
					t.Fatalf("he hears on:\n%s", strings.Join(o.log.all(), "\n"))
				}
			}
			if got := o.supervises("ivo"); len(got) == 1 != may {
				t.Fatalf("%+v", got)
			}
			if !may {
				for _, one := range o.row("ivo", "carl").Calls {
					if _, code := o.ask("ivo", "spy", "carl", one.ID); code != "" && code != "not_for_this_call" && code != "not_talking" {
						t.Fatal(code)
					}
				}
				for _, v := range o.supervises("ivo") {
					if o.tapped(v.ID) == o.rungLeg(0) {
						t.Fatal("he listens to it again")
					}
				}
			}
		})
	}
}

// Who supervises hears another call there: his leg is not recorded as if it were his own call.
func TestALegThatASnoopHasIsNotRecorded(t *testing.T) {
	o := newStudio(t, studio)
	o.talk("x", ivanov, "PJSIP/101")
	c := o.snoopsBy("carl")
	leg, with, first := c.phone("PJSIP/103"), c.phone("PJSIP/113"), c.bridge()
	c.add(first, leg, with)
	on := ""
	for _, one := range o.row("carl", "carl").Calls {
		if one.ID == leg {
			on = one.ID
		}
	}
	if on == "" {
		t.Fatalf("his leg is not on his row: %+v", o.row("carl", "carl").Calls)
	}
	w := o.watch("carl")
	tape := o.mustTape("carl", "carl", on)
	w.taped(tape.ID, "recording")
	o.passes(t)
	snoop, bridge := c.snoop("spy", "anna"), c.bridge()
	c.add(bridge, snoop, leg)
	o.audit.waits(t, tape.ID, audit.Revoked)
	if drop, tap := o.order("drop"), o.order("tap"); drop < 0 || drop > tap {
		t.Fatalf("it is recorded on:\n%s", strings.Join(o.log.all(), "\n"))
	}
	if _, code := o.tape("carl", "carl", on); code != "not_talking" && code != "no_such_call" {
		t.Fatalf("%q", code)
	}
	if _, code := o.tape("carl", "carl"); code != "" { // the other of his legs, alone, has nobody on the other side
		if code != "not_talking" {
			t.Fatalf("%q", code)
		}
	}
	// Given back it is his own call again, with whoever it is put together with.
	c.must(c.HangUp(t.Context(), snoop))
	c.add(bridge, with)
	o.at(o.rungLeg(0), "-room")
	o.mustTape("carl", "carl", on)
}

// After a restart its leg has nobody who renews its lease: what the Earshot before has left is hung up, and its end is on record.
func TestASnoopIsNotTakenUpAfterARestart(t *testing.T) {
	l := leftBehind()
	l.acts[0].Door = "ari"
	l.channels[2] = call.Channel{ID: "earshot-other-stasis", Name: "PJSIP/103-1", State: call.StateUp, App: "Stasis", Created: start}
	l.bridges[1].Legs[0] = "earshot-other-stasis"
	o := l.found(t, house)
	e := o.audit.waits(t, "act1", audit.Ended)
	if e.Reason != "earshot_restarted" {
		t.Fatalf("%+v", e)
	}
	for o.pbx.left() != 0 {
		o.log.until(t, "drop")
	}
	if len(o.supervises("carl")) != 0 {
		t.Fatal("it runs")
	}
}

// The leg is on this PBX, so the call has to be: the phone door refuses the same.
func TestASnoopOfACallOnAnotherPBXIsRefused(t *testing.T) {
	p := newPair(t)
	p.b.talk("x", ivanov, "PJSIP/102")
	p.settle()
	p.a.talk("y", other, "PJSIP/101")
	c := p.a.snoopsBy("carl")
	_, err := c.Snoop(t.Context(), gate.Ask{Target: "boris", Mode: "spy"})
	ask := p.a.desk("d", "PJSIP/103", "102", "spy")
	_, phone := p.a.gate.Supervise(t.Context(), who("carl"), ask)
	if code(err) != "other_pbx" || code(phone) != "other_pbx" {
		t.Fatalf("%v, and by the phone door %v", err, phone)
	}
	if len(c.View().Snoops) != 0 || len(p.b.supervises("carl")) != 0 {
		t.Fatal("it has crossed over")
	}
	snoop, leg, bridge := c.snoop("spy", "anna"), c.phone(""), c.bridge()
	c.add(bridge, snoop, leg)
}

// Whoever may not see who is on the other side learns nothing of him by what a snoop tells.
func TestASnoopTellsTheSameInTwoWorlds(t *testing.T) {
	live := func(s side, subject string) (got []string) {
		w := newWorld(t, s)
		defer w.close()
		c := w.snoopsBy(subject)
		from, to := w.them(call.StateRing), w.id()
		w.leg(to, "PJSIP/101", call.StateDown, "")
		w.dial(from, to, "101")
		w.state(to, call.StateUp)
		w.state(from, call.StateUp)
		w.ingest(call.Event{Kind: call.DialEnded, Channel: w.ch(from), Peer: w.ch(to), Answered: true})
		w.enter("b", to, from)
		snoop, leg, bridge := c.hears("spy", "anna")
		view := func() {
			v := c.View()
			for _, b := range []any{v.Snoops, v.Bridges} {
				data, err := json.Marshal(b)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(data))
			}
		}
		view()
		c.must(c.Remove(t.Context(), bridge, leg))
		c.add(bridge, c.snoop("spy", "anna"))
		w.gone(from, to)
		w.log.until(t, "told ended snoop call_ended")
		view()
		c.Close()
		for _, e := range c.all() {
			if e.Snoop == "" {
				continue
			}
			data, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(data))
		}
		if text := strings.Join(got, "\n"); !strings.Contains(text, snoop) {
			t.Fatalf("nothing is told of it: %s", text)
		}
		return got
	}
	for _, b := range []side{sides[1], sides[2]} {
		one, two := alike(live(sides[0], "dora")), alike(live(b, "dora"))
		if one != two {
			t.Fatalf("dora can tell the worlds apart:\n%s", differ(one, two))
		}
		for _, secret := range []string{sides[0].number, sides[0].name} {
			if strings.Contains(one, secret) {
				t.Fatalf("dora got %q", secret)
			}
		}
	}
}

// ears are the ids of the supervisions that have a snoop on somebody's leg.
func (o *office) ears() (ids []string) {
	o.pbx.set(func() {
		for leg := range o.pbx.legs {
			if id, ok := strings.CutSuffix(strings.TrimPrefix(string(leg), pbx.Prefix), "-snoop"); ok {
				ids = append(ids, id)
			}
		}
	})
	return ids
}

// In any order of what a client does and what happens: a snoop is there as long as its supervision, he hears only while it runs, by a leg that is with the
// snoop in a bridge of his, and when all is over nobody hears anything.
func TestWhateverAClientDoesNoSnoopOutlivesItsSupervision(t *testing.T) {
	ran, ended := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		o := newOffice(t, house)
		defer o.close()
		c := o.snoopsBy("carl")
		defer c.Close()
		targets := map[string]string{"anna": "PJSIP/101", "boris": "PJSIP/102"}
		for name, phone := range targets {
			o.talk(name, ivanov, phone)
		}
		channels, bridges, snoops := []string{}, []string{}, []string{}
		any := func(of []string, what string) string {
			if len(of) == 0 {
				return "none"
			}
			return rapid.SampledFrom(of).Draw(r, what)
		}
		both := func() []string { return slices.Concat(channels, snoops) }
		for range rapid.IntRange(4, 25).Draw(r, "n") {
			target := rapid.SampledFrom([]string{"anna", "boris"}).Draw(r, "target")
			switch rapid.IntRange(0, 17).Draw(r, "op") {
			case 0, 1:
				if id, err := c.Originate(t.Context(), gate.StasisAsk{Phone: rapid.SampledFrom([]string{"PJSIP/103", "PJSIP/113"}).Draw(r, "phone")}); err == nil {
					channels = append(channels, id)
				}
			case 2:
				if id, err := c.CreateBridge(t.Context()); err == nil {
					bridges = append(bridges, id)
				}
			case 3, 4, 5:
				if v, err := c.Snoop(t.Context(), gate.Ask{Target: target, Mode: "spy"}); err == nil {
					snoops = append(snoops, v.ID)
				}
			case 6, 7, 8, 17:
				_ = c.Add(t.Context(), any(bridges, "bridge"), any(snoops, "snoop"), any(channels, "channel"))
			case 9:
				_ = c.Add(t.Context(), any(bridges, "bridge"), any(both(), "one"))
			case 10:
				_ = c.Remove(t.Context(), any(bridges, "bridge"), any(both(), "one"))
			case 11:
				_ = c.HangUp(t.Context(), any(both(), "one"))
			case 12:
				_ = c.DestroyBridge(t.Context(), any(bridges, "bridge"))
			case 13:
				o.hangUp(target)
				o.talk(target, ivanov, targets[target])
			case 14:
				o.gate.SetPolicy(set(t, strings.Replace(house, "observe: true, listen: true", "observe: true", 1)))
				o.gate.SetPolicy(set(t, house))
			case 15:
				o.pass(1)
			case 16: // while it is being joined
				got, bridge, snoop, channel := make(chan struct{}), any(bridges, "bridge"), any(snoops, "snoop"), any(channels, "channel")
				go func() {
					defer close(got)
					_ = c.Add(t.Context(), bridge, snoop, channel)
				}()
				switch rapid.IntRange(0, 3).Draw(r, "meanwhile") {
				case 0:
					o.hangUp(target)
					o.talk(target, ivanov, targets[target])
				case 1:
					_ = o.gate.EndSupervision(t.Context(), who("carl"), snoop)
				case 2:
					_ = c.HangUp(t.Context(), channel)
				case 3:
					o.gate.SetPolicy(set(t, strings.Replace(house, "observe: true, listen: true", "observe: true", 1)))
					o.gate.SetPolicy(set(t, house))
				}
				for waits := true; waits; o.pass(1) {
					select {
					case <-got:
						waits = false
					default:
						o.log.wait(time.Millisecond)
					}
				}
			}
			for _, id := range o.ears() {
				if over := func() bool { _, err := o.gate.Supervision(who("carl"), id); return err != nil }; over() && slices.Contains(o.ears(), id) {
					r.Fatal("he hears though it is over")
				}
			}
			runs := map[string]bool{}
			view := c.View()
			for _, v := range o.supervises("carl") {
				runs[v.ID] = true
			}
			for _, s := range view.Snoops {
				if !runs[s.ID] && slices.ContainsFunc(c.View().Snoops, func(o mask.Supervision) bool { return o.ID == s.ID }) { // it had not ended between the two looks
					r.Fatal("a snoop is there without its supervision")
				}
				if s.State != "active" {
					continue
				}
				ran++
				at := slices.IndexFunc(view.Bridges, func(b gate.StasisBridge) bool { return slices.Contains(b.Channels, s.ID) })
				if at < 0 || len(view.Bridges[at].Channels) != 2 {
					o.ends(r, "carl", s.ID, fmt.Sprintf("it is alone in %+v", view.Bridges)) // as it does when its leg has been hung up
				}
			}
		}
		c.Close()
		var left []string
		o.pbx.set(func() {
			for leg := range o.pbx.legs {
				left = append(left, string(leg))
			}
		})
		if len(left) != 0 || len(o.supervises("carl")) != 0 {
			r.Fatalf("there are %q; there was:\n%s", left, strings.Join(o.log.all(), "\n"))
		}
		began, over := 0, 0
		for _, e := range c.all() {
			switch {
			case e.Snoop != "" && e.Kind == gate.StasisBegan:
				began++
			case e.Snoop != "" && e.Kind == gate.StasisEnded:
				over++
			}
		}
		if began != over || began != len(snoops) {
			r.Fatalf("%d were begun, %d told of and %d ended", len(snoops), began, over)
		}
		ended += over
	})
	if ran < 20 || ended < 20 {
		t.Fatalf("%d times one ran and %d ended: too few to say anything", ran, ended)
	}
}
