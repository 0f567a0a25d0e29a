package pbx

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	up      *prometheus.GaugeVec
	resyncs *prometheus.CounterVec
	faults  prometheus.Counter
	latency *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		up:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "earshot_link_up", Help: "Whether the connection to the PBX is up, by interface."}, []string{"link"}),
		resyncs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "earshot_resyncs_total", Help: "Snapshots of the PBX taken, by cause: connected, asked, and missed, where an event of ARI could not be read."}, []string{"cause"}),
		latency: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "earshot_link_latency_seconds", Help: "How long the PBX took for its last answer on ARI to a question that is asked every 5 s: requests, and events, which are as late. NaN before it first did, and while ARI is not connected."}, []string{"of"}),
		faults:  prometheus.NewCounter(prometheus.CounterOpts{Name: "earshot_schema_faults_total", Help: "Events of the PBX that did not have the shape that Asterisk gives them, and were dropped."}),
	}
	for _, link := range []string{"ami", "ari"} {
		m.up.WithLabelValues(link).Set(0)
	}
	m.unanswered()
	for _, cause := range []string{"connected", "asked", "missed"} {
		m.resyncs.WithLabelValues(cause)
	}
	if r != nil {
		r.MustRegister(m.up, m.resyncs, m.faults, m.latency)
	}
	return m
}

// unanswered takes back how long answers took: what held for a connection that is gone holds for nothing.
func (m *metrics) unanswered() {
	for _, of := range []string{"requests", "events"} {
		m.latency.WithLabelValues(of).Set(math.NaN())
	}
}
