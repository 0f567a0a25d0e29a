package gate

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/rs/zerolog"
)

// Shadow is a second policy that is decided beside the one in force, so that a change can be tried before it holds. It counts and tells where
// the two differ.
//
// Its invariant: nobody is let, refused, shown or told anything by it, and nothing waits for it. What it cannot keep up with it drops, and counts.
type Shadow struct {
	cfg    ShadowConfig
	policy atomic.Pointer[policy.Set] // nil: there is nothing to compare with
	queue  chan task
	ledger *ledger // of Run
}

// ShadowConfig is what a Shadow is made of.
type ShadowConfig struct {
	Policy  *policy.Set // nil: none yet; see Gate.SetShadow
	Metrics *Metrics    // the gate's; nil: they count for nobody
	Log     zerolog.Logger

	// Record writes one difference down. It is called by Run alone, for each distinct difference once as long as neither of the policies is replaced;
	// one that it returns an error for is dropped, and told again when it comes again.
	Record func(Difference) error
}

// waitingTasks is how much may wait for Run before more is dropped.
const waitingTasks = 4096

// NewShadow makes a Shadow for the one Gate in whose Config it is put. Nothing is started.
func NewShadow(cfg ShadowConfig) *Shadow {
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	cfg.Metrics.shadowed()
	s := &Shadow{cfg: cfg, queue: make(chan task, waitingTasks)}
	s.ledger = &ledger{ShadowConfig: &s.cfg, told: map[question]struct{}{}}
	s.policy.Store(cfg.Policy)
	return s
}

// task is something for Run: two answers that differ, or rows to be looked at by some subjects.
type task struct {
	pair *pair

	scenes   []*scene
	watchers []*Watcher
	subject  string // beside the watchers
}

// push leaves a task to Run, and drops it when Run is too far behind. It does not wait.
func (s *Shadow) push(t task) {
	select {
	case s.queue <- t:
	default:
		s.cfg.Metrics.shadowDropped.Inc()
	}
}

// Run does what the gate leaves to be done outside its lock, until ctx ends and what had been left by then is done. One call at a time.
func (s *Shadow) Run(ctx context.Context) error {
	for {
		select {
		case t := <-s.queue:
			s.do(&t)
			continue
		default:
		}
		select {
		case t := <-s.queue:
			s.do(&t)
		case <-ctx.Done():
			return nil
		}
	}
}

// do does one task. A policy that is only tried must not be able to stop what works by the one in force, by a mistake in the program either.
func (s *Shadow) do(t *task) {
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Metrics.shadowDropped.Inc()
			s.cfg.Log.Error().Str("panic", fmt.Sprint(p)).Msg("the shadow policy was not compared; this is a mistake in Earshot, which goes on without")
		}
	}()
	if t.pair != nil {
		s.ledger.tell(t.pair)
		return
	}
	for _, sc := range t.scenes {
		if t.subject != "" {
			s.ledger.look(sc, t.subject)
		}
		for _, w := range t.watchers {
			s.ledger.look(sc, w.subject.Employee())
		}
	}
}

// pair is one question with the answers of both policies.
type pair struct {
	id, subject, target string
	action              policy.Action
	destination         string // of a call that somebody wants made: of which kind
	running             bool   // it is about something that runs
	live, shadow        *policy.Set
	now, then           policy.Decision
}

// Changes that the second policy would bring.
const (
	Gained = "gained" // it would allow what the one in force refuses
	Lost   = "lost"   // it would refuse what the one in force allows
	Ground = "ground" // it would do the same for another reason
)

// changes are all of them.
var changes = [...]string{Gained, Lost, Ground}

// change is the one that a pair shows; empty when there is none. Of the grounds the reasons are compared and not the rules: two files have no rule
// in common.
func (p *pair) change() string {
	switch {
	case p.then.Allowed && !p.now.Allowed:
		return Gained
	case p.now.Allowed && !p.then.Allowed:
		return Lost
	case p.now.Reason != p.then.Reason:
		return Ground
	}
	return ""
}

// count counts a pair, and reports whether its answers differ.
func (s *ShadowConfig) count(p *pair) bool {
	s.Metrics.shadowDecisions.WithLabelValues(p.action.String()).Inc()
	change := p.change()
	if change == "" {
		return false
	}
	s.Metrics.shadowDifferences.WithLabelValues(p.action.String(), change).Inc()
	return true
}

// compare counts a pair and has it told when its answers differ.
func (s *Shadow) compare(p pair) {
	if s.cfg.count(&p) {
		differing := p
		s.push(task{pair: &differing})
	}
}
