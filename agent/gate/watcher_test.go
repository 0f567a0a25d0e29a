package gate_test

import (
	"context"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/gate"
)

// watcher reads a stream and checks that it has no gaps.
type watcher struct {
	*gate.Watcher
	t   testing.TB
	seq uint64
}

func (o *office) watch(subject string) *watcher {
	o.t.Helper()
	w, err := o.gate.Watch(who(subject))
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(w.Close)
	s := &watcher{Watcher: w, t: o.t}
	if m := s.next(); m.Type != gate.MessageSnapshot {
		o.t.Fatalf("the first message is %s", m.Type)
	}
	return s
}

func (w *watcher) next() gate.Message {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	m, err := w.Next(ctx)
	if err != nil {
		w.t.Fatalf("after message %d: %v", w.seq, err)
	}
	w.seq++
	if m.Seq != w.seq {
		w.t.Fatalf("message %d has the number %d", w.seq, m.Seq)
	}
	return m
}

// all takes what is there without waiting.
func (w *watcher) all() (got []gate.Message) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for misses := 0; misses < 20; {
		m, err := w.Next(ctx) // chooses at random while both are ready
		if err != nil {
			misses++
			continue
		}
		w.seq++
		if m.Seq != w.seq {
			w.t.Fatalf("message %d has the number %d", w.seq, m.Seq)
		}
		got = append(got, m)
		misses = 0
	}
	return got
}

// act waits until an act has a state and returns the reason.
func (w *watcher) act(id, state string) string {
	w.t.Helper()
	for {
		m := w.next()
		if s := m.Supervision; s != nil && s.ID == id && s.State == state {
			return s.Reason
		}
		if s := m.Intercept; s != nil && s.ID == id && s.State == state {
			return s.Reason
		}
	}
}
