// Package amiproxy is the AMI door: a panel that is made for Asterisk's manager interface logs in here in place of there.
//
// Its invariant: it compiles and generates, and forwards nothing. An action that its table has becomes a question to the gate, under the
// subject who has proven himself, with names resolved to one exact leg; every answer is written afresh from what the gate shows that subject.
// No byte of a client's goes to Asterisk, and none of Asterisk's comes back, since the door knows no connection to it.
package amiproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/ami"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// doorName is what the record calls this door.
const doorName = "ami"

// Config is what a Server is made of. Gate and Auth are required; every other zero value takes the default that is named.
type Config struct {
	Gate *gate.Gate
	Auth auth.Authenticator
	// Panel returns the name of the panel whose token this is, as auth.Tokens does; nil: no panel logs in, only employees.
	Panel func(token string) (name string, ok bool)
	// Command counts something that somebody begins or changes, and reports whether he may do so now; nil: he always may.
	Command func(auth.Subject) bool
	// Context is the dialplan's context that rows name, whatever is dialled; "default".
	Context     string
	Codes       gate.Codes // that mean something of Earshot's own in an Originate to an extension; none
	Version     string     // the program's; "dev"
	MaxSessions int        // clients at a time; 1,000
	PerEmployee int        // of one employee who logs in himself; 10
	PerPanel    int        // of one panel; 50
	// LoginTimeout is what a connection has for its log-in; 5 s.
	LoginTimeout time.Duration
	Log          zerolog.Logger
	Registerer   prometheus.Registerer // takes the door's metrics; nil: they count for nobody
	Clock        func() time.Time      // nil: time.Now
	PerMinute    int                   // how many actions one employee or panel may ask for in the long run; 3,000
	Burst        int                   // and how many at once; 500
	Recheck      time.Duration         // how often it is looked whether the credentials of sessions still hold; 20 s
}

// Server is the door. It is safe for concurrent use.
type Server struct {
	cfg     Config
	log     zerolog.Logger
	met     *metrics
	ami     *ami.Server
	table   map[string]*action // by name in lower case
	actions []action           // the same, sorted by name
	begun   time.Time
	view    func(auth.Subject) (gate.Channels, error) // the gate's

	streams sync.WaitGroup // of events, which end with their sessions

	mu      sync.Mutex // guards the rest
	clients map[*ami.Session]*client
	shares  map[string]*share // by client.name
}

// maxQueue bounds the bytes of events that wait for one session; what is in them all sessions share but for the handles.
const maxQueue = 2 << 20

// window is about how long an event waits for others to be written with it: many panels on a busy PBX cost a part of a write for each event and
// connection then, and nobody sees four milliseconds. What comes after a quiet time waits for about an eighth of it.
const window = 4 * time.Millisecond

// Why sessions are ended by the door.
var errRevoked = errors.New("the credential no longer holds")

// New makes the door. It listens on nothing.
func New(cfg Config) (*Server, error) {
	if cfg.Version == "" {
		cfg.Version = "dev"
	}
	if cfg.Context == "" {
		cfg.Context = "default"
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.PerEmployee == 0 {
		cfg.PerEmployee = 10
	}
	if cfg.PerPanel == 0 {
		cfg.PerPanel = 50
	}
	if cfg.LoginTimeout == 0 {
		cfg.LoginTimeout = 5 * time.Second
	}
	if cfg.PerMinute == 0 {
		cfg.PerMinute = 3000
	}
	if cfg.Burst == 0 {
		cfg.Burst = 500
	}
	if cfg.Recheck == 0 {
		cfg.Recheck = 20 * time.Second
	}
	s := &Server{
		cfg: cfg, log: cfg.Log, actions: actions(), table: map[string]*action{}, begun: cfg.Clock(), clients: map[*ami.Session]*client{}, shares: map[string]*share{},
	}
	s.view = cfg.Gate.Channels
	for i := range s.actions {
		s.table[fold(s.actions[i].name)] = &s.actions[i]
	}
	var err error
	s.ami, err = ami.NewServer(ami.ServerConfig{
		Authenticator: ami.AuthenticatorFunc(s.authenticate), Handler: ami.HandlerFunc(s.handle), OnLogin: s.enter,
		Repeats: repeats, MaxSessions: cfg.MaxSessions, MaxQueue: maxQueue, LoginTimeout: cfg.LoginTimeout, Window: window,
		Observer: ami.Observer{Refused: s.turnedAway, Login: s.loggedIn, Ended: s.ended, Malformed: s.malformed},
	})
	if err != nil {
		return nil, fmt.Errorf("make the AMI door: %w", err)
	}
	s.met = newMetrics(cfg.Registerer, s.ami)
	return s, nil
}

// Serve takes clients from a listener, which may be a TLS one, until ctx ends, and closes it. It returns when all sessions are over.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var looking sync.WaitGroup
	looking.Go(func() {
		tick := time.NewTicker(s.cfg.Recheck)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				s.Recheck()
			}
		}
	})
	err := s.ami.Serve(ctx, l)
	cancel()
	looking.Wait()
	s.streams.Wait()
	return err
}

// Recheck ends every session whose credential no longer holds. It is to be called after the tokens were loaded anew or a session was ended.
func (s *Server) Recheck() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for session, c := range s.clients {
		if !s.holds(c) {
			session.End(errRevoked)
		}
	}
}

// enter is told of each client that has logged in. His credential may have been taken away before Recheck could find him.
func (s *Server) enter(ctx context.Context, session *ami.Session) {
	c := clientOf(session)
	s.mu.Lock()
	s.clients[session] = c
	s.mu.Unlock()
	if !s.holds(c) {
		session.End(errRevoked)
		return
	}
	if at := c.subject.Expires(); !at.IsZero() {
		c.expiry = time.AfterFunc(time.Until(at), s.Recheck)
	}
	begin, err := s.follow(ctx, session, c)
	if err != nil {
		session.End(err)
		return
	}
	s.greet(session)
	begin()
}

// ended is told of each connection that is over, also of those that never logged in.
func (s *Server) ended(session *ami.Session, cause error) {
	s.met.ends.WithLabelValues(endWord(cause)).Inc()
	c := clientOf(session)
	if c == nil {
		return // nobody, or nobody who was let in
	}
	s.mu.Lock()
	c.share.sessions--
	_, entered := s.clients[session]
	delete(s.clients, session)
	s.mu.Unlock()
	if !entered {
		return
	}
	if c.expiry != nil {
		c.expiry.Stop()
	}
	s.log.Info().Str("who", c.name()).Str("end", endWord(cause)).Msg("AMI session over")
}

// turnedAway is told of each connection for which there was no room.
func (s *Server) turnedAway(_ net.Addr, cause error) {
	s.met.ends.WithLabelValues(endWord(cause)).Inc()
}

// malformed counts an action that could not be read, and has the record say so of who has logged in.
func (s *Server) malformed(session *ami.Session, _ *ami.ParseError) {
	s.met.actions.WithLabelValues(actionNone, outcomeInvalid).Inc()
	if c := clientOf(session); c != nil && c.share.actions.Allow() {
		s.note(session, c.subject, actionNone, codeMalformed)
	}
}

// repeats reports whether a header may be there more than once. In an Originate all Variables count, as in Asterisk.
func repeats(action, header string) bool {
	return strings.EqualFold(action, "Originate") && strings.EqualFold(header, "Variable")
}
