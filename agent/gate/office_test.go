package gate_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/feed"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is the policy of most tests. Who has which right is in the names' first letters: anna and boris have none, carl may all, dora may
// spy and see nothing, egor is whom some may not hear, fay may take any call, gus his clients', hana is protected, ivo sees all but egor.
const house = `
version: 1
departments: {sales: {name: Sales}}
employees:
  anna:  {name: Anna,  phones: [PJSIP/101], numbers: ["101"], department: sales, lock: true}
  boris: {name: Boris, phones: [PJSIP/102], numbers: ["102"], department: sales}
  carl:  {name: Carl,  phones: [PJSIP/103, PJSIP/113], numbers: ["103"], observe: true, listen: true, intercept: {to: any}}
  dora:  {name: Dora,  phones: [PJSIP/104], numbers: ["104"], listen: {to: any, allow: [spy], except: [egor]}}
  egor:  {name: Egor,  phones: [PJSIP/105], numbers: ["105", "+79160000105"], listen: true}
  fay:   {name: Fay,   phones: [PJSIP/106], numbers: ["106"], intercept: {to: any, except: [egor]}}
  gus:   {name: Gus,   phones: [PJSIP/107], numbers: ["107"], intercept: {to: own, except: [egor]}}
  hana:  {name: Hana,  phones: [PJSIP/108], numbers: ["108"], listen: true}
  ivo:   {name: Ivo,   phones: [PJSIP/109], numbers: ["109"], observe: {to: any, except: [egor]}, listen: {to: any, except: [egor]}}
  nils:  {name: Nils,  numbers: ["110"], listen: true}
protected:
  employees: [hana]
  numbers: ["+7 495 765-43-21"]
trunks: [PJSIP/trunk]
`

const (
	ivanov = "+79161234567" // gus's client
	other  = "+78120000000" // nobody's
	secret = "+74957654321" // protected
)

var start = time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)

// office is a gate over a real feed, with a PBX that does what it is told, and everything that happens outside the gate in one log.
type office struct {
	t     testing.TB
	gate  *gate.Gate
	feed  *feed.Feed
	pbx   *fakePBX
	log   *journal
	audit *recorder
	past  *journalkeeper // nil: nothing is kept

	mu    sync.Mutex
	chans map[string]call.Channel
	now   int
}

func newOffice(t testing.TB, text string, change ...func(*gate.Config)) *office {
	t.Helper()
	return newOfficeKept(t, text, func(*office) {}, nil, change...)
}

// newOfficeKept makes one of which a journal is kept; made is told of it before anything happens there.
func newOfficeKept(t testing.TB, text string, made func(*office), past *journalkeeper, change ...func(*gate.Config)) *office {
	t.Helper()
	o := &office{t: t, chans: map[string]call.Channel{}, log: &journal{wake: make(chan struct{})}, past: past}
	made(o)
	o.audit = &recorder{log: o.log}
	o.pbx = &fakePBX{office: o}
	o.feed = feed.New(feed.Config{
		Now: func() time.Time { return o.moment() },
		OnApply: func(t *call.Table, ev *call.Event, ch []call.Change) {
			o.gate.Applied(t, ev, ch)
			if o.past != nil {
				o.past.scribe.Apply(t, ev, ch)
			}
		},
	})
	c := gate.Config{
		Feed: o.feed, PBX: o.pbx, Audit: o.audit, Clients: directory{ivanov: {Number: ivanov, Name: "Ivanov Ltd", Responsible: "gus"}},
		Policy: set(t, text), Log: zerolog.Nop(), Grace: 20 * time.Millisecond,
	}
	for _, f := range change {
		f(&c)
	}
	o.gate = gate.New(c)
	t.Cleanup(o.close)
	if len(c.Estate.Acts) == 0 {
		o.snapshot()
	}
	return o
}

func (o *office) close() {
	o.pbx.let()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := o.gate.Close(ctx); err != nil {
		o.t.Errorf("close the gate: %v", err)
	}
}

func set(t testing.TB, text string) *policy.Set {
	t.Helper()
	s, problems, err := policy.Load("policy.yaml", []byte(text), start)
	if err != nil {
		t.Fatalf("the policy of the test: %v %v", err, problems)
	}
	return s
}

func (o *office) moment() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return start.Add(time.Duration(o.now) * time.Second)
}

// pass lets seconds pass, and moves end.
func (o *office) pass(seconds int) {
	o.mu.Lock()
	o.now += seconds
	o.mu.Unlock()
	o.feed.Tick()
}

func (o *office) ingest(ev call.Event) {
	ev.At = o.moment()
	o.feed.Ingest(&ev)
}

func (o *office) snapshot() { o.ingest(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{}}) }

// ch is a leg that is there; seen makes or changes one.
func (o *office) ch(id string) call.Channel {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.chans[id]
}

func (o *office) seen(ch call.Channel) {
	o.mu.Lock()
	if ch.Created.IsZero() {
		ch.Created = start.Add(time.Duration(len(o.chans)) * time.Nanosecond)
	}
	o.chans[string(ch.ID)] = ch
	o.mu.Unlock()
	o.ingest(call.Event{Kind: call.LegSeen, Channel: ch})
}

func (o *office) state(id string, s call.State) {
	ch := o.ch(id)
	ch.State = s
	o.seen(ch)
}

// leg makes a leg of an endpoint, or of the trunk if who is a number.
func (o *office) leg(id, who string, s call.State, exten string) {
	ch := call.Channel{ID: call.LegID(id), Name: who + "-" + id, State: s, Exten: exten}
	if number, ok := strings.CutPrefix(who, "PJSIP/"); ok {
		ch.Caller.Number = call.Number(number)
	} else {
		ch.Name, ch.Caller = "PJSIP/trunk-"+id, call.Identity{Name: "Mr " + who, Number: call.Number(who)}
	}
	switch s {
	case call.StateDown:
		ch.App = "AppDial"
	case call.StateRing, call.StateUp:
		ch.App = "Dial"
	default:
	}
	o.seen(ch)
}

func (o *office) dial(from, to, what string) {
	o.ingest(call.Event{Kind: call.DialBegan, Channel: o.ch(from), Peer: o.ch(to), Dialled: what})
}

func (o *office) enter(bridge string, legs ...string) {
	for _, id := range legs {
		o.ingest(call.Event{Kind: call.BridgeEntered, Bridge: call.Bridge{ID: call.BridgeID(bridge), Type: "mixing"}, Channel: o.ch(id)})
	}
}

func (o *office) leave(bridge string, legs ...string) {
	for _, id := range legs {
		o.ingest(call.Event{Kind: call.BridgeLeft, Bridge: call.Bridge{ID: call.BridgeID(bridge)}, Channel: o.ch(id)})
	}
}

// gone has legs go, whoever has them hung up, and not their phones.
func (o *office) gone(legs ...string) {
	for _, id := range legs {
		o.ingest(call.Event{Kind: call.LegGone, Channel: o.ch(id)})
		o.mu.Lock()
		delete(o.chans, id)
		o.mu.Unlock()
	}
}

// rings lets from (a phone, or a number outside) call, and the phones to ring: legs NAME.0, NAME.1, …
func (o *office) rings(name, from string, to ...string) {
	exten := strings.TrimPrefix(to[0], "PJSIP/")
	o.leg(name+".0", from, call.StateRing, exten)
	for i, phone := range to {
		id := fmt.Sprintf("%s.%d", name, i+1)
		o.leg(id, phone, call.StateDown, "")
		o.dial(name+".0", id, strings.TrimPrefix(phone, "PJSIP/"))
		o.state(id, call.StateRinging)
	}
}

// answers lets the n-th rung phone answer.
func (o *office) answers(name string, n int) {
	peer := fmt.Sprintf("%s.%d", name, n)
	o.state(peer, call.StateUp)
	o.state(name+".0", call.StateUp)
	o.ingest(call.Event{Kind: call.DialEnded, Channel: o.ch(name + ".0"), Peer: o.ch(peer), Answered: true})
	o.enter(name, peer, name+".0")
}

// talk is a call that has been answered.
func (o *office) talk(name, from, to string) {
	o.rings(name, from, to)
	o.answers(name, 1)
}

func (o *office) hangUp(name string) { o.gone(name+".0", name+".1") }

type directory map[string]clients.Client

func (d directory) Find(number string) (clients.Client, clients.Answer) {
	c, ok := d[number]
	if !ok {
		return c, clients.Stranger
	}
	return c, clients.Found
}
