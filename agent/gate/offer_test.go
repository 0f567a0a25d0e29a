package gate_test

import (
	"context"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// incoming waits for the next offer that the watcher is told of.
func (w *watcher) incoming() mask.Incoming {
	w.t.Helper()
	for {
		if m := w.next(); m.Type == gate.MessageIncoming {
			return *m.Incoming
		}
	}
}

// offers is what a new board of his has of them.
func (o *office) offers(subject string) []mask.Incoming {
	o.t.Helper()
	b, err := o.gate.Employees(who(subject))
	if err != nil {
		o.t.Fatal(err)
	}
	return b.Incoming
}

func TestTheResponsibleEmployeeIsToldOfHisClientsCall(t *testing.T) {
	o := newOffice(t, house)
	w := o.watch("gus")
	o.rings("x", ivanov, "PJSIP/101", "PJSIP/102")
	v := w.incoming()
	if v.State != "ringing" || v.Client != (mask.Party{Name: "Ivanov Ltd", Number: ivanov}) || !v.CanAccept || v.Target != "anna" || v.Call != o.row("gus", "anna").Calls[0].ID {
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
	// It is accepted by what it says.
	id := o.must("gus", "intercept", v.Target, v.Call)
	w.act(id, "taken")
	if w2 := o.offers("gus"); len(w2) != 0 {
		t.Fatalf("%+v", w2)
	}
}

func TestAnOfferEndsWithTheRinging(t *testing.T) {
	for name, end := range map[string]func(o *office){
		"answered": func(o *office) { o.answers("x", 1) },
		"given up": func(o *office) { o.hangUp("x") },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, house)
			w := o.watch("gus")
			o.rings("x", ivanov, "PJSIP/101")
			first := w.incoming()
			end(o)
			if v := w.incoming(); v.State != "ended" || v.ID != first.ID || v.CanAccept || v.Target != "" || v.Client.Name != "Ivanov Ltd" {
				t.Fatalf("%+v after %+v", v, first)
			}
			if list := o.offers("gus"); len(list) != 0 {
				t.Fatalf("%+v", list)
			}
		})
	}
}

func TestWithoutTheRightTheClientIsToldButNotWhereHeRings(t *testing.T) {
	o := newOffice(t, strings.Replace(house, "intercept: {to: own, except: [egor]}", "observe: false", 1))
	w := o.watch("gus")
	o.rings("x", ivanov, "PJSIP/101")
	if v := w.incoming(); v.CanAccept || v.Target != "" || v.Call != "" || v.Client.Name != "Ivanov Ltd" {
		t.Fatalf("%+v", v)
	}
	if r := o.row("gus", "anna"); !r.Calls[0].Hidden || len(r.Can) != 0 {
		t.Fatalf("%+v", r)
	}
	// An edit of the policy that gives him the right is in the next board.
	o.gate.SetPolicy(set(t, house))
	if list := o.offers("gus"); len(list) != 1 || !list[0].CanAccept {
		t.Fatalf("%+v", list)
	}
}

func TestWhatIsNotOffered(t *testing.T) {
	for name, scene := range map[string]func(o *office){
		"where his own phone rings":       func(o *office) { o.rings("x", ivanov, "PJSIP/107") },
		"where his own phone rings too":   func(o *office) { o.rings("x", ivanov, "PJSIP/101", "PJSIP/107") },
		"a call that has been answered":   func(o *office) { o.talk("x", ivanov, "PJSIP/101") },
		"one whom a colleague calls":      func(o *office) { o.rings("x", "PJSIP/102", "PJSIP/101") },
		"somebody who is nobody's client": func(o *office) { o.rings("x", other, "PJSIP/101") },
		"a protected number, though his":  func(o *office) { o.rings("x", secret, "PJSIP/101") },
		"a colleague's call to the client": func(o *office) {
			o.leg("x.0", "PJSIP/101", call.StateRing, ivanov)
			o.leg("x.1", "PJSIP/trunk", call.StateDown, "")
			o.dial("x.0", "x.1", ivanov)
			o.state("x.1", call.StateRinging)
		},
		"where an excluded colleague rings": nil,
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, house, func(c *gate.Config) {
				d := c.Clients.(directory)
				d[secret] = clients.Client{Number: secret, Name: "Secret", Responsible: "gus"}
			})
			if scene == nil {
				// The exclusion is about taking the call; that his client calls is his to know.
				o.rings("x", ivanov, "PJSIP/105")
				if list := o.offers("gus"); len(list) != 1 || list[0].CanAccept || list[0].Target != "" {
					t.Fatalf("%+v", list)
				}
				return
			}
			scene(o)
			if list := o.offers("gus"); len(list) != 0 {
				t.Fatalf("%+v", list)
			}
		})
	}
}

// What a source tells late is shown as soon as it is told, on the rows and as an offer.
func TestAClientWhoIsKnownLaterIsOfferedThen(t *testing.T) {
	b := &book{known: map[string]clients.Client{}, slow: map[string]clients.Client{other: {Number: other, Name: "Late Ltd", Responsible: "gus"}}, asked: make(chan string, 16)}
	o := newOffice(t, house, func(c *gate.Config) { c.Clients = b })
	w := o.watch("gus")
	seer := o.watch("carl")
	o.rings("x", other, "PJSIP/101")
	if list := o.offers("gus"); len(list) != 0 {
		t.Fatalf("%+v", list)
	}
	seer.all()
	b.learns(<-b.asked)
	o.gate.Learned(other)
	if v := w.incoming(); !v.CanAccept || v.Client.Name != "Late Ltd" {
		t.Fatalf("%+v", v)
	}
	if m := seer.next(); m.Type != gate.MessageEmployee || m.Employee.Calls[0].Peer.Name != "Late Ltd" {
		t.Fatalf("%+v", m)
	}
	o.gate.Learned("+79990000000")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if m, err := seer.Next(ctx); err == nil {
		t.Fatalf("another number's news were shown: %+v", m)
	}
}

func TestTheKindIsShownWhereThePolicySaysSoAndNothingElse(t *testing.T) {
	text := strings.Replace(house, "ivo:   {name: Ivo,   phones: [PJSIP/109], numbers: [\"109\"], observe: {to: any, except: [egor]}", "ivo:   {name: Ivo,   phones: [PJSIP/109], numbers: [\"109\"], observe: {show: kind, except: [egor]}", 1)
	for name, c := range map[string]struct {
		scene func(o *office)
		kind  string
	}{
		"outside":     {func(o *office) { o.talk("x", ivanov, "PJSIP/101") }, "external"},
		"a colleague": {func(o *office) { o.talk("x", "PJSIP/102", "PJSIP/101") }, "internal"},
		"a queue": {func(o *office) {
			o.leg("x.0", ivanov, call.StateRing, "100")
			o.seen(call.Channel{ID: "x.1", Name: "PJSIP/101-x.1", State: call.StateDown, App: "AppQueue"})
			o.dial("x.0", "x.1", "101")
			o.state("x.1", call.StateRinging)
			o.answers("x", 1)
		}, "queue"},
		"a protected number":    {func(o *office) { o.talk("x", secret, "PJSIP/101") }, "external"},
		"an excluded colleague": {func(o *office) { o.talk("x", "PJSIP/105", "PJSIP/101") }, ""},
		"an unknown phone":      {func(o *office) { o.talk("x", "PJSIP/999", "PJSIP/101") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, text)
			c.scene(o)
			b, err := o.gate.Employees(who("ivo"))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range b.Employees {
				if r.ID != "anna" {
					continue
				}
				if v := r.Calls[0]; v.Kind != c.kind || !v.Hidden || v.Peer != nil {
					t.Errorf("%+v", v)
				}
			}
			if r := o.row("dora", "anna"); !r.Calls[0].Hidden {
				t.Errorf("%+v", r)
			}
		})
	}
}
