package gate_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/queue"
)

// join asks to join or, with takeover, to take over, and returns the id or the problem's code.
func (o *office) join(mode, subject, line, target string, more ...string) (id, code string) {
	o.t.Helper()
	ask := gate.LineAsk{Line: line, Ask: gate.Ask{Target: target, Door: "test"}}
	if len(more) > 0 {
		ask.Call = more[0]
	}
	f := o.gate.JoinLine
	if mode == "takeover" {
		f = o.gate.TakeOverLine
	}
	v, err := f(o.t.Context(), who(subject), ask)
	if err != nil {
		return "", gate.AsProblem(err).Code
	}
	return v.ID, ""
}

func (o *office) mustJoin(mode, subject, line, target string) string {
	o.t.Helper()
	id, code := o.join(mode, subject, line, target)
	if code != "" {
		o.t.Fatalf("%s may not %s %s on %s: %s", subject, mode, target, line, code)
	}
	return id
}

// becomes waits until what is done on a line is in a state, and returns the reason.
func (w *watcher) becomes(id, state string) string {
	w.t.Helper()
	for {
		if m := w.next(); m.Type == gate.MessageJoin && m.Join.ID == id && m.Join.State == state {
			return m.Join.Reason
		}
	}
}

func (w *watcher) toldOf(id, state string) {
	w.t.Helper()
	for {
		if m := w.next(); m.Type == gate.MessageSupervised && m.Supervised.ID == id && m.Supervised.State == state {
			if m.Supervised.Since.IsZero() {
				w.t.Errorf("since when is not told: %+v", m.Supervised)
			}
			if m.Supervised.Mode != "join" || m.Supervised.By != "rosa" {
				w.t.Fatalf("%+v", m.Supervised)
			}
			return
		}
	}
}

func TestWhoJoinsAConversationIsAPartyUntilHeLeaves(t *testing.T) {
	o := newLineOffice(t)
	o.converses("x", ivanov, "q-sales", "PJSIP/101")
	w, anna := o.watch("rosa"), o.watch("anna")
	id := o.mustJoin("join", "rosa", "sales", "anna")
	w.becomes(id, "ringing")
	w.becomes(id, "active")
	anna.toldOf(id, "active")
	j := o.pbx.joins[0]
	if j.Alone || j.With != "PJSIP/101-x.1" || j.Endpoint != "PJSIP/103" || j.Display.Number != ivanov {
		t.Fatalf("%v %q %q", j.Alone, j.With, j.Endpoint)
	}
	o.log.until(t, "tone")
	if r := o.row("anna", "rosa"); r.State != "talking" || r.Calls[0].Peer == nil {
		t.Fatalf("she sees him: %+v", r)
	}
	// The others go on when he hangs up.
	o.gone(string(j.Leg))
	if reason := w.becomes(id, "ended"); reason != "ended_by_supervisor" {
		t.Fatal(reason)
	}
	anna.toldOf(id, "ended")
	if r := o.row("rosa", "anna"); r.State != "talking" || r.Calls[0].Peer.Number != ivanov {
		t.Fatalf("%+v", r)
	}
	o.log.until(t, "record ended")
	e := o.audit.last(t, audit.Ended)
	if e.Action != "line.join" || e.Mode != "join" || e.Detail != "line:sales" || !slices.Contains(e.Employees, "anna") {
		t.Fatalf("%+v", e)
	}
}

func TestAJoiningEndsWithItsGroundAndTheOthersGoOn(t *testing.T) {
	for name, lose := range map[string]func(o *office){
		"the policy": func(o *office) {
			o.gate.SetPolicy(set(t, strings.Replace(lineHouse, "line.join: {to: [line:sales], except: [egor]}", "line.join: none", 1)))
		},
		"an excluded party": func(o *office) { o.leg("e", "PJSIP/105", call.StateUp, ""); o.enter("x", "e") },
		"a protected party": func(o *office) { o.leg("e", "PJSIP/108", call.StateUp, ""); o.enter("x", "e") },
		"an unknown phone":  func(o *office) { o.leg("e", "PJSIP/777", call.StateUp, ""); o.enter("x", "e") },
		"a transfer of his": func(o *office) {
			ch := o.ch(string(o.pbx.joins[0].Leg))
			ch.Name = "PJSIP/104-0000000a"
			o.seen(ch)
		},
		"a lock": func(o *office) {
			if _, err := o.gate.Lock(t.Context(), who("anna"), gate.LockAsk{}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newLineOffice(t)
			o.converses("x", ivanov, "q-sales", "PJSIP/101")
			w := o.watch("rosa")
			id := o.mustJoin("join", "rosa", "sales", "anna")
			w.becomes(id, "active")
			lose(o)
			if reason := w.becomes(id, "ended"); reason != "not_for_this_call" && reason != "no_right" {
				t.Fatal(reason)
			}
			o.log.until(t, "record revoked deny")
			if _, there := o.pbx.where(o.pbx.joins[0].Leg); there {
				t.Fatal("he is there still")
			}
			if r := o.row("carl", "anna"); r.State != "talking" {
				t.Fatalf("%+v", r)
			}
		})
	}
}

// where tells whether an own leg is there.
func (p *fakePBX) where(leg call.LegID) (b call.BridgeID, there bool) {
	p.set(func() { b, there = p.legs[leg] })
	return b, there
}

func TestTheCustomerIsLeftToWhoJoinedWhenTheColleagueHangsUp(t *testing.T) {
	o := newLineOffice(t)
	o.converses("x", ivanov, "q-sales", "PJSIP/101")
	w := o.watch("rosa")
	id := o.mustJoin("join", "rosa", "sales", "anna")
	w.becomes(id, "active")
	o.gone("x.1")
	if reason := w.becomes(id, "ended"); reason != "call_ended" {
		t.Fatal(reason)
	}
	leg := o.pbx.joins[0].Leg
	if _, there := o.pbx.where(leg); !there {
		t.Fatal("the customer was hung up on")
	}
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: o.picture()})
	if r := o.row("carl", "rosa"); r.State != "talking" || r.Calls[0].Peer == nil || r.Calls[0].Peer.Number != ivanov {
		t.Fatalf("%+v", r)
	}
	o.active("carl", "spy", "rosa") // an ordinary call
	if n := o.pbx.left(); n < 2 {
		t.Fatalf("%d", n)
	}
}

// The PBX refuses the tone, since the colleague has just hung up, before it tells that he has.
func TestTheCustomerIsLeftToWhoJoinedWhenTheColleagueHangsUpAsTheToneBegins(t *testing.T) {
	for goes, want := range map[bool]string{true: "call_ended", false: "not_told"} {
		t.Run(want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newLineOffice(t)
				o.converses("x", ivanov, "q-sales", "PJSIP/101")
				o.pbx.failing("tone", errMute)
				w := o.watch("rosa")
				id := o.mustJoin("join", "rosa", "sales", "anna")
				w.becomes(id, "active")
				synctest.Wait() // the tone has failed
				if goes {
					o.gone("x.1")
				}
				if reason := w.becomes(id, "ended"); reason != want {
					t.Errorf("it ended because of %s", reason)
				}
				synctest.Wait()
				if _, there := o.pbx.where(o.pbx.joins[0].Leg); there != goes {
					t.Errorf("his leg is there: %v", there)
				}
			})
		})
	}
}

func TestWhoIsLeftWithTheCustomerIsAPartyAsAnyOther(t *testing.T) {
	o := newLineOffice(t)
	o.converses("x", "PJSIP/102", "q-sales", "PJSIP/101")
	w := o.watch("rosa")
	id := o.mustJoin("join", "rosa", "sales", "anna")
	w.becomes(id, "active")
	o.gone("x.1")
	w.becomes(id, "ended")
	o.refused("party", "rosa", "spy", "boris", "PJSIP/103")
}

func TestACustomerIsTakenOverFromWhoIsAway(t *testing.T) {
	for name, away := range map[string]func(o *office){
		"on hold": func(o *office) { o.holds("x.1") },
		"paused": func(o *office) {
			o.gate.Queues(queue.Event{Kind: queue.MemberSeen, Queue: "q-sales", Member: queue.Member{Interface: "PJSIP/101", Paused: true}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newLineOffice(t)
			o.converses("x", ivanov, "q-sales", "PJSIP/101")
			if _, code := o.join("takeover", "rosa", "sales", "anna"); code != "not_away" {
				t.Fatal(code)
			}
			away(o)
			w := o.watch("rosa")
			id := o.mustJoin("takeover", "rosa", "sales", "anna")
			w.becomes(id, "taken")
			if j := o.pbx.joins[0]; !j.Alone || j.With != "PJSIP/trunk-x.0" {
				t.Fatalf("%v %q", j.Alone, j.With)
			}
			if r := o.row("carl", "rosa"); r.State != "talking" || r.Calls[0].Peer.Number != ivanov {
				t.Fatalf("%+v", r)
			}
			if r := o.row("carl", "anna"); r.State != "idle" {
				t.Fatalf("%+v", r)
			}
			e := o.audit.last(t, audit.Done)
			if e.Action != "line.join" || e.Mode != "takeover" || e.Detail != "line:sales" {
				t.Fatalf("%+v", e)
			}
			o.ingest(call.Event{Kind: call.Resynced, Snapshot: o.picture()})
			if r := o.row("carl", "rosa"); r.State != "talking" {
				t.Fatalf("after a resync: %+v", r)
			}
		})
	}
}

func TestALineThatRingsAtAColleaguesIsTakenOver(t *testing.T) {
	o := newLineOffice(t)
	o.queued("x", ivanov, "q-sales")
	o.ringsAt("x", "PJSIP/101")
	w := o.watch("rosa")
	id := o.mustJoin("takeover", "rosa", "sales", "anna")
	w.becomes(id, "taken")
	if k := o.pbx.takes[0]; k.Ringing != "x.1" || k.Endpoint != "PJSIP/103" {
		t.Fatalf("%q %q", k.Ringing, k.Endpoint)
	}
	if r := o.row("carl", "rosa"); r.State != "talking" {
		t.Fatalf("%+v", r)
	}
}

func TestATakeoverThatIsNotAnsweredLeavesTheCallAsItIs(t *testing.T) {
	for name, c := range map[string]struct {
		then   func(o *office, leg string)
		reason string
	}{
		"the phone is declined": {func(o *office, leg string) { o.gone(leg) }, "no_answer"},
		"the colleague is back": {func(o *office, _ string) { o.ingest(call.Event{Kind: call.LegUnheld, Channel: o.ch("x.1")}) }, "colleague_back"},
		"the call goes on elsewhere": {func(o *office, _ string) {
			ch := o.ch("x.0")
			ch.App, ch.Queue, ch.Caller.Name = "Dial", "", "Somebody"
			o.seen(ch)
		}, "not_for_this_call"},
		"the customer has gone": {func(o *office, _ string) { o.hangUp("x") }, "call_ended"},
		"the right is gone": {func(o *office, _ string) {
			o.gate.SetPolicy(set(o.t, strings.Replace(lineHouse, "line.join: {to: [line:sales], except: [egor]}", "line.join: none", 1)))
		}, "no_right"},
		"the line is gone": {func(o *office, _ string) {
			o.gate.SetPolicy(set(o.t, strings.NewReplacer("  sales:   {name: Sales line, queue: q-sales, members: [anna, boris]}\n", "", "line:sales", "line:support").Replace(lineHouse)))
		}, "unknown_line"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newLineOffice(t)
			o.converses("x", ivanov, "q-sales", "PJSIP/101")
			o.holds("x.1")
			o.pbx.set(func() { o.pbx.silent = true })
			w := o.watch("rosa")
			id := o.mustJoin("takeover", "rosa", "sales", "anna")
			w.becomes(id, "ringing")
			for n := 0; n == 0; o.log.wait(1e6) {
				o.pbx.set(func() { n = len(o.pbx.joins) })
			}
			o.waitRungRow("rosa")
			c.then(o, string(o.pbx.joins[0].Leg))
			if reason := w.becomes(id, "ended"); reason != c.reason {
				t.Fatal(reason)
			}
			if e := o.audit.last(t, audit.Decided); e.Outcome != audit.Allow {
				t.Fatalf("%+v", e)
			}
			if r := o.row("carl", "anna"); name != "the customer has gone" && (r.State == "idle" || r.Calls[0].Peer == nil) {
				t.Fatalf("%+v", r)
			}
			if n := o.pbx.left(); n != 0 {
				t.Fatalf("%d own legs are left", n)
			}
		})
	}
}

func TestWhoMayJoinWhichConversation(t *testing.T) {
	type scene func(*office)
	talk := func(from, queue, phone string) scene {
		return func(o *office) { o.converses("x", from, queue, phone) }
	}
	for _, c := range []struct {
		name, subject, line, target string
		scene                       scene
		code, ground                string
	}{
		{"on the line", "rosa", "sales", "anna", talk(other, "q-sales", "PJSIP/101"), "", "allowed"},
		{"another line", "rosa", "support", "egor", talk(other, "support", "PJSIP/105"), "excluded", "excluded"},
		{"another line's conversation", "rosa", "sales", "anna", talk(other, "support", "PJSIP/101"), "not_on_line", "not_on_line"},
		{"no line's", "rosa", "sales", "anna", func(o *office) { o.talk("x", other, "PJSIP/101") }, "not_on_line", "not_on_line"},
		{"nobody's", "rosa", "sales", "anna", func(*office) {}, "not_on_line", "not_on_line"},
		{"on hold, not named", "rosa", "sales", "anna", func(o *office) { talk(other, "q-sales", "PJSIP/101")(o); o.holds("x.1") }, "not_on_line", "not_on_line"},
		{"a protected number", "rosa", "sales", "anna", talk(secret, "q-sales", "PJSIP/101"), "not_for_this_call", "protected_number"},
		{"an excluded party", "rosa", "sales", "anna", talk("PJSIP/105", "q-sales", "PJSIP/101"), "not_for_this_call", "excluded_other"},
		{"a protected party", "rosa", "sales", "anna", talk("PJSIP/108", "q-sales", "PJSIP/101"), "not_for_this_call", "protected_other"},
		{"one's own client", "gus", "sales", "anna", talk(ivanov, "q-sales", "PJSIP/101"), "", "allowed"},
		{"one's own client on any line", "gus", "support", "anna", talk(ivanov, "support", "PJSIP/101"), "", "allowed"},
		{"another's client", "gus", "sales", "anna", talk(other, "q-sales", "PJSIP/101"), "no_such_line", "no_right"},
		{"nobody's, without a right", "gus", "sales", "anna", func(*office) {}, "no_such_line", "no_right"},
		{"one's own client, not by this line", "gus", "sales", "anna", func(o *office) { o.talk("x", ivanov, "PJSIP/101") }, "no_such_line", "no_right"},
		{"one's own client, a protected colleague", "gus", "sales", "hana", talk(ivanov, "q-sales", "PJSIP/108"), "no_such_line", "protected"},
		{"one views only", "vic", "sales", "anna", talk(other, "q-sales", "PJSIP/101"), "no_right", "no_right"},
		{"one's own call", "rosa", "sales", "anna", talk("PJSIP/103", "q-sales", "PJSIP/101"), "party", "party"},
		{"oneself", "rosa", "sales", "rosa", talk(other, "q-sales", "PJSIP/103"), "not_on_line", "not_on_line"},
		{"no such colleague", "rosa", "sales", "nobody", func(*office) {}, "no_such_employee", "no_such_employee"},
		{"no such line", "rosa", "nowhere", "anna", talk(other, "q-sales", "PJSIP/101"), "no_such_line", "no_such_line"},
	} {
		for _, mode := range []string{"join", "takeover"} {
			t.Run(c.name+", "+mode, func(t *testing.T) {
				o := newLineOffice(t)
				c.scene(o)
				code, ground := c.code, c.ground
				if mode == "takeover" {
					if o.ch("x.1").ID != "" {
						o.holds("x.1")
					}
					if c.name == "on hold, not named" {
						code, ground = "", "allowed"
					}
				}
				_, got := o.join(mode, c.subject, c.line, c.target)
				if got != code {
					t.Fatalf("%q, not %q", got, code)
				}
				if e := o.audit.last(t, audit.Decided); e.Reason != ground || e.Action != "line.join" || e.Subject != c.subject {
					t.Fatalf("on record %q, not %q", e.Reason, ground)
				}
				if code != "" {
					if lines := o.log.all(); len(lines) != 1 {
						t.Fatalf("there was %v", lines)
					}
				}
			})
		}
	}
}

// Who has no right on a line is told the same whatever is said there, byte by byte.
func TestARefusalTellsNothingOfTheConversation(t *testing.T) {
	world := func(scene func(*office)) string {
		o := newLineOffice(t)
		scene(o)
		var out []string
		for _, subject := range []string{"vic", "dora", "gus"} {
			for _, f := range []func() error{
				func() error {
					_, err := o.gate.JoinLine(t.Context(), who(subject), gate.LineAsk{Line: "sales", Ask: gate.Ask{Target: "anna"}})
					return err
				},
				func() error {
					_, err := o.gate.TakeOverLine(t.Context(), who(subject), gate.LineAsk{Line: "sales", Ask: gate.Ask{Target: "anna"}})
					return err
				},
			} {
				p := *gate.AsProblem(f())
				p.ID = ""
				b, _ := json.Marshal(p)
				out = append(out, string(b))
			}
		}
		return strings.Join(out, "\n")
	}
	one := world(func(*office) {})
	for name, scene := range map[string]func(*office){
		"a conversation":        func(o *office) { o.converses("x", other, "q-sales", "PJSIP/101") },
		"an own call":           func(o *office) { o.talk("x", other, "PJSIP/101") },
		"a protected number":    func(o *office) { o.converses("x", secret, "q-sales", "PJSIP/101") },
		"another line":          func(o *office) { o.converses("x", other, "support", "PJSIP/101") },
		"rings":                 func(o *office) { o.queued("x", other, "q-sales"); o.ringsAt("x", "PJSIP/101") },
		"an excluded colleague": func(o *office) { o.converses("x", "PJSIP/105", "q-sales", "PJSIP/101") },
	} {
		if got := world(scene); got != one {
			t.Errorf("%s:\n%s\n%s", name, got, one)
		}
	}
}

func TestTwoDoNotTakeTheSameCustomer(t *testing.T) {
	o := newLineOffice(t)
	o.converses("x", ivanov, "q-sales", "PJSIP/101")
	o.holds("x.1")
	o.pbx.set(func() { o.pbx.silent = true })
	o.mustJoin("takeover", "rosa", "sales", "anna")
	if _, code := o.join("takeover", "gus", "sales", "anna"); code == "" {
		t.Fatal("both may")
	}
	if _, code := o.join("join", "rosa", "sales", "anna"); code != "already_supervising" {
		t.Fatal(code)
	}
}
