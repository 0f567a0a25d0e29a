package cache

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Collector gives the Status of a cache as metrics. No label holds a key.
type Collector struct{ c Cache }

// NewCollector makes the collector of a cache, to be registered by the caller.
func NewCollector(c Cache) *Collector { return &Collector{c} }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("earshot_cache_"+name, help, labels, nil)
}

var (
	stateDesc      = desc("state", "1 for the state the shared store is in: away, refusing, up, or local when nothing is shared.", "state")
	ageDesc        = desc("age_seconds", "Time since the sessions read were last known to be what the shared store holds; +Inf before the first contact.")
	rowsAgeDesc    = desc("rows_age_seconds", "The same for the other sidecars and what they show.")
	latencyDesc    = desc("latency_seconds", "How long the shared store took to answer when it last did; NaN before it first did.")
	overlayDesc    = desc("overlay_age_seconds", "The same for the latest generation's overlay; +Inf when there is none or it was never read.")
	overlayGenDesc = desc("overlay_generation", "Generation of the latest overlay that is followed; 0 when none is.")
	replacedDesc   = desc("replaced_total", "How often the shared store was found emptied, replaced or set back.")
	droppedDesc    = desc("dropped_writes_total", "Look-ups not shared because the shared store was away or slow.")
	pendingDesc    = desc("pending_deletions", "Deleted sessions of which the shared store must still be told.")
	unreadDesc     = desc("unread_sessions", "Sessions in the shared store that could not be read or did not fit at the last full reading.")
	entriesDesc    = desc("entries", "Entries in memory.", "kind")
	bytesDesc      = desc("bytes", "Memory the entries take.", "kind")
	readsDesc      = desc("lookups_total", "Look-ups read from memory.", "result")
	evictionsDesc  = desc("evictions_total", "Look-ups driven out of memory by a bound before their time.")
	refusedDesc    = desc("refused_total", "What a bound of the memory did not let in.", "kind")
)

// Describe implements prometheus.Collector.
func (*Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{stateDesc, ageDesc, rowsAgeDesc, latencyDesc, overlayDesc, overlayGenDesc, replacedDesc, droppedDesc, pendingDesc,
		unreadDesc, entriesDesc, bytesDesc, readsDesc, evictionsDesc, refusedDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	s := c.c.Status()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	for state := range stateNames {
		v := 0.0
		if State(state) == s.State {
			v = 1
		}
		gauge(stateDesc, v, State(state).String())
	}
	seconds := func(age time.Duration) float64 {
		if age == Never {
			return math.Inf(1)
		}
		return age.Seconds()
	}
	gauge(ageDesc, seconds(s.Age))
	gauge(rowsAgeDesc, seconds(s.RowsAge))
	if s.Latency < 0 {
		gauge(latencyDesc, math.NaN())
	} else {
		gauge(latencyDesc, s.Latency.Seconds())
	}
	latest := OverlayStatus{Age: Never}
	if n := len(s.Overlays); n > 0 {
		latest = s.Overlays[n-1]
	}
	gauge(overlayDesc, seconds(latest.Age))
	gauge(overlayGenDesc, float64(latest.Generation))
	counter(replacedDesc, s.Replaced)
	counter(droppedDesc, s.Dropped)
	gauge(pendingDesc, float64(s.Pending))
	gauge(unreadDesc, float64(s.Unread))
	u := s.Memory
	gauge(entriesDesc, float64(u.Entries), "look-up")
	gauge(entriesDesc, float64(u.Sessions), "session")
	gauge(bytesDesc, float64(u.Bytes), "look-up")
	gauge(bytesDesc, float64(u.SessionBytes), "session")
	counter(readsDesc, u.Hits, "hit")
	counter(readsDesc, u.Misses, "miss")
	counter(evictionsDesc, u.Evictions)
	counter(refusedDesc, u.Oversized, "look-up")
	counter(refusedDesc, u.Refused, "session")
}
