package pbx

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// unreadable is the beginning of an event.
const unreadable = `{"type":"ChannelUnhold","channel":`

// A hearer notes what the link hands on, in its order.
type hearer struct {
	Sink
	mu    sync.Mutex
	heard []call.Kind
}

func (h *hearer) note(k call.Kind) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard = append(h.heard, k)
}

func (h *hearer) Ingest(ev *call.Event) {
	h.note(ev.Kind)
	h.Sink.Ingest(ev)
}

func (h *hearer) Resync(s *call.Snapshot, since []call.Event) {
	h.note(call.Resynced)
	h.Sink.Resync(s, since)
}

func (h *hearer) LinkLost() {
	h.note(call.LinkLost)
	h.Sink.LinkLost()
}

func (h *hearer) all() []call.Kind {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.heard)
}

// asks is how often the fake was asked for something.
func (f *fake) asks(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[op]
}

// An event that cannot be read may have been any: nothing is known until a snapshot that was begun after it, and the table keeps nothing that only events tell. It is
// no reason to give up the connection, nor the bridge of a supervision whose phone still rings.
func TestAnEventThatCannotBeReadIsAGapOnAConnectionThatStays(t *testing.T) {
	f := newFake(t)
	h := &hearer{}
	r := f.link(t, func(c *Config) { h.Sink, c.Sink = c.Sink, h })
	r.known()
	f.send <- `{"type":"ChannelHold","timestamp":"2026-11-22T01:00:02.000+0000","channel":` + oneChannel + `}`
	r.shows("101 held out")
	const waits = "DELETE /ari/bridges/" + Prefix + "waits"
	f.mu.Lock()
	f.bridges = `[{"id":"` + Prefix + `waits","bridge_type":"mixing","channels":[]}]`
	f.mu.Unlock()
	f.send <- unreadable
	r.until("nothing is known", func() bool { return slices.Contains(h.all(), call.LinkLost) })
	r.known() // its hold may be over
	if want := []call.Kind{call.Resynced, call.LegHeld, call.LinkLost, call.Resynced}; !slices.Equal(h.all(), want) {
		t.Errorf("handed on %v, not %v", h.all(), want)
	}
	for name, got := range map[string]float64{
		"faults": testutil.ToFloat64(r.link.met.faults), "up": testutil.ToFloat64(r.link.met.up.WithLabelValues("ari")),
		"connected": testutil.ToFloat64(r.link.met.resyncs.WithLabelValues("connected")), "missed": testutil.ToFloat64(r.link.met.resyncs.WithLabelValues("missed")),
	} {
		if got != 1 {
			t.Errorf("the metrics say %s: %g", name, got)
		}
	}
	if n := f.asks("GET /ari/events"); n != 1 || f.asks(waits) != 0 {
		t.Errorf("connected %d times, and a bridge that waits was removed %d times", n, f.asks(waits))
	}
	if said := r.said(); strings.Count(said, "could not be read") != 1 || strings.Contains(said, "Unhold") {
		t.Errorf("the link said:\n%s", said)
	}
	// After the connection itself is lost it is of an Earshot that nobody knows.
	f.mu.Lock()
	f.ends()
	f.mu.Unlock()
	r.until("it is removed", func() bool { return f.asks(waits) > 0 })
	r.known()
}

// A snapshot that an event is missing from is no state: nothing of it is handed on. The event may be the one that the snapshot waits for.
func TestASnapshotThatMissesAnEventIsTakenAgain(t *testing.T) {
	for name, mute := range map[string]int{"any other": 0, "that of its marker": 1} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.mute = mute
			f.send <- unreadable
			h := &hearer{}
			r := f.link(t, func(c *Config) { h.Sink, c.Sink = c.Sink, h })
			r.known()
			if n := f.asks("GET /ari/channels"); n != 2 || f.asks("GET /ari/events") != 1 || !slices.Equal(h.all(), []call.Kind{call.Resynced}) {
				t.Errorf("asked %d times on %d connections, and handed on %v", n, f.asks("GET /ari/events"), h.all())
			}
		})
	}
}

// A PBX of whose events many cannot be read is not asked for everything after each.
func TestManyEventsThatCannotBeReadAreAnsweredByFewSnapshots(t *testing.T) {
	f := newFake(t)
	r := f.link(t)
	r.known()
	before, began := f.asks("GET /ari/channels"), time.Now()
	const many = 500
	for range many {
		f.send <- unreadable
	}
	r.until("all are counted", func() bool { return testutil.ToFloat64(r.link.met.faults) == many })
	r.known()
	most := 1 + int(time.Since(began)/missedEvery)
	if n := f.asks("GET /ari/channels") - before; n < 1 || n > most {
		t.Errorf("it was asked %d times in %v", n, time.Since(began))
	}
}

// What an event does not say cannot be read from it. None of a real Asterisk's is of that kind; any is when nothing in it has an id.
func TestAnEventThatDoesNotSayWhatItIsAboutCannotBeRead(t *testing.T) {
	kinds := map[string]int{}
	for name, tape := range tapes(t) {
		for i := range tape {
			text := string(tape[i].ARI)
			if text == "" {
				continue
			}
			e, err := ari.ParseEvent([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if wanting(e) {
				t.Errorf("%s, line %d: %s of a real Asterisk is wanting", name, i+1, e.Type)
			}
			_, ok := translate(e)
			e, err = ari.ParseEvent([]byte(strings.ReplaceAll(text, `"id":"`, `"id":7,"was":"`)))
			if err != nil {
				t.Fatal(err)
			}
			if matters := ok || e.Type == ari.TypeChannelHangupRequest; wanting(e) != matters {
				t.Errorf("%s, line %d: %s without ids is wanting: %v", name, i+1, e.Type, wanting(e))
			} else if matters {
				kinds[e.Type]++
			}
		}
	}
	if len(kinds) < 14 {
		t.Errorf("only these were tried: %v", kinds)
	}
	for text, want := range map[string]bool{`{}`: true, `{"type":7}`: true, `{"type":"BridgeMerged","bridge":{"id":"a"}}`: true, `{"type":"Never"}`: false, `{"type":"ContactStatusChange"}`: false} {
		e, err := ari.ParseEvent([]byte(text))
		if err != nil || wanting(e) != want {
			t.Errorf("%s is wanting: %v, %v", text, wanting(e), err)
		}
	}
	f := newFake(t)
	h := &hearer{}
	r := f.link(t, func(c *Config) { h.Sink, c.Sink = c.Sink, h })
	r.known()
	f.send <- `{"type":"Never"}`
	f.send <- `{"type":"ChannelUnhold","channel":{"id":7}}`
	r.until("nothing is known", func() bool { return slices.Contains(h.all(), call.LinkLost) })
	r.known()
	if want := []call.Kind{call.Resynced, call.LinkLost, call.Resynced}; !slices.Equal(h.all(), want) || testutil.ToFloat64(r.link.met.faults) != 1 {
		t.Errorf("handed on %v, not %v; %g faults", h.all(), want, testutil.ToFloat64(r.link.met.faults))
	}
}

// Of a playback that is over nobody is told by a snapshot.
func TestAPlaybackWhoseEndCannotBeReadIsTold(t *testing.T) {
	f := newFake(t)
	f.playback = ""
	r := &listener{}
	r.runner = f.link(t, func(c *Config) { c.Played = r.played })
	r.known()
	for _, id := range []string{"over", "goes-on"} {
		r.must(r.link.Play(r.ctx, Play{ID: Prefix + id, Leg: "1.1", Media: []string{"sound:beep"}}))
	}
	f.mu.Lock()
	f.gone["GET /ari/playbacks/"+Prefix+"over"] = 1
	f.answers = map[string]string{"GET /ari/playbacks/" + Prefix + "goes-on": `{"id":"` + Prefix + `goes-on","state":"playing"}`}
	f.mu.Unlock()
	f.send <- unreadable
	r.tells("over", "done ")
	r.known()
	r.tells("goes-on")
	if !r.link.playbacks.on("1.1") {
		t.Error("what goes on is forgotten")
	}
}
