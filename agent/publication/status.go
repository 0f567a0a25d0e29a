package publication

import (
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/earshot-pbx/earshot/cache"
)

// Trouble is why the policy in force is not known to be the one that is published. The zero value is none.
type Trouble string

// The troubles.
const (
	Unconfirmed Trouble = "unconfirmed" // the store was not read yet, or is away
	Absent      Trouble = "absent"      // the store has none, and it cannot be put there
	Older       Trouble = "older"       // the store has an older one, and the present one cannot be put there
	Forged      Trouble = "forged"      // what the store has is not sealed with this key, or is nothing that was published
	Broken      Trouble = "broken"      // what was published is no good policy here: this Earshot is of another version, perhaps
	Conflict    Trouble = "conflict"    // another one of the same generation is published, or, where the policy is given: by somebody else
	NoKey       Trouble = "no_key"      // the key cannot be read
	Unsaved     Trouble = "unsaved"     // it is in force and could not be saved for a start without the store
	Second      Trouble = "second"      // what is given is not published: another Earshot gives already
	Unfit       Trouble = "unfit"       // what is given is not published: the overlay in force does not fit it, or cannot be read, so it cannot go over
)

var troubles = []Trouble{Unconfirmed, Absent, Older, Forged, Broken, Conflict, NoKey, Unsaved, Unfit, Second}

// Status tells how the policy in force stands to the one that is published.
type Status struct {
	Generation uint64 // of the edition in force; 0: none was published yet
	Hash       string // of its documents
	Trouble    Trouble
	// Unverified is for how long nobody has confirmed that it is the one that is published: cache.Never when nobody ever has.
	Unverified time.Duration
}

// standing is the part of Status that Follower and Giver keep alike.
type standing struct {
	store Store
	now   func() time.Time
	stale time.Duration
	tell  func(Status)

	laying *laying

	mu         sync.Mutex // protects what follows
	generation uint64
	hash       string
	trouble    Trouble
	since      time.Time // when it was last confirmed, while there is a trouble; zero: never
	confirmed  bool      // it ever was
}

// Status tells how things stand. It does not wait.
func (s *standing) Status() Status {
	_, age := s.store.Document(Name)
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Status{Generation: s.generation, Hash: s.hash, Trouble: s.trouble, Unverified: cache.Never}
	switch {
	case s.trouble == "" || s.trouble == Unsaved:
		out.Unverified = age
	case s.confirmed:
		out.Unverified = s.now().Sub(s.since)
	}
	return out
}

// stand takes how things stand now and tells when that is new.
func (s *standing) stand(generation uint64, hash string, t Trouble) {
	_, age := s.store.Document(Name)
	s.mu.Lock()
	changed := s.generation != generation || s.trouble != t
	good := t == "" || t == Unsaved
	if was := s.trouble == "" || s.trouble == Unsaved; s.confirmed && was && !good {
		s.since = s.now()
		if age != cache.Never && t == Unconfirmed {
			s.since = s.since.Add(-age)
		}
	}
	s.generation, s.hash, s.trouble = generation, hash, t
	s.confirmed = s.confirmed || good
	s.mu.Unlock()
	if changed && s.tell != nil {
		s.tell(s.Status())
	}
}

var (
	generationDesc = prometheus.NewDesc("earshot_policy_published_generation", "Generation of the published policy that is in force here; 0 when none is.", nil, nil)
	unverifiedDesc = prometheus.NewDesc("earshot_policy_unverified_seconds", "For how long nobody has confirmed that the policy in force is the one that is published; +Inf when nobody has since the start.", nil, nil)
	troubleDesc    = prometheus.NewDesc("earshot_policy_publication_trouble", "1 for why the policy in force is not known to be the one that is published, or not saved.", []string{"trouble"}, nil)
)

// Describe implements prometheus.Collector.
func (s *standing) Describe(ch chan<- *prometheus.Desc) {
	s.laying.describe(ch)
	for _, d := range []*prometheus.Desc{generationDesc, unverifiedDesc, troubleDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (s *standing) Collect(ch chan<- prometheus.Metric) {
	st := s.Status()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(generationDesc, float64(st.Generation))
	gauge(unverifiedDesc, seconds(st.Unverified))
	for _, t := range troubles {
		gauge(troubleDesc, number(t == st.Trouble), string(t))
	}
	s.laying.collect(gauge)
}

// seconds is an age as a gauge has it.
func seconds(age time.Duration) float64 {
	if age == cache.Never {
		return math.Inf(1)
	}
	return age.Seconds()
}
