package pbx

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	up      *prometheus.GaugeVec
	resyncs *prometheus.CounterVec
	faults  prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		up:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "earshot_link_up", Help: "Whether the connection to the PBX is up, by interface."}, []string{"link"}),
		resyncs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "earshot_resyncs_total", Help: "Snapshots of the PBX taken, by cause: connected, asked."}, []string{"cause"}),
		faults:  prometheus.NewCounter(prometheus.CounterOpts{Name: "earshot_schema_faults_total", Help: "Events of the PBX that did not have the shape that Asterisk gives them, and were dropped."}),
	}
	for _, link := range []string{"ami", "ari"} {
		m.up.WithLabelValues(link).Set(0)
	}
	for _, cause := range []string{"connected", "asked"} {
		m.resyncs.WithLabelValues(cause)
	}
	if r != nil {
		r.MustRegister(m.up, m.resyncs, m.faults)
	}
	return m
}
