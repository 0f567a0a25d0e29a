package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/lobby"
)

// subprotocol is what an event stream speaks. A browser cannot set headers on a WebSocket, so it may offer its token beside this one, as
// "bearer.TOKEN". Only this one is ever answered, so the token does not come back.
const (
	subprotocol    = "earshot.v1"
	bearerProtocol = "bearer."
)

// namesEmployee is the header in which the back end of a panel that serves many says for whom it asks. A page in a browser cannot set it on a
// WebSocket, and a panel's token has no business in a browser.
const namesEmployee = "X-Earshot-Employee"

// authenticate proves who asks, by the header Authorization, or by the subprotocols where those are allowed. A token in the URL is none: URLs
// end up in logs and histories. From an address that has presented too many that proved nobody, only those that have proven somebody before are
// looked at.
func (s *Server) authenticate(x *exchange, r *http.Request, stream bool) (auth.Subject, *Problem) {
	c, ok := credential(r.Header, stream)
	if !ok {
		return auth.Subject{}, unauthenticated()
	}
	var subject auth.Subject
	p := s.look(x, r, c.Token, func() (bool, error) {
		var err error
		if subject, err = s.cfg.Auth.Authenticate(r.Context(), c); errors.Is(err, auth.ErrDenied) {
			return false, nil
		}
		return subject.Known(), err
	})
	if p != nil {
		return auth.Subject{}, p
	}
	x.subject = subject.Employee()
	x.panel = subject.Panel()
	if !lobby.Prove(r.Context()) {
		return auth.Subject{}, crowdedOut() // nobody would hear what came of it
	}
	return subject, s.limit(subject, r.Method)
}

// look has a credential looked at, unless too many from its address proved nobody. One that has proven somebody before is always looked at.
func (s *Server) look(x *exchange, r *http.Request, token string, proves func() (bool, error)) *Problem {
	from, guesses := guesser(x.remote), !s.proven.has(token)
	if guesses {
		if wait := s.failures.owes(from); wait > 0 {
			s.met.limited.WithLabelValues(limitFailures).Inc()
			return tooManyFailures(wait)
		}
	}
	ok, err := proves()
	switch {
	case err != nil:
		return authUnavailable(err)
	case !ok:
		if guesses {
			s.failures.charge(from)
		}
		return unauthenticated()
	}
	s.proven.add(token)
	_ = lobby.Prove(r.Context()) // where it is too late, that is authenticate's; a hook has done what it does
	return nil
}

// limit counts a request for its subject. Ending something is counted with the reads, which are many, so that nobody who asked too much has to
// listen on.
func (s *Server) limit(who auth.Subject, method string) *Problem {
	of, name := s.commands, limitCommands
	if method == http.MethodGet || method == http.MethodHead || method == http.MethodDelete {
		of, name = s.reads, limitReads
	}
	return s.take(of, name, who)
}

func (s *Server) take(of *limiter, name string, who auth.Subject) *Problem {
	if wait := of.take(who.Employee()); wait > 0 {
		s.met.limited.WithLabelValues(name).Inc()
		return tooManyRequests(wait)
	}
	return nil
}

// Command counts what somebody begins or changes by another door as if he had asked for it here, and reports whether he may: who asks by two doors
// may not ask twice as often.
func (s *Server) Command(who auth.Subject) bool { return s.take(s.commands, limitCommands, who) == nil }

// credential finds the one credential that a request brings, with the employee that it names; two are none, whichever they are.
func credential(h http.Header, stream bool) (auth.Credential, bool) {
	var found []string
	for _, v := range h.Values("Authorization") {
		scheme, token, ok := strings.Cut(v, " ")
		if !ok || !strings.EqualFold(scheme, "Bearer") {
			return auth.Credential{}, false
		}
		found = append(found, token)
	}
	if stream {
		for _, p := range offered(h) {
			if token, ok := strings.CutPrefix(p, bearerProtocol); ok {
				found = append(found, token)
			}
		}
	}
	c := auth.Credential{}
	if named := h.Values(namesEmployee); len(named) > 1 || len(named) == 1 && named[0] == "" {
		return c, false
	} else if len(named) == 1 {
		c.Employee = named[0]
	}
	if len(found) != 1 || found[0] == "" {
		return auth.Credential{}, false
	}
	c.Token = found[0]
	return c, true
}

// offered lists the subprotocols that a WebSocket client offers (RFC 6455, section 11.3.4).
func offered(h http.Header) []string {
	var list []string
	for _, v := range h.Values("Sec-WebSocket-Protocol") {
		for _, p := range strings.Split(v, ",") {
			list = append(list, strings.TrimSpace(p))
		}
	}
	return list
}

// speaks reports whether the subprotocols that a client offers can be answered: none, or ours among them.
func speaks(h http.Header) bool {
	list := offered(h)
	return len(list) == 0 || contains(list, subprotocol)
}

type whoKey struct{}

func withWho(ctx context.Context, who any) context.Context {
	return context.WithValue(ctx, whoKey{}, who)
}

// whoAsks is who asks; nobody where nobody was authenticated, and the gate refuses nobody.
func whoAsks[W any](ctx context.Context) W {
	who, _ := ctx.Value(whoKey{}).(W)
	return who
}
