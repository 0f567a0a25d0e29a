package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// patience bounds one wait within a deed. What is waited for comes within a second or two; a machine that others use, or a part that is away, takes longer.
const patience = 30 * time.Second

// soak is one run.
type soak struct {
	*company
	dir                string
	ledger             *ledger
	hidden             *hidden
	faults             faults
	panels             *panels
	trunk              *trunk
	past               past
	locks              map[string]chan struct{} // each phone's, for who has it
	running            sync.WaitGroup
	lives              []*life // of Earshot
	outages            map[string]int
	disturbed, skipped atomic.Int64
	listened, compared atomic.Int64 // checks of ears, and of the board beside the PBX
	passed             atomic.Int64 // bytes that passing panels were sent
	figures            record
}

// faults are what was not as it has to be.
type faults struct {
	mu   sync.Mutex
	list []string
	note func(string, ...any)
}

func (f *faults) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	f.note("FAULT %s", text)
	if len(f.list) < 1000 {
		f.list = append(f.list, text)
	}
}

func (f *faults) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.list)
}

func begin(ctx context.Context, binary, dir, seed string) (*soak, error) {
	l, err := newLedger(filepath.Join(dir, "deeds.log"))
	if err != nil {
		return nil, err
	}
	s := &soak{dir: dir, ledger: l, hidden: &hidden{known: map[string]identity{}}, locks: map[string]chan struct{}{}, outages: map[string]int{}}
	s.faults.note = l.note
	l.note("seed %s", seed)
	if s.company, err = openCompany(ctx, binary, dir, s.hidden, s.leaked); err != nil {
		return nil, err
	}
	for who := range s.phones {
		s.locks[who] = make(chan struct{}, 1)
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.company.close())
	}
	s.lives = append(s.lives, &life{})
	s.trunk = openTrunk(s.Trunk)
	s.panels = s.openPanels(ctx)
	return s, nil
}

// leaked is what happens when somebody is told, or a file has, what he may not know.
func (s *soak) leaked(where string, i identity, around string) {
	s.faults.add("%s has %s (%s) in it: …%q…", where, i.number, i.name, around)
}

// live goes through the rounds.
func (s *soak) live(ctx context.Context, of func(int) place, lasts time.Duration) error {
	until, n := time.Now().Add(lasts), 0
	if err := s.calm(ctx, "the beginning"); err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	defer s.running.Wait()
	defer stop()
	s.running.Go(func() { s.watch(watching) })
	s.running.Go(func() { s.stalls(watching) })
	s.running.Go(func() { s.sluggish(watching, partRedis, "the Redis took its time to answer", s.pingRedis) })
	s.running.Go(func() { s.sluggish(watching, partEarshot, "Earshot took its time to answer", s.pingEarshot) })
	for i := 0; ctx.Err() == nil && (i == 0 || time.Now().Before(until)); i++ {
		p := of(i)
		r, deeds := p.round, round(p.seed, p.round, n)
		n += len(deeds)
		s.ledger.note("round %d of seed %d: %d deeds", r, p.seed, len(deeds))
		before := len(s.faults.all())
		s.play(ctx, deeds)
		if err := s.calm(ctx, fmt.Sprintf("round %d", r)); err != nil {
			return err
		}
		fmt.Printf("  %s round %d, deed %d: %d faults, %d disturbed, %d skipped\n", time.Now().UTC().Format("15:04:05"), r, n, len(s.faults.all())-before, s.disturbed.Load(), s.skipped.Load())
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("it was ended: %w", err)
	}
	s.after(ctx)
	return nil
}

// play does the deeds of a round, each at its time, and waits for all.
func (s *soak) play(ctx context.Context, deeds []deed) {
	began := time.Now()
	var all sync.WaitGroup
	for _, d := range deeds {
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(began.Add(d.at))):
		}
		all.Go(func() { s.do(ctx, d) })
	}
	all.Wait()
}

// do does one deed, once its phones are free.
func (s *soak) do(ctx context.Context, d deed) {
	if !s.take(ctx, d.who) {
		s.skipped.Add(1)
		s.ledger.count(d.kind + " skipped")
		s.ledger.note("%d %s %s: skipped, a phone is not free", d.number, d.kind, strings.Join(d.who, ","))
		return
	}
	defer s.release(d.who)
	s.ledger.note("%d %s %s", d.number, d.kind, strings.Join(d.who, ","))
	s.ledger.count(d.kind)
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 4*patience)
	defer cancel()
	t := &turn{soak: s, deed: d, r: d.rand()}
	err := deeds[d.kind](ctx, t)
	t.end()
	parts := explains[d.kind]
	if parts == nil {
		parts = []string{partPBX}
	}
	switch touched := s.ledger.touched(began, time.Now(), settles, append([]string{partMachine}, parts...)...); {
	case err == nil:
		s.ledger.note("%d is done", d.number)
	case touched != nil:
		s.disturbed.Add(1)
		s.ledger.count(d.kind + " disturbed")
		s.ledger.note("%d was disturbed by %s: %v", d.number, touched.how, err)
	default:
		s.faults.add("deed %d (%s %s) failed, and no part was away: %v", d.number, d.kind, strings.Join(d.who, ","), err)
	}
}

// settles is how long after a part was away what is done may fail because of that.
const settles = 5 * time.Second

// take has a deed wait for its phones.
func (s *soak) take(ctx context.Context, who []string) bool {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	who = slices.Sorted(slices.Values(who))
	for i, name := range who {
		select {
		case s.locks[name] <- struct{}{}:
		case <-limit.C:
			s.release(who[:i])
			return false
		case <-ctx.Done():
			s.release(who[:i])
			return false
		}
	}
	return true
}

func (s *soak) release(who []string) {
	for _, name := range who {
		<-s.locks[name]
	}
}

// keep puts what tells of a fault beside the log of deeds.
func (s *soak) keep() error {
	var errs []error
	names, err := filepath.Glob(s.Path("*"))
	errs = append(errs, err)
	for _, name := range names {
		if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
			continue
		}
		b, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(s.dir, filepath.Base(name)), b, 0o600)
		}
		errs = append(errs, err)
	}
	if text, err := s.PBX.Log(); err == nil {
		errs = append(errs, os.WriteFile(filepath.Join(s.dir, "asterisk.log"), []byte(text), 0o600))
	}
	return errors.Join(errs...)
}

func (s *soak) close() error {
	s.panels.close()
	s.trunk.close()
	return errors.Join(s.company.close(), s.ledger.file.Close())
}

// A turn is a deed while it is done.
type turn struct {
	*soak
	deed
	r     *rand.Rand
	calls []*phone.Call
}

// end hangs up what the deed has left.
func (t *turn) end() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, c := range t.calls {
		_ = c.Hangup(ctx)
	}
	for _, who := range t.who {
		p := t.phones[who]
		p.SetReaction(phone.Reaction{})
		for _, c := range p.Calls() {
			_ = c.Hangup(ctx)
		}
	}
}

// pause lets some time go by that was chosen.
func (t *turn) pause(ctx context.Context, from, to time.Duration) {
	d := from + time.Duration(t.r.IntN(int(to-from)/int(time.Millisecond)))*time.Millisecond
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
