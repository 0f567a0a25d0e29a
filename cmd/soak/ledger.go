package main

import (
	"fmt"
	"os"
	"sync"
	"time"
)

// Parts that are taken away for a while.
const (
	partEarshot = "earshot"
	partPBX     = "pbx"
	partRedis   = "redis"
	partPolicy  = "policy"
	partMachine = "machine" // others use it so much that whoever is to run waits
)

// A span is a time in which a part was not as it should be.
type span struct {
	part     string
	how      string
	from, to time.Time // to is zero while it lasts
}

// ledger has everything that was done, in a file, and when parts were away.
type ledger struct {
	mu    sync.Mutex
	file  *os.File
	began time.Time
	spans []*span
	done  map[string]int // deeds by kind and what came of them
}

func newLedger(path string) (*ledger, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &ledger{file: f, began: time.Now(), done: map[string]int{}}, nil
}

// note writes a line.
func (l *ledger) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintf(l.file, "%s %8.3f %s\n", time.Now().UTC().Format("15:04:05.000"), time.Since(l.began).Seconds(), fmt.Sprintf(format, args...))
}

// away says that a part is, until back is called.
func (l *ledger) away(part, how string) (back func()) {
	s := &span{part: part, how: how, from: time.Now()}
	l.mu.Lock()
	l.spans = append(l.spans, s)
	l.mu.Unlock()
	l.note("%s: %s", part, how)
	return func() {
		l.mu.Lock()
		s.to = time.Now()
		l.mu.Unlock()
		l.note("%s: %s is over", part, how)
	}
}

// touched is the first time of a part's being away that has to do with a time: it may have begun before and last longer. margin is for what follows
// from it.
func (l *ledger) touched(from, to time.Time, margin time.Duration, parts ...string) *span {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.spans {
		for _, p := range parts {
			if s.part == p && !s.from.After(to.Add(margin)) && (s.to.IsZero() || !s.to.Add(margin).Before(from)) {
				found := *s
				return &found
			}
		}
	}
	return nil
}

// past says that a part was away until now.
func (l *ledger) past(part, how string, from time.Time) {
	l.mu.Lock()
	l.spans = append(l.spans, &span{part, how, from, time.Now()})
	l.mu.Unlock()
	l.note("%s: %s for %v", part, how, time.Since(from).Round(time.Millisecond))
}

// total is how often a part was away, and how long in all.
func (l *ledger) total(part string) (times int, all time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.spans {
		if s.part == part && !s.to.IsZero() {
			times++
			all += s.to.Sub(s.from)
		}
	}
	return times, all
}

// overlap gives the times of Earshot's, or the PBX's, being away, cut to those that have to do with a time; seen is the longest that it was not.
func (l *ledger) overlap(from, to time.Time) (away []span, seen time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := from
	for _, s := range l.spans { // in the order of their beginnings
		end := s.to
		if end.IsZero() {
			end = time.Now()
		}
		if s.part != partEarshot && s.part != partPBX || s.from.After(to) || end.Before(from) {
			continue
		}
		away = append(away, *s)
		seen = max(seen, s.from.Sub(at))
		if end.After(at) {
			at = end
		}
	}
	return away, max(seen, to.Sub(at))
}

func (l *ledger) count(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done[what]++
}

func (l *ledger) counts() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]int{}
	for k, v := range l.done {
		out[k] = v
	}
	return out
}
