package agent

import (
	"context"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/prometheus/client_golang/prometheus"
)

// retryAudit is how often it is tried whether an audit log that could not be written can be written again.
const retryAudit = time.Second

// runAudit keeps the audit log. What it returns ends that, when what is late has been written once more, if it can be.
func (a *Agent) runAudit(ctx context.Context) (end func()) {
	run, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { a.keepAudit(run) })
	return func() {
		cancel()
		wg.Wait()
		if late, err := a.gate.RecordLate(); err != nil {
			a.log.Error().Err(err).Int("recorded", late).Msg("what happened while the audit log could not be written is not all on record")
		}
	}
}

// openRecord writes down that Earshot begins, before anything is done, and whether the one before had everything on record when it ended. Where that fails it is tried
// again.
func (a *Agent) openRecord() {
	if a.opening != "" && a.note(a.opening) == nil {
		a.opening = ""
	}
}

// closeRecord writes down that everything is on record, if it is. Behind it nothing happens any more. Where it fails the next Earshot says what that means.
func (a *Agent) closeRecord() {
	if _, err := a.gate.RecordLate(); err != nil || a.opening != "" {
		return
	}
	_ = a.note(audit.DetailStopped)
}

// note writes an entry of the log about itself.
func (a *Agent) note(detail string) error {
	return a.audit.Append(context.Background(), audit.Entry{ID: "audit", Phase: audit.Recovered, Action: "audit", Detail: detail})
}

// keepAudit says when the audit log cannot be written, tries until it can, without waiting for somebody to ask for something, and has what happened meanwhile
// written then.
func (a *Agent) keepAudit(ctx context.Context) {
	tick := time.NewTicker(retryAudit)
	defer tick.Stop()
	failing, said := false, time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := a.audit.Err(); err != nil && !failing {
			if failing = true; time.Since(said) < sayAgain { // on the last bytes of a disk an entry has room and the next has none
				continue
			}
			said = time.Now()
			a.log.Error().Err(err).Msg("the audit log cannot be written; until it can, nothing is done that has to be on record, and what happens all the same is kept in memory")
		}
		if a.audit.Retry() != nil {
			continue
		}
		a.openRecord()
		late, err := a.gate.RecordLate()
		if err != nil {
			continue
		}
		if failing || late > 0 {
			failing = false
			a.log.Info().Int("late", late).Msg("the audit log is written again, with what happened meanwhile")
		}
	}
}

// auditGood tells whether the audit log could be written last.
func (a *Agent) auditGood() prometheus.GaugeFunc {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "earshot_audit_good", Help: "Whether the audit log could be written when that was last tried; 0 means that everything is refused."},
		func() float64 { return good(a.audit.Err()) })
}
