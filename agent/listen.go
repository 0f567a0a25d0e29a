package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
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
	return httpListener, adminListener, nil
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
