package gate_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// Two calls are put together by who might have transferred the one to the other: he may call one of the two, and that one is not known by what he says.
func TestTwoCallsOfOnesOwnAreConnectedIfOneMayBeCalled(t *testing.T) {
	for name, c := range map[string]struct {
		who, phone    string
		first, second func(o *office, phone string)
		want          string
	}{
		"two who call, by who may call anybody":          {"ann", "PJSIP/101", from("x", other), from("y", ivanov), "not_for_this_call"},
		"a colleague and somebody outside":               {"ann", "PJSIP/101", from("x", other), from("y", "PJSIP/103"), "ok"},
		"the other way round":                            {"ann", "PJSIP/101", from("y", "PJSIP/103"), from("x", other), "ok"},
		"a colleague, by who may call none":              {"cli", "PJSIP/102", from("x", other), from("y", "PJSIP/103"), "not_client"},
		"somebody outside whom he has called himself":    {"cli", "PJSIP/102", from("x", other), calling("y", ivanov), "ok"},
		"one whom he could not have called":              {"cli", "PJSIP/102", from("x", other), calling("y", abroad), "not_client"},
		"who says that he has a number he may call":      {"cli", "PJSIP/102", from("x", other), from("y", ivanov), "not_for_this_call"},
		"a colleague whom he may call, with the boss":    {"col", "PJSIP/104", from("x", "PJSIP/107"), from("y", "PJSIP/103"), "ok"},
		"the boss, whom he may not, with who is outside": {"col", "PJSIP/104", from("x", "PJSIP/107"), from("y", other), "excluded"},
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := dialOffice(t)
			c.first(o, c.phone)
			c.second(o, c.phone)
			ask := gate.OwnAsk{Call: o.handle(c.who, 0), Other: o.handle(c.who, 1)}
			if got := code(o.gate.Connect(t.Context(), who(c.who), ask)); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if got := o.pbx.ownOrders(); (len(got) == 1) != (c.want == "ok") {
				t.Errorf("ordered was %+v", got)
			} else if c.want == "ok" && got[0].(pbx.Connect).OneName == got[0].(pbx.Connect).OtherName {
				t.Errorf("ordered was %+v", got)
			}
			for _, other := range []string{ask.Call, "", "caaaaaaaaaaaaaaaaaaaa"} {
				want := "no_such_call"
				if other == ask.Call {
					want = "not_two_calls"
				}
				if got := code(o.gate.Connect(t.Context(), who(c.who), gate.OwnAsk{Call: ask.Call, Other: other})); got != want {
					t.Errorf("with %q: %s", other, got)
				}
			}
		})
	}
}

// from has somebody call a phone, calling has it call a number.
func from(name, caller string) func(*office, string) {
	return func(o *office, phone string) { o.talk(name, caller, phone) }
}

func calling(name, number string) func(*office, string) {
	return func(o *office, phone string) {
		o.leg(name+".0", phone, call.StateRing, number)
		o.seen(call.Channel{ID: call.LegID(name + ".1"), Name: "PJSIP/trunk-" + name, State: call.StateDown, App: "AppDial", Caller: call.Identity{Number: call.Number(number)}})
		o.dial(name+".0", name+".1", number+"@trunk")
		o.answers(name, 1)
	}
}

// A directory may be waited for before two calls are put together. Who has come to either of them meanwhile is not who was decided on.
func TestTwoCallsAreConnectedOnlyAsTheyWereWhenItWasDecided(t *testing.T) {
	const slow = "+79160000001"
	for name, c := range map[string]struct {
		moves func(o *office)
		want  string
	}{
		"nothing moves": {func(*office) {}, "ok"},
		"he talks to another": {func(o *office) {
			o.leave("y", "y.1")
			o.leg("z.1", other, call.StateUp, "")
			o.enter("y", "z.1")
		}, "call_moved"},
		"another is on the call that was not asked about": {func(o *office) {
			o.leave("x", "x.0")
			o.leg("z.0", ivanov, call.StateUp, "") // by no number either
			o.enter("x", "z.0")
		}, "call_moved"},
		"it is told that he was called by another number": {func(o *office) { o.dial("y.0", "y.1", abroad+"@trunk") }, "call_moved"},
		"he has gone": {func(o *office) { o.gone("y.1", "y.0") }, "no_such_call"},
	} {
		t.Run(name, func(t *testing.T) {
			o, b := dialOffice(t)
			from("x", other)(o, "PJSIP/102")
			calling("y", slow)(o, "PJSIP/102")
			ask := gate.OwnAsk{Call: o.handle("cli", 0), Other: o.handle("cli", 1)}
			for len(b.asked) > 0 {
				<-b.asked // for the board
			}
			go func() {
				number := <-b.asked
				c.moves(o)
				b.learns(number)
				o.gate.Learned(number)
			}()
			if got := code(o.gate.Connect(t.Context(), who("cli"), ask)); got != c.want || (len(o.pbx.ownOrders()) == 1) != (c.want == "ok") {
				t.Errorf("%s, and ordered was %+v", got, o.pbx.ownOrders())
			}
			if e := o.audit.last(t, audit.Decided); c.want != "ok" && (e.Outcome != audit.Deny || e.Reason != c.want || e.Rule.Line != 0) {
				t.Errorf("on record is %+v", e)
			}
		})
	}
}

// consults has ann ask at a number while who is on the call x waits.
func consults(o *office, number string) gate.OwnAsk {
	o.t.Helper()
	o.talk("x", ivanov, "PJSIP/101")
	ask := gate.OwnAsk{Call: o.handle("ann", 0), Number: number}
	if err := o.gate.AttendedTransfer(o.t.Context(), who("ann"), ask); err != nil {
		o.t.Fatal(err)
	}
	o.leave("x", "x.1", "x.0")
	return ask
}

// asks lets the Local channel appear by which ann calls the number.
func asks(o *office, number string) {
	o.local(number)
	o.ingest(call.Event{Kind: call.DialBegan, Channel: o.ch("x.1"), Peer: o.ch("l.1"), Dialled: number + "@phones"})
}

func (o *office) local(number string) {
	o.seen(call.Channel{ID: "l.1", Name: "Local/" + number + "@phones-00000001;1", State: call.StateDown, App: "AppDial"})
	o.seen(call.Channel{ID: "l.2", Name: "Local/" + number + "@phones-00000001;2", State: call.StateRing, App: "Stasis"})
}

// The Local channel by which the number is called goes out for who transfers, and for nobody else: no other leg, and no other number.
func TestWhoAsksBeforeATransferIsLetOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := dialOffice(t)
		consults(o, abroad)
		o.seen(call.Channel{ID: "z.2", Name: "Local/" + abroad + "@phones-00000009;2", State: call.StateRing, App: "Stasis"})
		o.local(abroad)
		told := make(chan string)
		go func() {
			endpoint, _ := o.gate.TransferredBy(t.Context(), "l.2", abroad) // it may ask before Asterisk has told whose it is
			told <- endpoint
		}()
		synctest.Wait()
		asks(o, abroad)
		if by := <-told; by != "PJSIP/101" {
			t.Errorf("it goes out for %q", by)
		}
		for _, c := range []struct{ leg, number, by string }{{"l.2", abroad, "PJSIP/101"}, {"l.2", "88005550100", ""}, {"z.2", abroad, ""}, {"l.1", abroad, ""}} {
			if by, _ := o.gate.TransferredBy(t.Context(), c.leg, c.number); by != c.by {
				t.Errorf("%s to %s goes out for %q", c.leg, c.number, by)
			}
		}
		_, err := o.gate.Dial(t.Context(), who("ann"), gate.DialAsk{Number: abroad, Phone: "PJSIP/101", Leg: "l.2", Transferred: true, Door: gate.DoorPhone})
		if err != nil {
			t.Error(err)
		}
	})
}

// What is given up is the call to the number, and who waits has nothing done to him.
func TestATransferIsGivenUpByItsOwner(t *testing.T) {
	o, _ := dialOffice(t)
	ask := consults(o, "103")
	if err := o.gate.CancelTransfer(t.Context(), who("ann"), ask); code(err) != "no_transfer" {
		t.Errorf("before the number is called: %v", err)
	}
	asks(o, "103")
	o.pbx.put("l.1", "")
	o.pbx.put("x.0", "")
	// What would take the legs from where the transfer will look for them is not done meanwhile.
	o.enter("l", "x.1", "l.1")
	o.leg("m.1", "PJSIP/103", call.StateUp, "")
	o.enter("m", "l.2", "m.1")
	for name, err := range map[string]error{
		"transfer": o.gate.Transfer(t.Context(), who("ann"), ask), "once more": o.gate.AttendedTransfer(t.Context(), who("ann"), ask),
		"redirect": o.gate.Redirect(t.Context(), who("ann"), gate.OwnAsk{Call: ask.Call, Number: "103", Side: gate.SideOwn}), "park": o.gate.Park(t.Context(), who("ann"), ask),
	} {
		if code(err) != "transferring" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := o.gate.Mute(t.Context(), who("ann"), gate.OwnAsk{Call: ask.Call, Direction: gate.MuteIn, On: true}); err != nil {
		t.Errorf("mute: %v", err)
	}
	if err := o.gate.CancelTransfer(t.Context(), who("mix"), ask); code(err) != "no_such_call" {
		t.Errorf("by another: %v", err)
	}
	if err := o.gate.CancelTransfer(t.Context(), who("ann"), ask); err != nil {
		t.Fatal(err)
	}
	if o.ch("l.1").ID != "" || o.ch("x.0").ID == "" {
		t.Error("the wrong leg was hung up")
	}
	o.enter("back", "x.1", "x.0")
	if err := o.gate.CancelTransfer(t.Context(), who("ann"), ask); code(err) != "no_transfer" {
		t.Errorf("once more: %v", err)
	}
	if err := o.gate.Transfer(t.Context(), who("ann"), ask); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// Who waits for the end of a transfer is somebody's: a client is offered to nobody meanwhile, and a colleague does not leave. Who has hung up is waited for
// no more.
func TestWhoWaitsForTheEndOfATransferIsSomebodys(t *testing.T) {
	o, _ := dialOffice(t)
	o.talk("x", "PJSIP/103", "PJSIP/101")
	ask := gate.OwnAsk{Call: o.handle("ann", 0), Number: "104"}
	if err := o.gate.AttendedTransfer(t.Context(), who("ann"), ask); err != nil {
		t.Fatal(err)
	}
	o.leave("x", "x.1", "x.0")
	asks(o, "104")
	his := gate.OwnAsk{Call: o.handle("mix", 0), Number: "101", Side: gate.SideOwn}
	if err := o.gate.Redirect(t.Context(), who("mix"), his); code(err) != "transferring" {
		t.Errorf("he leaves: %v", err)
	}
	o.gone("x.0")
	o.enter("l", "x.1", "l.1")
	o.leg("m.1", "PJSIP/104", call.StateUp, "")
	o.enter("m", "l.2", "m.1")
	if err := o.gate.Park(t.Context(), who("ann"), ask); err != nil {
		t.Errorf("what is left: %v", err)
	}
}

// When who transfers hangs up before there is an answer, who waits goes to the number himself, and is let out for that.
func TestWhoWaitsGoesToTheNumberHimself(t *testing.T) {
	o, _ := dialOffice(t)
	consults(o, abroad)
	asks(o, abroad)
	if by, _ := o.gate.TransferredBy(t.Context(), "x.0", abroad); by != "" {
		t.Errorf("he goes out for %q while he waits", by)
	}
	o.gone("x.1", "l.1", "l.2")
	if by, _ := o.gate.TransferredBy(t.Context(), "x.0", abroad); by != "PJSIP/101" {
		t.Errorf("he goes out for %q", by)
	}
}

// A leg that was redirected goes out for who has redirected it, and not when nothing came of that.
func TestWhoIsRedirectedIsLetOut(t *testing.T) {
	for _, fails := range []bool{false, true} {
		o, _ := dialOffice(t)
		o.talk("x", ivanov, "PJSIP/101")
		if fails {
			o.pbx.failing("redirect", pbx.ErrGone)
		}
		err := o.gate.Redirect(t.Context(), who("ann"), gate.OwnAsk{Call: o.handle("ann", 0), Number: abroad, Side: gate.SideBoth})
		if fails != (err != nil) {
			t.Fatal(err)
		}
		for _, leg := range []string{"x.0", "x.1"} {
			if by, _ := o.gate.TransferredBy(t.Context(), leg, abroad); (by == "PJSIP/101") == fails {
				t.Errorf("%s goes out for %q", leg, by)
			}
		}
	}
}

// A client who waits for the end of a transfer is with nobody, but offered to no other: he is when who transfers him has gone.
func TestAClientWhoWaitsForTheEndOfATransferIsNotOffered(t *testing.T) {
	text := strings.Replace(callers, "dial: {clients: own}", "dial: {clients: own}, intercept: true", 1)
	o := newOffice(t, text, soon, func(c *gate.Config) {
		c.Clients = directory{ivanov: {Number: ivanov, Name: "Ivanov", Responsible: "cli"}, other: {Number: other, Name: "Other", Responsible: "cli"}, abroad: {Number: abroad, Name: "Third", Responsible: "cli"}}
		c.Dialling = gate.Dialling{Context: "phones", Numbering: clients.Numbering{Region: "RU"}}
	})
	consults(o, "103")
	asks(o, "103")
	o.enter("l", "x.1", "l.1")
	o.pass(3) // his move is over
	w := o.watch("cli")
	for i, number := range []string{other, abroad} { // what counts for the second to come has counted for him long ago
		o.inMusic([]string{"y", "z"}[i], number)
		if v := w.incoming(); v.Client.Number != number {
			t.Errorf("%+v is offered", v)
		}
	}
	if list := o.offers("cli"); len(list) != 2 {
		t.Errorf("%+v are offered", list)
	}
	o.gone("x.1", "l.1", "l.2")
	if v := w.incoming(); v.Client.Number != ivanov {
		t.Errorf("%+v is offered", v)
	}
}

// While nothing is known he may have got back who waits. A snapshot in which he has not, or has not left him yet, ends nothing.
func TestATransferThatHasEndedWhileNothingWasKnownIsOver(t *testing.T) {
	asking := func(o *office) {
		asks(o, "103")
		o.enter("l", "x.1", "l.1")
	}
	for name, c := range map[string]struct {
		before     func(o *office)
		lost, back bool
		want       string
	}{
		"he has who waits":                   {asking, true, true, "ok"},
		"and the call was not told before":   {func(*office) {}, true, true, "ok"},
		"he asks still":                      {asking, true, false, "transferring"},
		"he asks still, and nothing is lost": {asking, false, false, "transferring"},
		"he has not left who is to wait yet": {nil, false, true, "transferring"},
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := dialOffice(t)
			o.talk("x", ivanov, "PJSIP/101")
			ask := gate.OwnAsk{Call: o.handle("ann", 0), Number: "103"}
			if err := o.gate.AttendedTransfer(t.Context(), who("ann"), ask); err != nil {
				t.Fatal(err)
			}
			if c.before != nil {
				o.leave("x", "x.1", "x.0")
				c.before(o)
			}
			s := o.picture()
			if c.back {
				s = o.picture("l.1", "l.2")
				s.Bridges = []call.Bridge{{ID: "back", Type: "mixing", Legs: []call.LegID{"x.1", "x.0"}}}
			}
			if c.lost {
				o.ingest(call.Event{Kind: call.LinkLost})
			}
			o.ingest(call.Event{Kind: call.Resynced, Snapshot: s})
			if got := code(o.gate.Transfer(t.Context(), who("ann"), ask)); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
