package amiproxy_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/amiproxy"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/feed"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/agent/pbxtest/stage"
	"github.com/earshot-pbx/earshot/agent/queue"
	"github.com/earshot-pbx/earshot/agent/recording"
	"github.com/earshot-pbx/earshot/ami"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The people of the attack cases: alice sees nothing of others and may dial inside only, carol may listen to bob, dave may take his calls, the boss is
// excluded from everything; erik looks at lines and sees nobody's other side; olga sees and may do all that can be granted.
const policyText = `
version: 1
employees:
  alice: {name: Alice, phones: [PJSIP/100], numbers: ["100"], dial: employees}
  carol: {name: Carol, phones: [PJSIP/120], numbers: ["120"], listen: {to: [bob, boss], allow: [spy]}}
  dave:  {name: Dave, phones: [PJSIP/130], numbers: ["130"], intercept: {to: [bob]}, settings.user: own}
  boss:  {name: Boss, phones: [PJSIP/200], numbers: ["200"]}
  bob:   {name: Bob, phones: [PJSIP/210, PJSIP/211, SIP/212], numbers: ["210"]}
  erik:  {name: Erik, phones: [PJSIP/310], numbers: ["310"], line.view: any, line.connect: any}
  olga:  {name: Olga, phones: [PJSIP/300], numbers: ["300"], observe: true, listen: true, intercept: true, dial: employees, line.view: any, line.connect: any, line.change: any, settings.user: any, record: any}
  wall:  {panel: true, name: The wall, observe: true}
lines:
  sales: {name: Sales line, queue: q-sales, members: [bob]}
protected: {employees: [boss]}
trunks: [PJSIP/trunk]
`

var start = stage.Start

// world is the door over a real gate and a real feed. The PBX does nothing but take orders.
type world struct {
	t      testing.TB
	gate   *gate.Gate
	feed   *feed.Feed
	pbx    *fakePBX
	board  *switchboard
	book   *stage.Record
	tokens *auth.Tokens
	token  map[string]string
	door   *amiproxy.Server
	addr   string
	reg    *prometheus.Registry
	log    *stage.Log
	now    atomic.Int64 // of the tokens

	collect *[]call.Event // of a world without a feed: takes what would be ingested
}

func newWorld(t testing.TB, change ...func(*amiproxy.Config)) *world {
	t.Helper()
	return newWorldOf(t, policyText, []string{"alice", "carol", "dave", "boss", "bob", "erik", "olga"}, change...)
}

// newWorldOf is a world under another policy, whose people these are.
func newWorldOf(t testing.TB, policyText string, people []string, change ...func(*amiproxy.Config)) *world {
	t.Helper()
	w := &world{t: t, pbx: &fakePBX{more: make(chan struct{}, 1)}, board: &switchboard{}, book: &stage.Record{}, token: map[string]string{}, reg: prometheus.NewRegistry(), log: &stage.Log{}}
	w.now.Store(time.Now().Unix())
	w.feed = feed.New(feed.Config{
		Now:     func() time.Time { return start },
		OnApply: func(t *call.Table, ev *call.Event, ch []call.Change) { w.gate.Applied(t, ev, ch) },
	})
	set := w.policy(policyText)
	var err error
	var entries []auth.Entry
	for _, who := range people {
		token, hash := auth.NewToken()
		w.token[who] = token
		entries = append(entries, auth.Entry{Employee: who, Hash: hash, Expires: time.Now().Add(time.Hour)})
	}
	token, hash := auth.NewToken()
	w.token["crm"] = token
	entries = append(entries, auth.Entry{Panel: "crm", ActsFor: []string{"alice", "olga"}, Hash: hash, Expires: time.Now().Add(time.Hour)})
	w.token["wall"], hash = auth.NewToken()
	entries = append(entries, auth.Entry{Panel: "wall", ActsFor: []string{"alice"}, Hash: hash, Expires: time.Now().Add(time.Hour)})
	panel := func(name string) bool { ref, _ := set.Employee(name); return set.Panel(ref) }
	if w.tokens, err = auth.NewTokens(auth.Options{Clock: func() time.Time { return time.Unix(w.now.Load(), 0) }, Panel: panel}, entries...); err != nil {
		t.Fatal(err)
	}
	spools, err := recording.OpenSpools([]recording.SpoolConfig{{Name: "ari", Path: t.TempDir(), ARI: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = spools.Close() })
	w.gate = gate.New(gate.Config{
		Recordings: &gate.Recordings{Spools: spools}, Dialling: gate.Dialling{Context: "from-internal"},
		Feed: w.feed, PBX: w.pbx, Audit: w.book, Clients: stage.Nobody{}, Policy: set, Log: zerolog.Nop(), Metrics: gate.NewMetrics(nil), LinesEvery: 1,
		Settings: gate.Settings{Switchboard: w.board, Forward: "CF", DoNotDisturb: "DND"},
	})
	cfg := amiproxy.Config{
		Gate: w.gate, Auth: w.tokens, Panel: w.tokens.Panel, Context: "from-internal", Version: "1.2.3", Log: zerolog.New(w.log), Registerer: w.reg,
		Clock: w.clock,
	}
	for _, c := range change {
		c(&cfg)
	}
	if w.door, err = amiproxy.New(cfg); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- w.door.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		end, done := context.WithTimeout(context.Background(), 20*time.Second)
		defer done()
		if err := w.gate.Close(end); err != nil {
			t.Errorf("close the gate: %v", err)
		}
	})
	w.ingest(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{}})
	w.gate.Queues(queue.Event{Kind: queue.Taken, Queues: []queue.State{{Name: "q-sales", Members: []queue.Member{{Interface: "PJSIP/210"}}}}})
	return w
}

// policy compiles one.
func (w *world) policy(text string) *policy.Set {
	w.t.Helper()
	return stage.Policy(w.t, text)
}

// changes puts another policy in force.
func (w *world) changes(text string) { w.gate.SetPolicy(w.policy(text)) }

// clock is the door's.
func (w *world) clock() time.Time { return at(75) }

// login is a panel that has logged in, by Earshot's own client for AMI.
func (w *world) login(username, secret string) *ami.Client {
	w.t.Helper()
	c, err := ami.Dial(w.t.Context(), ami.Config{Addr: w.addr, Username: username, Secret: ami.Secret(secret), PlainLogin: true})
	if err != nil {
		w.t.Fatalf("%s logs in: %v", username, err)
	}
	w.t.Cleanup(c.Close)
	return c
}

func (w *world) as(who string) *ami.Client { return w.login(who, w.token[who]) }

// act makes an action of a name and pairs of a header and its value.
func act(name string, headers ...string) *ami.Message {
	m := ami.NewAction(name)
	for i := 0; i+1 < len(headers); i += 2 {
		m.Append(headers[i], headers[i+1])
	}
	return m
}

// rows asks for a list.
func rows(t testing.TB, c *ami.Client, name string, headers ...string) []*ami.Message {
	t.Helper()
	list, _, err := c.List(t.Context(), act(name, headers...))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return list
}

// channel is the name of the one channel of a phone.
func channelOf(t testing.TB, c *ami.Client, phone string) (name, id string) {
	t.Helper()
	for _, r := range rows(t, c, "CoreShowChannels") {
		if strings.HasPrefix(r.Get("Channel"), phone+"-") {
			return r.Get("Channel"), r.Get("Uniqueid")
		}
	}
	t.Fatalf("no channel of %s", phone)
	return "", ""
}

func at(seconds int) time.Time { return stage.At(seconds) }

func (w *world) ingest(events ...call.Event) {
	for i := range stage.Dated(events) {
		if w.collect != nil {
			*w.collect = append(*w.collect, events[i])
			continue
		}
		w.feed.Ingest(&events[i])
	}
}

func leg(id, endpoint string, s call.State, own, other call.Identity) call.Channel {
	return stage.Leg(id, endpoint, s, own, other)
}

// rings has somebody from outside ring a phone.
func (w *world) rings(id, name, number, endpoint string) {
	w.ingest(stage.Rings(id, name, number, endpoint)...)
}

// talks has somebody from outside talk on a phone.
func (w *world) talks(id, name, number, endpoint string) {
	w.ingest(stage.Talks(id, name, number, endpoint)...)
}

// fakePBX takes orders and carries out nothing. What no test wants of it is nil.
type fakePBX struct {
	gate.PBX

	mu     sync.Mutex
	orders []string   // the kind and the phone of each
	leg    call.LegID // of the last phone that was rung
	more   chan struct{}
}

func (f *fakePBX) order(what ...string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.orders = append(f.orders, strings.Join(what, " "))
	select {
	case f.more <- struct{}{}:
	default:
	}
	return nil
}

// ordered waits until there is one order, and compares it.
func (f *fakePBX) ordered(t *testing.T, want string) {
	t.Helper()
	select {
	case <-f.more:
	case <-time.After(10 * time.Second):
		t.Fatalf("nothing was ordered, not %q", want)
	}
	if got := f.taken(); len(got) != 1 || got[0] != want {
		t.Errorf("the PBX was asked for %v, not %q", got, want)
	}
}

// taken are the orders up to now.
func (f *fakePBX) taken() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.orders...)
}

func (f *fakePBX) Ring(_ context.Context, o pbx.Ring) error {
	f.mu.Lock()
	f.leg = o.Leg
	f.mu.Unlock()
	return f.order("ring", o.Endpoint)
}

// rung is the leg of the last phone that was rung.
func (f *fakePBX) rung() call.LegID {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.leg
}

func (f *fakePBX) Take(_ context.Context, o pbx.Take) error {
	return f.order("take", o.Endpoint, string(o.Ringing))
}
func (f *fakePBX) Call(_ context.Context, o pbx.Call) error {
	f.mu.Lock()
	f.leg = o.Leg
	f.mu.Unlock()
	return f.order("call", o.Endpoint)
}
func (f *fakePBX) QueueAdd(context.Context, pbx.QueueMember) error    { return f.order("queue add") }
func (f *fakePBX) QueueRemove(context.Context, pbx.QueueMember) error { return f.order("queue remove") }
func (f *fakePBX) QueuePause(_ context.Context, o pbx.QueueMember) error {
	return f.order(strings.TrimSpace("queue pause " + o.Reason))
}
func (f *fakePBX) QueuePenalty(context.Context, pbx.QueueMember) error {
	return f.order("queue penalty")
}
func (f *fakePBX) Record(_ context.Context, o pbx.Record) error {
	return f.order("record", string(o.Target))
}
func (f *fakePBX) PauseRecording(context.Context, string) error  { return f.order("pause") }
func (f *fakePBX) ResumeRecording(context.Context, string) error { return f.order("resume") }
func (f *fakePBX) Redirect(_ context.Context, o pbx.Redirect) error {
	return f.order("redirect", string(o.Leg)+string(o.With), string(o.To.Number))
}
func (f *fakePBX) Transfer(_ context.Context, o pbx.Transfer) error {
	return f.order("transfer", string(o.Leg), string(o.To.Number))
}
func (f *fakePBX) Consult(_ context.Context, o pbx.Consult) error {
	return f.order("consult", string(o.Asks), string(o.To.Number))
}
func (f *fakePBX) Park(_ context.Context, o pbx.Park) error { return f.order("park", string(o.Leg)) }
func (f *fakePBX) Connect(_ context.Context, o pbx.Connect) error {
	return f.order("connect", o.OneName, o.OtherName)
}
func (f *fakePBX) Mute(_ context.Context, o pbx.Mute) error {
	return f.order("mute", string(o.Leg), o.Direction)
}
func (f *fakePBX) Press(_ context.Context, o pbx.Press) error {
	return f.order("press", string(o.Leg), o.Digits)
}

// Drop orders nothing that has to be decided, but for a leg that was somebody's before.
func (f *fakePBX) Drop(_ context.Context, _ call.BridgeID, legs ...call.LegID) error {
	for _, l := range legs {
		if !strings.HasPrefix(string(l), pbx.Prefix) {
			return f.order("drop", string(l))
		}
	}
	return nil
}
func (f *fakePBX) Renew(context.Context, time.Duration, ...call.LegID) error { return nil }

// switchboard has what employees have set.
type switchboard struct {
	gate.Switchboard

	mu    sync.Mutex
	quiet map[string]string // those not to be disturbed, by their extensions
	asked int
}

func (s *switchboard) Family(_ context.Context, family string) (map[string]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked++; family != "DND" {
		return nil, errors.New("nothing else is asked for")
	}
	return maps.Clone(s.quiet), nil
}

func (s *switchboard) Lookup(ctx context.Context, family, key string) (string, error) {
	all, err := s.Family(ctx, family)
	return all[key], err
}

// keep has these extensions not be disturbed.
func (s *switchboard) keep(extensions ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quiet = map[string]string{}
	for _, e := range extensions {
		s.quiet[e] = "YES"
	}
}

func (s *switchboard) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}
