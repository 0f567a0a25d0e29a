package auditstream

import (
	"errors"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/earshot-pbx/earshot/cache"
)

// Trouble is why the stream does not go on. The zero value is none.
type Trouble string

// The troubles. With each the stream waits, and is tried again.
const (
	Away       Trouble = "away"       // the store is away, or answers what is not expected
	Full       Trouble = "full"       // the store takes no writes: its memory is full, perhaps
	Conflict   Trouble = "conflict"   // the stream has entries that the log has not: another sidecar writes it, or the log was begun anew
	Unreadable Trouble = "unreadable" // the log's files cannot be read
)

var troubles = []Trouble{Away, Full, Conflict, Unreadable}

func troubleOf(err error) Trouble {
	switch {
	case errors.Is(err, errFiles):
		return Unreadable
	case errors.Is(err, errConflict), errors.Is(err, cache.ErrNotNext):
		return Conflict
	case errors.Is(err, cache.ErrFull):
		return Full
	}
	return Away
}

// Status tells how a stream stands.
type Status struct {
	Known   bool          // how far the stream is; false until the store was first asked
	Last    uint64        // the number with which the stream ends
	Behind  uint64        // how many lines that are on the disk it lacks, while Known
	Age     time.Duration // of the oldest of them; until Known, for how long that has been so; 0 when it lacks none
	Sent    uint64        // lines that were sent since New
	Missing uint64        // lines that never come since the files did not have them whole any more, since New
	Trouble Trouble
}

// Status tells how things stand. It waits for nothing.
func (s *Stream) Status() Status {
	safe, now := s.Log.Last().Seq, s.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Status{Known: s.known, Last: s.end, Sent: s.sent, Missing: s.missing, Trouble: s.trouble}
	if s.known {
		out.Behind = max(safe+1, s.next) - s.next
	}
	switch {
	case !s.known || s.trouble == Conflict:
		out.Age = max(0, now.Sub(s.since))
	case out.Behind > 0 && !s.oldest.IsZero():
		out.Age = max(0, now.Sub(s.oldest))
	}
	return out
}

// stand takes how things stand now and tells when that is new.
func (s *Stream) stand(t Trouble) {
	s.mu.Lock()
	changed := s.trouble != t
	if changed {
		s.trouble = t
		if s.known {
			s.since = s.Now()
		}
	}
	s.mu.Unlock()
	if changed && s.Tell != nil {
		s.Tell(s.Status())
	}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("earshot_audit_stream_"+name, help, labels, nil)
}

var (
	behindDesc  = desc("behind_entries", "Entries of the audit log that are on the disk and not in the stream yet; NaN until the Redis was first asked.")
	ageDesc     = desc("behind_seconds", "Age of the oldest entry of the audit log that is not in the stream yet; 0 when none is missing.")
	sentDesc    = desc("sent_total", "Entries of the audit log that were sent to the stream.")
	missingDesc = desc("missing_total", "Entries that never come into the stream, since the files of the audit log did not have them whole any more.")
	troubleDesc = desc("trouble", "1 for why the stream of the audit log does not go on.", "trouble")
)

// Describe implements prometheus.Collector.
func (*Stream) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{behindDesc, ageDesc, sentDesc, missingDesc, troubleDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (s *Stream) Collect(ch chan<- prometheus.Metric) {
	st := s.Status()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	behind := float64(st.Behind)
	if !st.Known {
		behind = math.NaN()
	}
	gauge(behindDesc, behind)
	gauge(ageDesc, st.Age.Seconds())
	for d, n := range map[*prometheus.Desc]uint64{sentDesc: st.Sent, missingDesc: st.Missing} {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n))
	}
	for _, t := range troubles {
		v := 0.0
		if t == st.Trouble {
			v = 1
		}
		gauge(troubleDesc, v, string(t))
	}
}
