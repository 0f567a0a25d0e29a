package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// listen opens both listeners, or none.
func (a *Agent) listen(ctx context.Context) (httpListener, adminListener net.Listener, err error) {
	var lc net.ListenConfig
	if httpListener, err = lc.Listen(ctx, "tcp", a.cfg.HTTP.Listen); err != nil {
		return nil, nil, unopened("http.listen", "another Earshot", err)
	}
	if adminListener, err = lc.Listen(ctx, "tcp", a.cfg.Admin.Listen); err != nil {
		return nil, nil, errors.Join(unopened("admin.listen", "another Earshot", err), httpListener.Close())
	}
	return a.watched("http", httpListener), a.watched("admin", adminListener), nil
}

// unopened says why a listener could not be opened, and what to do about it. Besides other programs, rival may have the port.
func unopened(key, rival string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = "; is another program, or " + rival + ", using the port?"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = "; this machine has no such address: write one that it has, or 0.0.0.0 for all"
	case errors.Is(err, syscall.EACCES):
		hint = "; a port below 1024 needs AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit, or another port"
	}
	return fmt.Errorf("open %s: %w%s", key, err, hint)
}

// watchedListener tells when connections cannot be taken, for want of file descriptors mostly. Its server tries again by itself, more and more slowly; without a word
// of it nobody would know why nobody gets in.
type watchedListener struct {
	net.Listener
	door   string
	log    zerolog.Logger
	failed prometheus.Counter
	said   time.Time // only of Accept
}

// sayAgain is how often it is said at most: an Accept that fails and one that does not may take turns for long.
const sayAgain = time.Minute

func (a *Agent) watched(door string, l net.Listener) net.Listener {
	return &watchedListener{Listener: l, door: door, log: a.log, failed: a.met.accepts.WithLabelValues(door)}
}

// Accept implements [net.Listener]. A server calls it in one goroutine.
func (l *watchedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if temporary := net.Error(nil); err != nil && errors.As(err, &temporary) && temporary.Temporary() { //nolint:staticcheck // what net/http's server does when files run out
		l.failed.Inc()
		if now := time.Now(); now.Sub(l.said) >= sayAgain {
			l.said = now
			l.log.Error().Err(err).Str("door", l.door).Msg("connections cannot be taken; it is tried again; raise LimitNOFILE, or see who connects so often")
		}
	}
	return conn, err
}

// Addresses waits until the listeners are open and tells where. It is for programs that run an Agent on port 0.
func (a *Agent) Addresses(ctx context.Context) (httpAddr, adminAddr string, err error) {
	select {
	case <-a.listening:
		return a.httpAddr, a.adminAddr, nil
	case <-ctx.Done():
		return "", "", ctx.Err()
	}
}

// serve serves until the server is shut down, by TLS where it has been made to.
func serve(s *http.Server, l net.Listener) error {
	if s.TLSConfig != nil {
		return s.ServeTLS(l, "", "")
	}
	return s.Serve(l)
}
