package gate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// callers is a company in which each may call others: ann everybody, cli his own clients, mix clients and colleagues, col colleagues but the
// boss, and non nobody.
const callers = `
version: 1
departments: {sales: {name: Sales}}
employees:
  ann: {name: Ann, phones: [PJSIP/101, PJSIP/111], numbers: ["101"], dial: any}
  cli: {name: Cli, phones: [PJSIP/102], numbers: ["102"], dial: {clients: own}}
  mix: {name: Mix, phones: [PJSIP/103], numbers: ["103"], dial: clients+employees}
  col: {name: Col, phones: [PJSIP/104], numbers: ["104"], dial: {employees: true, except: {employees: [boss]}}}
  non: {name: Non, phones: [PJSIP/105], numbers: ["105"], dial: none}
  cod: {name: Cod, phones: [PJSIP/106], numbers: ["106"], dial: {numbers: ["*98", "+7495*"]}}
  bar: {name: Bar, phones: [PJSIP/109], numbers: ["109"], dial: {to: any, except: {employees: [boss], numbers: ["100"]}}}
  boss: {name: Boss, phones: [PJSIP/107], numbers: ["107", "+79160000107"]}
  mute: {name: Mute, phones: [PJSIP/108]}
trunks: [PJSIP/trunk]
emergency: ["112"]
`

// book is a directory that has to ask: what it is asked for first is not known, until it is told.
type book struct {
	mu    sync.Mutex
	known map[string]clients.Client
	slow  map[string]clients.Client // found once somebody has asked and it was told
	asked chan string
}

func (b *book) Find(number string) (clients.Client, clients.Answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c, ok := b.known[number]; ok {
		return c, clients.Found
	}
	if _, ok := b.slow[number]; ok {
		select {
		case b.asked <- number:
		default:
		}
		return clients.Client{}, clients.Unknown
	}
	return clients.Client{}, clients.Stranger
}

func (b *book) learns(number string) {
	b.mu.Lock()
	if c, ok := b.slow[number]; ok {
		b.known[number] = c
		delete(b.slow, number)
	}
	b.mu.Unlock()
}

func dialOffice(t *testing.T) (*office, *book) {
	b := &book{
		known: map[string]clients.Client{ivanov: {Number: ivanov, Name: "Ivanov", Responsible: "cli"}, other: {Number: other, Name: "Other", Responsible: "mix"}},
		slow:  map[string]clients.Client{"+79160000001": {Number: "+79160000001", Name: "Slow", Responsible: "cli"}},
		asked: make(chan string, 16),
	}
	o := newOffice(t, callers, func(c *gate.Config) {
		c.Clients = b
		c.Dialling = gate.Dialling{Context: "phones", Numbering: clients.Numbering{Region: "RU", Prefixes: []string{"9", "*67"}}}
	})
	return o, b
}

func (o *office) dials(subject, number string) string {
	o.t.Helper()
	_, err := o.gate.Dial(o.t.Context(), who(subject), gate.DialAsk{Number: number, Door: "test"})
	if err != nil {
		return gate.AsProblem(err).Code
	}
	return "ok"
}

// A row has the button where what it does is allowed, and nowhere else: of a number that reads as an excluded one too, of who has none, and of who
// is on no call.
func TestARowOffersToCallWhomOneMayCall(t *testing.T) {
	o, _ := dialOffice(t)
	o.gate.SetPolicy(set(t, strings.Replace(callers, "  mute:", "  nine: {name: Nine, phones: [PJSIP/110], numbers: [\"9107\"]}\n  mute:", 1)))
	o.talk("x", ivanov, "PJSIP/104")
	offered := map[string]string{}
	for _, subject := range []string{"ann", "cli", "mix", "col", "non", "cod", "bar", "boss"} {
		board, err := o.gate.Employees(who(subject))
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range board.Employees {
			can := slices.Contains(row.Can, "dial")
			if row.ID == subject {
				if can {
					t.Errorf("%s is offered to call himself", subject)
				}
				continue
			}
			_, err := o.gate.Dial(t.Context(), who(subject), gate.DialAsk{Employee: row.ID, Door: "test"})
			if can != (err == nil) {
				t.Errorf("%s may call %s: the row says %v, and the call %v", subject, row.ID, can, err)
			}
			if can {
				offered[subject] += " " + row.ID
			}
		}
	}
	for subject, want := range map[string]string{
		"ann": " cli mix col non cod bar boss nine", "mix": " ann cli col non cod bar boss nine", "col": " ann cli mix non cod bar", "bar": " ann cli mix col non cod", "cli": "", "non": "", "cod": "", "boss": "",
	} {
		if offered[subject] != want {
			t.Errorf("%s is offered to call%s, want%s", subject, offered[subject], want)
		}
	}
	o.ingest(call.Event{Kind: call.LinkLost})
	if can := o.row("ann", "cli").Can; len(can) != 0 {
		t.Errorf("while nothing is known: %q", can)
	}
}

func TestWhoMayCallWhom(t *testing.T) {
	o, _ := dialOffice(t)
	for _, c := range []struct{ subject, number, want, dialled, kind string }{
		{"ann", "+7 812 123-45-67", "ok", "+78121234567", "outside"},
		{"ann", "8 (812) 123-45-67", "ok", "88121234567", "outside"},
		{"ann", "*98", "bad_number", "", "outside"},
		{"cod", "*98", "ok", "*98", "outside"},
		{"cod", "*99", "bad_number", "", "outside"},
		{"cod", "8 495 123 45 67", "ok", "84951234567", "outside"},
		{"cod", "9 8 495 123 45 67", "ok", "984951234567", "outside"},
		{"cod", "8 812 123 45 67", "no_right", "", "outside"},
		{"cli", ivanov, "ok", ivanov, "client"},
		{"cli", other, "no_right", "", "client"},
		{"cli", "+78121234567", "not_client", "", "outside"},
		{"cli", "101", "not_client", "", "employee"},
		{"mix", other, "ok", other, "client"},
		{"mix", "101", "ok", "101", "employee"},
		{"mix", "+78121234567", "not_client", "", "outside"},
		{"col", "101", "ok", "101", "employee"},
		{"col", "107", "excluded", "", "employee"},
		{"col", "8 916 000-01-07", "excluded", "", "employee"},
		{"col", ivanov, "no_right", "", "client"},
		{"non", "101", "no_right", "", "employee"},
		{"non", "112", "ok", "112", "emergency"},
		{"non", "9112", "ok", "9112", "emergency"},
		{"non", "1 1 2", "ok", "112", "emergency"},
		{"non", "*679112", "ok", "*679112", "emergency"},
		{"non", "9*67112", "ok", "9*67112", "emergency"},
		{"bar", "103", "ok", "103", "employee"},
		{"bar", "107", "excluded", "", "employee"},
		{"bar", "9107", "excluded", "", "outside"},
		{"bar", "*67107", "excluded", "", "employee"},
		{"bar", "9*67107", "excluded", "", "employee"},
		{"bar", "9100", "excluded", "", "outside"},
		{"bar", "9103", "ok", "9103", "outside"},
		{"ann", "", "bad_number", "", "outside"},
		{"ann", "vera", "bad_number", "", "outside"},
		{"ann", "101&102", "bad_number", "", "outside"},
		{"ann", "${EXTEN}", "bad_number", "", "outside"},
		{"stranger", "101", "unknown_subject", "", ""},
	} {
		t.Run(c.subject+" "+c.number, func(t *testing.T) {
			o.pbx.set(func() { o.pbx.calls = nil })
			v, err := o.gate.Dial(t.Context(), who(c.subject), gate.DialAsk{Number: c.number, Door: "test"})
			if got := code(err); got != c.want {
				t.Fatalf("%s, want %s", got, c.want)
			}
			var calls []pbx.Call
			o.pbx.set(func() { calls = slices.Clone(o.pbx.calls) })
			if c.want != "ok" {
				if len(calls) > 0 {
					t.Fatalf("it was ordered: %v", calls)
				}
				if c.kind != "" {
					if e := o.audit.last(t, audit.Decided); e.Outcome != audit.Deny || e.Action != "dial" || e.Subject != c.subject || e.Detail != c.kind {
						t.Errorf("on record is %+v", e)
					}
				}
				return
			}
			if len(calls) != 1 || calls[0].Number.Digits() != c.dialled || calls[0].Context != "phones" || !strings.HasSuffix(string(calls[0].Leg), "-call") {
				t.Fatalf("ordered %+v %q", calls, calls[0].Number.Digits())
			}
			e := o.audit.waits(t, v.ID, audit.Done)
			if e.Subject != c.subject || e.Action != "dial" || e.Detail != c.kind || strings.Contains(fmt.Sprintf("%+v", e), strings.TrimPrefix(c.dialled, "+")) && len(c.dialled) > 3 {
				t.Errorf("on record is %+v", e)
			}
		})
	}
}

// However a number is written, the answer is that of the number that it reaches.
func TestNoFormOfANumberChangesTheAnswer(t *testing.T) {
	o, _ := dialOffice(t)
	for number, reaches := range map[string]string{
		ivanov: "ok", "89161234567": "ok", "8 (916) 123-45-67": "ok", "9161234567": "ok", "007 916 1234567": "", "Local/89161234567@phones": "ok",
		"Local/89161234567@phones-1;2": "ok", "PJSIP/89161234567@trunk": "ok", "PJSIP/trunk/sip:+79161234567@10.0.0.1": "ok", "sip:+79161234567@example.com": "ok",
		"tel:+79161234567": "ok", "9 8 916 123 45 67": "ok", "*67 8 916 123 45 67": "ok", "*67 9 8 916 123 45 67": "ok",
		"Local/88121234567@phones": "not_client", "PJSIP/88121234567@trunk": "not_client", "9 8 812 123 45 67": "not_client", "*67 +78121234567": "not_client",
		"*68 89161234567": "bad_number", "89161234567,,112": "bad_number", "89161234567;x=y": "bad_number", "112,89161234567": "bad_number", "89161234567/n": "bad_number",
	} {
		if got := o.dials("cli", number); got != reaches && reaches != "" {
			t.Errorf("%q: %s, want %s", number, got, reaches)
		}
	}
}

func TestADirectoryThatHasToAskIsWaitedForAndNeverGuessed(t *testing.T) {
	o, b := dialOffice(t)
	go func() {
		number := <-b.asked
		b.learns(number)
		o.gate.Learned(number)
	}()
	if got := o.dials("cli", "8 916 000 00 01"); got != "ok" {
		t.Fatal(got)
	}
	b.mu.Lock()
	b.slow["+79160000002"] = clients.Client{Responsible: "cli"}
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := o.gate.Dial(ctx, who("cli"), gate.DialAsk{Number: "8 916 000 00 02", Door: "test"})
	if p := gate.AsProblem(err); p.Code != "client_unknown" || p.Kind != gate.Unavailable {
		t.Fatal(err)
	}
	if len(o.pbx.calls) != 1 {
		t.Fatal("a number of which nothing is known was dialled")
	}
	ctx2, cancel2 := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel2()
	if _, err := o.gate.Dial(ctx2, who("ann"), gate.DialAsk{Number: "8 916 000 00 02", Door: "test"}); err != nil {
		t.Fatalf("who may call anybody need not wait for whose client it is: %v", err)
	}
}

func TestOnesOwnPhoneRingsAndAColleagueIsNamedById(t *testing.T) {
	o, _ := dialOffice(t)
	ask := func(a gate.DialAsk) string {
		v, err := o.gate.Dial(t.Context(), who("ann"), a)
		if err != nil {
			return gate.AsProblem(err).Code
		}
		return v.Phone
	}
	for want, a := range map[string]gate.DialAsk{
		"PJSIP/101": {Employee: "col"}, "PJSIP/111": {Number: "104", Phone: "pjsip/111"}, "not_your_phone": {Number: "104", Phone: "PJSIP/102"},
		"no_such_employee": {Employee: "nobody"}, "no_number": {Employee: "mute"},
	} {
		if got := ask(a); got != want {
			t.Errorf("%+v: %s, want %s", a, got, want)
		}
	}
	if e := o.audit.last(t, audit.Done); !slices.Equal(e.Targets, []string{"col"}) {
		t.Errorf("on record is %+v", e)
	}
	if c := o.pbx.calls[0]; c.Caller.Name != "Ann" || c.Caller.Number.Digits() != "101" {
		t.Errorf("the one called is shown %+v", c.Caller)
	}
}

func TestACallThatCannotBeRecordedOrCarriedOut(t *testing.T) {
	o, _ := dialOffice(t)
	o.audit.failing(audit.Decided)
	if got := o.dials("ann", "101"); got != "not_recorded" {
		t.Fatal(got)
	}
	if got := o.dials("ann", "112"); got != "ok" || len(o.pbx.calls) != 1 {
		t.Fatalf("an emergency call that cannot be recorded: %s", got)
	}
	o.audit.failing()
	o.pbx.failing("call", fmt.Errorf("%w: 500", pbx.ErrUnreachable))
	if got := o.dials("ann", "104"); got != "phone_unreachable" {
		t.Fatal(got)
	}
	o.pbx.failing("call", errors.New("gone"))
	if got := o.dials("ann", "104"); got != "pbx_failed" {
		t.Fatal(got)
	}
	if e := o.audit.last(t, audit.Failed); e.Reason != "pbx_failed" {
		t.Fatalf("%+v", e)
	}
}

// The phone that rings for its owner to call somebody is his call going out: nobody is offered it, and Earshot does not clear it away.
func TestAClickedCallIsItsOwnersCallGoingOut(t *testing.T) {
	o := newOffice(t, house)
	leg := "earshot-abc-call"
	o.pbx.put(call.LegID(leg), "")
	o.seen(call.Channel{ID: call.LegID(leg), Name: "PJSIP/101-1", State: call.StateDown, App: "AppDial2"})
	o.ingest(call.Event{Kind: call.DialBegan, Peer: o.ch(leg)})
	o.state(leg, call.StateRinging)
	r := o.row("fay", "anna")
	if r.State != "ringing" || r.Calls[0].Direction != "out" || len(r.Can) > 0 {
		t.Fatalf("%+v", r)
	}
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: o.picture()})
	o.state(leg, call.StateUp)
	o.leg("b", "PJSIP/102", call.StateDown, "")
	o.dial(leg, "b", "102")
	o.state("b", call.StateRinging)
	if r := o.row("carl", "anna"); r.State != "dialling" || r.Calls[0].Direction != "out" || r.Calls[0].Peer == nil || r.Calls[0].Peer.Employee != "boris" {
		t.Fatalf("%+v", r)
	}
	if lines := o.log.all(); slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "drop") }) {
		t.Fatalf("%q", lines)
	}
}

// Between the question and the answer of a directory the policy may have changed: what holds when it is dialled decides.
func TestACallIsDecidedByThePolicyThatIsInForceWhenItIsMade(t *testing.T) {
	o, b := dialOffice(t)
	go func() {
		number := <-b.asked
		o.gate.SetPolicy(set(t, strings.Replace(callers, "dial: {clients: own}", "dial: none", 1)))
		b.learns(number)
		o.gate.Learned(number)
	}()
	if got := o.dials("cli", "8 916 000 00 01"); got != "no_right" || len(o.pbx.calls) != 0 {
		t.Fatalf("%s, %d calls", got, len(o.pbx.calls))
	}
}

func TestAnEmergencyCallGoesOutFromAPhoneThatSupervises(t *testing.T) {
	o := newOffice(t, house+"emergency: [\"112\"]\n")
	o.talk("x", ivanov, "PJSIP/101")
	o.active("dora", "spy", "anna")
	if got := o.dials("dora", "112"); got != "ok" {
		t.Fatal(got)
	}
}

func TestWhatACredentialThatHasEndedAskedForIsNotBegun(t *testing.T) {
	holds := true
	var mu sync.Mutex
	o := newOffice(t, callers+"roles: {boss: {listen: true, intercept: {to: any}}}\nassign: [{role: boss, to: [ann]}]\n", func(c *gate.Config) {
		c.Holds = func(auth.Subject) bool { mu.Lock(); defer mu.Unlock(); return holds }
		c.Dialling.Context = "phones"
	})
	o.talk("x", ivanov, "PJSIP/102")
	o.rings("y", ivanov, "PJSIP/103")
	id := o.active("ann", "spy", "cli")
	mu.Lock()
	holds = false
	mu.Unlock()
	for what, got := range map[string]string{
		"a mode": o.change("ann", id, "barge"), "a call": o.dials("ann", "103"),
	} {
		if got != "credential_ended" {
			t.Errorf("%s: %s", what, got)
		}
	}
	o.refused("credential_ended", "ann", "whisper", "cli")
	o.refused("credential_ended", "ann", "intercept", "mix")
	if len(o.pbx.calls)+len(o.pbx.takes) > 0 || len(o.pbx.rung) != 1 {
		t.Error("something was ordered")
	}
}

// A directory that has forgotten what it knew is asked again before a call that is being taken is let go of; one that says otherwise is heard at
// once.
func TestAnInterceptOutlivesAMomentInWhichNobodyKnowsTheClient(t *testing.T) {
	for name, c := range map[string]struct {
		then   func(b *book)
		reason string
	}{
		"the same again":        {func(b *book) { b.learns(ivanov) }, ""},
		"another is his":        {func(b *book) { b.slow[ivanov] = clients.Client{Number: ivanov, Responsible: "fay"}; b.learns(ivanov) }, "not_client"},
		"he is nobody's client": {func(b *book) { b.mu.Lock(); delete(b.slow, ivanov); b.mu.Unlock() }, "not_client"},
	} {
		t.Run(name, func(t *testing.T) {
			b := &book{known: map[string]clients.Client{ivanov: {Number: ivanov, Name: "Ivanov", Responsible: "gus"}}, slow: map[string]clients.Client{}, asked: make(chan string, 16)}
			o := newOffice(t, house, func(c *gate.Config) { c.Clients = b })
			o.pbx.silent = true
			o.rings("x", ivanov, "PJSIP/101")
			w := o.watch("gus")
			id := o.must("gus", "intercept", "anna")
			for o.row("gus", "gus").State != "ringing" {
				o.pass(0) // the order goes on in another goroutine
			}
			var order pbx.Take
			o.pbx.set(func() { order = o.pbx.takes[0] })
			b.mu.Lock()
			b.slow[ivanov] = b.known[ivanov]
			delete(b.known, ivanov)
			b.mu.Unlock()
			o.gate.Learned("")
			if o.gate.Ending(id) {
				t.Fatal("it ends though nobody has said anything else")
			}
			c.then(b)
			o.gate.Learned(ivanov)
			if o.gate.Ending(id) != (c.reason != "") {
				t.Fatal("what was said then does not decide")
			}
			if c.reason != "" {
				if got := w.act(id, "ended"); got != c.reason {
					t.Fatal(got)
				}
				return
			}
			o.pbx.pickUp(order)
			w.act(id, "taken")
		})
	}
}

func TestMeTellsWhetherOneMayDial(t *testing.T) {
	o, _ := dialOffice(t)
	for employee, want := range map[string]bool{"ann": true, "cli": true, "non": false, "mute": false} {
		me, err := o.gate.Me(who(employee))
		if err != nil || slices.Contains(me.Actions, "dial") != want {
			t.Errorf("%s: %v %v", employee, me.Actions, err)
		}
	}
}

// A leg that was rung for its owner to call somebody, and that the dialplan brings to the phone door, goes out by the decision that was made
// then, once; what differs from that in anything is decided anew.
func TestAClickIsDecidedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		change func(o *office, s *string, ask *gate.DialAsk)
		anew   bool
		want   string
	}{
		"as it was":       {func(*office, *string, *gate.DialAsk) {}, false, "ok"},
		"another number":  {func(_ *office, _ *string, ask *gate.DialAsk) { ask.Number = "88121234568" }, true, "ok"},
		"another's phone": {func(_ *office, s *string, ask *gate.DialAsk) { *s, ask.Phone = "non", "PJSIP/105" }, true, "not_your_phone"},
		"another leg":     {func(o *office, _ *string, ask *gate.DialAsk) { ask.Leg = o.waits("z", "PJSIP/101") }, true, "ok"},
		"another policy": {func(o *office, _ *string, _ *gate.DialAsk) {
			o.gate.SetPolicy(set(o.t, strings.Replace(callers, "dial: any}\n  cli", "dial: none}\n  cli", 1)))
		}, true, "no_right"},
		"a leg that is gone": {func(o *office, _ *string, ask *gate.DialAsk) { o.gone(ask.Leg) }, true, "not_your_phone"},
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := dialOffice(t)
			if _, err := o.gate.Dial(t.Context(), who("ann"), gate.DialAsk{Number: "88121234567", Door: "test"}); err != nil {
				t.Fatal(err)
			}
			leg := string(o.pbx.calls[0].Leg)
			o.seen(call.Channel{ID: call.LegID(leg), Name: "PJSIP/101-0000000a", State: call.StateUp, App: "Stasis"})
			subject, ask := "ann", gate.DialAsk{Number: "88121234567", Phone: "PJSIP/101", Leg: leg, Door: gate.DoorPhone}
			before := o.audit.count()
			c.change(o, &subject, &ask)
			_, err := o.gate.Dial(t.Context(), who(subject), ask)
			if code(err) != c.want {
				t.Fatal(err)
			}
			if anew := o.audit.count() > before; anew != c.anew && c.want != "not_your_phone" {
				t.Errorf("decided anew: %v", anew)
			}
			if s := o.pbx.sends; (c.want == "ok") != (len(s) == 1) || len(s) == 1 && (s[0].Leg != call.LegID(ask.Leg) || s[0].Context != "earshot-outgoing" || s[0].Extension != ask.Number) {
				t.Errorf("%+v", s)
			}
			if c.anew {
				return
			}
			if _, err := o.gate.Dial(t.Context(), who(subject), ask); err != nil || o.audit.count() == before {
				t.Errorf("a second time: %v, %d entries more", err, o.audit.count()-before)
			}
		})
	}
}
