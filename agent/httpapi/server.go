// Package httpapi is the HTTP and WebSocket door: it turns requests of panels into calls of the gate and writes the gate's answers.
//
// Its invariant: it decides nothing and knows nothing. Who asks is proven by auth before anything else is looked at, what may be done is
// said by the gate, and what is shown is a masked form as the gate gave it; no other package that knows of a call is imported. So no
// mistake here can show more than the gate has given for this subject.
package httpapi

import (
	"context"
	"log"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/eventstream"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/lobby"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// Config is what a Server is made of. Gate and Auth are required; every other zero value takes the default that is named.
type Config struct {
	Gate *gate.Gate
	Auth auth.Authenticator
	// Sessions makes and ends sessions; Auth should let them in. nil: the door has no routes for them.
	Sessions *auth.Sessions
	Log      zerolog.Logger
	// Registerer takes the door's metrics; nil: they count for nobody.
	Registerer prometheus.Registerer
	// Version is the program's, told in /openapi.json; "dev".
	Version string
	// Origins are the hosts ("panel.example.com", path.Match patterns) whose pages may open an event stream, beside the host that was
	// asked itself. A client that sends no Origin is no browser and is not held to it.
	Origins []string
	// Proxies are the networks whose X-Forwarded-For is believed; none: whoever is connected is who asks.
	Proxies []netip.Prefix
	// Panel has the door serve the page for people, at /.
	Panel bool
	// Limits are how often one may ask.
	Limits Limits
	// Clock is what the limits count by; nil: time.Now.
	Clock func() time.Time

	WriteTimeout time.Duration // how long one write to an event stream is waited for, and at most half as long again; 10 s
	PingInterval time.Duration // how often a stream is looked after: is the other side there, does its credential hold; 20 s
	StrangerTime time.Duration // how long a connection is kept on which nobody proves himself; 15 s
	MaxStrangers int           // how many such connections there may be: people who open the page, and whoever else knows the address; 512

	// PerEmployee is how many event streams of one employee there may be; 10. Those that a panel has for him count for themselves.
	PerEmployee int
}

// Server is the door. It is safe for concurrent use. Nothing runs before a request comes.
type Server struct {
	cfg     Config
	log     zerolog.Logger
	met     *metrics
	mux     *http.ServeMux
	openapi []byte

	commands, reads, exports, failures *limiter
	proven                             proven

	room eventstream.Room
}

// New makes the door. It listens on nothing: it is a handler, and HTTP gives the server to run it in.
func New(cfg Config) *Server {
	if cfg.Version == "" {
		cfg.Version = "dev"
	}
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = 10 * time.Second
	}
	if cfg.PingInterval == 0 {
		cfg.PingInterval = 20 * time.Second
	}
	if cfg.StrangerTime == 0 {
		cfg.StrangerTime = 15 * time.Second
	}
	if cfg.MaxStrangers == 0 {
		cfg.MaxStrangers = 512
	}
	if cfg.PerEmployee == 0 {
		cfg.PerEmployee = 10
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	cfg.Limits.fill()
	s := &Server{cfg: cfg, log: cfg.Log, met: newMetrics(cfg.Registerer), mux: http.NewServeMux()}
	s.commands, s.reads = newLimiter(cfg.Limits.Commands, cfg.Clock), newLimiter(cfg.Limits.Reads, cfg.Clock)
	s.exports, s.failures = newLimiter(cfg.Limits.Exports, cfg.Clock), newLimiter(cfg.Limits.Failures, cfg.Clock)
	s.proven.tokens.max = remembered
	s.routes()
	return s
}

// OpenAPI is the description that /openapi.json answers with.
func (s *Server) OpenAPI() []byte { return s.openapi }

// HTTP is a server that runs the door with bounds on everything that a client could draw out. The caller gives it a listener, and ends it:
// Close first, for the event streams, which Shutdown does not know; then Shutdown.
func (s *Server) HTTP() *http.Server {
	h := &http.Server{
		Handler:                      s,
		ReadHeaderTimeout:            5 * time.Second,
		ReadTimeout:                  15 * time.Second,
		WriteTimeout:                 30 * time.Second, // not for event streams: they leave the server's hands when they are upgraded
		IdleTimeout:                  2 * time.Minute,
		MaxHeaderBytes:               32 << 10,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     log.New(serverLog{s.log}, "", 0),
	}
	lobby.New(s.cfg.MaxStrangers, s.cfg.StrangerTime, func(why string) { s.met.strangers.WithLabelValues(why).Inc() }).Serve(h)
	return h
}

// serverLog takes what net/http has to say: broken TLS handshakes and the like. It names remote addresses, nothing of a request.
type serverLog struct{ log zerolog.Logger }

func (l serverLog) Write(p []byte) (int, error) {
	l.log.Debug().Str("from", "net/http").Msg(string(p))
	return len(p), nil
}

// Close ends every event stream with a reason and takes no new one, and waits until they have ended. When ctx is over first, it cuts those
// that are left and returns ctx's error. Other requests are not its business: http.Server.Shutdown waits for them.
func (s *Server) Close(ctx context.Context) error { return s.room.Close(ctx) }

// Recheck ends every event stream whose credential no longer holds. It is to be called after the tokens were loaded anew or a session
// was ended; what expires by itself ends by itself.
func (s *Server) Recheck() { s.room.Recheck() }

// streamsOf is what a subject's streams are counted by.
func streamsOf(who auth.Subject) string { return who.Panel() + "\x00" + who.Employee() }

// host is the remote address without the port.
func host(addr string) string {
	h, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return h
}
