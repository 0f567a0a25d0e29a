package pbx

import (
	"context"

	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/feed"
	"github.com/earshot-pbx/earshot/ari"
)

// A hall is where all scenarios are played at once before one Earshot, each on its floor, so that one misfortune of the PBX comes in the middle
// of each.
type hall struct {
	*runner
	office  *office
	told    *feed.Subscription
	batches []*feed.Batch // taken of what is told, and not looked at yet
	// The first group is played at once. Each of the others is a pickup, and nobody else moves while one is under way: Asterisk 22 blocks when a
	// phone picks up a call while another does, until both dialogs time out (res_pjsip and pickup.c wait for each other's locks).
	groups [][]*seat
}

// A seat is the hall as one scenario sees it.
type seat struct {
	*hall
	scene  *scene
	stop   int // after so many steps it stops; at the end of the scenario if there are fewer
	steps  int
	board  []string      // where it has stopped
	unheld []string      // who had put a call on hold when the state was lost
	rest   chan struct{} // closed when it has stopped, or has ended
	rested sync.Once
	goOn   chan bool
	over   chan struct{} // closed when it has ended
}

// pulse is that of the hall's Earshot.
const pulse = time.Second

// openHall opens a hall with an Earshot that notices soon when the PBX is silent.
func openHall(t *testing.T) *hall {
	t.Helper()
	o := openOffice(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	o.furnish(t, ctx, floors())
	h := &hall{office: o, runner: run(t, o, func(c *Config) { c.Pulse = pulse }, nil)}
	h.up()
	h.told = h.feed.Subscribe(1<<14, nil)
	t.Cleanup(h.told.Close)
	return h
}

// play begins every scenario and returns when each has stopped after so many of its steps, given how many there are, or has ended.
func (h *hall) play(stop func(steps int) int) {
	h.Helper()
	admin, err := ari.New(h.office.ari(h.office.pbx.Site().Admin))
	h.must(err)
	recorded, all := tapes(h), floors()
	h.groups = make([][]*seat, 1)
	for _, name := range slices.Sorted(maps.Keys(scenarios)) {
		steps := -2 // the first mark and the last are not the scenario's own
		for i := range recorded[name] {
			if recorded[name][i].Mark != "" {
				steps++
			}
		}
		s := &seat{hall: h, stop: stop(steps), rest: make(chan struct{}), goOn: make(chan bool, 1), over: make(chan struct{})}
		s.scene = &scene{T: h.T, stage: s, name: name, ctx: h.ctx, office: h.office, admin: admin, on: all[name], unhurried: true}
		if strings.HasPrefix(name, "pickup") {
			h.groups = append(h.groups, []*seat{s})
		} else {
			h.groups[0] = append(h.groups[0], s)
		}
	}
	for _, group := range h.groups {
		for _, s := range group {
			go func() {
				defer close(s.over)
				defer s.rests()
				s.scene.run(scenarios[s.scene.name])
			}()
		}
		for _, s := range group {
			<-s.rest
		}
	}
}

func (s *seat) rests() { s.rested.Do(func() { close(s.rest) }) }

// seats are those of all groups.
func (h *hall) seats() []*seat { return slices.Concat(h.groups...) }

// end lets each scenario go on to its end, or no further, and returns when all are over and nobody is on a call.
func (h *hall) end(goOn func(s *seat) bool) {
	h.Helper()
	for _, group := range h.groups {
		for _, s := range group {
			s.goOn <- goOn(s)
		}
		for _, s := range group {
			<-s.over
		}
	}
	h.hangUp(func(*seat) bool { return true })()
	h.until("nobody is on a call", func() bool { return h.feed.Stats().Legs == 0 })
	h.same()
}

// hangUp ends the calls of those that are to, and returns what waits until they have ended.
func (h *hall) hangUp(who func(*seat) bool) (wait func()) {
	var wg sync.WaitGroup
	for _, s := range h.seats() {
		if who(s) {
			wg.Go(func() {
				if err := s.scene.hangupAll(h.ctx); err != nil {
					h.Errorf("%s: %v", s.scene.name, err)
				}
			})
		}
	}
	return wg.Wait
}

func (s *seat) mark(sc *scene, text string, want []string) {
	sc.Helper()
	s.unheld = still(s.unheld, want)
	s.shows(text, want)
	if s.steps++; s.steps != s.stop {
		return
	}
	s.board = want
	s.rests()
	select {
	case goOn := <-s.goOn:
		if goOn {
			return
		}
	case <-s.ctx.Done():
	}
	panic(abandoned{})
}

// shows waits until the board says what it should, as far as can be known.
func (s *seat) shows(text string, want []string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	var got, should []string
	if s.wait(ctx, func() bool {
		settled := false
		s.feed.Read(func(t *call.Table) {
			got, should = s.scene.forgiving(t, s.unheld, want)
			settled = s.scene.on.bridged(t)
		})
		return settled && slices.Equal(got, should)
	}) != nil {
		s.Errorf("%s: %s: the board says\n\t%s\nand should say\n\t%s", s.scene.name, text, strings.Join(got, "\n\t"), strings.Join(should, "\n\t"))
	}
}

// lost waits until the state is not known, nor either connection there, and until those who follow the calls have been told.
func (h *hall) lost() {
	h.Helper()
	h.until("both connections are lost", func() bool { return slices.Equal(h.link.Down(), []string{"ami", "ari"}) })
	b := h.batch()
	for b.Known {
		b = h.batch()
	}
	if len(b.Changes) != 1 || b.Changes[0].Kind != call.LinkLost {
		h.Errorf("with the loss it is told %v", b.Changes)
	}
	for _, s := range h.seats() {
		s.unheld = holders(s.board)
	}
}

// batch is what those who follow the calls are told next.
func (h *hall) batch() *feed.Batch {
	h.Helper()
	for len(h.batches) == 0 {
		taken, err := h.told.Take(h.ctx)
		if err != nil {
			h.Fatalf("nothing is told any more: %v", err)
		}
		h.batches = slices.Clone(taken)
	}
	b := h.batches[0]
	h.batches = h.batches[1:]
	return b
}

// found waits until all is well, and looks at what those who follow the calls are told first.
func (h *hall) found() {
	h.Helper()
	h.up()
	b := h.batch()
	if !b.Known || len(b.Changes) != 1 || b.Changes[0].Kind != call.Resynced {
		h.Errorf("after the loss it is told %v, known: %v", b.Changes, b.Known)
	}
}

func (s *seat) meanwhile([]string)                              {}
func (s *seat) until(ctx context.Context, so func() bool) error { return s.wait(ctx, so) }
func (s *seat) read(look func(*call.Table))                     { s.feed.Read(look) }
func (s *seat) earshot() *Link                                  { return s.link }

func (s *seat) hasEntered(id call.LegID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entered[id]
}

// Asterisk hangs in the middle of every scenario, and half of them end meanwhile.
func TestAPausedAsteriskIsNoticedAndFollowedAgain(t *testing.T) {
	h := openHall(t)
	h.play(func(steps int) int { return (steps + 1) / 2 })
	h.must(h.office.pbx.Pause())
	t.Cleanup(func() { _ = h.office.pbx.Continue() }) // or it hangs for all tests to come
	gone := func(s *seat) bool { return s.scene.on[2]%2 == 0 }
	paused := time.Now()
	hungUp := h.hangUp(gone)
	h.lost()
	took := time.Since(paused)
	t.Logf("the loss was told %v after the PBX had stopped, with %d legs", took, h.feed.Stats().Legs)
	if took > 5*pulse { // two, on an idle machine
		t.Errorf("the loss was told after %v", took)
	}
	h.must(h.office.pbx.Continue())
	on := time.Now()
	h.found()
	t.Logf("the state was known %v after the PBX went on", time.Since(on))
	hungUp()
	for _, s := range h.seats() {
		if gone(s) {
			s.shows("they have hung up while the PBX stood still", nil)
		} else {
			s.shows("the PBX has stood still", s.board)
		}
	}
	h.same()
	h.end(func(s *seat) bool { return !gone(s) })
}

// Asterisk dies in the middle of every scenario and is started again. Each is then played anew.
func TestNothingIsLeftOfCallsThatAsteriskTookWithIt(t *testing.T) {
	h := openHall(t)
	h.play(func(steps int) int { return steps/2 + 1 })
	h.must(h.office.pbx.Kill())
	h.lost()
	restarted := make(chan error, 1)
	go func() { restarted <- h.office.pbx.Restart(h.ctx) }()
	h.office.vacate(t) // the calls are none any more, and what it takes to end them is not there
	h.must(<-restarted)
	h.found()
	h.end(func(*seat) bool { return false })
	h.must(h.office.register(h.ctx))
	h.office.furnish(t, h.ctx, floors())
	h.play(func(int) int { return 0 })
	h.end(func(*seat) bool { return true })
}
