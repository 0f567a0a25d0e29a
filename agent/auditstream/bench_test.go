package auditstream_test

import (
	"testing"
	"time"
)

// BenchmarkBacklog is the time that it takes to send lines that are on the disk already, and what one costs the Redis.
func BenchmarkBacklog(b *testing.B) {
	h := build(b)
	h.add(b.N)
	b.ResetTimer()
	h.start(max(b.N, 1))
	h.complete()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
	if n := h.redis.Admin.MemoryUsage(b.Context(), stream, 0).Val(); n > 0 {
		b.ReportMetric(float64(n)/float64(b.N), "B-of-Redis/line")
	}
}

// BenchmarkAppended is the time from an append until a collector that waits has the line.
func BenchmarkAppended(b *testing.B) {
	h := build(b)
	h.start(1000)
	h.complete()
	took := time.Duration(0)
	for b.Loop() {
		last := h.written
		h.add(1)
		begun := time.Now()
		h.redis.Do("XREAD", "BLOCK", 10_000, "STREAMS", stream, last)
		took += time.Since(begun)
	}
	b.ReportMetric(float64(took.Microseconds())/float64(b.N)/1000, "ms-after-append")
}
