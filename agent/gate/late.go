package gate

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// maxLate is how many entries wait for a record that cannot be written. What comes when there are so many is lost, and counted.
const maxLate = 10_000

// late is what has happened while the record could not be written. What is only to happen is refused then; but an end, and whoever was told of it, is there
// whether it is on record or not.
type late struct {
	mu      sync.Mutex
	entries []audit.Entry
}

// fact appends to the audit log what has happened. When that fails it is kept, with its time, until it can be written; and what comes after it waits behind
// it, so that no end is on record before what it ends.
func (g *Gate) fact(e audit.Entry) error {
	at := time.Now().UTC()
	g.late.mu.Lock()
	waiting := len(g.late.entries) > 0
	g.late.mu.Unlock()
	if !waiting {
		err := g.record(e)
		if err == nil || errors.Is(err, audit.ErrInvalid) || errors.Is(err, audit.ErrClosed) {
			return err
		}
		g.keep(e, at)
		return err
	}
	g.keep(e, at)
	_, err := g.RecordLate(context.Background())
	return err
}

func (g *Gate) keep(e audit.Entry, at time.Time) {
	e.Happened = at
	g.late.mu.Lock()
	defer g.late.mu.Unlock()
	if len(g.late.entries) >= maxLate {
		g.met.auditLost.Inc()
		return
	}
	g.late.entries = append(g.late.entries, e)
	g.met.auditLate.Set(float64(len(g.late.entries)))
}

// RecordLate writes what has happened while the record could not be written, in its order, and returns how many entries of it are on record now. The error is
// why some are not; they are kept. It is to be called now and then, and costs nothing while there are none.
func (g *Gate) RecordLate(ctx context.Context) (written int, err error) {
	g.late.mu.Lock() // also while it is written: another must not write them too
	defer g.late.mu.Unlock()
	defer func() { g.met.auditLate.Set(float64(len(g.late.entries))) }()
	for len(g.late.entries) > 0 {
		switch err := g.cfg.Audit.Append(ctx, g.late.entries[0]); {
		case errors.Is(err, audit.ErrInvalid): // a fault of ours, which is to keep no other off the record
			g.met.auditErrors.Inc()
			g.met.auditLost.Inc()
			g.log.Error().Err(err).Str("id", g.late.entries[0].ID).Msg("what has happened was not recorded")
		case err != nil:
			g.met.auditErrors.Inc()
			return written, err
		default:
			written++
		}
		if g.late.entries = g.late.entries[1:]; len(g.late.entries) == 0 {
			g.late.entries = nil
		}
	}
	return written, nil
}
