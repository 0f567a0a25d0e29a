package gate_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// campaign is set by make campaign-revoke: everything at its full size, over and over, and held to the times that are promised. Without it the
// same is done once, and a machine that is busy with other tests is given a second.
var campaign = os.Getenv("EARSHOT_CAMPAIGN") != ""

// timed notes when each supervision's legs are ordered to be hung up.
type timed struct {
	gate.PBX
	mu   sync.Mutex
	at   []time.Time
	wake chan struct{}
}

func (p *timed) Drop(ctx context.Context, bridge call.BridgeID, legs ...call.LegID) error {
	p.mu.Lock()
	p.at = append(p.at, time.Now())
	p.mu.Unlock()
	p.wake <- struct{}{}
	return p.PBX.Drop(ctx, bridge, legs...)
}

// times waits for n orders and returns how long after an event each came, sorted.
func (p *timed) times(t testing.TB, since time.Time, n int) (out []time.Duration) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for i := range n {
		select {
		case <-p.wake:
		case <-timeout:
			t.Fatalf("%d of %d supervisions have ended", i, n)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, at := range p.at {
		out = append(out, at.Sub(since))
	}
	p.at = nil
	slices.Sort(out)
	return out
}

// crowd is a policy of a thousand employees, a hundred of whom may listen by a role until a moment.
func crowd(until time.Time, right string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\ntimezone: Europe/Moscow\nroles: {listener: {listen: %s}}\nassign: [{role: listener, to: [group:listeners], until: %s}]\nemployees:\n", right, until.Format(time.DateOnly))
	for i := range 1000 {
		fmt.Fprintf(&b, "  e%d: {name: Employee %d, phones: [PJSIP/%d], numbers: [\"%d\"], observe: {to: any, except: [e999]}, intercept: true, lock: true}\n", i, i, 1000+i, 1000+i)
	}
	b.WriteString("groups: {listeners: [e500")
	for i := range 99 {
		fmt.Fprintf(&b, ", e%d", 501+i)
	}
	b.WriteString("]}\ntrunks: [PJSIP/trunk]\n")
	return b.String()
}

// A hundred supervisions run, a thousand employees are in the policy and fifty look on. From what takes the ground away to the last order to hang
// up: the file of the policy, a lock, the end of an assignment.
func TestAHundredSupervisionsAreEndedInTime(t *testing.T) {
	const many = 100
	rounds, fileLimit, limit := 1, time.Second, time.Second
	if campaign {
		rounds, fileLimit, limit = 10, 90*time.Millisecond, 40*time.Millisecond // and the PBX takes its time
	}
	var saved, locked, expired []time.Duration
	for range rounds {
		path := filepath.Join(t.TempDir(), "policy.yaml")
		write := func(text string) {
			if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		}
		until := time.Now().AddDate(0, 0, 1) // the end of that day
		write(crowd(until, "{to: any}"))
		var o *office
		in := make(chan *policy.Set, 10)
		clock := &hands{at: time.Now()}
		file, err := policyfile.Open([]string{path}, policyfile.Options{Now: clock.now, After: clock.after, OnChange: func(s *policy.Set, err error) {
			if err != nil {
				t.Error(err)
			}
			o.gate.SetPolicy(s)
			in <- s
		}})
		if err != nil {
			t.Fatal(err)
		}
		pbx := &timed{wake: make(chan struct{}, 1000)}
		o = newOffice(t, house, func(c *gate.Config) {
			pbx.PBX, c.PBX, c.Policy = c.PBX, pbx, file.Current()
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- file.Watch(ctx) }()
		for i := range many {
			o.talk(fmt.Sprint("c", i), other, fmt.Sprintf("PJSIP/%d", 1000+i))
		}
		for i := range 50 {
			w, err := o.gate.Watch(who(fmt.Sprint("e", 600+i)))
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				for err := error(nil); err == nil; _, err = w.Next(ctx) {
				}
			}()
			defer w.Close()
		}
		all := func() {
			for i := range many {
				if _, err := o.gate.Supervise(t.Context(), who(fmt.Sprint("e", 500+i)), gate.Ask{Target: fmt.Sprint("e", i), Mode: "spy"}); err != nil {
					t.Fatal(err)
				}
			}
			for i := range many {
				for s := who(fmt.Sprint("e", 500+i)); ; o.log.wait(time.Millisecond) {
					if v, err := o.gate.Supervisions(s); err != nil || len(v) == 1 && v[0].State == "active" {
						break
					}
				}
			}
		}
		settled := func() {
			for i := range many {
				for s := who(fmt.Sprint("e", 500+i)); ; o.log.wait(time.Millisecond) {
					if v, _ := o.gate.Supervisions(s); len(v) == 0 {
						break
					}
				}
			}
		}
		all()
		write(crowd(until, "{to: any, except: [group:listeners]}"))
		<-in
		if v, _ := o.gate.Supervisions(who("e500")); len(v) != 1 {
			t.Fatal("a change that takes no ground away has ended something")
		}
		since := time.Now()
		write(crowd(until, "none"))
		saved = append(saved, pbx.times(t, since, many)...)
		<-in
		settled()

		write(crowd(until, "{to: any}"))
		<-in
		all()
		for i := range many {
			since := time.Now()
			if _, err := o.gate.Lock(t.Context(), who(fmt.Sprint("e", i)), gate.LockAsk{}); err != nil {
				t.Fatal(err)
			}
			locked = append(locked, pbx.times(t, since, 1)...)
		}
		settled()
		for i := range many {
			locks, _ := o.gate.Locks(who(fmt.Sprint("e", i)))
			if err := o.gate.Unlock(t.Context(), who(fmt.Sprint("e", i)), locks[0].ID); err != nil {
				t.Fatal(err)
			}
		}

		all()
		since = time.Now()
		clock.move(until.AddDate(0, 0, 2))
		expired = append(expired, pbx.times(t, since, many)...)
		<-in
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		what  string
		times []time.Duration
		limit time.Duration
	}{{"the saving of the file", saved, fileLimit}, {"a lock", locked, limit}, {"the end of an assignment", expired, limit}} {
		slices.Sort(c.times)
		p50, p99 := c.times[len(c.times)/2], c.times[len(c.times)*99/100]
		t.Logf("from %s to the order to hang up, %d times: p50 %.1f ms, p99 %.1f ms", c.what, len(c.times), p50.Seconds()*1000, p99.Seconds()*1000)
		if p99 > c.limit {
			t.Errorf("from %s: p99 is %v, more than %v", c.what, p99, c.limit)
		}
	}
}

// hands is a clock that a test moves.
type hands struct {
	mu     sync.Mutex
	at     time.Time
	alarms []chan time.Time
}

func (h *hands) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *hands) after(time.Duration) <-chan time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := make(chan time.Time, 1)
	h.alarms = append(h.alarms, c)
	return c
}

func (h *hands) move(to time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = to
	for _, c := range h.alarms {
		c <- to
	}
	h.alarms = nil
}
