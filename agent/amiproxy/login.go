package amiproxy

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/ami"
)

// namesEmployee is the header in which a panel that serves many says for whom it asks, as at the HTTP door.
const namesEmployee = "X-Earshot-Employee"

// client is who has logged in on a session: an employee, or a panel that names one with each action. It prints nothing of the token.
type client struct {
	subject auth.Subject // the employee; of a panel itself, where the policy has it, and nobody otherwise
	panel   string       // the panel's name; empty for an employee
	share   *share       // with its other sessions
	token   string       // the panel's, by which it is each employee whom it names
	expiry  *time.Timer  // looks again when the credential ends; nil: it does not
}

// clientOf is whom authenticate has let in.
func clientOf(session *ami.Session) *client {
	c, _ := session.Principal().(*client) // it gave nothing else
	return c
}

// name is what logs call a client.
func (c *client) name() string {
	if c.panel != "" {
		return "panel:" + c.panel
	}
	return c.subject.Employee()
}

var (
	errChallenge = errors.New("a log-in by challenge: of a token its hash alone is kept, so the token itself must be sent")
	errUsername  = errors.New("the user name is not the credential's")
)

// authenticate decides who may log in, see identify, as long as he has not done so too often.
func (s *Server) authenticate(ctx context.Context, c *ami.Credentials) (any, error) {
	who, err := s.identify(ctx, c)
	if err == nil {
		err = s.join(who)
	}
	if err != nil {
		return nil, err
	}
	return who, nil
}

// identify is who logs in: an employee by his id and a credential of his as the secret, or a panel by its name and its token.
func (s *Server) identify(ctx context.Context, c *ami.Credentials) (*client, error) {
	if c.ByChallenge {
		return nil, errChallenge
	}
	token := string(c.Secret)
	if s.cfg.Panel != nil {
		if name, ok := s.cfg.Panel(token); ok {
			if name != c.Username {
				return nil, errUsername
			}
			itself, err := s.itself(ctx, name, token)
			if err != nil {
				return nil, err
			}
			return &client{subject: itself, panel: name, token: token}, nil
		}
	}
	who, err := s.cfg.Auth.Authenticate(ctx, auth.Credential{Token: token})
	switch {
	case err != nil:
		return nil, err
	case !who.Known() || who.Employee() != c.Username:
		return nil, errUsername
	}
	return &client{subject: who}, nil
}

// loggedIn is told of each log-in. What the client called himself is not written down: it may be a secret in the wrong place. Of who was refused the
// address is, as the HTTP door writes it, by which something in front can shut him out.
func (s *Server) loggedIn(session *ami.Session, err error) {
	if err == nil {
		s.met.logins.WithLabelValues(outcomeOK).Inc()
		s.log.Info().Str("outcome", outcomeOK).Bool("tls", session.Secure()).Msg("AMI log-in")
		return
	}
	outcome := outcomeRefused
	if errors.Is(err, errCrowd) {
		outcome = outcomeLimited
	}
	s.met.logins.WithLabelValues(outcome).Inc()
	s.log.Info().Str("outcome", outcome).Bool("challenge", errors.Is(err, errChallenge)).Str("remote", remote(session)).Msg("AMI log-in")
}

// remote is the address of a client without its port.
func remote(session *ami.Session) string {
	from, err := netip.ParseAddrPort(session.Addr().String())
	if err != nil {
		return ""
	}
	return from.Addr().Unmap().WithZone("").String()
}

// holds reports whether a client would still be let in.
func (s *Server) holds(c *client) bool {
	if c.subject.Known() && (!s.cfg.Auth.Holds(c.subject) || c.panel != "" && !s.cfg.Gate.Panel(c.panel)) {
		return false
	}
	if c.panel == "" {
		return true
	}
	name, ok := s.cfg.Panel(c.token)
	return ok && name == c.panel
}

// errUnnamed is the answer to a panel that names nobody where somebody is needed.
var errUnnamed = errors.New("Name the employee for whom this is asked, in " + namesEmployee + ".") //nolint:staticcheck // a sentence for the client

// errNotYours is the answer to who names somebody as whom he may not ask; whether there is such an employee makes no difference.
var errNotYours = errors.New("You may not ask for the employee in " + namesEmployee + ".") //nolint:staticcheck // a sentence for the client
