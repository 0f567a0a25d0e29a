package ariproxy

import (
	"github.com/earshot-pbx/earshot/agent/lobby"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the door's. Labels hold names from the table and fixed words, never what a client wrote.
type metrics struct {
	requests *prometheus.CounterVec
	ends     *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer, s *Server) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "earshot_ari_door_requests_total", Help: "Requests at the ARI door, by operation and status; what is not in the door's table has the operation none.",
		}, []string{"operation", "status"}),
		ends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "earshot_ari_door_connections_ended_total", Help: "Event streams of the ARI door that ended, and connections that it closed before anybody proved himself, by reason.",
		}, []string{"reason"}),
	}
	for _, e := range ends {
		m.ends.WithLabelValues(e.Word)
	}
	for _, word := range []string{lobby.TimedOut, lobby.Crowded} {
		m.ends.WithLabelValues(word)
	}
	if r != nil {
		r.MustRegister(m.requests, m.ends, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "earshot_ari_door_streams", Help: "Event streams that are open at the ARI door.",
		}, func() float64 { return float64(s.room.Len()) }))
	}
	return m
}
