package recording

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
)

// Question is what a second authority is asked: may this employee do this to that file? The first authority, the policy, has said yes.
type Question struct {
	Employee string
	Action   string // "play", "download", "delete"
	Place
}

// Authority says whether somebody may have a file. An error means that it cannot say, which is no.
type Authority interface {
	Allow(ctx context.Context, q Question) (bool, error)
}

// SecondConfig says what second authority is asked. What is zero has the default.
type SecondConfig struct {
	Kind string `yaml:"kind"` // file, authzen, http; none: nobody is asked
	// authzen: the address of the evaluation endpoint. http: an address with {employee}, {action}, {spool} and {file}, which is answered by 2xx for yes and by
	// 403 for no.
	URL         string        `yaml:"url"`
	HeadersFile string        `yaml:"headers_file"` // a file of secret header lines
	AllowHTTP   bool          `yaml:"allow_http"`   // plain HTTP off loopback
	Users       []UnixUser    `yaml:"users"`        // file: the Unix user that each employee is
	Timeout     time.Duration `yaml:"timeout"`      // of one request; 2s
	TTL         time.Duration `yaml:"ttl"`          // how long an answer is good; 30s
	Breaker     Breaker       `yaml:"breaker"`
}

// UnixUser is whom the file system knows an employee as.
type UnixUser struct {
	Employee string `yaml:"employee"` // id as in the policy
	User     string `yaml:"user"`
}

// Breaker leaves an authority alone that fails: until it is tried again everything is refused at once.
type Breaker struct {
	Failures int           `yaml:"failures"` // in a row; 5
	Pause    time.Duration `yaml:"pause"`    // before it is tried again with one request; 10s
}

// ErrSilent says that a second authority did not say yes or no.
var ErrSilent = errors.New("the second authority gives no answer")

// maxAnswers is how many answers are remembered.
const maxAnswers = 10000

// NewSecond makes the authority that a configuration names; nil, without an error, for none. It reads files and opens no connection.
func NewSecond(c SecondConfig, s *Spools) (Authority, error) {
	if c.Timeout == 0 {
		c.Timeout = 2 * time.Second
	}
	if c.TTL == 0 {
		c.TTL = 30 * time.Second
	}
	if c.Breaker.Failures == 0 {
		c.Breaker.Failures = 5
	}
	if c.Breaker.Pause == 0 {
		c.Breaker.Pause = 10 * time.Second
	}
	switch c.Kind {
	case "":
		return nil, nil
	case "file":
		return newRights(c.Users, s), nil
	}
	faults := c.Faults()
	if len(faults) > 0 {
		return nil, fmt.Errorf("recordings.second.%s: %s", faults[0].Key, faults[0].Message)
	}
	r, err := newRemote(c)
	if err != nil {
		return nil, err
	}
	return newRemembered(r, c), nil
}

// remembered asks an authority and remembers what it answered, each answer for its time and no more than so many. What it fails to answer is not
// remembered, and after several failures it is left alone for a while.
type remembered struct {
	of      Authority
	timeout time.Duration
	ttl     time.Duration
	breaker *gobreaker.CircuitBreaker[bool]

	mu      sync.Mutex
	answers map[Question]reply
}

type reply struct {
	yes   bool
	until time.Time
}

func newRemembered(of Authority, c SecondConfig) *remembered {
	return &remembered{
		of: of, timeout: c.Timeout, ttl: c.TTL, answers: map[Question]reply{},
		breaker: gobreaker.NewCircuitBreaker[bool](gobreaker.Settings{
			Name: "second", MaxRequests: 1, Timeout: c.Breaker.Pause,
			ReadyToTrip: func(n gobreaker.Counts) bool { return int64(n.ConsecutiveFailures) >= int64(c.Breaker.Failures) },
			IsExcluded:  func(err error) bool { return errors.Is(err, context.Canceled) }, // who asked has gone
		}),
	}
}

// Allow implements [Authority].
func (m *remembered) Allow(ctx context.Context, q Question) (bool, error) {
	now := time.Now()
	m.mu.Lock()
	a, ok := m.answers[q]
	m.mu.Unlock()
	if ok && now.Before(a.until) {
		return a.yes, nil
	}
	yes, err := m.breaker.Execute(func() (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, m.timeout)
		defer cancel()
		return m.of.Allow(ctx, q)
	})
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrSilent, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.answers) >= maxAnswers {
		m.makeRoom(now)
	}
	m.answers[q] = reply{yes, now.Add(m.ttl)}
	return yes, nil
}

// makeRoom forgets what is too old, or, when nothing is, anything.
func (m *remembered) makeRoom(now time.Time) {
	for q, a := range m.answers {
		if !now.Before(a.until) {
			delete(m.answers, q)
		}
	}
	for q := range m.answers {
		if len(m.answers) < maxAnswers {
			return
		}
		delete(m.answers, q)
	}
}
