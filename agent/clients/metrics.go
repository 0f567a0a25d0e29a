package clients

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"
)

// Metrics count what the sources of a directory are asked and what they ask. No label holds a number or a name of anybody.
type Metrics struct {
	lookups  *prometheus.CounterVec
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	state    *prometheus.GaugeVec
	entries  *prometheus.GaugeVec
	dropped  *prometheus.CounterVec
	hooks    *prometheus.CounterVec
}

// NewMetrics makes the metrics and registers them; with nil they are registered nowhere.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "earshot", Subsystem: "clients", Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "earshot", Subsystem: "clients", Name: name, Help: help}, labels)
	}
	m := &Metrics{
		lookups:  counter("lookups_total", "What sources answered from memory, without asking: found, stranger, unknown.", "source", "answer"),
		requests: counter("requests_total", "What foreign systems answered: found, absent, or why they did not.", "source", "result"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "earshot", Subsystem: "clients", Name: "request_seconds", Help: "How long foreign systems took to answer, or to fail.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"source"}),
		state:   gauge("breaker_state", "1 for the state of a source's circuit breaker: closed, half-open, open.", "source", "state"),
		entries: gauge("entries", "Clients in a file, or pushed by a CRM.", "source"),
		dropped: counter("dropped_total", "Numbers that were not asked about because too many waited.", "source"),
		hooks:   counter("webhooks_total", "What came of a system's word that clients have changed: forgotten, ignored, refused, malformed, failed.", "source", "result"),
	}
	if r != nil {
		r.MustRegister(m.lookups, m.requests, m.seconds, m.state, m.entries, m.dropped, m.hooks)
	}
	return m
}

// sourceMetrics are those of every source.
type sourceMetrics struct {
	answers [3]prometheus.Counter // by Answer
	entries *prometheus.GaugeVec
}

// remoteMetrics are those of a source that asks a system.
type remoteMetrics struct {
	sourceMetrics
	found   prometheus.Counter
	absent  prometheus.Counter
	failed  map[kind]prometheus.Counter
	seconds prometheus.Observer
	state   *prometheus.GaugeVec
	dropped prometheus.Counter
	hooks   *prometheus.CounterVec
}

func (m *Metrics) of(source string) sourceMetrics {
	s := sourceMetrics{entries: m.entries.MustCurryWith(prometheus.Labels{"source": source})}
	for _, a := range []Answer{Unknown, Stranger, Found} {
		s.answers[a] = m.lookups.WithLabelValues(source, a.String())
	}
	return s
}

func (m *Metrics) ofRemote(source string) remoteMetrics {
	mine := prometheus.Labels{"source": source}
	s := remoteMetrics{
		sourceMetrics: m.of(source), found: m.requests.WithLabelValues(source, "found"), absent: m.requests.WithLabelValues(source, "absent"),
		failed: map[kind]prometheus.Counter{}, seconds: m.seconds.WithLabelValues(source), state: m.state.MustCurryWith(mine),
		dropped: m.dropped.WithLabelValues(source), hooks: m.hooks.MustCurryWith(mine),
	}
	for _, k := range kinds {
		s.failed[k] = m.requests.WithLabelValues(source, string(k))
	}
	return s
}

// told counts an answer and returns it.
func (s *sourceMetrics) told(a Answer) Answer {
	s.answers[a].Inc()
	return a
}

func (s *sourceMetrics) holds(n int) { s.entries.WithLabelValues().Set(float64(n)) }

func (s *remoteMetrics) asked(d time.Duration) { s.seconds.Observe(d.Seconds()) }

func (s *remoteMetrics) answered(found bool, k kind) {
	switch {
	case k != "":
		s.failed[k].Inc()
	case found:
		s.found.Inc()
	default:
		s.absent.Inc()
	}
}

func (s *remoteMetrics) breaker(now gobreaker.State) {
	for _, state := range []gobreaker.State{gobreaker.StateClosed, gobreaker.StateHalfOpen, gobreaker.StateOpen} {
		v := 0.0
		if state == now {
			v = 1
		}
		s.state.WithLabelValues(state.String()).Set(v)
	}
}
