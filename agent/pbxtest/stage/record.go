package stage

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// Record keeps the audit log in memory. As the log it takes no action that is no code. Its zero value is ready.
type Record struct {
	mu      sync.Mutex
	entries []audit.Entry
	fails   error
	hook    func()
	wrote   chan struct{} // closed by the next entry; nil: nobody waits
}

// Append takes an entry.
func (r *Record) Append(_ context.Context, e audit.Entry) error {
	if !audit.IsCode(e.Action) {
		return fmt.Errorf("%w: %q", audit.ErrInvalid, e.Action)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fails != nil {
		return r.fails
	}
	r.entries = append(r.entries, e)
	if r.hook != nil {
		r.hook()
	}
	if r.wrote != nil {
		close(r.wrote)
		r.wrote = nil
	}
	return nil
}

// Refuse has the record take nothing, for this reason; nil: it takes again.
func (r *Record) Refuse(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fails = err
}

// OnEach has f be called by each entry to come, before its Append returns.
func (r *Record) OnEach(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hook = f
}

// Forget empties the record.
func (r *Record) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = nil
}

// All is what is on record.
func (r *Record) All() []audit.Entry { return r.those(func(*audit.Entry) bool { return true }) }

// Last is the entry that came last; an empty one where there is none.
func (r *Record) Last() audit.Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.entries) == 0 {
		return audit.Entry{}
	}
	return r.entries[len(r.entries)-1]
}

// Decided are the decisions.
func (r *Record) Decided() []audit.Entry {
	return r.those(func(e *audit.Entry) bool { return e.Phase == audit.Decided })
}

// Denied are the refusals.
func (r *Record) Denied() []audit.Entry {
	return r.those(func(e *audit.Entry) bool { return e.Phase == audit.Decided && e.Outcome == audit.Deny })
}

// Allowed is what somebody may do.
func (r *Record) Allowed() []audit.Entry {
	return r.those(func(e *audit.Entry) bool { return e.Phase == audit.Decided && e.Outcome == audit.Allow })
}

func (r *Record) those(keep func(*audit.Entry) bool) (all []audit.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.entries {
		if keep(&r.entries[i]) {
			all = append(all, r.entries[i])
		}
	}
	return all
}

// Has reports whether there is an entry with an id.
func (r *Record) Has(id string) bool {
	return slices.ContainsFunc(r.All(), func(e audit.Entry) bool { return e.ID == id })
}

// Until waits for an entry of a phase, and returns the last.
func (r *Record) Until(t testing.TB, phase audit.Phase) audit.Entry {
	t.Helper()
	late := time.After(30 * time.Second)
	for {
		r.mu.Lock()
		for _, e := range slices.Backward(r.entries) {
			if e.Phase == phase {
				r.mu.Unlock()
				return e
			}
		}
		if r.wrote == nil {
			r.wrote = make(chan struct{})
		}
		wrote := r.wrote
		r.mu.Unlock()
		select {
		case <-wrote:
		case <-late:
			t.Fatalf("nothing of the phase %s was recorded", phase)
		}
	}
}
