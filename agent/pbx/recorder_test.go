package pbx

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/feed"
	"github.com/earshot-pbx/earshot/ami"
	"github.com/earshot-pbx/earshot/ari"
	"github.com/rs/zerolog"
)

// A recorder listens to the PBX as a Link does and keeps all that it hears, in order of arrival. It follows the calls with a feed of its own,
// by which it knows when a step is over; the record is what the tests judge.
type recorder struct {
	office *office
	link   *Link // not run: its orders, and what it makes of events
	feed   *feed.Feed
	admin  *ari.Client
	keep   *keeper

	mu      sync.Mutex
	tape    []entry
	facts   int      // events that say something about calls
	fresh   bool     // nothing has been marked yet
	brief   []string // what was so for a moment since the last mark
	linked  map[string]string
	markers map[string]chan struct{}
	entered map[call.LegID]bool
	changed chan struct{} // closed and made anew when something happens
}

// record connects a recorder for the time of a test.
func record(t *testing.T, o *office) *recorder {
	t.Helper()
	r := &recorder{
		office: o, linked: map[string]string{}, markers: map[string]chan struct{}{}, entered: map[call.LegID]bool{}, changed: make(chan struct{}),
		keep: &keeper{RoundTripper: o.http, kept: map[string]jsonText{}},
	}
	r.feed = feed.New(feed.Config{OnApply: func(*call.Table, *call.Event, []call.Change) { r.happened() }})
	cfg := Config{ARI: o.ari(o.pbx.Site().Earshot), Application: "earshot", Sink: r.feed, Log: zerolog.Nop()}
	cfg.ARI.HTTPClient = &http.Client{Transport: r.keep}
	var err error
	if r.link, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	if r.admin, err = ari.New(o.ari(o.pbx.Site().Admin)); err != nil {
		t.Fatal(err)
	}
	r.link.known.Store(true)
	r.link.begun.Store(true)
	r.feed.Ingest(&call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{}})

	ctx, cancel := context.WithCancel(t.Context())
	stream, err := r.link.rest.Listen(ctx, "earshot", ari.ListenOptions{SubscribeAll: true, Disallow: disallowed})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.link.spareDevices(ctx), r.link.askVersion(ctx)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			e, err := stream.Next(ctx)
			if err != nil {
				if ctx.Err() == nil {
					t.Errorf("the stream of ARI ended: %v", err)
				}
				return
			}
			r.event(e)
		}
	})
	wg.Go(func() { _ = r.feed.Run(ctx) })
	acfg := o.ami(o.pbx.Site().Earshot)
	acfg.OnEvent = r.witness
	manager, err := ami.Dial(ctx, acfg)
	if err != nil {
		t.Fatal(err)
	}
	r.link.setAMI(manager)
	t.Cleanup(func() {
		manager.Close()
		cancel()
		stream.Close()
		wg.Wait()
	})
	return r
}

func (r *recorder) happened() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.changed)
	r.changed = make(chan struct{})
}

// machine is what would tell on which machine a stream was recorded.
var machine = regexp.MustCompile(`"asterisk_id":"[^"]*"`)

func (r *recorder) event(e *ari.Event) {
	r.mu.Lock()
	if e.Bridge != nil && strings.HasPrefix(e.Bridge.ID, markers) {
		if seen := r.markers[e.Bridge.ID]; seen != nil && e.Type == ari.TypeBridgeCreated {
			close(seen)
			delete(r.markers, e.Bridge.ID)
		}
		r.mu.Unlock()
		return
	}
	r.tape = append(r.tape, entry{At: time.Now().UTC(), ARI: machine.ReplaceAll([]byte(e.Raw), []byte(`"asterisk_id":"pbx"`))})
	if _, ok := translate(e); ok {
		r.facts++
	}
	if e.Type == ari.TypeStasisStart {
		r.entered[call.LegID(e.Channel.ID)] = true
	}
	r.mu.Unlock()
	r.link.take(e, nil)
	r.happened()
}

func (r *recorder) witness(m *ami.Message) error {
	r.mu.Lock()
	changed := map[string]string{}
	for _, prefix := range []string{"", "Dest", "LocalOne", "LocalTwo", "Target", "Spyer", "Spyee"} {
		id, to := m.Get(prefix+"Uniqueid"), m.Get(prefix+"Linkedid")
		if id != "" && to != "" && r.linked[id] != to {
			r.linked[id], changed[id] = to, to
		}
	}
	if len(changed) > 0 {
		r.tape = append(r.tape, entry{At: time.Now().UTC(), Linked: changed})
	}
	if _, ok := witnessed[string(m.Event())]; ok {
		r.tape = append(r.tape, entry{At: time.Now().UTC(), AMI: strings.Split(string(bytes.TrimSuffix(m.Raw(), []byte("\r\n"))), "\r\n")})
	}
	r.mu.Unlock()
	return r.link.witness(m)
}

// until waits until something is so. It is looked at again whenever something happens.
func (r *recorder) until(ctx context.Context, so func() bool) error {
	for {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		if so() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// mark waits until the board says what a person would say, and notes it with the state of the PBX at a moment when nothing goes on.
func (r *recorder) mark(s *scene, text string, want []string) {
	s.Helper()
	s.shows(text, want)
	if err := r.still(s.ctx, func(s map[string]jsonText) {
		if r.fresh {
			r.tape = nil // what the scenario before has left
		}
		r.fresh = false
		r.tape = append(r.tape, entry{At: time.Now().UTC(), Mark: text, Board: want, Meanwhile: r.brief, Snapshot: s})
		r.brief = nil
	}); err != nil {
		s.Fatal(text+": no snapshot:", err)
	}
}

func (r *recorder) meanwhile(board []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.brief = append(r.brief, board...)
}

func (r *recorder) read(look func(*call.Table)) { r.feed.Read(look) }
func (r *recorder) earshot() *Link              { return r.link }

func (r *recorder) hasEntered(id call.LegID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entered[id]
}

// still takes a snapshot while nothing goes on: whatever had begun before it has been heard of, and nothing more was heard until it was
// complete. note is called with the tape locked.
func (r *recorder) still(ctx context.Context, note func(map[string]jsonText)) error {
	for range 50 {
		r.mu.Lock()
		before := r.facts
		r.mu.Unlock()
		r.keep.mu.Lock()
		r.keep.kept = map[string]jsonText{}
		r.keep.mu.Unlock()
		if err := r.link.catchUp(ctx); err != nil {
			return err
		}
		if _, err := r.link.snapshot(ctx); err != nil {
			return err
		}
		r.keep.mu.Lock()
		kept := maps.Clone(r.keep.kept)
		r.keep.mu.Unlock()
		id := markers + time.Now().Format("150405.000000000")
		seen := make(chan struct{})
		r.mu.Lock()
		r.markers[id] = seen
		r.mu.Unlock()
		if _, err := r.link.rest.CreateBridge(ctx, ari.BridgeRequest{ID: id}); err != nil {
			return err
		}
		select {
		case <-seen:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := r.link.rest.DestroyBridge(ctx, id); err != nil {
			return err
		}
		r.mu.Lock()
		if r.facts == before {
			for path := range kept {
				if strings.HasPrefix(path, "/ari/bridges") || strings.HasPrefix(path, "/ari/channels") {
					continue
				}
				delete(kept, path)
			}
			note(kept)
			r.mu.Unlock()
			return nil
		}
		r.mu.Unlock()
	}
	return errors.New("there was always something going on")
}
