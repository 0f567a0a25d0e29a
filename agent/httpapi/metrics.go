package httpapi

import (
	"github.com/earshot-pbx/earshot/agent/lobby"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the door's. Labels hold patterns and fixed words, never a path, a name or an id.
type metrics struct {
	requests  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	ends      *prometheus.CounterVec
	panics    prometheus.Counter
	limited   *prometheus.CounterVec
	strangers *prometheus.CounterVec
}

// The limits as metrics name them.
const (
	limitCommands = "commands"
	limitReads    = "reads"
	limitExports  = "exports"
	limitFailures = "failures"
	limitStreams  = "streams"
)

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "earshot_http_requests_total", Help: "Requests answered at the HTTP door, by route, method and status code. An event stream counts when it ends.",
		}, []string{"route", "method", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "earshot_http_request_duration_seconds", Help: "How long requests took at the HTTP door, by route; event streams not counted.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route"}),
		ends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "earshot_http_streams_ended_total", Help: "Event streams that ended, by reason.",
		}, []string{"reason"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "earshot_http_panics_total", Help: "Requests that met a fault of Earshot's own and were answered by 500.",
		}),
	}
	m.limited = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "earshot_http_limited_total",
		Help: "Requests answered by 429, by limit: commands, reads, exports and open event streams of one employee, failures for credentials that proved nobody from one address.",
	}, []string{"limit"})
	m.strangers = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "earshot_http_strangers_closed_total", Help: "Connections that the HTTP door closed before anybody proved himself, by reason.",
	}, []string{"reason"})
	for _, why := range []string{lobby.TimedOut, lobby.Crowded} {
		m.strangers.WithLabelValues(why)
	}
	for _, name := range []string{limitCommands, limitReads, limitExports, limitFailures, limitStreams} {
		m.limited.WithLabelValues(name)
	}
	for _, e := range ends {
		m.ends.WithLabelValues(e.Word)
	}
	if r != nil {
		r.MustRegister(m.requests, m.duration, m.ends, m.panics, m.limited, m.strangers)
	}
	return m
}

// method keeps a client from making up label values.
func method(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return m
	}
	return "other"
}
