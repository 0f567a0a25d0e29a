package gate_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// waiting lets gus's client wait, and returns the offer of him.
func (o *office) waiting(w *watcher) mask.Incoming {
	o.t.Helper()
	o.inMusic("x", ivanov)
	v := w.incoming()
	if v.State != "waiting" || v.Call == "" {
		o.t.Fatalf("%+v", v)
	}
	return v
}

func TestAWaitingCallerIsDecidedRecordedFetchedAndThenTheTakers(t *testing.T) {
	o := newOffice(t, house, soon)
	w := o.watch("gus")
	v := o.waiting(w)
	id := o.must("gus", "intercept", v.Target, v.Call)
	w.act(id, "ringing")
	w.act(id, "taken")
	o.happened("record decided allow allowed", "fetch", "record done")
	f := o.pbx.fetches[0]
	if f.Caller != "x.0" || f.Endpoint != "PJSIP/107" || f.Display.Number.Digits() != ivanov || f.Display.Name != "Ivanov Ltd" || string(f.Leg) != "earshot-"+id+"-take" {
		t.Fatalf("%q for %q", f.Endpoint, string(f.Caller))
	}
	e := o.audit.last(t, audit.Done)
	if e.Detail != "waiting" || len(e.Targets) != 0 || e.Subject != "gus" || e.Action != "intercept" {
		t.Errorf("on record is %+v", e)
	}
	// It is an ordinary call now: shown as his, supervised as any, and not hung up by a resync.
	if r := o.row("carl", "gus"); r.State != "talking" || r.Calls[0].Peer == nil || r.Calls[0].Peer.Number != ivanov {
		t.Fatalf("%+v", r)
	}
	if r := o.row("dora", "gus"); r.State != "talking" || !r.Calls[0].Hidden {
		t.Fatalf("%+v", r)
	}
	o.active("carl", "spy", "gus")
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: o.picture()})
	if r := o.row("gus", "gus"); r.State != "talking" {
		t.Fatalf("%+v", r)
	}
	if lines := o.log.all(); slices.Contains(lines, "drop take") {
		t.Fatal("the caller was lost")
	}
	o.refused("no_such_call", "gus", "intercept", "", v.Call)
}

// An offer that is another's, is over or never was has one answer, whoever asks; who has no right at all has one too.
func TestWhoMayTakeAWaitingCaller(t *testing.T) {
	o := newOffice(t, house, soon)
	o.pbx.silent = true
	w := o.watch("gus")
	v := o.waiting(w)
	answer := func(subject, call string) string {
		_, err := o.gate.Intercept(t.Context(), who(subject), gate.Ask{Call: call, Door: "test"})
		if err == nil {
			return "taken"
		}
		p := *gate.AsProblem(err)
		p.ID = ""
		return p.Code + " " + p.Text + " " + p.Rule
	}
	for subject, code := range map[string]string{"carl": "no_such_call", "fay": "no_such_call", "dora": "no_right", "anna": "no_right"} {
		there, not := answer(subject, v.Call), answer(subject, strings.Repeat("a", len(v.Call)))
		if there != not || !strings.HasPrefix(there, code+" ") {
			t.Errorf("%s is told %q, and %q of what there is not", subject, there, not)
		}
	}
	if gone := answer("gus", strings.Repeat("a", len(v.Call))); !strings.HasPrefix(gone, "no_such_call ") {
		t.Errorf("gus is told %q", gone)
	}
	o.refused("not_your_phone", "gus", "intercept", "", v.Call, "PJSIP/101")
	o.refused("not_your_phone", "carl", "intercept", "anna", "PJSIP/101") // as of a ringing one
	o.must("gus", "intercept", "", v.Call)
	o.refused("already_supervising", "gus", "intercept", "", v.Call)
}

func TestOfTwoPhonesThatWantAWaitingCallerOneGetsHim(t *testing.T) {
	o := newOffice(t, strings.Replace(house, "gus:   {name: Gus,   phones: [PJSIP/107]", "gus:   {name: Gus,   phones: [PJSIP/107, PJSIP/117]", 1), soon)
	o.pbx.silent = true
	v := o.waiting(o.watch("gus"))
	codes := make([]string, 2)
	var both sync.WaitGroup
	for i, phone := range []string{"PJSIP/107", "PJSIP/117"} {
		both.Go(func() { _, codes[i] = o.ask("gus", "intercept", "", v.Call, phone) })
	}
	both.Wait()
	slices.Sort(codes)
	if !slices.Equal(codes, []string{"", "already_taken"}) {
		t.Fatalf("%q", codes)
	}
	// Nor does anybody take him where he rings meanwhile.
	o.round("x", "PJSIP/101")
	o.refused("already_taken", "fay", "intercept", "anna")
}

func TestAnOfferThatRingsIsTakenWhereItRings(t *testing.T) {
	o := newOffice(t, house, soon)
	w := o.watch("gus")
	v := o.waiting(w)
	o.round("x", "PJSIP/101")
	w.incoming()
	id := o.must("gus", "intercept", "", v.Call) // by what the banner said before
	w.act(id, "taken")
	if len(o.pbx.takes) != 1 || o.pbx.takes[0].Ringing != "x.1" || len(o.pbx.fetches) > 0 {
		t.Fatalf("%d were taken, %d fetched", len(o.pbx.takes), len(o.pbx.fetches))
	}
}

func TestAnOfferThatRingsAtSomebodyExcludedIsNotTaken(t *testing.T) {
	o := newOffice(t, house, soon)
	w := o.watch("gus")
	v := o.waiting(w)
	o.round("x", "PJSIP/105")
	if v := w.incoming(); v.CanAccept || v.Target != "" || v.Call != "" {
		t.Fatalf("%+v", v)
	}
	o.refused("not_for_this_call", "gus", "intercept", "", v.ID)
	if e := o.audit.last(t, audit.Decided); e.Reason != "excluded_other" || e.Outcome != audit.Deny {
		t.Fatalf("on record is %+v", e)
	}
}

// The second policy is asked about a waiting caller too, also where the first has refused before it came to him.
func TestTheShadowPolicyIsAskedAboutAWaitingCaller(t *testing.T) {
	const gus, dora = "intercept: {to: own, except: [egor]}", "listen: {to: any, allow: [spy], except: [egor]}"
	without, with := strings.Replace(house, gus, "observe: false", 1), strings.Replace(house, dora, "intercept: true", 1)
	for name, c := range map[string]struct {
		live, shadow, who string
		answer            string
		unknown           bool // it is not about the offer
		rings             string
		want              []string
	}{
		"a right less":                      {house, without, "gus", "", false, "", []string{"gus intercept  lost: allowed for no_right"}},
		"a right more":                      {without, house, "gus", "no_right", false, "", []string{"gus intercept  gained: no_right for allowed"}},
		"a right more, without its offer":   {without, house, "gus", "no_right", true, "", []string{"gus intercept  gained: no_right for allowed"}},
		"another's right more":              {house, with, "dora", "no_right", false, "", []string{"dora intercept  gained: no_right for allowed"}},
		"no right by either":                {house, house, "dora", "no_right", false, "", nil},
		"an offer that there is not":        {house, without, "gus", "no_such_call", true, "", []string{"gus intercept  lost: allowed for no_right"}},
		"one that rings":                    {house, without, "gus", "", false, "PJSIP/101", []string{"gus intercept anna lost: allowed for no_right"}},
		"one that rings at who is excepted": {house, strings.Replace(house, gus, "intercept: own", 1), "gus", "not_for_this_call", false, "PJSIP/105", []string{"gus intercept  gained: excluded_other for allowed"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShade(t, c.shadow)
			o := newOffice(t, c.live, soon, s.beside)
			w := o.watch("gus")
			o.inMusic("x", ivanov)
			id := w.incoming().ID
			if c.rings != "" {
				o.round("x", c.rings)
				w.incoming()
			}
			if c.unknown {
				id = strings.Repeat("a", len(id))
			}
			if _, code := o.ask(c.who, "intercept", "", id); code != c.answer {
				t.Fatalf("%q", code)
			}
			var got []string
			for _, d := range s.told() {
				if d.Action == "intercept" && !d.Running {
					got = append(got, short(d))
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q", got)
			}
			if n := s.counted("decisions_total", "action", "intercept"); n == 0 {
				t.Error("it was not compared")
			}
		})
	}
}

// Where the phone does not even ring, the answer says so, and it is on record.
func TestAWaitingCallerWhoCannotBeFetchedStaysAndTheAnswerSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		code string
		kind gate.Kind
	}{
		"without the include":      {pbx.ErrNoInclude, "no_include", gate.Conflict},
		"no phone":                 {pbx.ErrUnreachable, "phone_unreachable", gate.Conflict},
		"he has just hung up":      {pbx.ErrGone, "call_moved", gate.Conflict},
		"the PBX does not":         {errors.New("no ARI connection"), "pbx_failed", gate.Unavailable},
		"the include, and nothing": {nil, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, house, soon)
			w := o.watch("gus")
			v := o.waiting(w)
			if c.err != nil {
				o.pbx.failing("fetch", c.err)
			}
			_, err := o.gate.Intercept(t.Context(), who("gus"), gate.Ask{Call: v.Call, Door: "test"})
			if c.err == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			p := gate.AsProblem(err)
			if p.Code != c.code || p.Kind != c.kind || p.ID == "" || p.Text == "" {
				t.Fatalf("%+v", p)
			}
			o.log.until(t, "record failed")
			if e := o.audit.last(t, audit.Failed); e.ID != p.ID || e.Detail != "waiting" || o.audit.last(t, audit.Decided).Outcome != audit.Allow {
				t.Errorf("on record is %+v", e)
			}
			if list := o.offers("gus"); len(list) != 1 || list[0] != v {
				t.Errorf("he is offered %+v", list)
			}
		})
	}
}

func TestAFetchThatDoesNotSucceedLosesNobody(t *testing.T) {
	for _, c := range []struct {
		name, reason, phase string
		change              func(o *office, own string)
	}{
		{"not answered", "no_answer", "record failed no_answer", func(o *office, own string) { o.gone(own) }},
		{"somebody of the queue answers", "answered", "record failed answered", func(o *office, _ string) {
			o.round("x", "PJSIP/101")
			o.answers("x", 1)
		}},
		{"he is put into a conference", "answered", "record failed answered", func(o *office, _ string) { o.enter("room", "x.0") }},
		{"the caller hangs up", "call_ended", "record failed call_ended", func(o *office, _ string) { o.gone("x.0") }},
		{"somebody excluded is rung", "not_for_this_call", "record revoked deny excluded_other", func(o *office, _ string) { o.round("x", "PJSIP/105") }},
		{"somebody protected is rung", "not_for_this_call", "record revoked deny protected_other", func(o *office, _ string) { o.round("x", "PJSIP/108") }},
		{"his own phone is rung for him", "party", "record revoked deny party", func(o *office, _ string) { o.round("x", "PJSIP/107") }},
		{"the right is taken away", "no_right", "record revoked deny no_right", func(o *office, _ string) {
			o.gate.SetPolicy(set(o.t, strings.Replace(house, "intercept: {to: own, except: [egor]}", "observe: false", 1)))
		}},
		{"the client is another's", "not_client", "record revoked deny not_client", func(o *office, _ string) {
			ch := o.ch("x.0")
			ch.Caller.Number = other
			o.seen(ch)
		}},
		{"the credential ends", "credential_ended", "record revoked deny credential_ended", func(o *office, _ string) {
			o.gate.Recheck(func(auth.Subject) bool { return false })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOffice(t, house, soon)
			o.pbx.silent = true
			w := o.watch("gus")
			v := o.waiting(w)
			id := o.must("gus", "intercept", "", v.Call)
			c.change(o, string(o.pbx.fetches[0].Leg))
			if reason := w.act(id, "ended"); reason != c.reason {
				t.Fatal(reason)
			}
			o.log.until(t, c.phase)
			if o.pbx.left() != 0 {
				t.Fatal("the taker's phone rings on")
			}
		})
	}
}

// While the queue rings somebody who may be taken from, the phone of who is responsible rings on, and he gets him from there.
func TestAFetchGoesOnWhileTheQueueRingsAgain(t *testing.T) {
	o := newOffice(t, house, soon)
	o.pbx.silent = true
	w := o.watch("gus")
	v := o.waiting(w)
	id := o.must("gus", "intercept", "", v.Call)
	o.round("x", "PJSIP/101")
	o.giveUp("x", 1)
	o.round("x", "PJSIP/101", "PJSIP/102")
	o.giveUp("x", 2)
	o.pbx.comes(o.pbx.fetches[0])
	w.act(id, "taken")
}

// The two may come into their bridge in any order.
func TestThePartsOfAFetchMayBeSeenInAnyOrder(t *testing.T) {
	for _, order := range [][]string{{"own", "x.0"}, {"x.0", "own"}} {
		o := newOffice(t, house, soon, func(c *gate.Config) { c.Grace = time.Minute })
		o.pbx.silent = true
		w := o.watch("gus")
		v := o.waiting(w)
		id := o.must("gus", "intercept", "", v.Call)
		own := string(o.pbx.fetches[0].Leg)
		o.state(own, call.StateUp)
		for _, leg := range order {
			o.enter("b", map[string]string{"own": own, "x.0": "x.0"}[leg])
		}
		w.act(id, "taken")
		if slices.Contains(o.log.all(), "drop take") {
			t.Fatalf("%q: the caller was hung up", order)
		}
	}
}

// What ends a fetch must not hang up a phone to which the caller is just coming.
func TestACallerWhoComesAsTheGroundGoesIsNotHungUp(t *testing.T) {
	o := newOffice(t, house, soon, func(c *gate.Config) { c.Grace = time.Minute })
	o.pbx.silent = true
	w := o.watch("gus")
	v := o.waiting(w)
	id := o.must("gus", "intercept", "", v.Call)
	own := string(o.pbx.fetches[0].Leg)
	o.state(own, call.StateUp)
	o.gate.SetPolicy(set(t, strings.Replace(house, "intercept: {to: own, except: [egor]}", "observe: false", 1)))
	o.enter("b", own, "x.0")
	w.act(id, "taken")
	o.pbx.set(func() {
		if _, ok := o.pbx.legs[call.LegID(own)]; !ok {
			t.Fatal("the caller was hung up")
		}
	})
}

// Where another has him in that very moment, he keeps him.
func TestWhoIsAnsweredAsThePhoneIsStaysThere(t *testing.T) {
	o := newOffice(t, house, soon)
	o.pbx.silent = true
	w := o.watch("gus")
	v := o.waiting(w)
	id := o.must("gus", "intercept", "", v.Call)
	own := string(o.pbx.fetches[0].Leg)
	o.round("x", "PJSIP/101")
	o.state(own, call.StateUp)
	o.answers("x", 1)
	if reason := w.act(id, "ended"); reason != "answered" {
		t.Fatal(reason)
	}
	if r := o.row("carl", "anna"); r.State != "talking" {
		t.Fatalf("%+v", r)
	}
}

// The dialplan has him join the phone by an application that others use to go past the gate. Who does that without the gate is seen.
func TestTheWatchdogKnowsWhomEarshotHasMoved(t *testing.T) {
	y := newYard(t, house)
	y.inMusic("x", ivanov)
	w := y.watch("gus")
	v := w.incoming()
	id := y.must("gus", "intercept", "", v.Call)
	w.act(id, "taken")
	y.ingest(call.Event{Kind: call.Resynced, Snapshot: y.picture()})
	y.leg("a", "PJSIP/101", call.StateUp, "")
	y.enter("other", "a")
	y.inMusic("z", ivanov)
	y.into("z.0", "Bridge")
	y.enter("other", "z.0")
	y.became("reported")
	y.close()
	if n := y.count("join", "reported"); n != 1 {
		t.Errorf("%g joins are reported", n)
	}
}

// After a restart too, as far as it looks like that: a customer who has come to the phone that was rung for him by the include. Who has joined the two is
// seen all the same.
func TestTheWatchdogKnowsWhomTheEarshotBeforeHasMoved(t *testing.T) {
	for name, c := range map[string]struct {
		caller, exten, taker string
		third                string // the application of who else is there; empty: nobody
		joins                float64
	}{
		"a customer and who has taken him": {"PJSIP/trunk", "fetched", "earshot-x-take", "", 0},
		"and somebody who was asked to it": {"PJSIP/trunk", "fetched", "earshot-x-take", "AppDial", 0},
		"and somebody who has joined":      {"PJSIP/trunk", "fetched", "earshot-x-take", "BridgeAdd", 1},
		"a colleague":                      {"PJSIP/102", "fetched", "earshot-x-take", "", 1},
		"a phone like any":                 {"PJSIP/trunk", "fetched", "1.7", "", 1},
		"by another dialplan":              {"PJSIP/trunk", "100", "earshot-x-take", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t, house)
			s := &call.Snapshot{Channels: []call.Channel{
				{ID: "x.0", Name: c.caller + "-1", State: call.StateUp, App: "Bridge", Exten: c.exten}, {ID: call.LegID(c.taker), Name: "PJSIP/101-2", State: call.StateUp},
			}, Bridges: []call.Bridge{{ID: "b", Type: "mixing", Legs: []call.LegID{call.LegID(c.taker), "x.0"}}}}
			if c.third != "" {
				s.Channels = append(s.Channels, call.Channel{ID: "x.2", Name: "PJSIP/102-3", State: call.StateUp, App: c.third})
				s.Bridges[0].Legs = append(s.Bridges[0].Legs, "x.2")
			}
			y.ingest(call.Event{Kind: call.Resynced, Snapshot: s})
			y.close()
			if n := y.count("join", "reported") + y.count("join", "ended"); n != c.joins {
				t.Errorf("%g joins are seen", n)
			}
		})
	}
}
