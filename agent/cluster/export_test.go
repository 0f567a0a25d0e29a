package cluster

import "github.com/prometheus/client_golang/prometheus"

// Refusals lets a test read a counter.
func (c *Cluster) Refusals(what, cause string) prometheus.Counter {
	return c.met.refusals.WithLabelValues(what, cause)
}
