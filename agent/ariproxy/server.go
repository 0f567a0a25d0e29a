// Package ariproxy is the ARI door: a panel that is made for Asterisk's REST interface asks here in place of there, and has its events from here.
//
// Its invariant: it compiles and generates, and forwards nothing. A request is read once, into a form that has one meaning; an operation that its table
// has becomes a question to the gate, under the subject who has proven himself; every answer and every event is written afresh from what the gate shows
// that subject. No byte of a client's goes to Asterisk, and none of Asterisk's comes back, since the door knows no connection to it.
package ariproxy

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"path"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/eventstream"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// doorName is what the record calls this door.
const doorName = "ari"

// Config is what a Server is made of. Gate and Auth are required; every other zero value takes the default that is named.
type Config struct {
	Gate *gate.Gate
	Auth auth.Authenticator
	// Panel returns the name of the panel whose token this is, as auth.Tokens does; nil: no panel asks, only employees.
	Panel func(token string) (name string, ok bool)
	// Context is the dialplan's context that channels name, whatever is dialled; "default".
	Context string
	// Origins are the hosts ("panel.example.com", path.Match patterns) whose pages may ask, beside the host that is asked itself. A client that sends no
	// Origin is no browser and is not held to it.
	Origins     []string
	Version     string // the program's; "dev"
	MaxSessions int    // event streams at a time; 1,000
	PerEmployee int    // of one employee who asks himself; 10
	PerPanel    int    // of one panel; 50
	// LoginTimeout is what a connection has for its first request with a credential that holds; 5 s.
	LoginTimeout time.Duration
	Log          zerolog.Logger
	Registerer   prometheus.Registerer // takes the door's metrics; nil: they count for nobody
	Clock        func() time.Time      // nil: time.Now
	PerMinute    int                   // how many requests one employee or panel may make in the long run; 3,000
	Burst        int                   // and how many at once; 500
	Recheck      time.Duration         // how often it is looked whether the credentials of streams still hold, and their clients are there; 20 s
	WriteTimeout time.Duration         // how long one write to a stream is waited for, and at most half as long again; 10 s
	Grace        time.Duration         // how long what a client steers goes on when its stream has ended, until it connects again; 30 s

	Codes gate.Codes // that mean something of Earshot's own as an extension that a channel is originated to; none
	// Command counts something that somebody begins or changes, and reports whether he may do so now; nil: he always may.
	Command func(auth.Subject) bool
}

// Server is the door. It is safe for concurrent use.
type Server struct {
	cfg   Config
	log   zerolog.Logger
	met   *metrics
	table []operation
	tree  *node
	docs  map[string]description // by the file's name
	begun time.Time
	form  func([]mask.ChannelChange) any // render
	view  func(auth.Subject) (gate.Channels, error)
	opens func(auth.Subject, func(gate.StasisEvent)) (stasis, error) // openStasis

	guesses guesses

	room eventstream.Room

	mu      sync.Mutex        // guards the rest; the room is not asked for anything that waits while it is held
	shares  map[string]*share // by client.name
	estates map[owner]*estate
	callers map[net.Conn]*caller
	open    sync.WaitGroup // times of grace, and recordings that are followed; Add under mu while the room is not shut, or the stream has a place in it whose end begins one

	ctx  context.Context // of what waits for something that no request does; ends when no stream is admitted any more
	stop context.CancelFunc
}

// New makes the door. It listens on nothing.
func New(cfg Config) *Server {
	for _, d := range []struct {
		value    *int
		standard int
	}{{&cfg.MaxSessions, 1000}, {&cfg.PerEmployee, 10}, {&cfg.PerPanel, 50}, {&cfg.PerMinute, 3000}, {&cfg.Burst, 500}} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&cfg.LoginTimeout, 5 * time.Second}, {&cfg.Recheck, 20 * time.Second}, {&cfg.WriteTimeout, 10 * time.Second}, {&cfg.Grace, 30 * time.Second}} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	if cfg.Version == "" {
		cfg.Version = "dev"
	}
	if cfg.Context == "" {
		cfg.Context = "default"
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	s := &Server{
		cfg: cfg, log: cfg.Log, table: operations(), begun: cfg.Clock(), view: cfg.Gate.Channels, shares: map[string]*share{},
		estates: map[owner]*estate{}, callers: map[net.Conn]*caller{},
	}
	s.tree, s.docs, s.form, s.opens = newTree(s.table), describe(s.table), s.render, s.openStasis
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.met = newMetrics(cfg.Registerer, s)
	return s
}

// Serve takes clients from a listener, which may be a TLS one, until ctx ends, and closes it. It returns when all requests and streams are over.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	h := &http.Server{
		Handler:                      s,
		ReadHeaderTimeout:            s.cfg.LoginTimeout,
		ReadTimeout:                  15 * time.Second,
		WriteTimeout:                 30 * time.Second, // not for streams: they leave the server's hands when they are upgraded
		IdleTimeout:                  2 * time.Minute,
		MaxHeaderBytes:               16 << 10,
		DisableGeneralOptionsHandler: true,
		ConnContext:                  s.called,
		ConnState:                    s.changed,
		ErrorLog:                     log.New(serverLog{s.log}, "", 0),
		BaseContext:                  func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	s.strangers().Serve(h)
	served := make(chan error, 1)
	go func() { served <- h.Serve(l) }()
	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	s.closeStreams()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if h.Shutdown(end) != nil {
		_ = h.Close()
	}
	_ = s.room.Close(end) // cuts off those that have not ended by then
	s.open.Wait()
	if err == nil {
		err = <-served
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// stopTime is how long Serve waits for what is under way when it ends.
const stopTime = 5 * time.Second

// serverLog takes what net/http has to say: broken TLS handshakes and the like. It names remote addresses, nothing of a request.
type serverLog struct{ log zerolog.Logger }

func (l serverLog) Write(p []byte) (int, error) {
	l.log.Debug().Str("from", "net/http").Msg(string(p))
	return len(p), nil
}

// Recheck ends every stream whose credential no longer holds, and what its client steers. It is to be called after the tokens were loaded anew or a session was ended.
func (s *Server) Recheck() {
	s.room.Recheck()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.estates {
		if !s.cfg.Auth.Holds(e.subject) {
			e.hurry()
		}
	}
}

// isOrigin reports whether a page of an origin may ask: one of the host that is asked, or of those in the configuration, whose origin it is that is
// returned. A browser lets its page have the answer when that is said.
func (s *Server) isOrigin(r *http.Request) (named string, may bool) {
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return "", true
	}
	scheme, host, ok := hostOf(origins[0])
	if !ok || len(origins) > 1 {
		return "", false
	}
	if host == r.Host {
		return "", true
	}
	for _, pattern := range s.cfg.Origins {
		if match, err := path.Match(pattern, host); err == nil && match {
			return scheme + "://" + host, true
		}
	}
	return "", false
}
