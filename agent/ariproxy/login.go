package ariproxy

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
)

// namesEmployee is the header in which a panel that serves many says for whom it asks, as at the other doors.
const namesEmployee = "X-Earshot-Employee"

// realm is what a client is told to name himself for, in Asterisk's words.
const realm = `Basic realm="Asterisk REST Interface"`

// guessTime is what a refused credential costs its connection, as at the AMI door; how many of those there are is bounded.
const guessTime = time.Second

// client is who asks: an employee, or a panel that may name one with each request. It prints nothing of the token.
type client struct {
	subject auth.Subject // the employee, named or himself; of a panel that names nobody itself, where the policy has it, and nobody otherwise
	panel   string       // the panel's name; empty for an employee
	share   *share       // with its other requests
	token   string       // the panel's, by which it is each employee whom it names
}

// name is what logs call a client.
func (c *client) name() string {
	if c.panel != "" {
		return "panel:" + c.panel
	}
	return c.subject.Employee()
}

// authenticate decides who asks. A request has one credential: in the header Authorization, or in the query.
func (s *Server) authenticate(r *http.Request, key string) (*client, error) {
	var user, secret string
	var ok bool
	switch given := r.Header["Authorization"]; {
	case len(given) > 1, len(given) == 1 && key != "":
		return nil, faultCredentials
	case len(given) == 1:
		user, secret, ok = basic(given[0])
	default:
		user, secret, ok = strings.Cut(key, ":")
	}
	if !ok || user == "" || secret == "" {
		return nil, faultCredential
	}
	from := remote(r)
	if !s.guesses.may(from, secret, time.Now()) {
		return nil, faultGuesses
	}
	c, err := s.identify(r.Context(), user, secret)
	if errors.Is(err, auth.ErrDenied) || errors.Is(err, faultCredential) {
		s.guesses.failed(from, time.Now())
		pause(r.Context(), guessTime)
		return nil, faultCredential
	}
	if err != nil {
		return nil, err
	}
	s.guesses.held(secret)
	c.share = s.shareOf(c)
	return c, s.name(r, c)
}

// pause waits, or until the client has gone.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// basic reads the header Authorization (RFC 7617).
func basic(value string) (user, secret string, ok bool) {
	scheme, text, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || !isText(string(b)) {
		return "", "", false
	}
	return strings.Cut(string(b), ":")
}

// identify is who has a credential: an employee by his id and a credential of his as the secret, or a panel by its name and its token.
func (s *Server) identify(ctx context.Context, user, secret string) (*client, error) {
	if s.cfg.Panel != nil {
		if name, ok := s.cfg.Panel(secret); ok {
			if name != user {
				return nil, faultCredential
			}
			return &client{panel: name, token: secret}, nil
		}
	}
	who, err := s.cfg.Auth.Authenticate(ctx, auth.Credential{Token: secret})
	switch {
	case errors.Is(err, auth.ErrDenied):
		return nil, err
	case err != nil:
		return nil, faultAuth
	case !who.Known() || who.Employee() != user:
		return nil, faultCredential
	}
	return &client{subject: who}, nil
}

// name settles for whom a request is. An employee is himself, and may say so. A panel that names nobody is itself, where the policy has it.
func (s *Server) name(r *http.Request, c *client) error {
	named := r.Header[namesEmployee]
	if len(named) > 1 || len(named) == 1 && named[0] == "" {
		return faultNotYours
	}
	switch {
	case c.panel == "":
		if len(named) == 1 && named[0] != c.subject.Employee() {
			return faultNotYours
		}
		return nil
	case len(named) == 1:
		who, err := s.as(r.Context(), named[0], c.token)
		c.subject = who
		return err
	case !s.cfg.Gate.Panel(c.panel):
		return nil
	}
	who, err := s.as(r.Context(), c.panel, c.token)
	if errors.Is(err, faultNotYours) {
		return nil
	}
	c.subject = who
	return err
}

// as is the subject whom a panel's token proves together with a name.
func (s *Server) as(ctx context.Context, named, token string) (auth.Subject, error) {
	who, err := s.cfg.Auth.Authenticate(ctx, auth.Credential{Token: token, Employee: named})
	switch {
	case errors.Is(err, auth.ErrDenied), err == nil && who.Employee() != named:
		return auth.Subject{}, faultNotYours
	case err != nil:
		return auth.Subject{}, faultAuth
	}
	return who, nil
}

// holds reports whether a client would still be let in.
func (s *Server) holds(c *client) bool {
	if c.subject.Known() && !s.cfg.Auth.Holds(c.subject) {
		return false
	}
	if c.panel == "" {
		return true
	}
	if c.subject.Employee() == c.panel && !s.cfg.Gate.Panel(c.panel) {
		return false
	}
	name, ok := s.cfg.Panel(c.token)
	return ok && name == c.panel
}
