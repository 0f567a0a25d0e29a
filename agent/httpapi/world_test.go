package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/feed"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/httpapi"
	past "github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/agent/pbxtest/stage"
	"github.com/earshot-pbx/earshot/agent/recording"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(tests{m}) }

// tests are all of the package's, with what is cleared away behind them.
type tests struct{ *testing.M }

// Run implements [goleak.TestingM].
func (t tests) Run() int {
	code := t.M.Run()
	for _, f := range afterwards {
		if err := f(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	return code
}

const policyText = `
version: 1
departments:
  sales: {name: Sales}
  back:  {name: Back Office}
employees:
  anna:  {name: Anna Petrova, phones: [PJSIP/101], numbers: ["101"], department: sales, lock: true}
  boris: {name: Boris Orlov, phones: [PJSIP/102], numbers: ["102"], department: sales, intercept: true}
  carl:  {name: Carl Weber, phones: [PJSIP/103, PJSIP/113], numbers: ["103"], department: back, observe: true, listen: true}
  dora:  {name: Dora Lang, phones: [PJSIP/104], numbers: ["104"], department: back, listen: {to: any, allow: [spy], except: [egor]}}
  egor:  {name: Egor Kim, phones: [PJSIP/105], numbers: ["105"], department: back}
  fred:  {name: Fred Voss, phones: [PJSIP/106], numbers: ["106"], department: sales}
protected: {numbers: ["+7 495 765-43-21"]}
trunks: [PJSIP/trunk]
`

// start is when everything in the scripted worlds happens.
var start = stage.Start

// world is a whole door over a real gate and a real feed. The PBX does nothing but take orders.
type world struct {
	t      testing.TB
	gate   *gate.Gate
	feed   *feed.Feed
	pbx    *fakePBX
	book   *stage.Record
	people directory
	tokens *auth.Tokens
	file   string // of the tokens
	token  map[string]string
	door   *httpapi.Server
	web    *httptest.Server
	log    *stage.Log
	reg    *prometheus.Registry // the door's metrics
	met    *prometheus.Registry // the gate's
	clock  *atomic.Int64
	scribe *past.Scribe // nil: no journal is kept
	store  *past.Store  // the same
}

// generous are limits that no test reaches that is not about them.
var generous = httpapi.Limits{Commands: httpapi.Rate{PerMinute: 1e9, Burst: 1e9}, Reads: httpapi.Rate{PerMinute: 1e9, Burst: 1e9}, Exports: httpapi.Rate{PerMinute: 1e9, Burst: 1e9}, Failures: httpapi.Rate{PerMinute: 1e9, Burst: 1e9}}

type option func(*httpapi.Config)

func newWorld(t testing.TB, options ...option) *world {
	t.Helper()
	return newWorldOver(t, func(*gate.Config) {}, options...)
}

// newWorldOver makes a world whose gate is made of other parts.
func newWorldOver(t testing.TB, change func(*gate.Config), options ...option) *world {
	t.Helper()
	return newWorldKept(t, false, change, options...)
}

// newWorldKept makes one of which a journal may be kept.
func newWorldKept(t testing.TB, keep bool, change func(*gate.Config), options ...option) *world {
	t.Helper()
	w := &world{
		t: t, met: prometheus.NewRegistry(), pbx: &fakePBX{rung: make(chan pbx.Ring, 8), tapped: make(chan pbx.Tap, 8), taken: make(chan pbx.Take, 8), joined: make(chan pbx.Join, 8), fetched: make(chan pbx.Fetch, 8)}, book: &stage.Record{}, people: directory{},
		token: map[string]string{}, log: &stage.Log{}, reg: prometheus.NewRegistry(), clock: &atomic.Int64{},
	}
	w.clock.Store(start.Unix())
	w.feed = feed.New(feed.Config{
		Now: func() time.Time { return start },
		OnApply: func(t *call.Table, ev *call.Event, ch []call.Change) {
			w.gate.Applied(t, ev, ch)
			if w.scribe != nil {
				w.scribe.Apply(t, ev, ch)
			}
		},
	})
	log := zerolog.New(w.log)
	parts := gate.Config{Feed: w.feed, PBX: w.pbx, Audit: w.book, Clients: w.people, Policy: w.policy(policyText), Log: zerolog.Nop(), Metrics: gate.NewMetrics(w.met)}
	if keep {
		w.keep(&parts)
	}
	change(&parts)
	w.gate = gate.New(parts)
	var err error
	var entries []auth.Entry
	for _, who := range []string{"anna", "boris", "carl", "dora", "egor", "ghost"} {
		token, hash := auth.NewToken()
		w.token[who] = token
		entries = append(entries, auth.Entry{Employee: who, Hash: hash})
	}
	old, hash := auth.NewToken()
	w.token["expired"] = old
	entries = append(entries, auth.Entry{Employee: "carl", Hash: hash, Expires: start.Add(-time.Hour)})
	w.file = t.TempDir() + "/tokens.yaml"
	for _, e := range entries {
		if err := auth.AddToken(w.file, e); err != nil {
			t.Fatal(err)
		}
	}
	w.tokens, err = auth.OpenTokens(w.file, auth.Options{Clock: func() time.Time { return time.Unix(w.clock.Load(), 0) }})
	if err != nil {
		t.Fatal(err)
	}
	cfg := httpapi.Config{Gate: w.gate, Auth: w.tokens, Log: log, Registerer: w.reg, Version: "1.2.3", Limits: generous}
	for _, o := range options {
		o(&cfg)
	}
	w.door = httpapi.New(cfg)
	w.web = httptest.NewUnstartedServer(nil)
	w.web.Config = w.door.HTTP()
	through := w.web.Config.ConnContext
	w.web.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		_ = c.(*net.TCPConn).SetWriteBuffer(16 << 10) // so that who does not read is noticed soon
		return through(ctx, c)
	}
	w.web.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := w.gate.Close(ctx); err != nil {
			t.Errorf("close the gate: %v", err)
		}
		if err := w.door.Close(ctx); err != nil {
			t.Errorf("close the door: %v", err)
		}
		w.web.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	w.ingest(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{}})
	return w
}

// keep has a journal be kept in a file.
func (w *world) keep(parts *gate.Config) {
	w.t.Helper()
	store, err := past.Open(w.t.Context(), past.Config{Path: w.t.TempDir() + "/journal"})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := store.Close(); err != nil {
			w.t.Errorf("close the journal: %v", err)
		}
	})
	w.scribe, err = past.NewScribe(w.t.Context(), store, past.ScribeConfig{
		Employee: func(endpoint string) string {
			set := w.gate.Policy()
			ref, _ := set.Phone(endpoint)
			return set.ID(ref)
		},
		Supervises: func(id call.LegID) bool { return w.gate.Supervises(id) },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	spools, err := recording.OpenSpools([]recording.SpoolConfig{{Name: "ari", Path: w.t.TempDir(), ARI: true}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = spools.Close() })
	parts.Journal, parts.Minutes, w.store = store, w.scribe, store
	parts.Recordings = &gate.Recordings{Book: store, Spools: spools}
	parts.Dialling.Numbering.Region = "RU"
}

// sync has the journal have what has happened.
func (w *world) sync() {
	w.t.Helper()
	if err := w.scribe.Sync(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) policy(text string) *policy.Set {
	w.t.Helper()
	return stage.Policy(w.t, text)
}

// watching is how many streams the gate serves.
func (w *world) watching() int {
	w.t.Helper()
	families, err := w.met.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "earshot_watchers" {
			return int(f.GetMetric()[0].GetGauge().GetValue())
		}
	}
	w.t.Fatal("no earshot_watchers")
	return 0
}

// at is a moment of the script.
func at(seconds int) time.Time { return stage.At(seconds) }

func (w *world) ingest(events ...call.Event) {
	for i := range stage.Dated(events) {
		w.feed.Ingest(&events[i])
	}
}

// answer is what came back for a request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) problem(t *testing.T) httpapi.Problem {
	t.Helper()
	var p httpapi.Problem
	if ct := a.header.Get("Content-Type"); ct != "application/problem+json" {
		t.Fatalf("%d %s is no problem: %q", a.status, a.body, ct)
	}
	a.decode(t, &p)
	return p
}

func (a answer) decode(t *testing.T, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
}

// ask sends a request as who; nobody for "". A body is sent as JSON.
func (w *world) ask(who, method, path string, body string, header ...string) answer {
	w.t.Helper()
	var r io.Reader
	if body != "" {
		r = bytes.NewReader([]byte(body))
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.web.URL+path, r)
	if err != nil {
		w.t.Fatal(err)
	}
	if who != "" {
		req.Header.Set("Authorization", "Bearer "+w.token[who])
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Del(header[i])
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, data}
}

// watch opens the event stream as who.
func (w *world) watch(who string) *watcher {
	w.t.Helper()
	conn, _, err := websocket.Dial(w.t.Context(), w.web.URL+"/v1/events", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + w.token[who]}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	conn.SetReadLimit(1 << 20)
	w.t.Cleanup(func() { _ = conn.CloseNow() })
	return &watcher{t: w.t, conn: conn}
}

type watcher struct {
	t    testing.TB
	conn *websocket.Conn
}

// raw is the next message as it came.
func (s *watcher) raw() []byte {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	typ, data, err := s.conn.Read(ctx)
	if err != nil {
		s.t.Fatalf("read the stream: %v", err)
	}
	if typ != websocket.MessageText {
		s.t.Fatalf("a message of type %v", typ)
	}
	return data
}

func (s *watcher) next() gate.Message {
	s.t.Helper()
	var m gate.Message
	d := json.NewDecoder(bytes.NewReader(s.raw()))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		s.t.Fatal(err)
	}
	return m
}

// end reads until the stream is over and tells how the server closed it.
func (s *watcher) end() websocket.CloseError {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		if _, _, err := s.conn.Read(ctx); err != nil {
			var c websocket.CloseError
			if !asClose(err, &c) {
				s.t.Fatalf("the stream ended without a word: %v", err)
			}
			return c
		}
	}
}

func clientOf(who string) clients.Client { return clients.Client{Name: "A Client", Responsible: who} }

type directory map[string]clients.Client

func (d directory) Find(number string) (clients.Client, clients.Answer) {
	c, ok := d[number]
	if !ok {
		return c, clients.Stranger
	}
	return c, clients.Found
}

// outside is somebody who calls from outside.
type outside struct{ name, number string }

var (
	ivanov = outside{"Ivanov", "+79161234567"}
	smith  = outside{"J. Smith & Sons <London>", "+442071838750"}
)

func phone(id, endpoint string, s call.State, i call.Identity, c call.Identity) call.Channel {
	return stage.Leg(id, endpoint, s, i, c)
}

// rings scripts a call from outside that rings at a phone; talks goes on from there.
func (o outside) rings(id, endpoint, exten string, second int) []call.Event {
	out := call.Identity{Name: o.name, Number: call.Number(o.number)}
	trunk := phone(id+".t", "PJSIP/trunk", call.StateRing, out, call.Identity{})
	trunk.Exten, trunk.App = exten, "Dial"
	leg := phone(id+".p", endpoint, call.StateDown, call.Identity{Number: call.Number(exten)}, out)
	leg.App = "AppDial"
	ringing := leg
	ringing.State = call.StateRinging
	return []call.Event{
		{Kind: call.LegSeen, Channel: trunk, At: at(second)},
		{Kind: call.LegSeen, Channel: leg, At: at(second)},
		{Kind: call.DialBegan, Channel: trunk, Peer: leg, Dialled: exten, At: at(second)},
		{Kind: call.LegSeen, Channel: ringing, At: at(second + 1)},
		{Kind: call.DialProgressed, Channel: trunk, Peer: ringing, At: at(second + 1)},
	}
}

func (o outside) talks(id, endpoint, exten string, second int) []call.Event {
	out := call.Identity{Name: o.name, Number: call.Number(o.number)}
	trunk := phone(id+".t", "PJSIP/trunk", call.StateUp, out, call.Identity{})
	leg := phone(id+".p", endpoint, call.StateUp, call.Identity{Number: call.Number(exten)}, out)
	bridge := call.Bridge{ID: call.BridgeID(id + ".b"), Type: "mixing"}
	return []call.Event{
		{Kind: call.LegSeen, Channel: leg, At: at(second)},
		{Kind: call.DialEnded, Channel: trunk, Peer: leg, Answered: true, At: at(second)},
		{Kind: call.BridgeSeen, Bridge: bridge, At: at(second)},
		{Kind: call.BridgeEntered, Bridge: bridge, Channel: leg, At: at(second)},
		{Kind: call.BridgeEntered, Bridge: bridge, Channel: trunk, At: at(second)},
	}
}

func ends(id string, second int) []call.Event { return stage.HangsUp(id, 0, second) }

func (w *world) talking(o outside, id, endpoint, exten string) {
	w.ingest(o.rings(id, endpoint, exten, 10)...)
	w.ingest(o.talks(id, endpoint, exten, 15)...)
}

// answered lets the own phone of a supervision or intercept be rung and answered.
func (w *world) answered(leg call.LegID, endpoint string) {
	own := phone(string(leg), endpoint, call.StateDown, call.Identity{}, call.Identity{})
	own.Name = endpoint + "-00000001" // an own leg is told by its unique id; the name has no other hyphen, and says whose phone it is
	w.ingest(call.Event{Kind: call.LegSeen, Channel: own, At: at(28)}, call.Event{Kind: call.DialBegan, Peer: own, At: at(28)})
	own.State = call.StateUp
	w.ingest(call.Event{Kind: call.LegSeen, Channel: own, At: at(30)}, call.Event{Kind: call.DialEnded, Peer: own, Answered: true, At: at(30)})
	w.gate.Entered(leg)
}

// internal scripts a call from one phone to another.
func (w *world) internal(id, from, fromExten, to, toExten string) {
	a, b := call.Identity{Number: call.Number(fromExten)}, call.Identity{Number: call.Number(toExten)}
	caller := phone(id+".t", from, call.StateRing, a, b)
	caller.Exten, caller.App = toExten, "Dial"
	leg := phone(id+".p", to, call.StateDown, b, a)
	leg.App = "AppDial"
	w.ingest(
		call.Event{Kind: call.LegSeen, Channel: caller, At: at(10)},
		call.Event{Kind: call.LegSeen, Channel: leg, At: at(10)},
		call.Event{Kind: call.DialBegan, Channel: caller, Peer: leg, Dialled: toExten, At: at(10)},
	)
	caller.State, leg.State = call.StateUp, call.StateUp
	bridge := call.Bridge{ID: call.BridgeID(id + ".b"), Type: "mixing"}
	w.ingest(
		call.Event{Kind: call.DialEnded, Channel: caller, Peer: leg, Answered: true, At: at(12)},
		call.Event{Kind: call.BridgeSeen, Bridge: bridge, At: at(12)},
		call.Event{Kind: call.BridgeEntered, Bridge: bridge, Channel: leg, At: at(12)},
		call.Event{Kind: call.BridgeEntered, Bridge: bridge, Channel: caller, At: at(12)},
	)
}

// revoke takes an employee's token out of the file and has it loaded.
func (w *world) revoke(who string) {
	w.t.Helper()
	if err := os.Remove(w.file); err != nil {
		w.t.Fatal(err)
	}
	for _, e := range w.tokens.Entries() {
		if e.Employee == who {
			continue
		}
		if err := auth.AddToken(w.file, e); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.tokens.Reload(); err != nil {
		w.t.Fatal(err)
	}
}

// logged waits until the log has the text.
func (w *world) logged(t *testing.T, text string) {
	t.Helper()
	w.log.Until(t, text)
}

// series lists the door's metrics: name, labels and, for a counter, the value.
func (w *world) series(t *testing.T) string {
	t.Helper()
	families, err := w.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+`="`+l.GetValue()+`"`)
			}
			all.WriteString(f.GetName())
			if len(labels) > 0 {
				all.WriteString("{" + strings.Join(labels, ",") + "}")
			}
			if c := m.GetCounter(); c != nil {
				fmt.Fprintf(&all, " %v", c.GetValue())
			}
			all.WriteString("\n")
		}
	}
	return all.String()
}

// metric checks one counter.
func (w *world) metric(t *testing.T, series string, want float64) {
	t.Helper()
	if all := w.series(t); !strings.Contains(all, fmt.Sprintf("%s %v\n", series, want)) {
		t.Errorf("%s is not %v:\n%s", series, want, all)
	}
}

// recv takes what comes within a while.
func recv[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal("it did not come")
		panic("not reached")
	}
}
