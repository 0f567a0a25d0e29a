package pbx

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
)

// A fake is an ARI that does what a real one will not do on demand. It knows one channel.
type fake struct {
	*httptest.Server
	mu       sync.Mutex
	fail     map[string]int    // how often a request, "GET /ari/channels", is still refused
	stuck    map[string]int    // how often it has no answer until whoever asks gives up
	gone     map[string]int    // how often what is asked for is still said not to be there
	silent   int               // how many attempts to connect get no answer; the connection they came by ends
	answers  map[string]string // to other requests than those it knows; none is 204
	asked    map[string]int
	heard    chan string        // each request, as far as there is room; nil: nobody wants to know
	version  string             // of Asterisk
	stale    time.Duration      // for so long after its version was asked for nobody is told of the channel
	since    time.Time          // when it was
	devices  string             // of which the application hears
	bridges  string             // what is listed
	mute     int                // how many markers are not told
	playback string             // the event that is sent when something is to be played; empty: none
	send     chan string        // what is sent on the last connection
	connect  chan struct{}      // one for each connection
	ends     context.CancelFunc // of the last connection
	over     chan struct{}      // closed when nothing is sent on it any more
}

const oneChannel = `{"id":"1.1","name":"PJSIP/101-00000001","state":"Up","caller":{"name":"","number":"101"},"connected":{"name":"","number":""},` +
	`"accountcode":"","dialplan":{"context":"phones","exten":"*45","priority":2,"app_name":"Wait","app_data":""},"creationtime":"2026-11-22T01:00:00.000+0000","language":"en"}`

func newFake(t *testing.T) *fake {
	f := &fake{version: "22.10.1", bridges: "[]", playback: ari.TypePlaybackStarted, fail: map[string]int{}, stuck: map[string]int{}, gone: map[string]int{}, asked: map[string]int{}, send: make(chan string, 100), connect: make(chan struct{}, 100)}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	op := r.Method + " " + r.URL.Path
	f.mu.Lock()
	f.asked[op]++
	if f.heard != nil {
		select {
		case f.heard <- op:
		default: // who listens looks at what was asked, too
		}
	}
	refuse, gone, stuck := f.fail[op] > 0, f.gone[op] > 0, f.stuck[op] > 0
	silent := r.URL.Path == "/ari/events" && f.silent > 0
	switch {
	case refuse:
		f.fail[op]--
	case gone:
		f.gone[op]--
	case stuck:
		f.stuck[op]--
	case silent:
		f.silent--
	}
	f.mu.Unlock()
	switch {
	case refuse:
		http.Error(w, `{"message":"no"}`, http.StatusInternalServerError)
	case gone:
		http.Error(w, `{"message":"Application not found"}`, http.StatusNotFound)
	case stuck:
		<-r.Context().Done()
	case silent:
		panic(http.ErrAbortHandler)
	case r.URL.Path == "/ari/events":
		f.events(w, r)
	case op == "GET /ari/asterisk/info":
		f.mu.Lock()
		f.since = time.Now()
		f.mu.Unlock()
		_, _ = fmt.Fprintf(w, `{"system":{"version":%q}}`, f.version)
	case op == "GET /ari/channels":
		list := "[" + oneChannel + "]"
		f.mu.Lock()
		if time.Since(f.since) < f.stale {
			list = "[]"
		}
		f.mu.Unlock()
		_, _ = fmt.Fprint(w, list)
	case op == "GET /ari/bridges":
		_, _ = fmt.Fprint(w, f.bridges)
	case op == "POST /ari/bridges":
		var b struct{ BridgeID string }
		if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, _ = fmt.Fprintf(w, `{"id":%q,"bridge_type":"mixing","channels":[]}`, b.BridgeID)
		f.mu.Lock()
		mute := f.mute > 0
		if mute {
			f.mute--
		}
		f.mu.Unlock()
		if !mute {
			f.send <- fmt.Sprintf(`{"type":"BridgeCreated","timestamp":"2026-11-22T01:00:01.000+0000","bridge":{"id":%q,"bridge_type":"mixing","channels":[]},"application":"earshot"}`, b.BridgeID)
		}
	case strings.HasSuffix(r.URL.Path, "/snoop"):
		var b struct{ SnoopID string }
		if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		channel := strings.Replace(oneChannel, `"1.1"`, strconv.Quote(b.SnoopID), 1)
		_, _ = fmt.Fprint(w, channel)
		f.send <- `{"type":"StasisStart","timestamp":"2026-11-22T01:00:01.000+0000","args":[],"channel":` + channel + `,"application":"earshot"}`
	case strings.HasSuffix(r.URL.Path, "/play"):
		var b struct{ PlaybackID string }
		if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, _ = fmt.Fprintf(w, `{"id":%q,"state":"queued"}`, b.PlaybackID)
		if f.playback != "" {
			f.send <- fmt.Sprintf(`{"type":%q,"playback":{"id":%q,"media_uri":"tone:","target_uri":"channel:1","state":"playing"},"application":"earshot"}`, f.playback, b.PlaybackID)
		}
	case strings.HasSuffix(r.URL.Path, "/variable") && r.Method == http.MethodGet:
		_, _ = fmt.Fprint(w, `{"value":""}`)
	case strings.HasPrefix(r.URL.Path, "/ari/applications/"):
		source := r.URL.Query().Get("eventSource")
		f.mu.Lock()
		if r.Method == http.MethodDelete && (source == "deviceState:ALL" || source == "deviceState:" && !strings.HasPrefix(f.version, "16.")) {
			f.devices = ""
		}
		_, _ = fmt.Fprintf(w, `{"name":"earshot","device_names":[%s]}`, f.devices)
		f.mu.Unlock()
	default:
		f.mu.Lock()
		text := f.answers[op]
		f.mu.Unlock()
		if text == "" {
			w.WriteHeader(http.StatusNoContent)
		} else {
			_, _ = fmt.Fprint(w, text)
		}
	}
}

func (f *fake) events(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	ctx, cancel := context.WithCancel(c.CloseRead(r.Context()))
	defer cancel()
	over := make(chan struct{})
	defer close(over)
	f.mu.Lock()
	ends, before := f.ends, f.over
	f.ends, f.over = cancel, over
	f.mu.Unlock()
	if ends != nil { // or the one before, whose end it may not have noticed yet, takes what is sent on this one
		ends()
		<-before
	}
	f.connect <- struct{}{}
	for {
		select {
		case text := <-f.send:
			if c.Write(ctx, websocket.MessageText, []byte(text)) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// link runs a link to the fake. AMI is nowhere.
func (f *fake) link(t *testing.T, change ...func(*Config)) *runner {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return run(t, nil, func(c *Config) {
		c.ARI = ari.Config{BaseURL: f.URL + "/ari", Username: "earshot", Password: "x", HTTPClient: &http.Client{Transport: transport}}
		c.AMI.Addr, c.AMI.Username = "127.0.0.1:1", "earshot"
		for _, f := range change {
			f(c)
		}
	}, nil)
}

func (r *runner) known() {
	r.Helper()
	r.until("the state is known", func() bool { return slices.Equal(r.link.Down(), []string{"ami"}) })
	r.shows("101 talking out")
}

func TestASnapshotThatFailsIsTakenAgainWithANewConnection(t *testing.T) {
	for op, times := range map[string]int{
		"GET /ari/channels": 2, "GET /ari/bridges": 2, "POST /ari/bridges": 2, "DELETE /ari/applications/earshot/subscription": 2,
		"GET /ari/asterisk/info":         2,
		"GET /ari/channels/1.1/variable": 4, // a snapshot asks for two
	} {
		t.Run(op, func(t *testing.T) {
			f := newFake(t)
			f.fail[op] = times
			r := f.link(t)
			r.known()
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.asked[op] < 3 || f.asked["GET /ari/events"] != 3 {
				t.Errorf("asked %v", f.asked)
			}
		})
	}
}

// A member of another type is as if absent, and who has no id is nobody.
func TestASnapshotOfTheNamelessIsTakenAgain(t *testing.T) {
	for _, list := range []string{`[{"id":7}]`, `[{}]`} {
		f := newFake(t)
		f.bridges = list
		r := f.link(t)
		r.until("it has been tried twice", func() bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.asked["GET /ari/events"] > 2
		})
		if r.feed.Stats().Known {
			t.Errorf("with the bridges %s the state is known", list)
		}
	}
}

func TestASnapshotWhoseMarkerIsNeverHeardOfIsTakenAgain(t *testing.T) {
	f := newFake(t)
	f.mute = 2
	r := f.link(t)
	r.known()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked["GET /ari/events"] != 3 {
		t.Errorf("asked %v", f.asked)
	}
}

func TestWhatComesBeforeTheSnapshotIsHandedOnWithIt(t *testing.T) {
	f := newFake(t)
	// Sent before the marker: a leg that is made, and the one of the snapshot that goes.
	f.send <- strings.Replace(`{"type":"ChannelCreated","timestamp":"2026-11-22T01:00:00.500+0000","channel":`+oneChannel+`}`, "1.1", "1.2", 1)
	f.send <- `{"type":"ChannelDestroyed","timestamp":"2026-11-22T01:00:00.600+0000","cause":16,"channel":` + oneChannel + `}`
	r := f.link(t)
	r.shows("101 talking out")
	var ids []call.LegID
	r.feed.Read(func(t *call.Table) {
		for _, l := range t.All(nil) {
			ids = append(ids, l.ID())
		}
	})
	if !slices.Equal(ids, []call.LegID{"1.2"}) {
		t.Errorf("the table has %v", ids)
	}
}

// What an old Asterisk, or one that does not tell how old it is, answers is believed only when it has caught up with its events.
func TestAnAsteriskWhoseAnswersAreBehindIsWaitedFor(t *testing.T) {
	for version, want := range map[string][]string{
		"16.28.0~dfsg-0+deb11u4": {"101 talking out"}, "18.26.4": {"101 talking out"}, "certified/18.9-cert16": {"101 talking out"}, "GIT-master-a1b2c3": {"101 talking out"},
		"20.0.0": nil, "22.10.1~dfsg+~cs6": nil,
	} {
		t.Run(version, func(t *testing.T) {
			f := newFake(t)
			if f.version, f.stale = version, behindTime/2; want == nil {
				f.stale = time.Hour
			}
			r := f.link(t)
			r.until("the state is known", func() bool { return slices.Equal(r.link.Down(), []string{"ami"}) })
			r.shows(want...)
		})
	}
}

// An Asterisk 16 answers the first request as a 22 does, and goes on sending.
func TestTheEventsOfDevicesAreGivenUp(t *testing.T) {
	for _, version := range []string{"16.28.0", "22.10.1"} {
		f := newFake(t)
		f.version, f.devices = version, `"ALL"`
		f.link(t).known()
		f.mu.Lock()
		if f.devices != "" {
			t.Errorf("%s sends those of %s", version, f.devices)
		}
		f.mu.Unlock()
	}
	r := run(t, openOffice(t), nil, nil)
	r.up()
	app, err := r.link.rest.GetApplication(r.ctx, "earshot")
	r.must(err)
	if len(app.DeviceNames) > 0 || len(app.ChannelIDs) == 0 {
		t.Errorf("a real one sends those of %q, and of the channels %q", app.DeviceNames, app.ChannelIDs)
	}
}

func TestAMarkerLeftBehindIsRemoved(t *testing.T) {
	f := newFake(t)
	f.bridges = `[{"id":"` + markers + `7-old","bridge_type":"mixing","channels":[]}]`
	r := f.link(t)
	r.known()
	r.again() // not again, though it is still listed: a marker may be there while a snapshot is taken
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := f.asked["DELETE /ari/bridges/"+markers+"7-old"]; n != 1 {
		t.Errorf("it was removed %d times", n)
	}
}

func TestALostConnectionIsToldAndMadeAgain(t *testing.T) {
	f := newFake(t)
	r := f.link(t)
	for range 3 {
		r.known()
		f.mu.Lock()
		f.ends()
		f.mu.Unlock()
		r.until("it is told", func() bool { return !r.feed.Stats().Known })
	}
	r.known()
}
