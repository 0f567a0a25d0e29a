package gate

import (
	"fmt"
	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the gate's. No label holds a number, a name or an id.
type Metrics struct {
	decisions   *prometheus.CounterVec
	running     *prometheus.GaugeVec
	ended       *prometheus.CounterVec
	audio       prometheus.Histogram
	intercepted prometheus.Histogram
	revocation  prometheus.Histogram
	watchers    prometheus.Gauge
	deliveries  prometheus.Counter
	cutoffs     prometheus.Counter
	auditErrors prometheus.Counter
	auditLate   prometheus.Gauge
	auditLost   prometheus.Counter

	shadowDecisions   *prometheus.CounterVec
	shadowDifferences *prometheus.CounterVec
	shadowDropped     prometheus.Counter

	questions *prometheus.CounterVec
	searches  prometheus.Counter

	reads *prometheus.CounterVec

	unread prometheus.Counter

	watchdog *prometheus.CounterVec
	caught   prometheus.Histogram
}

// NewMetrics makes the gate's metrics and registers them; with a nil registerer they count for nobody.
func NewMetrics(r prometheus.Registerer) *Metrics {
	fine := []float64{.002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5}
	m := &Metrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "earshot_decisions_total", Help: "Requests decided, by action, outcome (allow, deny, error) and reason code.",
		}, []string{"action", "outcome", "reason"}),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "earshot_supervisions_running", Help: "Supervisions with audio now, by mode.",
		}, []string{"mode"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "earshot_acts_ended_total", Help: "Supervisions and intercepts that ended, by action and reason code.",
		}, []string{"action", "reason"}),
		audio: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "earshot_supervision_start_seconds", Help: "From a supervisor's request to audio, his answering the phone included.",
			Buckets: []float64{.05, .1, .2, .5, 1, 2, 5, 10, 20, 30},
		}),
		intercepted: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "earshot_intercept_seconds", Help: "From a request to take a call until it is taken, answering the phone included.",
			Buckets: []float64{.05, .1, .2, .5, 1, 2, 5, 10, 20, 30},
		}),
		revocation: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "earshot_revocation_seconds", Help: "From the loss of a supervision's ground until its legs are hung up.", Buckets: fine,
		}),
		watchers:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "earshot_watchers", Help: "Event streams open now."}),
		deliveries:  prometheus.NewCounter(prometheus.CounterOpts{Name: "earshot_deliveries_total", Help: "Messages taken by watchers."}),
		cutoffs:     prometheus.NewCounter(prometheus.CounterOpts{Name: "earshot_watcher_cutoffs_total", Help: "Watchers cut off because they did not keep up."}),
		auditErrors: prometheus.NewCounter(prometheus.CounterOpts{Name: "earshot_audit_errors_total", Help: "Audit entries that could not be written, each time that it was tried."}),
		auditLate:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "earshot_audit_late_entries", Help: "Audit entries of what has happened that wait until the audit log can be written."}),
		auditLost:   prometheus.NewCounter(prometheus.CounterOpts{Name: "earshot_audit_lost_entries_total", Help: "Audit entries of what has happened that are lost: too many wait, or the entry may not stand in the log."}),

		shadowDecisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "earshot_shadow_decisions_total", Help: "Questions that the shadow policy was asked beside the one in force, by action.",
		}, []string{"action"}),
		shadowDifferences: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "earshot_shadow_differences_total",
			Help: "Questions that the shadow policy answered differently, by action and change: gained (it alone would allow), lost (it alone would refuse), ground (the same for another reason).",
		}, []string{"action", "change"}),
		shadowDropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "earshot_shadow_dropped_total", Help: "Looks at the board that were not compared with the shadow policy, and differences that were not written down.",
		}),
	}
	m.questions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "earshot_questions_total", Help: "Questions about the policy that other software asked, by action and outcome (allow, deny).",
	}, []string{"action", "outcome"})
	m.searches = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "earshot_action_searches_total", Help: "Searches by other software for what may be done to something.",
	})
	m.reads = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "earshot_journal_reads_total", Help: "Reads of the journal, by what was read (page, row, export, history, statistics) and outcome (allow, deny, error).",
	}, []string{"what", "outcome"})
	m.unread = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "earshot_elsewhere_unread_total", Help: "What sidecars beside other PBXs have shown and this one cannot read: another version's, or garbage.",
	})
	m.watchdog = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "earshot_watchdog_total",
		Help: "What went past the gate on the PBX, by kind (spy, media, join, pickup, record, redirect) and what became of it: ended, handed_back, reported, left (the policy covers it, or it is trusted), gone, contradicted, failed.",
	}, []string{"kind", "did"})
	m.caught = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "earshot_watchdog_seconds", Help: "From the moment that somebody is seen to go past the gate until the PBX is told to hang his leg up, or to hand the call back.",
		Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .5, 1},
	})
	// The series that a dashboard and the alerts need are there from the start, at zero.
	for _, kind := range [...]trespassKind{trespassSpy, trespassMedia, trespassJoin, trespassPickup, trespassRecord, trespassRedirect} {
		for _, did := range [...]string{didLeft, didReported, didEnded, didHandedBack, didFailed} {
			m.watchdog.WithLabelValues(string(kind), did)
		}
	}
	for _, a := range supervising {
		m.running.WithLabelValues(a.String())
	}
	if r != nil {
		r.MustRegister(m.decisions, m.running, m.ended, m.audio, m.intercepted, m.revocation, m.watchers, m.deliveries, m.cutoffs, m.auditErrors, m.auditLate, m.auditLost,
			m.shadowDecisions, m.shadowDifferences, m.shadowDropped, m.questions, m.searches, m.reads, m.unread, m.watchdog, m.caught)
	}
	return m
}

// read counts a read of the journal.
func (m *Metrics) read(what string, err error) {
	outcome := string(audit.Allow)
	if err != nil {
		if outcome = "error"; AsProblem(err).Kind == Refused || AsProblem(err).Kind == NotFound {
			outcome = string(audit.Deny)
		}
	}
	m.reads.WithLabelValues(what, outcome).Inc()
}

func (m *Metrics) watched(kind trespassKind, did string) {
	m.watchdog.WithLabelValues(string(kind), did).Inc()
}

func (m *Metrics) decision(a fmt.Stringer, outcome, reason string) {
	m.decisions.WithLabelValues(a.String(), outcome, reason).Inc()
}

// shadowed has the series of a shadow policy be there, at zero.
func (m *Metrics) shadowed() {
	for _, a := range policy.Actions() {
		m.shadowDecisions.WithLabelValues(a.String())
		for _, change := range changes {
			m.shadowDifferences.WithLabelValues(a.String(), change)
		}
	}
}

func (m *Metrics) question(a policy.Action, allowed bool) {
	outcome := audit.Deny
	if allowed {
		outcome = audit.Allow
	}
	m.questions.WithLabelValues(a.String(), string(outcome)).Inc()
}
