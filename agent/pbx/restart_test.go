package pbx

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
)

// TestARestartOfEarshotLeadsToTheSameState plays every scenario for an Earshot that is never stopped. At each step another one is stopped and
// started again, and one more starts that stays until the end; between each two steps one starts in the middle of what goes on. At every step
// from then on each of them has to say the same as the first, and hold the same as a snapshot of the PBX.
func TestARestartOfEarshotLeadsToTheSameState(t *testing.T) {
	o := openOffice(t)
	all := floors()
	furnished, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	o.furnish(t, furnished, all)
	for _, name := range slices.Sorted(maps.Keys(scenarios)) {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			admin, err := ari.New(o.ari(o.pbx.Site().Admin))
			if err != nil {
				t.Fatal(err)
			}
			h := &house{office: o}
			h.steady = run(t, o, func(c *Config) { c.Application = "earshot-steady" }, func(*call.Table) { h.facts.Add(-1) })
			h.steady.up()
			s := &scene{T: t, stage: h, name: name, ctx: ctx, office: o, admin: admin, on: all[name], unhurried: true}
			s.run(func(s *scene) {
				s.now("nobody is on a call")
				defer func() { h.came() }()
				scenarios[name](s)
				s.must(s.hangupAll(ctx))
				s.must(h.until(ctx, func() bool { return !s.left() }))
				s.now("all have hung up")
			})
			if err := s.hangupAll(ctx); err != nil {
				t.Error(err)
			}
			for _, e := range h.heirs {
				e.feed.Read(func(table *call.Table) {
					if table.Len() > 0 {
						t.Errorf("who came when %s has %d legs left", e.came, table.Len())
					}
				})
			}
		})
	}
}

// A house is where one Earshot stays and others come and go.
type house struct {
	office *office
	steady *runner
	newest *heir   // the one that has been stopped and started again
	heirs  []*heir // those who came at a step and stay
	marks  int

	facts atomic.Int64 // how many more are to come in this step before somebody does
	over  func()       // ends the step: who has not come yet comes now
	hasty chan *heir   // who came
}

// An heir is an Earshot that came when the scenario was under way.
type heir struct {
	*runner
	came   string
	unheld []string // whom it does not know to have put a call on hold: "101 held in"
}

func (h *house) mark(s *scene, text string, want []string) {
	s.Helper()
	s.shows(text, want)
	if h.marks++; h.marks > 1 {
		hasty := h.came()
		hasty.unheld = holders(want) // it may know, or not
		h.agrees(s, hasty, text, want)
		hasty.stop()
		for _, e := range append(h.heirs, h.newest) {
			h.agrees(s, e, text, want)
		}
		h.newest.stop()
	}
	h.newest = h.comes(s.T, "earshot", text)
	stays := h.comes(s.T, fmt.Sprintf("earshot-%d", h.marks), text)
	h.heirs = append(h.heirs, stays)
	for _, e := range []*heir{h.newest, stays} {
		e.unheld = holders(want)
		h.agrees(s, e, text, want)
	}
	h.await(s)
}

// comes starts an Earshot.
func (h *house) comes(t *testing.T, application, when string) *heir {
	return &heir{runner: run(t, h.office, func(c *Config) { c.Application = application }, nil), came: when}
}

// await has one come after some facts of the next step, more of them from step to step, or at the step's end.
func (h *house) await(s *scene) {
	h.facts.Store([]int64{2, 5, 10}[h.marks%3])
	ctx, over := context.WithCancel(s.ctx)
	hasty := make(chan *heir, 1)
	h.over, h.hasty = over, hasty
	go func() {
		defer close(hasty)
		_ = h.steady.wait(ctx, func() bool { return h.facts.Load() <= 0 })
		hasty <- h.comes(s.T, "earshot-hasty", "something went on")
	}()
}

// came ends the step and returns who has come; nil if it has been asked before.
func (h *house) came() *heir {
	h.over()
	return <-h.hasty
}

// agrees makes sure that an heir says the same as a person would, and holds the same as a snapshot.
func (h *house) agrees(s *scene, e *heir, text string, want []string) {
	s.Helper()
	e.up()
	e.unheld = still(e.unheld, want)
	ctx, cancel := context.WithTimeout(s.ctx, settle)
	defer cancel()
	var got, should []string
	if e.wait(ctx, func() bool {
		e.feed.Read(func(t *call.Table) { got, should = s.forgiving(t, e.unheld, want) })
		return slices.Equal(got, should)
	}) != nil {
		s.Errorf("%s: %s: who came when %s says\n\t%s\nand should say\n\t%s", s.name, text, e.came, strings.Join(got, "\n\t"), strings.Join(should, "\n\t"))
	}
	var different []string
	if e.wait(ctx, func() bool {
		now, err := h.steady.link.snapshot(s.ctx)
		s.must(err)
		e.feed.Read(func(t *call.Table) { different = t.Diff(now) })
		return len(different) == 0
	}) != nil {
		s.Errorf("%s: %s: who came when %s holds it otherwise than the PBX: %s", s.name, text, e.came, strings.Join(different, "; "))
	}
	h.steady.feed.Read(func(t *call.Table) {
		e.feed.Read(func(other *call.Table) {
			for _, l := range t.All(nil) {
				if o := other.Leg(l.ID()); l.Kind() == call.KindPhone && l.State() == call.StateUp && o != nil && !o.Answered().IsZero() && o.Answered().Before(l.Answered().Add(-slack)) {
					s.Errorf("%s: %s: who came when %s has %s answered %v before it was", s.name, text, e.came, s.on.short(l), l.Answered().Sub(o.Answered()))
				}
			}
		})
	})
}

func (e *heir) stop() {
	e.end()
	e.must(<-e.done)
}

func (h *house) meanwhile([]string)                              {}
func (h *house) until(ctx context.Context, so func() bool) error { return h.steady.wait(ctx, so) }
func (h *house) read(look func(*call.Table))                     { h.steady.feed.Read(look) }
func (h *house) earshot() *Link                                  { return h.newest.link }

func (h *house) hasEntered(id call.LegID) bool {
	h.newest.mu.Lock()
	defer h.newest.mu.Unlock()
	return h.newest.entered[id]
}
