package ariproxy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/ariproxy"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/feed"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbxtest/stage"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The people of the attack cases: alice sees nothing of others, carol may listen to bob, the boss is excluded from everything; olga sees all.
const policyText = `
version: 1
employees:
  alice: {name: Alice, phones: [PJSIP/100], numbers: ["100"], dial: employees}
  carol: {name: Carol, phones: [PJSIP/120], numbers: ["120"], listen: {to: [bob, boss], allow: [spy]}}
  boss:  {name: Boss, phones: [PJSIP/200], numbers: ["200"]}
  bob:   {name: Bob, phones: [PJSIP/210, PJSIP/211, SIP/212], numbers: ["210"]}
  olga:  {name: Olga, phones: [PJSIP/300], numbers: ["300"], observe: true, listen: true, line.view: any}
  wall:  {panel: true, name: The wall, observe: true}
lines:
  sales: {name: Sales line, queue: q-sales, members: [bob]}
protected: {employees: [boss]}
trunks: [PJSIP/trunk]
`

// alicesOther is the name by which the tests have a second token of alice's.
const alicesOther = "alice, elsewhere"

// user is who logs in by a token of the tests.
func user(name string) string {
	if name == alicesOther {
		return "alice"
	}
	return name
}

var start = stage.Start

func at(seconds int) time.Time { return stage.At(seconds) }

// world is the door over a real gate and a real feed.
type world struct {
	t      testing.TB
	gate   *gate.Gate
	feed   *feed.Feed
	pbx    *fakePBX
	book   *stage.Record
	shelf  *shelf
	tokens *auth.Tokens
	token  map[string]string
	door   *ariproxy.Server
	addr   string
	reg    *prometheus.Registry
	log    *stage.Log
	now    atomic.Int64 // of the tokens

	collect *[]call.Event // of a world without a feed: takes what would be ingested
}

func newWorld(t testing.TB, change ...func(*ariproxy.Config)) *world {
	t.Helper()
	return newWorldOf(t, policyText, []string{"alice", "carol", "boss", "bob", "olga"}, change...)
}

// newWorldOf is a world under another policy, whose people these are.
func newWorldOf(t testing.TB, policyText string, people []string, change ...func(*ariproxy.Config)) *world {
	t.Helper()
	w := &world{t: t, book: &stage.Record{}, token: map[string]string{}, reg: prometheus.NewRegistry(), log: &stage.Log{}}
	w.pbx = newFakePBX(w)
	w.now.Store(time.Now().Unix())
	w.feed = feed.New(feed.Config{
		Now:     func() time.Time { return start },
		OnApply: func(t *call.Table, ev *call.Event, ch []call.Change) { w.gate.Applied(t, ev, ch) },
	})
	set := w.policy(policyText)
	var entries []auth.Entry
	add := func(name string, e auth.Entry) {
		w.token[name], e.Hash = auth.NewToken()
		e.Expires = time.Now().Add(time.Hour)
		entries = append(entries, e)
	}
	for _, who := range people {
		add(who, auth.Entry{Employee: who})
	}
	add(alicesOther, auth.Entry{Employee: "alice"})
	add("crm", auth.Entry{Panel: "crm", ActsFor: []string{"alice", "olga"}})
	add("wall", auth.Entry{Panel: "wall", ActsFor: []string{"wall", "alice"}})
	panel := func(name string) bool { ref, _ := set.Employee(name); return set.Panel(ref) }
	var err error
	if w.tokens, err = auth.NewTokens(auth.Options{Clock: func() time.Time { return time.Unix(w.now.Load(), 0) }, Panel: panel}, entries...); err != nil {
		t.Fatal(err)
	}
	w.shelf = newShelf(t)
	w.gate = gate.New(gate.Config{
		Feed: w.feed, PBX: w.pbx, Audit: w.book, Clients: stage.Nobody{}, Policy: set, Log: zerolog.Nop(), Metrics: gate.NewMetrics(nil), LinesEvery: 1,
		Dialling: gate.Dialling{Context: "from-internal"}, Sounds: []string{"beep", "silence/1"}, Tones: []string{"busy"},
		Journal: w.shelf, Recordings: &gate.Recordings{Book: w.shelf, Spools: w.shelf.spools},
	})
	cfg := ariproxy.Config{
		Gate: w.gate, Auth: w.tokens, Panel: w.tokens.Panel, Context: "from-internal", Version: "1.2.3", Log: zerolog.New(w.log), Registerer: w.reg,
		Clock: func() time.Time { return at(75) },
	}
	for _, c := range change {
		c(&cfg)
	}
	w.door = ariproxy.New(cfg)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- w.door.Serve(ctx, l) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
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
	return w
}

// policy compiles one.
func (w *world) policy(text string) *policy.Set {
	w.t.Helper()
	return stage.Policy(w.t, text)
}

// changes puts another policy in force.
func (w *world) changes(text string) { w.gate.SetPolicy(w.policy(text)) }

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

// hangsUp ends a call.
func (w *world) hangsUp(id string) { w.ingest(stage.HangsUp(id, 17, 40)...) }

// answer is what a request was answered with.
type answer struct {
	status int
	header http.Header
	body   string
}

// message is the text of an error.
func (a answer) message() string {
	var m struct{ Message string }
	_ = json.Unmarshal([]byte(a.body), &m)
	return m.Message
}

// into decodes an answer that is a success.
func (a answer) into(t testing.TB, dst any) {
	t.Helper()
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/json" {
		t.Fatalf("the answer is %d %s: %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	if err := json.Unmarshal([]byte(a.body), dst); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
}

// ask sends a request line as it is, with headers and a body, on a connection of its own.
func (w *world) ask(line string, headers []string, body string) answer {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	var b strings.Builder
	fmt.Fprintf(&b, "%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", line, w.addr)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	if _, err := io.WriteString(conn, b.String()+"\r\n"+body); err != nil {
		w.t.Fatal(err)
	}
	all, err := io.ReadAll(conn)
	if err != nil {
		w.t.Fatal(err)
	}
	head, rest, ok := bytes.Cut(all, []byte("\r\n\r\n"))
	a := answer{header: http.Header{}, body: string(rest)}
	lines := strings.Split(string(head), "\r\n")
	if _, err := fmt.Sscanf(lines[0], "HTTP/1.1 %d", &a.status); err != nil || !ok {
		w.t.Fatalf("the answer to %q is %q", line, all)
	}
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ": ")
		a.header.Add(name, value)
	}
	return a
}

// by is the header with somebody's credential.
func (w *world) by(who string) string {
	r, _ := http.NewRequest(http.MethodGet, "/", nil)
	r.SetBasicAuth(user(who), w.token[who])
	return "Authorization: " + r.Header.Get("Authorization")
}

// as asks as somebody: "GET /channels".
func (w *world) as(who, what string, headers ...string) answer {
	w.t.Helper()
	method, path, _ := strings.Cut(what, " ")
	return w.ask(method+" /ari"+path, slices.Concat(headers, []string{w.by(who)}), "")
}

// channel is the id of the one channel of a phone as somebody is shown it.
func (w *world) channel(who, phone string) string {
	w.t.Helper()
	var all []struct{ ID, Name string }
	w.as(who, "GET /channels").into(w.t, &all)
	for _, c := range all {
		if strings.HasPrefix(c.Name, phone+"-") {
			return c.ID
		}
	}
	w.t.Fatalf("%s is shown no channel of %s", who, phone)
	return ""
}

// listener is a client that keeps the events that it is sent.
type listener struct {
	t      testing.TB
	conn   *websocket.Conn
	events chan told
	over   chan error
}

// told is one event.
type told struct {
	Type, Application string
	text              string
}

// listen opens an event stream by api_key; query is what stands behind.
func (w *world) listen(who, query string, headers ...string) *listener {
	w.t.Helper()
	o := &websocket.DialOptions{HTTPHeader: http.Header{}}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Sec-WebSocket-Protocol" {
			o.Subprotocols = []string{"chat", value}
			continue
		}
		o.HTTPHeader.Add(name, value)
	}
	conn, resp, err := websocket.Dial(w.t.Context(), "ws://"+w.addr+"/ari/events?"+query+"&api_key="+user(who)+":"+w.token[who], o)
	if resp != nil && resp.Body != nil {
		defer func() { _ = resp.Body.Close() }()
	}
	if err != nil {
		w.t.Fatalf("%s listens: %v", who, err)
	}
	conn.SetReadLimit(1 << 20)
	l := &listener{t: w.t, conn: conn, events: make(chan told, 10_000), over: make(chan error, 1)}
	var reads sync.WaitGroup
	reads.Go(func() {
		for {
			_, text, err := conn.Read(context.Background())
			if err != nil {
				l.over <- err
				return
			}
			e := told{text: string(text)}
			if err := json.Unmarshal(text, &e); err != nil {
				l.over <- fmt.Errorf("%w in %s", err, text)
				return
			}
			l.events <- e
		}
	})
	w.t.Cleanup(func() {
		_ = conn.CloseNow()
		reads.Wait()
	})
	return l
}

// until collects events up to one of a type that has a text in it.
func (l *listener) until(kind, text string) (all []told) {
	l.t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case e := <-l.events:
			all = append(all, e)
			if e.Type == kind && strings.Contains(e.text, text) {
				return all
			}
		case err := <-l.over:
			l.t.Fatalf("the stream is over behind %d events: %v", len(all), err)
		case <-late:
			l.t.Fatalf("no %s with %s came behind %d events", kind, text, len(all))
		}
	}
}

// handles are what clients are given for channels and bridges.
var handles = regexp.MustCompile(`\bc[a-z2-9]{20}\b`)

// plain has handles by the order in which they come.
func plain(text string) string {
	ids := map[string]string{}
	return handles.ReplaceAllStringFunc(text, func(id string) string {
		if ids[id] == "" {
			ids[id] = fmt.Sprintf("<%d>", len(ids))
		}
		return ids[id]
	})
}

func joined(all []told) string {
	var b strings.Builder
	for _, e := range all {
		b.WriteString(e.text + "\n")
	}
	return b.String()
}

// reasons are those that were given for what was decided in a mode.
func (w *world) reasons(mode string) (all []string) {
	for _, e := range w.book.Decided() {
		if e.Mode == mode {
			all = append(all, e.Given)
		}
	}
	return all
}
