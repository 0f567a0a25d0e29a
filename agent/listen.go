package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// listen opens both listeners, or none.
func (a *Agent) listen(ctx context.Context) (httpListener, adminListener net.Listener, err error) {
	var lc net.ListenConfig
	if httpListener, err = lc.Listen(ctx, "tcp", a.cfg.HTTP.Listen); err != nil {
		return nil, nil, fmt.Errorf("open http.listen: %w; is another program, or another Earshot, using the port?", err)
	}
	if adminListener, err = lc.Listen(ctx, "tcp", a.cfg.Admin.Listen); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open admin.listen: %w; is another program, or another Earshot, using the port?", err), httpListener.Close())
	}
	return a.watched("http", httpListener), a.watched("admin", adminListener), nil
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
