package gate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"pgregory.net/rapid"
)

// watched plays a script for one side, and writes down all that each of them is told of channels.
func watched(t testing.TB, s side, script []string, subjects ...string) map[string]string {
	w := newWorld(t, s)
	defer w.close()
	panels := map[string]*panel{}
	for _, subject := range subjects {
		panels[subject] = w.panel(subject)
	}
	got := map[string][]string{}
	for _, step := range script {
		steps[step](w)
		for subject, p := range panels {
			for _, c := range p.changes() {
				got[subject] = append(got[subject], fmt.Sprintf("%q", p.plain(&c)))
			}
			got[subject] = append(got[subject], fmt.Sprintf("%q", p.list()))
		}
	}
	out := map[string]string{}
	for subject, lines := range got {
		out[subject] = alike(lines)
	}
	return out
}

// plain is all that a change says, each text by itself so that alike finds the handles.
func (p *panel) plain(c *mask.ChannelChange) (all []string) {
	all = append(all, kindWords[c.Kind], c.Bridge, c.Type, fmt.Sprint(c.Mates), c.Status, fmt.Sprint(c.Cause), c.Dialled)
	all = append(all, c.Members...)
	for _, ch := range []*mask.Channel{c.Channel, c.Other, c.Third} {
		all = append(all, texts(ch)...)
	}
	if c.Presence != nil {
		all = append(all, fmt.Sprint(*c.Presence))
	}
	if c.Queue != nil {
		all = append(all, c.Queue.Caller, fmt.Sprint(c.Queue.Queue, c.Queue.Endpoint, c.Queue.Position, c.Queue.Joined, c.Queue.Count, c.Queue.Talk))
	}
	return all
}

func (p *panel) list() (all []string) {
	for _, c := range p.office.channels(p.who).All {
		all = append(all, texts(&c)...)
	}
	return all
}

func texts(c *mask.Channel) []string {
	if c == nil {
		return []string{"-"}
	}
	r := *c
	ids := []string{r.ID, r.Linked, r.Bridge, r.DialledBy, r.Supervision}
	r.ID, r.Linked, r.Bridge, r.DialledBy, r.Supervision, r.Peer = "", "", "", "", "", nil
	return append(ids, fmt.Sprintf("%+v", r), fmt.Sprintf("%+v", c.Peer))
}

// Worlds that differ in who is on the other side alone tell who may not see that the same.
func TestChannelsOfTwoWorldsAreTheSameWithoutTheRight(t *testing.T) {
	names := make([]string, 0, len(steps))
	for name := range steps {
		names = append(names, name)
	}
	told := 0
	rapid.Check(t, func(r *rapid.T) {
		script := append([]string{rapid.SampledFrom([]string{"call in", "call out", "call through Local", "wait in music"}).Draw(r, "begin")},
			rapid.SliceOfN(rapid.SampledFrom(sorted(names)), 1, 12).Draw(r, "script")...)
		script = append(script, "be rung from there")
		pair := rapid.Permutation(sides).Draw(r, "sides")[:2]
		subjects := append([]string{"carl"}, blind...)
		a, b := watched(t, pair[0], script, subjects...), watched(t, pair[1], script, subjects...)
		for _, subject := range blind {
			if a[subject] != b[subject] {
				r.Fatalf("%s can tell the worlds apart:\n%s", subject, differ(a[subject], b[subject]))
			}
			for _, s := range pair {
				for _, secret := range []string{s.number, s.name} {
					if len(secret) > 5 && strings.Contains(a[subject]+b[subject], secret) {
						r.Fatalf("%s got %q", subject, secret)
					}
				}
			}
		}
		if a["carl"] == b["carl"] {
			r.Fatalf("carl, who may see, got the same in both worlds: nothing was compared")
		}
		told++
	})
	if told == 0 {
		t.Fatal("nothing was compared")
	}
}

// What somebody has been told, on top of what there was, is what there is: whatever happens, and whoever he is.
func TestChannelsAreWhatHasBeenToldOfThem(t *testing.T) {
	phones := []string{"PJSIP/101", "PJSIP/102", "PJSIP/105", "PJSIP/108", "PJSIP/999", "+79161110000", "+79160000105", ivanov, secret}
	legs := []string{"a", "b", "c", "d", "e", "f"}
	policies := []string{house, strings.ReplaceAll(house, "except: [egor]", "except: [boris]"), strings.Replace(house, "observe: {to: any, except: [egor]}", "observe: false", 1)}
	kinds := map[mask.ChangeKind]int{}
	rapid.Check(t, func(r *rapid.T) {
		o := newOffice(t, house, func(c *gate.Config) { c.Grace = 1 })
		defer o.close()
		var panels []*panel
		for _, subject := range []string{"carl", "ivo", "anna", "dora", "gus"} {
			p := o.panel(subject)
			p.t = r
			panels = append(panels, p)
		}
		if o.rings("x", ivanov, "PJSIP/101", "PJSIP/102"); rapid.Bool().Draw(r, "answered") {
			o.answers("x", 1)
		}
		there := func(id string) bool { return o.ch(id).ID != "" }
		for range rapid.IntRange(1, 25).Draw(r, "n") {
			id, other := rapid.SampledFrom(legs).Draw(r, "leg"), rapid.SampledFrom(append(legs, "x.0", "x.1")).Draw(r, "other")
			bridge := rapid.SampledFrom([]string{"x", "y"}).Draw(r, "bridge")
			switch op := rapid.IntRange(0, 16).Draw(r, "op"); {
			case op <= 2 && !there(id):
				o.leg(id, rapid.SampledFrom(phones).Draw(r, "phone"), rapid.SampledFrom([]call.State{call.StateDown, call.StateRing, call.StateUp}).Draw(r, "state"), "7")
			case op == 3 && there(id):
				o.gone(id)
			case op <= 5 && there(id):
				o.enter(bridge, id)
			case op == 6 && there(id):
				o.leave(bridge, id)
			case op == 7 && there(id) && there(other) && id != other:
				o.dial(rapid.SampledFrom([]string{id, "x.0"}).Draw(r, "caller"), other, "7")
			case op == 8 || op == 16:
				if held := rapid.SampledFrom([]string{id, "x.1"}).Draw(r, "held"); there(held) {
					o.ingest(call.Event{Kind: rapid.SampledFrom([]call.Kind{call.LegHeld, call.LegUnheld}).Draw(r, "hold"), Channel: o.ch(held)})
				}
			case op == 9 && there(other):
				o.state(other, rapid.SampledFrom([]call.State{call.StateRinging, call.StateUp}).Draw(r, "now"))
			case op == 10 && there(id):
				ch := o.ch(id)
				ch.App, ch.Queue = "Queue", "q"
				if rapid.Bool().Draw(r, "other app") {
					ch.App, ch.Queue = "Playback", ""
				}
				ch.Caller.Name = rapid.SampledFrom([]string{"", "Somebody"}).Draw(r, "name")
				o.seen(ch)
			case op == 11 && there(id) && there(other):
				o.ingest(call.Event{Kind: call.DialEnded, Channel: o.ch(id), Peer: o.ch(other), Answered: rapid.Bool().Draw(r, "answered")})
			case op == 12 && there(id) && there(other):
				o.ingest(call.Event{Kind: rapid.SampledFrom([]call.Kind{call.BlindTransferred, call.AttendedTransferred, call.PickedUp}).Draw(r, "how"),
					Channel: o.ch(id), Peer: o.ch(other), Transferee: "x.0", Dialled: "102"})
			case op == 13:
				o.gate.SetPolicy(set(t, rapid.SampledFrom(policies).Draw(r, "policy")))
			case op == 14:
				p := o.picture()
				o.ingest(call.Event{Kind: call.LinkLost})
				o.gone(slices.DeleteFunc([]string{id}, func(id string) bool { return !there(id) })...)
				if rapid.Bool().Draw(r, "meanwhile") {
					p = o.picture()
				}
				o.ingest(call.Event{Kind: call.Resynced, Snapshot: p})
			case op == 15:
				o.pass(1)
			}
		}
		o.pass(1)
		for _, p := range panels {
			for was := o.gate.Lingering(); was > 0; was = o.gate.Lingering() {
				o.log.wait(1e6)
			}
			for _, c := range p.changes() {
				kinds[c.Kind]++
			}
			p.agrees()
		}
	})
	for _, k := range []mask.ChangeKind{mask.ChannelAppeared, mask.ChannelGone, mask.DialEnded, mask.BridgeEntered, mask.BridgeRemoved, mask.HoldBegan, mask.ChannelPeerChanged, mask.PresenceChanged} {
		if kinds[k] == 0 {
			t.Errorf("nothing of the kind %q was told", kindWords[k])
		}
	}
}

// goesThere plays that a caller talks to anna, and later again. Between the two boris has a call: with the same caller, or with another while anna's has
// hung up and calls anew.
func goesThere(t testing.TB, same, within bool) (dora, carl string) {
	o := newOffice(t, seesAnna, func(c *gate.Config) { c.Grace = 300 * time.Millisecond }) // in which all is done that is done within the moment
	defer o.close()
	panels := []*panel{o.panel("dora"), o.panel("carl")}
	got := make([][]string, len(panels))
	look := func() {
		for i, p := range panels {
			for _, c := range p.changes() {
				got[i] = append(got[i], fmt.Sprintf("%q", p.plain(&c)))
			}
			got[i] = append(got[i], fmt.Sprintf("%q", p.list()))
		}
	}
	caller := func(id, exten string) {
		o.seen(call.Channel{ID: call.LegID(id), Name: "PJSIP/trunk-" + id, State: call.StateUp, App: "Dial", Exten: exten, Caller: call.Identity{Number: other, Name: "Mr X"}, Created: o.moment()})
	}
	talk := func(bridge, from, to, phone string) {
		o.seen(call.Channel{ID: call.LegID(to), Name: phone + "-" + to, State: call.StateDown, App: "AppDial", Created: o.moment().Add(1)})
		o.dial(from, to, strings.TrimPrefix(phone, "PJSIP/"))
		look()
		o.state(to, call.StateUp)
		o.ingest(call.Event{Kind: call.DialEnded, Channel: o.ch(from), Peer: o.ch(to), Answered: true})
		o.enter(bridge, to, from)
		look()
		if o.gate.Lingering() == 0 {
			panels[0].agrees()
			panels[1].agrees()
		}
	}
	ends := func(bridge, from, to string) {
		o.leave(bridge, to, from)
		o.goes(to, 16)
		if within {
			return
		}
		look()
		o.relaxed()
	}
	caller("x", "101")
	talk("a", "x", "x.1", "PJSIP/101")
	o.pass(7)
	ends("a", "x", "x.1")
	look()
	between, again, bridge := "x", "x", "a"
	if !same {
		between, again, bridge = "y", "z", "c"
		caller("y", "102")
	}
	talk("a", between, "x.2", "PJSIP/102")
	if within { // until nobody is on stage any more who has talked to anna
		o.relaxed()
	}
	if !same {
		o.goes("x", 16)
	}
	look()
	o.pass(8)
	ends("a", between, "x.2")
	if !same {
		o.goes("y", 16)
		caller("z", "101")
	}
	talk(bridge, again, "x.3", "PJSIP/101")
	o.goes("x.3", 16)
	o.goes(again, 16)
	look()
	return alike(got[0]), alike(got[1])
}

// Who has talked to a colleague who is seen and comes back to one from one who is not is another for who watches.
func TestAHiddenCallBetweenTwoThatAreSeenTiesThemNot(t *testing.T) {
	for _, within := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			doraA, carlA := goesThere(t, true, within)
			doraB, carlB := goesThere(t, false, within)
			if doraA != doraB {
				t.Errorf("dora can tell the worlds apart:\n%s", differ(doraA, doraB))
			}
			if carlA == carlB {
				t.Error("carl, who sees boris, got the same in both worlds: nothing was compared")
			}
		})
	}
}

// Whom a caller has called before is not told of him who comes to somebody who is seen from one who is not.
func TestWhomACallerHasCalledIsToldToWhoSeesThatOne(t *testing.T) {
	o := newOffice(t, seesAnna, func(c *gate.Config) { c.Grace = time.Minute }) // he comes to anna within it
	panels := map[string]*panel{"dora": o.panel("dora"), "carl": o.panel("carl")}
	o.talk("x", other, "PJSIP/102") // by his number
	o.leave("x", "x.1", "x.0")
	o.goes("x.1", 16)
	o.leg("x.2", "PJSIP/101", call.StateDown, "")
	o.dial("x.0", "x.2", "101")
	for subject, want := range map[string]string{"dora": "", "carl": "102"} {
		p := panels[subject]
		p.changes()
		at := slices.IndexFunc(p.have, func(c mask.Channel) bool { return c.Employee == "" })
		if at < 0 || p.have[at].Dialled != want {
			t.Errorf("%s is told %+v", subject, p.have)
		}
		p.agrees()
	}
	o.talk("y", ivanov, "PJSIP/101")
	if all := o.channels("dora").All; !slices.ContainsFunc(all, func(c mask.Channel) bool { return c.Employee == "" && c.Dialled == "101" }) {
		t.Errorf("whom he has called whom she sees him with is not shown: %+v", all)
	}
}

// For everybody but himself and those who may not see with whom he talks, for whom he is hidden anyway, who supervises is one who hears an announcement.
func TestWhoSupervisesIsAsOneWhoHearsAnAnnouncement(t *testing.T) {
	for _, subject := range []string{"carl", "anna", "dora"} {
		var worlds []string
		for _, spies := range []bool{true, false} {
			o := newOffice(t, house)
			o.talk("x", other, "PJSIP/101")
			p := o.panel(subject)
			leg, end := "p", func() { o.goes("p", 0) }
			if spies {
				id := o.active("ivo", "spy", "anna")
				leg = string(o.pbx.rung[0].Leg)
				end = func() {
					if err := o.gate.EndSupervision(t.Context(), who("ivo"), id); err != nil {
						t.Fatal(err)
					}
				}
			} else {
				o.pbx.appear("p", "PJSIP/109")
				o.pbx.answer("p")
			}
			ch := o.ch(leg)
			if ch.App = "Playback"; spies {
				ch.App = "Stasis"
			}
			o.seen(ch)
			var got []string
			look := func() {
				for _, c := range p.changes() {
					got = append(got, fmt.Sprintf("%q", p.plain(&c)))
				}
				got = append(got, fmt.Sprintf("%q", p.list()))
			}
			look()
			if o.ch(leg).ID == "" {
				t.Fatal("there is no leg")
			}
			end()
			look()
			p.agrees()
			if spies && !strings.Contains(strings.Join(got, ""), "Employee:ivo") {
				t.Errorf("%s is told nothing of ivo's leg", subject)
			}
			worlds = append(worlds, alike(got))
		}
		if worlds[0] != worlds[1] {
			t.Errorf("%s can tell who supervises:\n%s", subject, differ(worlds[0], worlds[1]))
		}
	}
}
