package cluster

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/earshot-pbx/earshot/cache"
)

// counters are what is counted.
type counters struct {
	refusals *prometheus.CounterVec
	commands *prometheus.HistogramVec
}

func newCounters() *counters {
	m := &counters{
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "earshot_cluster_refused_total", Help: "What was not taken from the other PBXs, or, as unfit, not shown to them.",
		}, []string{"what", "cause"}),
		commands: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "earshot_cluster_command_seconds", Help: "How long requests took that crossed to another PBX (sent) or came from one (performed), by what came of them.",
			Buckets: []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"way", "outcome"}),
	}
	for what, causes := range map[kind][]refusal{rowKind: {unreadable, older, unfit}, commandKind: {unreadable, older, repeated, late}, answerKind: {unreadable}} {
		for _, cause := range causes {
			m.refusals.WithLabelValues(string(what), string(cause))
		}
	}
	for way, outcomes := range map[string][]string{"sent": {"answered", "not_done", "unknown"}, "performed": {"answered", "not_done", "unanswered", "undone"}} {
		for _, outcome := range outcomes {
			m.commands.WithLabelValues(way, outcome)
		}
	}
	return m
}

func (m *counters) refused(what kind, cause refusal) {
	m.refusals.WithLabelValues(string(what), string(cause)).Inc()
}

func (m *counters) command(way, outcome string, took time.Duration) {
	m.commands.WithLabelValues(way, outcome).Observe(took.Seconds())
}

// maxTold bounds the lines in the log about what was refused.
const maxTold = 100

// refuse counts something of another that is not taken, and tells it in the log, once until that other is well.
func (c *Cluster) refuse(from string, what kind, cause refusal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuseLocked(from, what, cause)
}

// refuseLocked is refuse; the caller holds the lock.
func (c *Cluster) refuseLocked(from string, what kind, cause refusal) {
	c.met.refused(what, cause)
	c.tellOnce(string(cause)+" "+from, func() {
		c.cfg.Log.Warn().Str("from", from).Str("what", string(what)).Str("cause", string(cause)).Msg("cluster: something that came over the Redis is not taken; if it is unreadable, is the key in publication.key_file the same at all?")
	})
}

// tellOnce tells what was not told yet; the caller holds the lock.
func (c *Cluster) tellOnce(key string, tell func()) {
	if _, told := c.told[key]; told || len(c.told) >= maxTold {
		return
	}
	c.told[key] = struct{}{}
	tell()
}

var (
	standingDesc = prometheus.NewDesc("earshot_cluster_standing", "1 for how this Earshot stands to the others: joined, taken by another under the same name, waiting for the Redis, or left.", []string{"standing"}, nil)
	membersDesc  = prometheus.NewDesc("earshot_cluster_members", "Earshots beside other PBXs: known, gone (they cannot be reached, and the policy names their PBXs, or it names none and they were known since the start), or foreign (what they show is not sealed with this key).", []string{"state"}, nil)
	rowsDesc     = prometheus.NewDesc("earshot_cluster_rows", "What this Earshot shows to the others.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *Cluster) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{standingDesc, membersDesc, rowsDesc} {
		ch <- d
	}
	c.met.refusals.Describe(ch)
	c.met.commands.Describe(ch)
}

// Collect implements prometheus.Collector.
func (c *Cluster) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	s := c.Status()
	for _, is := range []cache.Standing{cache.Waiting, cache.Taken, cache.Joined, cache.Left} {
		gauge(standingDesc, one(is == s.Standing), is.String())
	}
	gauge(membersDesc, float64(len(s.Known)), "known")
	gauge(membersDesc, float64(len(s.Gone)+len(s.Missing)), "gone")
	gauge(membersDesc, float64(len(s.Foreign)), "foreign")
	c.mu.Lock()
	n := len(c.rows) - len(c.unshown)
	c.mu.Unlock()
	gauge(rowsDesc, float64(n))
	c.met.refusals.Collect(ch)
	c.met.commands.Collect(ch)
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
