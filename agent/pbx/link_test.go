package pbx

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/feed"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/rs/zerolog"
)

// A runner is a link that runs, with a feed behind it.
type runner struct {
	*testing.T
	ctx  context.Context
	link *Link
	feed *feed.Feed
	end  context.CancelFunc
	done chan error
	look func(*call.Table) // with the table locked, after each fact; set before the link runs

	mu      sync.Mutex
	log     bytes.Buffer
	resyncs int
	entered map[call.LegID]bool
	changed chan struct{}
}

// run starts a link; change may alter its configuration, and look is called after each fact.
func run(t *testing.T, o *office, change func(*Config), look func(*call.Table)) *runner {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	t.Cleanup(cancel)
	r := &runner{T: t, ctx: ctx, done: make(chan error, 1), look: look, entered: map[call.LegID]bool{}, changed: make(chan struct{})}
	r.feed = feed.New(feed.Config{Resync: func() { r.link.Resync() }, OnApply: func(table *call.Table, ev *call.Event, _ []call.Change) {
		if r.look != nil {
			r.look(table)
		}
		r.happened(func() {
			if ev.Kind == call.Resynced {
				r.resyncs++
			}
		})
	}})
	cfg := Config{
		Application: "earshot", Sink: r.feed, Log: zerolog.New(r),
		Entered: func(id call.LegID) { r.happened(func() { r.entered[id] = true }) },
	}
	if o != nil {
		cfg.ARI, cfg.AMI = o.ari(o.pbx.Site().Earshot), o.ami(o.pbx.Site().Earshot)
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if r.link, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	if o == nil {
		r.link.markerTime = instant // a fake has nothing else to do
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	r.end = end
	var wg sync.WaitGroup
	wg.Go(func() { _ = r.feed.Run(running) })
	wg.Go(func() { r.done <- r.link.Run(running) })
	t.Cleanup(func() {
		end()
		wg.Wait()
		if t.Failed() {
			t.Logf("the link said:\n%s", r.said())
		}
	})
	return r
}

func (r *runner) happened(note func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	note()
	close(r.changed)
	r.changed = make(chan struct{})
}

// Write takes the link's log.
func (r *runner) Write(line []byte) (int, error) {
	r.happened(func() { r.log.Write(line) })
	return len(line), nil
}

func (r *runner) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

// wait waits until something is so; it is looked at again after each fact and each line of the log.
func (r *runner) wait(ctx context.Context, so func() bool) error {
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

// until is wait for what the test cannot go on without.
func (r *runner) until(what string, so func() bool) {
	r.Helper()
	if r.wait(r.ctx, so) != nil {
		r.Fatalf("it never happened that %s; the link said:\n%s", what, r.said())
	}
}

// up waits until both connections are up and the state is known.
func (r *runner) up() {
	r.Helper()
	r.until("all is well", func() bool { return len(r.link.Down()) == 0 })
}

// again takes another snapshot and waits for it.
func (r *runner) again() {
	r.Helper()
	r.mu.Lock()
	before := r.resyncs
	r.mu.Unlock()
	r.link.Resync()
	r.until("a snapshot is taken", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.resyncs > before
	})
}

// shows waits until the board says this.
func (r *runner) shows(want ...string) {
	r.Helper()
	slices.Sort(want)
	var got []string
	defer func() {
		if r.Failed() && !slices.Equal(got, want) {
			r.Logf("the board said\n\t%s", strings.Join(got, "\n\t"))
		}
	}()
	r.until("the board shows "+strings.Join(want, ", "), func() bool {
		r.feed.Read(func(t *call.Table) { got = board(t) })
		return slices.Equal(got, want)
	})
}

// same compares the table with a fresh snapshot.
func (r *runner) same() {
	r.Helper()
	r.must(r.link.catchUp(r.ctx))
	s, err := r.link.snapshot(r.ctx)
	r.must(err)
	r.feed.Read(func(t *call.Table) {
		for _, d := range t.Diff(s) {
			r.Errorf("not as on the PBX: %s", d)
		}
	})
}

func (r *runner) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// talk makes one phone of an office call another, which answers.
func (o *office) talk(ctx context.Context, from, to string) (a, b *phone.Call, err error) {
	if a, err = o.phones[from].Dial(ctx, to); err != nil {
		return nil, nil, err
	}
	if b, err = o.phones[to].Incoming(ctx); err != nil {
		return nil, nil, err
	}
	if err = b.Answer(ctx); err != nil {
		return nil, nil, err
	}
	return a, b, a.WaitAnswered(ctx)
}

func TestNoLegIsLostHoweverCallsComeAndGo(t *testing.T) {
	o := openOffice(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	settled := run(t, o, nil, nil)
	settled.up()
	long, _, err := o.talk(ctx, "103", "203")
	if err != nil {
		t.Fatal(err)
	}
	settled.until("the long call is in a bridge", func() bool {
		in := 0
		settled.feed.Read(func(table *call.Table) {
			for _, l := range table.All(nil) {
				if l.Bridge() != "" {
					in++
				}
			}
		})
		return in == 2
	})
	settled.end()
	settled.must(<-settled.done)
	// storm makes three pairs of phones call each other at once while something else is done.
	storm := func(while func()) {
		var wg sync.WaitGroup
		for from, to := range map[string]string{"101": "102", "201": "202", "301": "303"} {
			wg.Go(func() {
				for range 3 {
					a, b, err := o.talk(ctx, from, to)
					if err == nil {
						err = errors.Join(a.Hangup(ctx), b.WaitEnded(ctx))
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		while()
		wg.Wait()
	}
	// Whenever the state is known, the long call is there, with both who are on it.
	whole := func(table *call.Table) {
		if table.Known() {
			for _, id := range []string{"PJSIP/103", "PJSIP/203"} {
				if legs := table.LegsOf(nil, id); len(legs) != 1 || len(table.Peers(nil, legs[0])) != 1 {
					t.Errorf("%s has %d legs, or no peer", id, len(legs))
				}
			}
		}
	}
	var last *runner
	for range 3 {
		if last != nil {
			last.end()
			last.must(<-last.done)
		}
		last = run(t, o, nil, whole)
		storm(last.up)
		for range 4 {
			storm(func() {
				last.again()
				last.again()
			})
		}
	}
	last.shows("103 talking out with 203", "203 talking in with 103")
	last.until("nobody else has a leg", func() bool {
		n := 0
		last.feed.Read(func(t *call.Table) { n = t.Len() })
		return n == 2
	})
	last.same()
	last.end()
	last.must(<-last.done)
	last.must(long.Hangup(ctx))
}

func TestTheLinkComesBackWithTheStateAfterARestartAndACrash(t *testing.T) {
	o := openOffice(t)
	r := run(t, o, nil, nil)
	for _, loss := range []struct {
		name string
		lose func() error
	}{
		{"restart", func() error { return nil }}, // Restart ends it first
		{"crash", o.pbx.Kill},
	} {
		r.up()
		a, b, err := o.talk(r.ctx, "101", "102")
		r.must(err)
		r.shows("101 talking out with 102", "102 talking in with 101")
		r.must(loss.lose())
		restarted := make(chan error, 1)
		go func() { restarted <- o.pbx.Restart(r.ctx) }()
		r.until("the state is no longer known", func() bool { return !r.feed.Stats().Known })
		r.must(<-restarted)
		// Asterisk no longer knows these calls, so nothing that it says about them matters.
		_, _ = a.Hangup(r.ctx), b.Hangup(r.ctx)
		r.must(o.register(r.ctx))
		r.up()
		r.shows()
		r.same()
		a, _, err = o.talk(r.ctx, "101", "102")
		r.must(err)
		r.shows("101 talking out with 102", "102 talking in with 101")
		r.again()
		r.shows("101 talking out with 102", "102 talking in with 101")
		r.same()
		r.must(a.Hangup(r.ctx))
		r.shows()
	}
}

func TestAnotherEarshotEndsTheFirst(t *testing.T) {
	o := openOffice(t)
	first := run(t, o, nil, nil)
	first.up()
	second := run(t, o, nil, nil)
	second.up()
	select {
	case err := <-first.done:
		if !errors.Is(err, ErrReplaced) {
			t.Errorf("the first ended with %v", err)
		}
	case <-first.ctx.Done():
		t.Error("the first goes on")
	}
	if first.feed.Stats().Known {
		t.Error("the first still takes its state for known")
	}
	second.again()
	if down := second.link.Down(); len(down) > 0 {
		t.Errorf("the second lacks %v", down)
	}
}

func TestWhatKeepsTheLinkDownIsToldWithWhatToDo(t *testing.T) {
	o := openOffice(t)
	for name, c := range map[string]struct {
		change func(*Config)
		told   string
		down   string
	}{
		"secret of AMI":   {func(c *Config) { c.AMI.Secret = "wrong" }, "refused Earshot's AMI account", "ami"},
		"password of ARI": {func(c *Config) { c.ARI.Password = "wrong" }, "refused Earshot's ARI account", "ari"},
		"prefix of ARI":   {func(c *Config) { c.ARI.BaseURL += "/nowhere" }, "there is no ARI at pbx.ari.url", "ari"},
		"address of AMI":  {func(c *Config) { c.AMI.Addr = "127.0.0.1:1" }, "AMI: nothing listens at that address", "ami"},
		"address of ARI":  {func(c *Config) { c.ARI.BaseURL = "http://127.0.0.1:1/ari" }, "ARI: nothing listens at that address", "ari"},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, o, c.change, nil)
			r.until("it is told what to do", func() bool { return strings.Contains(r.said(), c.told) })
			if !slices.Contains(r.link.Down(), c.down) {
				t.Errorf("down: %v", r.link.Down())
			}
			if strings.Contains(r.said(), "wrong") {
				t.Errorf("the log tells the secret:\n%s", r.said())
			}
		})
	}
}

func TestARightThatEarshotsAccountLacksIsTold(t *testing.T) {
	o := openOffice(t)
	for name, c := range map[string]struct {
		change func(*Config)
		told   string
		down   []string
	}{
		"nothing":       {func(*Config) {}, "", nil},
		"write of AMI":  {func(c *Config) { c.AMI.Username, c.AMI.Secret = "mute", "lacks" }, "AMI account may not originate", nil},
		"moves by AMI":  {func(c *Config) { c.AMI.Username, c.AMI.Secret = "still", "lacks" }, "AMI account may not move calls", nil},
		"read of AMI":   {func(c *Config) { c.AMI.Username, c.AMI.Secret = "deaf", "lacks" }, "AMI account hears of no calls", nil},
		"writes of ARI": {func(c *Config) { c.ARI.Username, c.ARI.Password = "reader", "lacks" }, "ARI account may only read", []string{"ari"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, o, c.change, nil)
			if c.down == nil {
				r.up()
				for range enough + 1 { // a call has two legs
					call, err := o.phones["101"].Dial(r.ctx, "102")
					r.must(err)
					r.must(call.WaitRinging(r.ctx))
					r.must(call.Hangup(r.ctx))
				}
				r.until("the calls are gone", func() bool { return len(r.legs("PJSIP/101"))+len(r.legs("PJSIP/102")) == 0 })
			}
			if c.told != "" {
				r.until("it is told what to do", func() bool { return strings.Contains(r.said(), c.told) })
			}
			for _, sentence := range []string{"may not originate", "hears of no calls", "may only read"} {
				if strings.Contains(r.said(), sentence) && !strings.Contains(c.told, sentence) {
					t.Errorf("it is told too that it %s:\n%s", sentence, r.said())
				}
			}
			r.until("just that is down", func() bool { return slices.Equal(r.link.Down(), c.down) })
		})
	}
}
