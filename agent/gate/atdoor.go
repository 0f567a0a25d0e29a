package gate

import (
	"fmt"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"golang.org/x/time/rate"
)

// DoorRefusal is what a door has refused by itself, before the gate could be asked, or, for SentAtDoor, let pass. Every field is a word of the door's own: nothing of what was sent.
type DoorRefusal struct {
	Door   string // which door
	Action string // what was asked for, such as the name of a protocol's action in the door's table
	Code   string // why
	Panel  string // the panel that asked, where it is nobody's subject
}

// Of refusals at a door so many are recorded of each who asks at once, and then one each doorEvery. Those that were not are counted in an entry of their
// own, doorCounted after the first of them.
const (
	doorBurst   = 30
	doorEvery   = 10 * time.Second
	doorCounted = time.Minute
	doorAskers  = 4096 // of whom is known how much they have asked; beyond it they share what one has
)

// doorCode is the code of an entry that counts refusals which have none.
const doorCode = "refusals_not_recorded"

// RefusedAtDoor writes down that a door has refused something, as a decision that has the door's words. It returns when that is written, or is not: what
// was refused stays refused. A flood does not fill the disk, see doorBurst.
func (g *Gate) RefusedAtDoor(s auth.Subject, r DoorRefusal) {
	e := g.doorEntry(s, r)
	if !g.doors.admit(g, e) {
		return
	}
	g.noteRefusal(e)
}

// SentAtDoor writes down that a door lets something pass which it decides by itself and which reaches no PBX, such as a word between two sessions of one
// panel; Code says by what right. The error is a Problem, and then it is not to pass.
func (g *Gate) SentAtDoor(s auth.Subject, r DoorRefusal) error {
	e := g.doorEntry(s, r)
	e.Outcome = audit.Allow
	g.canonical(&e)
	if err := g.record(e); err != nil {
		return notRecorded(err)
	}
	return nil
}

func (g *Gate) doorEntry(s auth.Subject, r DoorRefusal) audit.Entry {
	e := audit.Entry{
		ID: newID(), Phase: audit.Decided, Subject: s.Employee(), Credential: s.Credential(), Action: r.Door + "." + r.Action, Outcome: audit.Deny,
		Reason: r.Code, Door: r.Door, Generation: g.policy.Load().Generation(),
	}
	if e.Credential == "" && r.Panel != "" {
		e.Credential = "panel:" + r.Panel
	}
	return e
}

func (g *Gate) noteRefusal(e audit.Entry) {
	g.canonical(&e)
	if err := g.record(e); err != nil {
		g.log.Error().Err(err).Str("id", e.ID).Msg("what a door refused was not recorded")
	}
}

// doors bounds what is recorded of refusals at doors. The zero value is ready for use.
type doors struct {
	mu     sync.Mutex
	closed bool
	askers map[string]*asker // by credential and door
}

// asker is how much one has been refused of late.
type asker struct {
	left  *rate.Limiter
	more  int         // refusals that are not recorded
	timer *time.Timer // runs until they are counted; nil: there are none
	last  audit.Entry // of them
}

// admit reports whether an entry is to be written, and counts it otherwise.
func (d *doors) admit(g *Gate, e audit.Entry) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := e.Credential + " " + e.Door
	a := d.askers[key]
	if a == nil {
		if d.prune(); len(d.askers) >= doorAskers {
			key = ""
		}
		if a = d.askers[key]; a == nil {
			a = &asker{left: rate.NewLimiter(rate.Every(doorEvery), doorBurst)}
			if d.askers == nil {
				d.askers = map[string]*asker{}
			}
			d.askers[key] = a
		}
	}
	if d.closed || a.left.Allow() {
		return true
	}
	if a.more++; a.timer == nil {
		g.running.Add(1) // Close waits for the count, and has not been called
		a.timer = time.AfterFunc(doorCounted, func() {
			defer g.running.Done()
			d.mu.Lock()
			count, some := a.take()
			d.mu.Unlock()
			if some {
				g.noteRefusal(count)
			}
		})
	}
	a.last = e
	return false
}

// take returns the entry that counts what was not recorded. Caller holds the lock.
func (a *asker) take() (audit.Entry, bool) {
	e, n := a.last, a.more
	a.more, a.timer = 0, nil
	e.ID, e.Reason, e.Detail = newID(), doorCode, fmt.Sprintf("refusals:%d", n)
	return e, n > 0
}

// prune forgets those who have been quiet. Caller holds the lock.
func (d *doors) prune() {
	if len(d.askers) < doorAskers {
		return
	}
	for key, a := range d.askers {
		if a.timer == nil && a.left.Tokens() >= doorBurst {
			delete(d.askers, key)
		}
	}
}

// close counts what has not been counted. From then on every refusal is recorded.
func (d *doors) close(g *Gate) {
	d.mu.Lock()
	d.closed = true
	var left []audit.Entry
	for _, a := range d.askers {
		if a.timer == nil || !a.timer.Stop() {
			continue // it is being counted
		}
		if e, some := a.take(); some {
			left = append(left, e)
		}
		defer g.running.Done()
	}
	d.mu.Unlock()
	for _, e := range left {
		g.noteRefusal(e)
	}
}
