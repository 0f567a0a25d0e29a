package gate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// journal is what happened, in order: what was recorded, what was ordered.
type journal struct {
	mu    sync.Mutex
	lines []string
	wake  chan struct{}
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
	close(j.wake)
	j.wake = make(chan struct{})
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.lines)
}

// until waits for a line that begins so, the n-th if given.
func (j *journal) until(t testing.TB, prefix string, n ...int) string {
	t.Helper()
	timeout := time.After(10 * time.Second)
	want := 1
	if len(n) > 0 {
		want = n[0]
	}
	for {
		j.mu.Lock()
		wake, count := j.wake, 0
		for _, l := range j.lines {
			if strings.HasPrefix(l, prefix) {
				if count++; count == want {
					j.mu.Unlock()
					return l
				}
			}
		}
		j.mu.Unlock()
		select {
		case <-wake:
		case <-timeout:
			t.Fatalf("no %q; there was:\n%s", prefix, strings.Join(j.all(), "\n"))
		}
	}
}

// wait waits for the next line, or a moment.
func (j *journal) wait(d time.Duration) {
	j.mu.Lock()
	wake := j.wake
	j.mu.Unlock()
	select {
	case <-wake:
	case <-time.After(d):
	}
}

func (o *office) happened(want ...string) {
	o.t.Helper()
	if got := o.log.all(); !slices.Equal(got, want) {
		o.t.Fatalf("there was:\n  %s\nnot:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// recorder is an audit log in memory.
type recorder struct {
	log *journal

	mu      sync.Mutex
	entries []audit.Entry
	fail    map[audit.Phase]bool
	before  func(audit.Entry)
	within  func(context.Context, audit.Entry) error // what Append is told with, and what it says where that is an error
}

var errDisk = errors.New("disk full")

func (r *recorder) Append(ctx context.Context, e audit.Entry) error {
	r.mu.Lock()
	fail, before, within := r.fail[e.Phase], r.before, r.within
	r.mu.Unlock()
	if within != nil {
		if err := within(ctx, e); err != nil {
			return err
		}
	}
	if before != nil {
		before(e)
	}
	if fail {
		return errDisk
	}
	r.mu.Lock()
	r.entries = append(r.entries, e)
	r.mu.Unlock()
	line := "record " + string(e.Phase)
	if e.Outcome != "" {
		line += " " + string(e.Outcome)
	}
	if e.Reason != "" {
		line += " " + e.Reason
	}
	r.log.add("%s", line)
	return nil
}

func (r *recorder) failing(phases ...audit.Phase) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = map[audit.Phase]bool{}
	for _, p := range phases {
		r.fail[p] = true
	}
}

// of is what is on record of an act.
func (r *recorder) of(id string) (all []audit.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.entries {
		if e.ID == id {
			all = append(all, e)
		}
	}
	return all
}

// last is the newest entry of a phase.
func (r *recorder) last(t testing.TB, p audit.Phase) audit.Entry {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range slices.Backward(r.entries) {
		if e.Phase == p {
			return e
		}
	}
	t.Fatalf("nothing %s is on record", p)
	return audit.Entry{}
}

// waits is the entry of an act's phase, once it is there.
func (r *recorder) waits(t testing.TB, id string, p audit.Phase) audit.Entry {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; r.log.wait(5 * time.Millisecond) {
		r.mu.Lock()
		i := slices.IndexFunc(r.entries, func(e audit.Entry) bool { return e.Phase == p && (id == "" || e.ID == id) })
		e := audit.Entry{}
		if i >= 0 {
			e = r.entries[i]
		}
		r.mu.Unlock()
		if i >= 0 {
			return e
		}
		if time.Now().After(end) {
			t.Fatalf("nothing %s of it is on record; there was %q", p, r.log.all())
		}
	}
}

// all are the entries that there are.
func (r *recorder) all() []audit.Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.entries)
}

// count is how many entries there are.
func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.entries)
}
