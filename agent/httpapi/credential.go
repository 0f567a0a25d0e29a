package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/earshot-pbx/earshot/agent/auth"
)

// subprotocol is what an event stream speaks. A browser cannot set headers on a WebSocket, so it may offer its token beside this one, as
// "bearer.TOKEN". Only this one is ever answered, so the token does not come back.
const (
	subprotocol    = "earshot.v1"
	bearerProtocol = "bearer."
)

// authenticate proves who asks, by the header Authorization, or by the subprotocols where those are allowed. A token in the URL is none: URLs
// end up in logs and histories.
func (s *Server) authenticate(r *http.Request, stream bool) (auth.Subject, *Problem) {
	c, ok := credential(r.Header, stream)
	if !ok {
		return auth.Subject{}, unauthenticated()
	}
	subject, err := s.cfg.Auth.Authenticate(r.Context(), c)
	switch {
	case errors.Is(err, auth.ErrDenied):
		return auth.Subject{}, unauthenticated()
	case err != nil:
		return auth.Subject{}, authUnavailable(err)
	case !subject.Known():
		return auth.Subject{}, unauthenticated()
	}
	return subject, nil
}

// credential finds the one credential that a request brings; two are none, whichever they are.
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
	if len(found) != 1 || found[0] == "" {
		return auth.Credential{}, false
	}
	return auth.Credential{Token: found[0]}, true
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

type subjectKey struct{}

func withSubject(ctx context.Context, s auth.Subject) context.Context {
	return context.WithValue(ctx, subjectKey{}, s)
}

// subject is who asks; nobody where nobody was authenticated, and the gate refuses nobody.
func subject(ctx context.Context) auth.Subject {
	s, _ := ctx.Value(subjectKey{}).(auth.Subject)
	return s
}
