package gate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// into puts a leg into an application of the dialplan.
func (o *office) into(id, app string) {
	ch := o.ch(id)
	ch.App, ch.Queue = app, ""
	if app == "Queue" {
		ch.Queue = "sales"
	}
	o.seen(ch)
}

// inMusic lets somebody call who is put into a queue's music: leg NAME.0.
func (o *office) inMusic(name, from string) {
	o.leg(name+".0", from, call.StateUp, "100")
	o.into(name+".0", "Queue")
}

// round lets the queue ring phones for who waits there, legs NAME.1, NAME.2, …, and giveUp lets them stop.
func (o *office) round(name string, phones ...string) {
	for i, phone := range phones {
		ch := call.Channel{
			ID: call.LegID(fmt.Sprintf("%s.%d", name, i+1)), Name: fmt.Sprintf("%s-%d", phone, i), State: call.StateDown, App: "AppQueue",
			Created: time.Now(), // another leg than the one before, which had the same id
		}
		o.seen(ch)
		o.dial(name+".0", string(ch.ID), strings.TrimPrefix(phone, "PJSIP/"))
		o.state(string(ch.ID), call.StateRinging)
	}
}

func (o *office) giveUp(name string, phones int) {
	for i := range phones {
		id := fmt.Sprintf("%s.%d", name, i+1)
		o.ingest(call.Event{Kind: call.DialEnded, Channel: o.ch(name + ".0"), Peer: o.ch(id)})
		o.gone(id)
	}
}

// soon has clients count as waiting after a moment.
func soon(c *gate.Config) { c.WaitsAfter = 5 * time.Millisecond }

func TestAClientWhomNoPhoneRingsIsOfferedToWhoIsResponsible(t *testing.T) {
	for name, app := range map[string]string{"in a queue's music": "Queue", "in a menu": "Background", "in a wait": "Wait"} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, house, soon)
			w := o.watch("gus")
			o.inMusic("x", ivanov)
			o.into("x.0", app)
			v := w.incoming()
			if v.State != "waiting" || v.Client != (mask.Party{Name: "Ivanov Ltd", Number: ivanov}) || !v.CanAccept || v.Target != "" || v.Call != v.ID || v.Since.IsZero() {
				t.Fatalf("%+v", v)
			}
			if list := o.offers("gus"); len(list) != 1 || list[0] != v {
				t.Fatalf("a new board has %+v, not %+v", list, v)
			}
			for _, other := range []string{"carl", "fay", "dora", "anna"} {
				if list := o.offers(other); len(list) != 0 {
					t.Errorf("%s is offered %+v", other, list)
				}
			}
			o.gone("x.0")
			if e := w.incoming(); e.State != "ended" || e.ID != v.ID || e.CanAccept || e.Call != "" {
				t.Fatalf("%+v", e)
			}
		})
	}
}

// A queue rings, pauses and rings again: it is one offer, that is never over meanwhile.
func TestAnOfferOutlivesTheRoundsOfAQueue(t *testing.T) {
	o := newOffice(t, house, soon)
	w := o.watch("gus")
	o.inMusic("x", ivanov)
	first := w.incoming()
	for range 3 {
		o.round("x", "PJSIP/101", "PJSIP/102")
		v := w.incoming()
		if v.ID != first.ID || v.State != "ringing" || v.Target != "anna" || v.Call != o.row("gus", "anna").Calls[0].ID {
			t.Fatalf("%+v after %+v", v, first)
		}
		o.giveUp("x", 2)
		for v.State == "ringing" { // first one phone stops, then the other
			v = w.incoming()
		}
		if v.ID != first.ID || v.State != "waiting" || v.Target != "" || v.Call != v.ID || !v.CanAccept {
			t.Fatalf("%+v after %+v", v, first)
		}
	}
	o.round("x", "PJSIP/101")
	w.incoming()
	o.answers("x", 1)
	if v := w.incoming(); v.State != "ended" || v.ID != first.ID {
		t.Fatalf("%+v", v)
	}
}

func TestWhoIsNotWaitingForAnybody(t *testing.T) {
	for name, scene := range map[string]func(o *office){
		"a client in a conference": func(o *office) { o.inMusic("x", ivanov); o.enter("room", "x.0") },
		"a client who is parked": func(o *office) {
			o.inMusic("x", ivanov)
			o.ingest(call.Event{Kind: call.BridgeEntered, Bridge: call.Bridge{ID: "lot", Type: "holding"}, Channel: o.ch("x.0")})
		},
		"a client who has hung up": func(o *office) {
			o.inMusic("x", ivanov)
			o.ingest(call.Event{Kind: call.LegHungUp, Channel: o.ch("x.0")})
		},
		"a client who is called":           func(o *office) { o.leg("x.0", ivanov, call.StateDown, "") },
		"somebody who is nobody's client":  func(o *office) { o.inMusic("x", other) },
		"a colleague who listens to music": func(o *office) { o.inMusic("x", "PJSIP/102") },
		"a protected number, though his":   func(o *office) { o.inMusic("x", secret) },
		"a client who talks":               func(o *office) { o.talk("x", ivanov, "PJSIP/101") },
		"one whose own phone rings":        func(o *office) { o.rings("x", ivanov, "PJSIP/107") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t, house, func(c *gate.Config) {
					c.Clients.(directory)[secret] = clients.Client{Number: secret, Name: "Secret", Responsible: "gus"}
				})
				defer o.close()
				scene(o)
				time.Sleep(time.Minute)
				synctest.Wait()
				if list := o.offers("gus"); len(list) != 0 {
					t.Fatalf("%+v", list)
				}
				o.inMusic("control", ivanov)
				if list := o.offers("gus"); len(list) != 0 {
					t.Fatalf("at once there is %+v", list)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if list := o.offers("gus"); len(list) != 1 || list[0].State != "waiting" {
					t.Fatalf("the control is %+v", list)
				}
			})
		})
	}
}

// A call comes in a moment before it rings, and is over a moment after somebody has hung up: that is no waiting.
func TestAMomentWithNobodyIsNoWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, house)
		defer o.close()
		w := o.watch("gus")
		w.all()
		o.leg("x.0", ivanov, call.StateRing, "101")
		time.Sleep(999 * time.Millisecond)
		o.round("x", "PJSIP/107")
		time.Sleep(time.Minute)
		o.answers("x", 1)
		o.gone("x.1")
		time.Sleep(999 * time.Millisecond)
		o.gone("x.0")
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, m := range w.all() {
			if m.Type == gate.MessageIncoming {
				t.Errorf("he is told %+v", m.Incoming)
			}
		}
		o.leg("y.0", ivanov, call.StateRing, "101") // whereas this one is left alone
		time.Sleep(time.Second)
		synctest.Wait()
		if list := o.offers("gus"); len(list) != 1 {
			t.Fatalf("%+v", list)
		}
	})
}

func TestWithoutTheRightOneIsToldOfAWaitingClientAndNoMore(t *testing.T) {
	o := newOffice(t, strings.Replace(house, "intercept: {to: own, except: [egor]}", "observe: false", 1), soon)
	w := o.watch("gus")
	o.inMusic("x", ivanov)
	if v := w.incoming(); v.CanAccept || v.Call != "" || v.State != "waiting" || v.Client.Name != "Ivanov Ltd" {
		t.Fatalf("%+v", v)
	}
	o.gate.SetPolicy(set(t, house))
	list := o.offers("gus")
	if len(list) != 1 || !list[0].CanAccept {
		t.Fatalf("%+v", list)
	}
	// A snapshot of the PBX changes nothing about it, and losing the PBX ends it.
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: o.picture()})
	if again := o.offers("gus"); !slices.Equal(again, list) {
		t.Fatalf("%+v, not %+v", again, list)
	}
	o.ingest(call.Event{Kind: call.LinkLost})
	if list := o.offers("gus"); len(list) != 0 {
		t.Fatalf("%+v", list)
	}
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: o.picture()})
	for len(o.offers("gus")) == 0 {
		o.log.wait(time.Millisecond)
	}
}

func TestAWaitingClientWhoIsKnownLaterIsOfferedThen(t *testing.T) {
	b := &book{known: map[string]clients.Client{}, slow: map[string]clients.Client{other: {Number: other, Name: "Late Ltd", Responsible: "gus"}}, asked: make(chan string, 16)}
	o := newOffice(t, house, soon, func(c *gate.Config) { c.Clients = b })
	w := o.watch("gus")
	o.inMusic("x", other)
	if list := o.offers("gus"); len(list) != 0 {
		t.Fatalf("%+v", list)
	}
	b.learns(<-b.asked)
	o.gate.Learned(other)
	if v := w.incoming(); !v.CanAccept || v.Client.Name != "Late Ltd" {
		t.Fatalf("%+v", v)
	}
}
