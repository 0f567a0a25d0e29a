package pbx

import (
	"errors"
	"io"
	"math"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

const (
	dropped  = "GET /ari/applications/earshot"
	replaced = `{"type":"ApplicationReplaced","timestamp":"2026-11-22T01:00:02.000+0000","application":"earshot"}`
)

// A connection on which no event will come is as good as lost, though pings are answered on it.
func TestADroppedApplicationIsNoticed(t *testing.T) {
	f := newFake(t)
	r := f.link(t, func(c *Config) { c.Pulse = 600 * time.Millisecond }) // a busy machine answers late
	r.known()
	f.mu.Lock()
	f.gone[dropped] = 1
	f.mu.Unlock()
	r.until("it is told", func() bool { return !r.feed.Stats().Known })
	r.known()
	// An answer that says nothing of the kind ends nothing.
	f.mu.Lock()
	connections := f.asked["GET /ari/events"]
	f.fail[dropped], f.heard = 3, make(chan string, 100)
	f.mu.Unlock()
	for more := 4; more > 0; {
		select {
		case op := <-f.heard:
			if op == dropped {
				more--
			}
		case <-r.ctx.Done():
			t.Fatalf("it was asked %d times too few", more)
		}
	}
	r.again() // the last answer has been looked at, or is no reason any more
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := f.asked["GET /ari/events"]; n != connections || connections != 2 {
		t.Errorf("connected %d times, then %d", connections, n-connections)
	}
}

// A PBX that sends events, answers pings and does not answer requests is as good as lost.
func TestAPBXThatAnswersNoRequestIsNoticed(t *testing.T) {
	f := newFake(t)
	r := f.link(t, func(c *Config) { c.Pulse = 600 * time.Millisecond })
	r.known()
	f.mu.Lock()
	f.stuck[dropped] = 1
	f.mu.Unlock()
	r.until("it is told", func() bool { return !r.feed.Stats().Known })
	r.known()
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := f.asked["GET /ari/events"]; n != 2 {
		t.Errorf("connected %d times", n)
	}
}

// One that is only slow, and has one question wait behind others that it answers, is not lost: giving its events up would have all be asked anew, of a PBX that
// has enough to do.
func TestAPBXThatAnswersOtherRequestsIsKept(t *testing.T) {
	f := newFake(t)
	f.answers = map[string]string{"POST /ari/channels/1.1/variable": "{}"}
	const pulse = 1500 * time.Millisecond // which a busy machine keeps too
	r := f.link(t, func(c *Config) { c.Pulse = pulse })
	r.known()
	f.mu.Lock()
	before := f.asked[dropped]
	f.stuck[dropped] = 1
	f.mu.Unlock()
	r.until("it is asked", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.asked[dropped] > before
	})
	for since := time.Now(); time.Since(since) < 3*pulse; { // with one answer after the other
		if err := r.link.Renew(r.ctx, time.Second, "1.1"); err != nil {
			t.Fatal(err)
		}
	}
	f.mu.Lock()
	if n := f.asked["GET /ari/events"]; n != 1 {
		t.Errorf("its events were given up while it answered: connected %d times", n)
	}
	f.mu.Unlock()
	r.until("it is told when it answers nothing any more", func() bool { return !r.feed.Stats().Known })
	r.known()
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := f.asked["GET /ari/events"]; n != 2 {
		t.Errorf("connected %d times", n)
	}
}

// As many attempts to connect as were given up without an answer may take the application from the one that was made; another is another Earshot's.
func TestAnOwnAttemptThatArrivesLateIsNoOtherEarshot(t *testing.T) {
	f := newFake(t)
	f.silent = 2
	r := f.link(t) // with a time so short that it could be given up in the test, other requests are given up too on a busy machine
	for range 2 {
		r.known()
		f.send <- replaced
		r.until("it is told", func() bool { return !r.feed.Stats().Known })
	}
	r.known()
	f.send <- replaced
	select {
	case err := <-r.done:
		if !errors.Is(err, ErrReplaced) {
			t.Errorf("it ended with %v", err)
		}
	case <-r.ctx.Done():
		t.Error("it goes on")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := f.asked["GET /ari/events"]; n != 5 {
		t.Errorf("it tried %d times to connect", n)
	}
}

// cutting answers no question about the application from when it is told to: its connection ends at once, as that of an Asterisk does that has as many as it may have.
type cutting struct {
	http.RoundTripper
	cuts atomic.Bool
}

func (c *cutting) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.cuts.Load() && r.Method+" "+r.URL.Path == dropped {
		return nil, io.ErrUnexpectedEOF
	}
	return c.RoundTripper.RoundTrip(r)
}

func TestAConnectionThatEndsWithoutAnAnswerIsNoQuickAnswer(t *testing.T) {
	f := newFake(t)
	c := &cutting{}
	r := f.link(t, func(conf *Config) {
		c.RoundTripper = conf.ARI.HTTPClient.Transport
		conf.ARI.HTTPClient = &http.Client{Transport: c}
		conf.Pulse = time.Hour // it is the test that asks
	})
	r.known()
	requests := r.link.met.latency.WithLabelValues("requests")
	for _, cuts := range []bool{true, false} {
		c.cuts.Store(cuts)
		requests.Set(7)
		if err := r.link.holds(r.ctx); err != nil {
			t.Fatal(err)
		}
		if got := testutil.ToFloat64(requests); (got == 7) != cuts {
			t.Errorf("cut: %v, and it is said to have answered in %g s", cuts, got)
		}
	}
}

// How long a PBX took to answer that is away is nobody's last word: it says nothing until it answers again.
func TestOfAPBXThatIsAwayNoLatencyIsTold(t *testing.T) {
	f := newFake(t)
	f.heard = make(chan string, 1000)
	const away = "GET /ari/events"
	f.fail[away] = 1 << 30
	r := f.link(t, func(c *Config) { c.Pulse = 600 * time.Millisecond })
	of := func() (told int) {
		for _, of := range []string{"requests", "events"} {
			if !math.IsNaN(testutil.ToFloat64(r.link.met.latency.WithLabelValues(of))) {
				told++
			}
		}
		return told
	}
	for range 2 {
		for op := ""; op != away; {
			select {
			case op = <-f.heard:
			case <-r.ctx.Done():
				t.Fatal("it does not try to connect")
			}
		}
		if n := of(); n != 0 {
			t.Fatalf("%d latencies are told, and it is away", n)
		}
		f.mu.Lock()
		f.fail[away] = 0
		f.mu.Unlock()
		for of() != 2 { // it is asked again and again
			select {
			case <-f.heard:
			case <-r.ctx.Done():
				t.Fatalf("%d latencies are told", of())
			}
		}
		f.mu.Lock()
		f.fail[away] = 1 << 30
		f.ends()
		f.mu.Unlock()
		r.until("it is told", func() bool { return !r.feed.Stats().Known })
	}
}
