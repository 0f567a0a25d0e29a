package gate_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
)

// What a client does with its own legs is no trespass. Whoever else puts one of them into others' call, or comes to them, is.
func TestTheWatchdogKnowsAClientsLegs(t *testing.T) {
	enter := func(y *yard, leg, bridge, app string) {
		ch := y.ch(leg)
		ch.App = app
		y.ingest(call.Event{Kind: call.BridgeEntered, Bridge: call.Bridge{ID: call.BridgeID(bridge), Type: "mixing"}, Channel: ch})
	}
	for name, x := range map[string]struct {
		do   func(y *yard, one, two, room string)
		kind string // of the trespass; empty: it is none
	}{
		"into its bridge": {func(y *yard, one, two, room string) { enter(y, one, room, ""); enter(y, two, room, "Stasis") }, ""},
		"by BridgeAdd": {func(y *yard, one, two, room string) {
			enter(y, one, room, "BridgeAdd")
			enter(y, two, room, "BridgeAdd")
		}, ""},
		"into another's call": {func(y *yard, one, _, _ string) {
			y.talk("x", ivanov, "PJSIP/101")
			enter(y, one, "x", "BridgeAdd")
		}, "join"},
		"a stranger to it": {func(y *yard, one, _, room string) {
			enter(y, one, room, "Stasis")
			y.strange("j", "PJSIP/102", call.StateUp)
			enter(y, "j", room, "BridgeAdd")
		}, "join"},
		"a spy on it": {func(y *yard, one, _, _ string) {
			y.strange("s", "PJSIP/102", call.StateUp)
			y.chanSpy("s", one)
		}, "spy"},
	} {
		t.Run(name, func(t *testing.T) {
			bubbled(t, func(t *testing.T) {
				y := newYard(t, house)
				defer y.close()
				_, _, _, _, _ = y.pairOf()
				legs := y.steered()
				x.do(y, legs[0], legs[1], string(y.rooms()[0]))
				synctest.Wait()
				seen := ""
				for _, e := range y.audit.all() {
					if e.Phase == audit.Witnessed {
						seen += e.Action
					}
				}
				if seen != x.kind {
					t.Errorf("seen is %q", seen)
				}
			})
		})
	}
}

// Who may not be heard is not heard on a leg of his client's either; who may is.
func TestAClientsLegIsSupervisedLikeAnyCall(t *testing.T) {
	for name, x := range map[string]struct{ subject, target, code string }{
		"may":          {"carl", "anna", ""},
		"excluded":     {"dora", "egor", "excluded"},
		"not excluded": {"dora", "anna", ""},
		"protected":    {"carl", "hana", "protected"},
		"no right":     {"boris", "anna", "no_right"},
		"locked":       {"carl", "anna", "not_for_this_call"},
	} {
		t.Run(name, func(t *testing.T) {
			bubbled(t, func(t *testing.T) {
				o := newOffice(t, house)
				defer o.close()
				c := o.steers(x.target)
				c.rings("")
				if name == "locked" {
					// Two of anna's phones, put together: a call that she can lock.
					o.gate.SetPolicy(set(t, strings.Replace(house, "phones: [PJSIP/101]", "phones: [PJSIP/101, PJSIP/121]", 1)))
					c.puts(c.bridge(), c.View().Channels[0].ID, c.rings("PJSIP/121"))
					h := o.handle("anna", 0)
					o.mustLock("anna", h)
					for _, row := range o.row(x.subject, "anna").Calls {
						o.refused(x.code, x.subject, "spy", "anna", row.ID)
					}
					return
				}
				if x.code != "" {
					o.refused(x.code, x.subject, "spy", x.target)
					return
				}
				if id := o.must(x.subject, "spy", x.target); id == "" {
					t.Error("it does not run")
				}
			})
		})
	}
}

// Who steers his own phones is on no call of a colleague's by that, and may supervise that colleague from another phone.
func TestAClientsLegIsNoPartyToAnothersCall(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		c := o.steers("carl")
		c.rings("PJSIP/113")
		o.talk("x", ivanov, "PJSIP/101")
		o.must("carl", "spy", "anna", "PJSIP/103")
		synctest.Wait()
		if n := len(o.row("dora", "carl").Calls); n != 2 {
			t.Errorf("his row has %d calls", n)
		}
		for _, v := range c.View().Channels {
			if v.Supervision != "" {
				t.Errorf("the client's leg supervises: %+v", v)
			}
		}
	})
}

// Who sees nothing of a colleague's other side is shown the same, whether his client's legs are put together or not.
func TestAStrangerIsNotShownHowAClientsLegsAreTogether(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		shown := func(together bool) string {
			o := newOffice(t, house)
			defer o.close()
			c, _, one, two, room := o.pairOf()
			p := o.panel("dora")
			defer p.Close()
			if together {
				c.puts(room, one, two)
				if err := c.Music(t.Context(), room, true); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			out := ""
			for _, ch := range o.channels("dora").All {
				if ch.ID == one || ch.ID == two {
					t.Error("she is shown it by his own handle")
				}
				if ch.Peer != nil || ch.Mates != 1 {
					t.Errorf("she is shown %+v", ch)
				}
				out += string(rune('0' + ch.State))
			}
			return out
		}
		if a, b := shown(false), shown(true); a != b || a == "" {
			t.Errorf("apart it is %q, and together %q", a, b)
		}
	})
}
