package gate_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

func TestAClientRingsAPhoneOfItsSubjects(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		o.pbx.set(func() { o.pbx.silent = true })
		c := o.steers("carl")
		id, err := c.Originate(context.Background(), gate.StasisAsk{Phone: "pjsip/113", Seconds: 7, Reason: "a test"})
		if err != nil {
			t.Fatal(err)
		}
		r := o.lastRing()
		if !strings.HasPrefix(string(r.Leg), "earshot-") || !strings.HasSuffix(string(r.Leg), "-stasis") || r.Bridge != "" || r.Endpoint != "PJSIP/113" ||
			r.Display != "Earshot" || r.Timeout != 7*time.Second || r.Lease != 30*time.Second {
			t.Errorf("the order is %+v", r)
		}
		if there, up := c.Has(id); !there || up {
			t.Errorf("while it rings: %v %v", there, up)
		}
		names := map[string]string{id: "leg"}
		c.tells(names)
		if v := c.View(); len(v.Channels) != 1 || v.Channels[0].ID != id || v.Channels[0].State != mask.ChannelRinging || v.Channels[0].Endpoint != "PJSIP/113" {
			t.Errorf("it has %+v", v)
		}
		o.pbx.answer(r.Leg)
		c.tells(names, "began leg")
		if there, up := c.Has(id); !there || !up {
			t.Errorf("when it is answered: %v %v", there, up)
		}
		if all := o.channels("carl").All; len(all) != 1 || all[0].ID != id || all[0].State != mask.ChannelUp || all[0].Endpoint != "PJSIP/113" || all[0].Bridge != "" {
			t.Errorf("his channels are %+v", all)
		}
		d := o.audit.last(t, audit.Decided)
		if d.Action != "stasis.originate" || d.Outcome != audit.Allow || d.Reason != "own_phone" || d.Subject != "carl" || d.Door != "ari" || d.Given != "a test" || d.ID != o.audit.last(t, audit.Done).ID {
			t.Errorf("on record is %+v", d)
		}
		o.gate.Pressed(r.Leg, "5")
		o.gate.Pressed("x", "6")
		c.tells(names, "pressed leg 5")
	})
}

// What is refused stands beside what is let.
func TestAPhoneIsNotRungForAClientThatMayNot(t *testing.T) {
	for name, x := range map[string]struct {
		subject string
		ask     gate.StasisAsk
		before  func(o *office)
		code    string
	}{
		"the first":           {"carl", gate.StasisAsk{}, nil, "ok"},
		"the second":          {"carl", gate.StasisAsk{Phone: "PJSIP/113"}, nil, "ok"},
		"as long as may be":   {"carl", gate.StasisAsk{Seconds: 1000}, nil, "ok"},
		"another's":           {"carl", gate.StasisAsk{Phone: "PJSIP/101"}, nil, "not_your_phone"},
		"nobody's":            {"carl", gate.StasisAsk{Phone: "PJSIP/999"}, nil, "not_your_phone"},
		"a trunk":             {"carl", gate.StasisAsk{Phone: "PJSIP/trunk"}, nil, "not_your_phone"},
		"with a number":       {"carl", gate.StasisAsk{Phone: "PJSIP/103/sip:112@x"}, nil, "not_your_phone"},
		"several":             {"carl", gate.StasisAsk{Phone: "PJSIP/103&PJSIP/101"}, nil, "not_your_phone"},
		"none":                {"nils", gate.StasisAsk{}, nil, "no_phone"},
		"a negative time":     {"carl", gate.StasisAsk{Seconds: -1}, nil, "bad_seconds"},
		"a reason of lines":   {"carl", gate.StasisAsk{Reason: "a\nb"}, nil, "bad_reason"},
		"one that listens":    {"carl", gate.StasisAsk{}, func(o *office) { o.talk("x", ivanov, "PJSIP/101"); o.active("carl", "spy", "anna") }, "already_supervising"},
		"unregistered":        {"carl", gate.StasisAsk{}, func(o *office) { o.pbx.failing("ring", pbx.ErrUnreachable) }, "phone_unreachable"},
		"a PBX that fails":    {"carl", gate.StasisAsk{}, func(o *office) { o.pbx.failing("ring", errors.New("500")) }, "pbx_failed"},
		"a PBX that is lost":  {"carl", gate.StasisAsk{}, func(o *office) { o.ingest(call.Event{Kind: call.LinkLost}) }, "state_unknown"},
		"a disk that is full": {"carl", gate.StasisAsk{}, func(o *office) { o.audit.failing(audit.Decided) }, "not_recorded"},
	} {
		t.Run(name, func(t *testing.T) {
			bubbled(t, func(t *testing.T) {
				o := newOffice(t, house)
				defer o.close()
				c := o.steers(x.subject)
				if x.before != nil {
					x.before(o)
				}
				o.pbx.set(func() { o.pbx.rung = nil })
				id, err := c.Originate(context.Background(), x.ask)
				if code(err) != x.code {
					t.Fatalf("the answer is %q", code(err))
				}
				there, up := c.Has(id)
				if let := x.code == "ok"; there != let || up != let || (len(o.steered()) == 1) != let || (len(c.View().Channels) == 1) != let {
					t.Errorf("it has %v %v, and the PBX %q", there, up, o.steered())
				}
				if x.code == "ok" {
					if r := o.lastRing(); r.Timeout != 25*time.Second {
						t.Errorf("it rings for %v", r.Timeout)
					}
					return
				}
				if told := c.events(nil); len(told) > 0 {
					t.Errorf("it was told %q", told)
				}
				if failed := x.code == "pbx_failed" || x.code == "phone_unreachable"; failed && o.audit.last(t, audit.Failed).Reason != x.code {
					t.Errorf("on record is %+v", o.audit.last(t, audit.Failed))
				} else if !failed && x.code != "bad_reason" && x.code != "bad_seconds" && x.code != "state_unknown" && x.code != "not_recorded" {
					if e := o.audit.last(t, audit.Decided); e.Outcome != audit.Deny || e.Reason != x.code || e.Action != "stasis.originate" {
						t.Errorf("on record is %+v", e)
					}
				}
			})
		})
	}
}

// A client whose subject's phones are at another PBX is told so, as whoever asks for a call there is.
func TestAPhoneAtAnotherPBXIsNotRungHere(t *testing.T) {
	p := newPair(t)
	for subject, want := range map[string]string{"dora": "ok", "olga": "other_pbx", "boris": "other_pbx"} {
		c := p.a.steers(subject)
		if _, err := c.Originate(context.Background(), gate.StasisAsk{}); code(err) != want {
			t.Errorf("%s: %q", subject, code(err))
		}
		c.Close()
	}
}

func TestAPhoneThatIsNotAnsweredIsToldToBeGone(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		c := o.steers("carl")
		o.pbx.set(func() { o.pbx.silent = true })
		busy := c.rings("PJSIP/103")
		o.goes(string(o.ringing()), 17)
		c.tells(map[string]string{busy: "busy"}, "ended busy")
		if v := c.View(); len(v.Channels) != 0 {
			t.Errorf("it has %+v", v)
		}
		// So fast that the PBX tells it before it has answered the order.
		o.pbx.set(func() { o.pbx.appeared = func(leg call.LegID) { o.goes(string(leg), 21) } })
		fast := c.rings("PJSIP/103")
		c.tells(map[string]string{fast: "fast"}, "ended fast")
		o.pbx.set(func() { o.pbx.appeared = nil })
		if _, err := c.Originate(context.Background(), gate.StasisAsk{}); err != nil {
			t.Fatal(err)
		}
		// The PBX does not tell that it has given up.
		time.Sleep(29 * time.Second)
		if told := c.events(nil); len(told) > 0 {
			t.Fatalf("it was told %q too soon", told)
		}
		time.Sleep(2 * time.Second)
		if told := c.events(nil); len(told) != 1 || !strings.HasPrefix(told[0], "ended ") {
			t.Errorf("it was told %q", told)
		}
		if left := o.pbx.left(); left != 2 { // those that the test has taken away itself
			t.Errorf("%d legs are left", left)
		}
	})
}

func TestALegIsHungUpByItsClientAndByItsPhone(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		c := o.steers("carl")
		one, two := c.rings("PJSIP/103"), c.rings("PJSIP/113")
		names := map[string]string{one: "one", two: "two"}
		b := c.bridge()
		names[b] = "b"
		c.puts(b, one, two)
		c.events(names)
		if err := c.HangUp(context.Background(), one); err != nil {
			t.Fatal(err)
		}
		c.tells(names, "left one b[two]", "ended one")
		if e := o.audit.last(t, audit.Done); e.Action != "call.hangup" || e.ID != o.audit.last(t, audit.Decided).ID {
			t.Errorf("on record is %+v", e)
		}
		if err := c.HangUp(context.Background(), one); code(err) != "no_such_channel" {
			t.Errorf("once more: %v", err)
		}
		o.goes(string(o.ringing()), 16)
		c.tells(names, "left two b[]", "ended two")
		o.pbx.set(func() { o.pbx.unseen = true })
		unseen := c.rings("PJSIP/103")
		if err := c.HangUp(context.Background(), unseen); err != nil {
			t.Fatal(err)
		}
		c.tells(map[string]string{unseen: "unseen"}, "ended unseen")
	})
}

// The panel, or the phone's own row, hangs it up like any other call of one's own.
func TestALegOfAClientsIsACallOfItsOwners(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		c := o.steers("carl")
		id := c.rings("PJSIP/103")
		c.events(nil)
		if h := o.handle("carl", 0); h != id {
			t.Fatalf("on his row it is %s, and to his client %s", h, id)
		}
		if err := o.gate.HangUp(context.Background(), who("carl"), gate.OwnAsk{Call: id}); err != nil {
			t.Fatal(err)
		}
		c.tells(map[string]string{id: "leg"}, "ended leg")
	})
}

func TestNobodyElsesStasisReachesIt(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house, func(c *gate.Config) { c.Sounds = []string{"beep"} })
		defer o.close()
		ctx := context.Background()
		c := o.steers("carl")
		leg, other := c.rings("PJSIP/103"), c.rings("PJSIP/113")
		room := c.bridge()
		full := c.bridge()
		c.puts(full, other)
		p, err := c.Play(ctx, leg, []gate.StasisMedium{{Kind: "sound", Value: "beep"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range []string{"carl", "dora", "anna"} {
			x := o.steers(q)
			own := x.bridge()
			for what, do := range map[string]func(st *gate.Stasis) error{
				"no_such_channel hang up": func(st *gate.Stasis) error { return st.HangUp(ctx, leg) },
				"no_such_channel hold":    func(st *gate.Stasis) error { return st.Hold(ctx, leg, true) },
				"no_such_channel mute":    func(st *gate.Stasis) error { return st.Mute(ctx, leg, "in", true) },
				"no_such_channel ring":    func(st *gate.Stasis) error { return st.Ring(ctx, leg, true) },
				"no_such_channel silence": func(st *gate.Stasis) error { return st.Silence(ctx, leg, true) },
				"no_such_channel press":   func(st *gate.Stasis) error { return st.Press(ctx, leg, "1") },
				"no_such_channel music":   func(st *gate.Stasis) error { return st.Music(ctx, leg, true) },
				"no_such_channel room":    func(st *gate.Stasis) error { return st.Music(ctx, room, true) },
				"no_such_channel add":     func(st *gate.Stasis) error { return st.Add(ctx, own, leg) },
				"no_such_bridge add":      func(st *gate.Stasis) error { return st.Add(ctx, room, leg) },
				"no_such_bridge remove":   func(st *gate.Stasis) error { return st.Remove(ctx, full, other) },
				"no_such_bridge destroy":  func(st *gate.Stasis) error { return st.DestroyBridge(ctx, full) },
				"no_such_channel play": func(st *gate.Stasis) error {
					_, err := st.Play(ctx, leg, []gate.StasisMedium{{Kind: "sound", Value: "beep"}})
					return err
				},
				"no_such_playback stop":    func(st *gate.Stasis) error { return st.StopPlayback(ctx, p.ID) },
				"no_such_playback control": func(st *gate.Stasis) error { return st.ControlPlayback(ctx, p.ID, "pause") },
			} {
				if want, _, _ := strings.Cut(what, " "); code(do(x.Stasis)) != want {
					t.Errorf("%s of %s: %v", what, q, do(x.Stasis))
				}
			}
			if there, _ := x.Has(leg); there {
				t.Errorf("%s has it", q)
			}
			if v := x.View(); len(v.Channels)+len(v.Playbacks) != 0 || len(v.Bridges) != 1 {
				t.Errorf("%s has %+v", q, v)
			}
			if told := x.events(nil); len(told) != 1 { // of its own bridge
				t.Errorf("%s was told %q", q, told)
			}
			x.Close()
		}
		// Its own client does all of that.
		for what, do := range map[string]func() error{
			"hold": func() error { return c.Hold(ctx, leg, true) }, "mute": func() error { return c.Mute(ctx, leg, "in", true) },
			"ring": func() error { return c.Ring(ctx, leg, true) }, "silence": func() error { return c.Silence(ctx, leg, true) },
			"press": func() error { return c.Press(ctx, leg, "1") }, "music": func() error { return c.Music(ctx, leg, true) },
			"room": func() error { return c.Music(ctx, room, true) }, "stop": func() error { return c.StopPlayback(ctx, p.ID) },
			"remove": func() error { return c.Remove(ctx, full, other) },
		} {
			if err := do(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		if n := len(o.steered()); n != 2 {
			t.Errorf("the PBX has %d legs", n)
		}
	})
}

func TestWhatAClientDoesWithALegIsOrdered(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		ctx := context.Background()
		c := o.steers("carl")
		id := c.rings("PJSIP/103")
		leg := o.ringing()
		names := map[string]string{id: "leg"}
		c.events(names)
		o.pbx.set(func() { o.pbx.silent = true })
		ringing := c.rings("PJSIP/113")
		room := c.bridge()
		c.events(names)
		for _, x := range []struct {
			what    string
			do      func(id string) error
			order   any
			bridged string // what it is where the leg is in a bridge
		}{
			{"hold", func(id string) error { return c.Hold(ctx, id, true) }, turned{"hold", leg, true}, "ok"},
			{"unhold", func(id string) error { return c.Hold(ctx, id, false) }, turned{"hold", leg, false}, "ok"},
			{"ring", func(id string) error { return c.Ring(ctx, id, true) }, turned{"ringing", leg, true}, "ok"},
			{"ring no more", func(id string) error { return c.Ring(ctx, id, false) }, turned{"ringing", leg, false}, "ok"},
			{"silence", func(id string) error { return c.Silence(ctx, id, true) }, turned{"silence", leg, true}, "in_bridge"},
			{"silence no more", func(id string) error { return c.Silence(ctx, id, false) }, turned{"silence", leg, false}, "ok"},
			{"music", func(id string) error { return c.Music(ctx, id, true) }, pbx.Music{Leg: leg, On: true}, "in_bridge"},
			{"no music", func(id string) error { return c.Music(ctx, id, false) }, pbx.Music{Leg: leg}, "ok"},
			{"mute", func(id string) error { return c.Mute(ctx, id, "all", true) }, pbx.Mute{Leg: leg, Direction: "all", On: true}, "ok"},
			{"press", func(id string) error { return c.Press(ctx, id, "1#") }, pbx.Press{Leg: leg, Digits: "1#"}, "ok"},
		} {
			o.asked()
			o.owned()
			if err := x.do(id); err != nil {
				t.Errorf("%s: %v", x.what, err)
			}
			orders := append(o.asked(), o.owned()...)
			if len(orders) != 1 || orders[0] != x.order {
				t.Errorf("%s: the orders are %+v", x.what, orders)
			}
			if told := c.events(names); len(told) != 0 {
				t.Errorf("%s: it was told %q", x.what, told)
			}
			if err := x.do(ringing); code(err) != "not_answered" {
				t.Errorf("%s of a phone that rings: %v", x.what, err)
			}
			c.puts(room, id)
			if err := x.do(id); code(err) != x.bridged {
				t.Errorf("%s in a bridge: %v", x.what, err)
			}
			if err := c.Remove(ctx, room, id); err != nil {
				t.Fatal(err)
			}
			c.events(names)
		}
		for what, err := range map[string]error{
			"bad_direction": c.Mute(ctx, id, "up", true), "bad_digits": c.Press(ctx, id, "1,2"),
		} {
			if code(err) != what {
				t.Errorf("%s: %v", what, err)
			}
		}
		o.pbx.failing("hold", pbx.ErrGone)
		if err := c.Hold(ctx, id, true); code(err) != "call_moved" {
			t.Errorf("a leg that is gone: %v", err)
		}
		c.tells(names)
	})
}

// As many as may be at once, and one more.
func TestAClientHasItsLimits(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		ctx := context.Background()
		digits := []gate.StasisMedium{{Kind: "digits", Value: "1"}}
		var all []*steering
		for range 2 {
			c := o.steers("carl")
			all = append(all, c)
			var leg string
			for range 8 {
				leg = c.rings("PJSIP/103")
				c.bridge()
			}
			for range 16 {
				if _, err := c.Play(ctx, leg, digits); err != nil {
					t.Fatal(err)
				}
			}
			_, err1 := c.Originate(ctx, gate.StasisAsk{})
			_, err2 := c.CreateBridge(ctx)
			_, err3 := c.Play(ctx, leg, digits)
			for i, err := range []error{err1, err2, err3} {
				if code(err) != "too_many" {
					t.Errorf("%d: %v", i, err)
				}
			}
		}
		c := o.steers("carl") // another client of his has nothing left either
		if _, err := c.Originate(ctx, gate.StasisAsk{}); code(err) != "too_many" {
			t.Error(err)
		}
		if _, err := c.CreateBridge(ctx); code(err) != "too_many" {
			t.Error(err)
		}
		all[0].Close()
		c.rings("PJSIP/103")
		c.bridge()
		d := o.steers("dora")
		d.rings("PJSIP/104")
		var err error
		for range 8 {
			_, err = o.gate.OpenStasis(who("carl"), "ari", func(gate.StasisEvent) {})
		}
		if code(err) != "too_many" {
			t.Errorf("as many clients as you like: %v", err)
		}
	})
}

func TestAClientIsOpenedForWhomThePolicyKnows(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		held := true
		o := newOffice(t, house, func(c *gate.Config) { c.Holds = func(auth.Subject) bool { return held } })
		defer o.close()
		open := func(s auth.Subject) string {
			_, err := o.gate.OpenStasis(s, "ari", func(gate.StasisEvent) {})
			return code(err)
		}
		if open(who("carl")) != "ok" || open(who("nobody")) != "unknown_subject" {
			t.Error("known", open(who("carl")), "unknown", open(who("nobody")))
		}
		held = false
		if c := open(who("carl")); c != "credential_ended" {
			t.Error(c)
		}
		held = true
		o.close()
		if c := open(who("carl")); c != "state_unknown" {
			t.Error(c)
		}
		synctest.Wait()
	})
}
