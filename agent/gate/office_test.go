package gate_test

import (
	"context"
	"encoding/json"
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
  anna:  {name: Anna,  phones: [PJSIP/101], numbers: ["101"], department: sales}
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

	mu    sync.Mutex
	chans map[string]call.Channel
	now   int
}

func newOffice(t testing.TB, text string, change ...func(*gate.Config)) *office {
	t.Helper()
	o := &office{t: t, chans: map[string]call.Channel{}, log: &journal{wake: make(chan struct{})}}
	o.audit = &recorder{log: o.log}
	o.pbx = &fakePBX{office: o}
	o.feed = feed.New(feed.Config{
		Now:     func() time.Time { return o.moment() },
		OnApply: func(t *call.Table, ev *call.Event, ch []call.Change) { o.gate.Applied(t, ev, ch) },
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
	o.snapshot()
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
	if s == call.StateDown {
		ch.App = "AppDial"
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

// who is a subject that has proven himself.
func who(employee string, expires ...time.Time) auth.Subject {
	token, hash := auth.NewToken()
	e := auth.Entry{Employee: employee, Hash: hash}
	if len(expires) > 0 {
		e.Expires = expires[0]
	}
	tokens, err := auth.NewTokens(auth.Options{Clock: func() time.Time { return start }}, e)
	if err != nil {
		panic(err)
	}
	s, err := tokens.Authenticate(context.Background(), auth.Credential{Token: token})
	if err != nil {
		panic(err)
	}
	return s
}

// ask asks for a supervision, or with mode "intercept" for the ringing call, and returns its id or the problem's code.
func (o *office) ask(subject, mode, target string, more ...string) (id, code string) {
	o.t.Helper()
	ask := gate.Ask{Target: target, Mode: mode, Door: "test"}
	for _, m := range more {
		if strings.HasPrefix(m, "PJSIP/") {
			ask.Phone = m
		} else {
			ask.Call = m
		}
	}
	var err error
	if mode == "intercept" {
		v, e := o.gate.Intercept(o.t.Context(), who(subject), ask)
		id, err = v.ID, e
	} else {
		v, e := o.gate.Supervise(o.t.Context(), who(subject), ask)
		id, err = v.ID, e
	}
	if err == nil {
		return id, ""
	}
	return "", gate.AsProblem(err).Code
}

// must is ask where a refusal fails the test.
func (o *office) must(subject, mode, target string, more ...string) string {
	o.t.Helper()
	id, code := o.ask(subject, mode, target, more...)
	if code != "" {
		o.t.Fatalf("%s may not %s %s: %s", subject, mode, target, code)
	}
	return id
}

func (o *office) refused(code, subject, mode, target string, more ...string) {
	o.t.Helper()
	if _, got := o.ask(subject, mode, target, more...); got != code {
		o.t.Fatalf("%s %s %s %v: %q, want %q", subject, mode, target, more, got, code)
	}
}

// active starts a supervision and waits until it runs.
func (o *office) active(subject, mode, target string, more ...string) string {
	o.t.Helper()
	w := o.watch(subject)
	defer w.Close()
	id := o.must(subject, mode, target, more...)
	w.act(id, "active")
	return id
}

func (o *office) row(subject, target string) (r struct {
	State string
	Calls []struct {
		ID, Direction, State, Supervision string
		Hidden                            bool
		Peer                              *struct{ Number, Name, Employee string }
	}
	Can []string
}) {
	o.t.Helper()
	b, err := o.gate.Employees(who(subject))
	if err != nil {
		o.t.Fatal(err)
	}
	for i := range b.Employees {
		if b.Employees[i].ID == target {
			data, _ := json.Marshal(b.Employees[i])
			if err := json.Unmarshal(data, &r); err != nil {
				o.t.Fatal(err)
			}
			return r
		}
	}
	o.t.Fatalf("no row of %s", target)
	return r
}

// watcher reads a stream and checks that it has no gaps.
type watcher struct {
	*gate.Watcher
	t   testing.TB
	seq uint64
}

func (o *office) watch(subject string) *watcher {
	o.t.Helper()
	w, err := o.gate.Watch(who(subject))
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(w.Close)
	s := &watcher{Watcher: w, t: o.t}
	if m := s.next(); m.Type != gate.MessageSnapshot {
		o.t.Fatalf("the first message is %s", m.Type)
	}
	return s
}

func (w *watcher) next() gate.Message {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	m, err := w.Next(ctx)
	if err != nil {
		w.t.Fatalf("after message %d: %v", w.seq, err)
	}
	w.seq++
	if m.Seq != w.seq {
		w.t.Fatalf("message %d has the number %d", w.seq, m.Seq)
	}
	return m
}

// all takes what is there without waiting.
func (w *watcher) all() (got []gate.Message) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for misses := 0; misses < 20; {
		m, err := w.Next(ctx) // chooses at random while both are ready
		if err != nil {
			misses++
			continue
		}
		w.seq++
		if m.Seq != w.seq {
			w.t.Fatalf("message %d has the number %d", w.seq, m.Seq)
		}
		got = append(got, m)
		misses = 0
	}
	return got
}

// act waits until an act has a state and returns the reason.
func (w *watcher) act(id, state string) string {
	w.t.Helper()
	for {
		m := w.next()
		if s := m.Supervision; s != nil && s.ID == id && s.State == state {
			return s.Reason
		}
		if s := m.Intercept; s != nil && s.ID == id && s.State == state {
			return s.Reason
		}
	}
}

type directory map[string]clients.Client

func (d directory) Lookup(number string) (clients.Client, bool) {
	c, ok := d[number]
	return c, ok
}

// journal is what happened, in order: what was recorded, what was ordered.
type journal struct {
	mu    sync.Mutex
	lines []string
	wake  chan struct{}
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
	close(j.wake)
	j.wake = make(chan struct{})
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.lines)
}

// until waits for a line that begins so, the n-th if given.
func (j *journal) until(t testing.TB, prefix string, n ...int) string {
	t.Helper()
	timeout := time.After(10 * time.Second)
	want := 1
	if len(n) > 0 {
		want = n[0]
	}
	for {
		j.mu.Lock()
		wake, count := j.wake, 0
		for _, l := range j.lines {
			if strings.HasPrefix(l, prefix) {
				if count++; count == want {
					j.mu.Unlock()
					return l
				}
			}
		}
		j.mu.Unlock()
		select {
		case <-wake:
		case <-timeout:
			t.Fatalf("no %q; there was:\n%s", prefix, strings.Join(j.all(), "\n"))
		}
	}
}

func (o *office) happened(want ...string) {
	o.t.Helper()
	if got := o.log.all(); !slices.Equal(got, want) {
		o.t.Fatalf("there was:\n  %s\nnot:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// recorder is an audit log in memory.
type recorder struct {
	log *journal

	mu      sync.Mutex
	entries []audit.Entry
	fail    map[audit.Phase]bool
	before  func(audit.Entry)
}

var errDisk = errors.New("disk full")

func (r *recorder) Append(_ context.Context, e audit.Entry) error {
	r.mu.Lock()
	fail, before := r.fail[e.Phase], r.before
	r.mu.Unlock()
	if before != nil {
		before(e)
	}
	if fail {
		return errDisk
	}
	r.mu.Lock()
	r.entries = append(r.entries, e)
	r.mu.Unlock()
	line := "record " + string(e.Phase)
	if e.Outcome != "" {
		line += " " + string(e.Outcome)
	}
	if e.Reason != "" {
		line += " " + e.Reason
	}
	r.log.add("%s", line)
	return nil
}

func (r *recorder) failing(phases ...audit.Phase) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = map[audit.Phase]bool{}
	for _, p := range phases {
		r.fail[p] = true
	}
}

// last is the newest entry of a phase.
func (r *recorder) last(t testing.TB, p audit.Phase) audit.Entry {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range slices.Backward(r.entries) {
		if e.Phase == p {
			return e
		}
	}
	t.Fatalf("nothing %s is on record", p)
	return audit.Entry{}
}
