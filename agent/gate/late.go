package gate

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
)

// maxLate is how many entries wait for a record that cannot be written. What comes when there are so many is lost, which is counted and said.
const maxLate = 10_000

// late is what has happened while the record could not be written. What is only to happen is refused then; but an end, and whoever was told of it, is there
// whether it is on record or not.
type late struct {
	mu      sync.Mutex
	entries []audit.Entry
	refused atomic.Int64 // how many entries there were beside these that could not be written, and are not kept
	lost    atomic.Int64 // how many are not kept though what they tell of has happened
	caught  atomic.Bool  // some have been written, and nobody has looked what waited for that
}

// errTooLate says that an entry is lost.
var errTooLate = errors.New("too many entries wait for the audit log already, so this one is lost")

// fact appends to the audit log what has happened. When that fails it is kept, with its time, until it can be written; and what comes after it waits behind
// it, so that no end is on record before what it ends. Without an error e is on record.
func (g *Gate) fact(e audit.Entry) error {
	at := time.Now().UTC()
	g.late.mu.Lock()
	waiting := len(g.late.entries) > 0
	g.late.mu.Unlock()
	if waiting {
		e.Happened = at
		if _, err := g.recordLate(); err != nil {
			return g.keep(e, err)
		}
	}
	err := g.write(e)
	switch {
	case err == nil, errors.Is(err, audit.ErrClosed):
		return err
	case errors.Is(err, audit.ErrInvalid): // it never can be
		g.miss()
		return err
	}
	e.Happened = at
	return g.keep(e, err)
}

// keep has an entry wait that was not written for a cause, which it returns: with another when the entry is lost.
func (g *Gate) keep(e audit.Entry, cause error) error {
	g.late.mu.Lock()
	defer g.late.mu.Unlock()
	if len(g.late.entries) >= maxLate {
		g.miss()
		g.log.Error().Err(cause).Str("id", e.ID).Str("phase", string(e.Phase)).Msg("what has happened was not recorded and is lost: too much waits for the audit log already")
		return errors.Join(errTooLate, cause)
	}
	g.late.entries = append(g.late.entries, e)
	g.met.auditLate.Set(float64(len(g.late.entries)))
	return cause
}

// isLate reports whether an entry of an act waits.
func (g *Gate) isLate(act string) bool {
	g.late.mu.Lock()
	defer g.late.mu.Unlock()
	return slices.ContainsFunc(g.late.entries, func(e audit.Entry) bool { return e.ID == act })
}

// RecordLate writes what has happened while the record could not be written, in its order, and then how much was refused and lost meanwhile. It returns how many entries
// of the former are on record now; the error is why something is not, which is kept. It is to be called now and then, and costs nothing while there is nothing.
// Nobody can end it meanwhile: the log may have what it says it perhaps has not, and that would be written twice.
func (g *Gate) RecordLate() (written int, err error) {
	written, err = g.recordLate()
	if g.late.caught.Swap(false) {
		g.locked(func(*call.Table) { g.reviewForwards(reviewSoon) }) // their marks stay until that
	}
	return written, err
}

func (g *Gate) recordLate() (written int, err error) {
	g.late.mu.Lock() // also while it is written: another must not write them too
	defer g.late.mu.Unlock()
	defer func() { g.met.auditLate.Set(float64(len(g.late.entries))) }()
	for len(g.late.entries) > 0 {
		switch err := g.cfg.Audit.Append(context.Background(), g.late.entries[0]); {
		case errors.Is(err, audit.ErrInvalid): // a fault of ours, which is to keep no other off the record
			g.met.auditErrors.Inc()
			g.miss()
			g.log.Error().Err(err).Str("id", g.late.entries[0].ID).Msg("what has happened was not recorded")
		case err != nil:
			g.met.auditErrors.Inc()
			return written, err
		default:
			written++
			g.late.caught.Store(true)
		}
		if g.late.entries = g.late.entries[1:]; len(g.late.entries) == 0 {
			g.late.entries = nil
		}
	}
	return written, errors.Join(g.recordCount(audit.DetailRefused, &g.late.refused), g.recordCount(audit.DetailLost, &g.late.lost))
}

// recordCount writes how much of something there was since the last time.
func (g *Gate) recordCount(detail string, count *atomic.Int64) error {
	n := count.Swap(0)
	if n == 0 {
		return nil
	}
	err := g.write(audit.Entry{ID: "audit", Phase: audit.Recovered, Action: "audit", Detail: detail + strconv.FormatInt(n, 10)})
	if err != nil {
		count.Add(n)
	}
	return err
}

// miss counts an entry that is lost.
func (g *Gate) miss() {
	g.met.auditLost.Inc()
	g.late.lost.Add(1)
}
