package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/recording"
	"github.com/prometheus/client_golang/prometheus"
)

// Journal is what is kept of past calls.
type Journal struct {
	File string        `yaml:"file"` // made if it is not there; none: past calls are not kept
	Keep time.Duration `yaml:"keep"` // how long a call is kept after its end; 8760h, 0s: for ever
}

// shortestKeep keeps who mistakes the unit from losing what he has.
const shortestKeep = 24 * time.Hour

func (j *Journal) validate(bad func(key, format string, args ...any)) {
	switch {
	case j.Keep < 0, j.Keep > 0 && j.Keep < shortestKeep:
		bad("journal.keep", "journal.keep must be at least 24h, or 0s: for ever")
	case j.File == "" && j.Keep != defaults().Journal.Keep:
		bad("journal.keep", "journal.keep is how long what is in journal.file is kept, and journal.file is missing")
	}
}

// retainEvery is how often old calls are deleted.
const retainEvery = 24 * time.Hour

// openJournal opens the journal, if one is to be kept. Hours and days of its figures are those of the policy's time zone at the start.
func (a *Agent) openJournal() error {
	if a.cfg.Journal.File == "" {
		return nil
	}
	region := a.clients.Numbering().Region
	ctx := context.Background()
	store, err := journal.Open(ctx, journal.Config{
		Path: a.cfg.Journal.File, Zone: a.policy.Current().Location(),
		Normal: func(n call.Number) string {
			full, _ := clients.Normalise(n.Digits(), region)
			return full
		},
	})
	if err != nil {
		return fmt.Errorf("journal.file: %w", err)
	}
	scribe, err := journal.NewScribe(ctx, store, journal.ScribeConfig{
		// Both take no lock: the scribe calls them locked, under the feed's lock, and the gate calls the scribe under its own.
		Employee: func(endpoint string) string {
			set := a.gate.Policy()
			ref, _ := set.Phone(endpoint)
			return set.ID(ref)
		},
		Supervises: func(id call.LegID) bool { return a.gate.Supervises(id) },
		OnError: func(err error) {
			a.log.Error().Err(err).Msg("the journal cannot be written; calls are kept in memory until it can")
		},
	})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	a.journal, a.scribe = store, scribe
	a.unremoved = newUnremoved()
	a.reg.MustRegister(&journalCollector{store: store, scribe: scribe}, a.unremoved)
	return nil
}

func (a *Agent) closeJournal() error {
	if a.journal == nil {
		return nil
	}
	return a.journal.Close()
}

// applied is told of each fact, under the feed's lock: the gate first, since what it acts on must not wait for what is written down.
func (a *Agent) applied(t *call.Table, ev *call.Event, ch []call.Change) {
	a.gate.Applied(t, ev, ch)
	if a.scribe != nil {
		a.scribe.Apply(t, ev, ch)
	}
	a.tellKeeper(ev, ch)
}

// runJournal begins to write the journal and to delete what is old. What it returns ends that, and returns when what is left is written.
func (a *Agent) runJournal(ctx context.Context) (end func()) {
	if a.journal == nil {
		return func() {}
	}
	run, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := a.scribe.Run(run); !errors.Is(err, context.Canceled) || a.scribe.Stats().Unsaved > 0 {
			a.log.Error().Err(err).Int("calls", a.scribe.Stats().Unsaved).Msg("what was left of the journal was not written")
		}
	})
	wg.Go(func() { a.retain(run) })
	return func() {
		cancel()
		wg.Wait()
	}
}

// retain deletes what is old, at once and then every day.
func (a *Agent) retain(ctx context.Context) {
	if a.cfg.Journal.Keep == 0 {
		return
	}
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for {
		n, err := a.journal.Retain(ctx, time.Now().Add(-a.cfg.Journal.Keep), a.removeRecording)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			a.log.Error().Err(err).Int("deleted", n).Msg("calls that are older than journal.keep were not all deleted")
		case n > 0:
			a.log.Info().Int("deleted", n).Msg("deleted calls that are older than journal.keep")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// errNoSpool is why the file of a recording cannot be deleted.
var errNoSpool = errors.New("it is in a spool that the configuration does not name")

// removeRecording deletes the files of a recording whose call is too old to be kept. What is gone already is no error; one in a folder that the
// configuration does not name keeps its call. What stays is counted each time.
func (a *Agent) removeRecording(ctx context.Context, r journal.Recording) error {
	err := a.gate.ExpireRecording(ctx, r)
	if err != nil && ctx.Err() == nil {
		a.unremoved.Inc()
	}
	if errors.Is(err, recording.ErrNoSpool) {
		return fmt.Errorf("spool %s: %w", r.Spool, errNoSpool)
	}
	return err
}

func newUnremoved() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Name: "earshot_journal_unremoved_recordings_total", Help: "Recordings older than journal.keep that could not be deleted wholly, each time that it was tried; their calls stay.",
	})
}

// journalCollector tells how the writing of the journal stands.
type journalCollector struct {
	store  *journal.Store
	scribe *journal.Scribe
}

var (
	journalUnsaved = prometheus.NewDesc("earshot_journal_unsaved_calls", "Calls of which something is not written yet; they are kept in memory.", nil, nil)
	journalSaved   = prometheus.NewDesc("earshot_journal_saves_total", "Calls written to the journal, each time that one was.", nil, nil)
	journalErrors  = prometheus.NewDesc("earshot_journal_write_errors_total", "Times the journal could not be written.", nil, nil)
	journalLost    = prometheus.NewDesc("earshot_journal_lost_calls_total", "Calls that had ended and were dropped since they could not be written.", nil, nil)
	journalGaps    = prometheus.NewDesc("earshot_journal_gaps", "Gaps of the last 24 hours: times in which Earshot did not see the PBX, or dropped calls.", nil, nil)
)

// Describe sends the descriptions.
func (*journalCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{journalUnsaved, journalSaved, journalErrors, journalLost, journalGaps} {
		to <- d
	}
}

// Collect sends the figures of now. When the journal cannot be read, the gaps are left out.
func (c *journalCollector) Collect(to chan<- prometheus.Metric) {
	s := c.scribe.Stats()
	to <- prometheus.MustNewConstMetric(journalUnsaved, prometheus.GaugeValue, float64(s.Unsaved))
	to <- prometheus.MustNewConstMetric(journalSaved, prometheus.CounterValue, float64(s.Saved))
	to <- prometheus.MustNewConstMetric(journalErrors, prometheus.CounterValue, float64(s.Failures))
	to <- prometheus.MustNewConstMetric(journalLost, prometheus.CounterValue, float64(s.Lost))
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if gaps, err := c.store.Gaps(ctx, time.Now().Add(-24*time.Hour), time.Time{}); err == nil {
		to <- prometheus.MustNewConstMetric(journalGaps, prometheus.GaugeValue, float64(len(gaps)))
	}
}
