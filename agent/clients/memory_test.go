package clients_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/cache"
)

// In these tests the clock is the bubble's: it moves when nobody has anything to do.

func TestAnAnswerGetsTooOldAndIsRenewedWhileItIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked, down atomic.Int64
		h := plain()
		h.TTL, h.MissTTL = 10*time.Minute, time.Minute
		c := newCRM(t, h, clients.Environment{
			Cache: cache.NewMemory(cache.Options{Rand: func() float64 { return 0 }}),
			Transport: within(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case down.Load() > 0:
					w.WriteHeader(503)
				case strings.Contains(r.URL.RawQuery, "7926"):
					answer(`{"found": false}`)(w, r)
				default:
					answer(fmt.Sprintf(`{"found": true, "name": "Vera", "manager": "m%d"}`, asked.Add(1)))(w, r)
				}
			}),
		})
		c.learn(vera, clients.Found)
		c.learn(stranger, clients.Stranger)

		time.Sleep(time.Minute)
		c.learn(stranger, clients.Stranger) // a miss has a shorter time

		time.Sleep(6*time.Minute + 25*time.Second) // 7:25 of 10:00
		c.is(vera, clients.Found)
		synctest.Wait()
		if asked.Load() != 1 || len(c.changes) > 0 {
			t.Fatal("it is renewed too early")
		}
		time.Sleep(10 * time.Second)
		if client := c.is(vera, clients.Found); client.Responsible != "m1" {
			t.Fatalf("responsible %q", client.Responsible)
		}
		c.changed(vera)
		if client := c.is(vera, clients.Found); client.Responsible != "m2" || asked.Load() != 2 {
			t.Fatalf("responsible %q after %d requests", client.Responsible, asked.Load())
		}

		down.Store(1)
		time.Sleep(9 * time.Minute)
		c.is(vera, clients.Found) // and it cannot be renewed
		c.fails("status 503")
		c.is(vera, clients.Found)
		time.Sleep(time.Minute)
		c.is(vera, clients.Unknown) // stale is not known
		c.stop()
	})
}

func TestThereIsNoGapWhileAnAnswerIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{}, 10)
		release <- struct{}{}
		c := newCRM(t, plain(), clients.Environment{Transport: within(func(w http.ResponseWriter, r *http.Request) {
			<-release
			answer(answerVera)(w, r)
		})})
		c.learn(vera, clients.Found)
		for range 5 {
			time.Sleep(8*time.Minute + 30*time.Second)
			c.is(vera, clients.Found)
			synctest.Wait() // the request is under way
			c.is(vera, clients.Found)
			release <- struct{}{}
			for range 1000 {
				c.is(vera, clients.Found)
			}
			synctest.Wait()
			c.is(vera, clients.Found)
		}
		if len(c.changes) > 0 {
			t.Error("it is told of although nothing changed")
		}
		c.stop()
	})
}

func TestTheBreakerOpensAndClosesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked, well atomic.Int64
		h := plain()
		h.Breaker = clients.Breaker{Failures: 3, Pause: time.Minute}
		c := newCRM(t, h, clients.Environment{Transport: within(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			if well.Load() == 0 {
				w.WriteHeader(500)
				return
			}
			answer(answerVera)(w, r)
		})})
		number := func(n int) string { return fmt.Sprintf("+7916%07d", n) }
		for n := range 10 {
			c.is(number(n), clients.Unknown)
			synctest.Wait()
		}
		c.fails("status 500")
		if asked.Load() != 3 || c.gathered("breaker_state", "open") != 1 || c.gathered("requests_total", "breaker_open") != 7 {
			t.Fatalf("asked %d times", asked.Load())
		}
		time.Sleep(61 * time.Second)
		c.is(number(20), clients.Unknown)
		synctest.Wait()
		if asked.Load() != 4 || c.gathered("breaker_state", "open") != 1 {
			t.Fatalf("half open it asked %d times", asked.Load()-3)
		}
		well.Store(1)
		time.Sleep(58 * time.Second)
		c.is(number(30), clients.Unknown) // for which nobody was asked
		synctest.Wait()
		time.Sleep(3 * time.Second)
		c.learn(number(20), clients.Found)
		c.learn(number(30), clients.Found)
		c.fails("")
		if c.gathered("breaker_state", "closed") != 1 {
			t.Error("the breaker is not closed")
		}
		c.learn(number(21), clients.Found)
		if len(c.reports) > 0 {
			t.Error("more is reported than that it failed and that it answers again")
		}
		c.stop()
	})
}

func TestANumberThatFailedIsLeftAloneForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		h := plain()
		h.Breaker.Failures = 1000
		c := newCRM(t, h, clients.Environment{Transport: within(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(500)
		})})
		for range 20 {
			c.is(vera, clients.Unknown)
			synctest.Wait()
			time.Sleep(time.Second)
		}
		if asked.Load() != 4 {
			t.Errorf("asked %d times in 20 s, want every 5 s", asked.Load())
		}
		c.stop()
	})
}

func TestSoManyAreAskedAboutAtATimeAndSoManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most, asked atomic.Int64
		h := plain()
		h.Concurrency, h.Queue = 4, 60
		c := newCRM(t, h, clients.Environment{Transport: within(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(time.Second)
			now.Add(-1)
			answer(answerVera)(w, r)
		})})
		for range 3 { // asking again makes nothing of it
			for n := range 100 {
				began := time.Now()
				c.is(fmt.Sprintf("+7916%07d", n), clients.Unknown)
				if time.Since(began) > 0 {
					t.Fatal("Find waits")
				}
			}
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		if most.Load() != 4 || asked.Load() != 64 {
			t.Errorf("%d at a time, %d in all", most.Load(), asked.Load())
		}
		if n := c.gathered("dropped_total"); n < 3*36 || n > 3*36+4 { // 36 each time, and in the first as many more as no worker was ready for
			t.Errorf("%v dropped", n)
		}
		if len(c.changes) != 64 {
			t.Errorf("%d changes are told", len(c.changes))
		}
		c.stop()
	})
}

func TestTheMemoryHasABoundWhoeverCalls(t *testing.T) {
	memory := cache.NewMemory(cache.Options{Entries: 50})
	h := plain()
	h.Queue = 1000
	c := newCRM(t, h, clients.Environment{Cache: memory, Transport: within(answer(answerVera))})
	for n := range 500 {
		c.is(fmt.Sprintf("+7916%07d", n), clients.Unknown)
	}
	for range 500 {
		select {
		case <-c.changes:
		case <-time.After(20 * time.Second):
			t.Fatal("they are not all asked about")
		}
	}
	if u := memory.Status().Memory; u.Entries > 50 || u.Evictions == 0 {
		t.Errorf("%d entries", u.Entries)
	}
	c.learn(stranger, clients.Found)
}

func TestAnAnswerToAnotherConfigurationIsNotTaken(t *testing.T) {
	memory := cache.NewMemory(cache.Options{})
	release := make(chan struct{})
	slow := within(func(w http.ResponseWriter, r *http.Request) {
		<-release
		answer(`{"found": true, "name": "Vera", "manager": "99"}`)(w, r)
	})
	before := plain()
	before.Employees.IDs = map[string]string{"99": "anna"}
	old := newCRM(t, before, clients.Environment{Cache: memory, Transport: slow})
	old.is(vera, clients.Unknown)

	after := plain()
	after.Employees.IDs = map[string]string{"99": "boris"}
	c := newCRM(t, after, clients.Environment{Cache: memory, Transport: within(answer(`{"found": true, "name": "Vera", "manager": "99"}`))})
	close(release)
	old.changed(vera) // the late answer
	if client := c.learn(vera, clients.Found); client.Responsible != "boris" {
		t.Errorf("responsible %q", client.Responsible)
	}
	if client := old.is(vera, clients.Found); client.Responsible != "anna" {
		t.Errorf("to the old one responsible is %q", client.Responsible)
	}
	// One with the same configuration, after a restart, goes on with what is remembered.
	again := newCRM(t, after, clients.Environment{Cache: memory, Transport: within(http.NotFound)})
	if client := again.is(vera, clients.Found); client.Responsible != "boris" {
		t.Errorf("after a restart %q", client.Responsible)
	}
}

func TestWhatIsUnderWayWhenItStopsIsCalledOff(t *testing.T) {
	began := make(chan struct{})
	c := newCRM(t, plain(), clients.Environment{Transport: within(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
	})})
	c.is(vera, clients.Unknown)
	<-began
	c.stop()
	if len(c.reports)+len(c.changes) > 0 {
		t.Error("it is reported as a failure of the system, or as an answer")
	}
	c.is(vera, clients.Unknown)
}
