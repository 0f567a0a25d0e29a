package amiproxy

import (
	"context"
	"errors"
	"strings"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/ami"
)

// variableEmployee is the variable of an Originate that names the employee, for panels that can send no header of their own.
const variableEmployee = "EARSHOT_EMPLOYEE"

// itself is the panel as its own subject; nobody where the policy has no such panel.
func (s *Server) itself(ctx context.Context, panel, token string) (auth.Subject, error) {
	if !s.cfg.Gate.Panel(panel) {
		return auth.Subject{}, nil
	}
	who, err := s.as(ctx, panel, token)
	if errors.Is(err, errNotYours) {
		return auth.Subject{}, nil
	}
	return who, err
}

// as is the subject whom a panel's token proves together with a name.
func (s *Server) as(ctx context.Context, named, token string) (auth.Subject, error) {
	who, err := s.cfg.Auth.Authenticate(ctx, auth.Credential{Token: token, Employee: named})
	switch {
	case errors.Is(err, auth.ErrDenied), err == nil && who.Employee() != named:
		return auth.Subject{}, errNotYours
	case err != nil:
		return auth.Subject{}, err
	}
	return who, nil
}

// who is the subject of one action. An employee is himself, and may say so. A panel that serves many is whom it names; where it names nobody, it is, of an
// Originate, whose phone it rings, since it could have named him, and otherwise itself.
func (s *Server) who(ctx context.Context, c *client, m *ami.Message) (auth.Subject, error) {
	named, err := naming(m)
	switch {
	case c.panel == "":
		if err != nil || named != "" && named != c.subject.Employee() {
			return c.subject, errNotYours
		}
		return c.subject, nil
	case err != nil:
		return c.subject, err
	case named != "":
		if s.isAnothers(m, named) {
			return c.subject, errNotYours
		}
		who, err := s.as(ctx, named, c.token)
		if err != nil {
			return c.subject, err
		}
		return who, nil
	}
	if strings.EqualFold(string(m.Action()), "Originate") {
		for _, likely := range []string{m.Get("Account"), s.ownerOf(m.Get("Channel"))} {
			if likely == "" {
				continue
			}
			if who, err := s.as(ctx, likely, c.token); err == nil && who.Employee() != c.panel {
				return who, nil
			}
		}
		return c.subject, errUnnamed // a panel itself has no phone
	}
	if !c.subject.Known() {
		return auth.Subject{}, errUnnamed
	}
	return c.subject, nil
}

// naming is the employee whom an action names, by the header or by the variable. The two may not differ. The variable counts as the only one of its header
// alone: what a panel's user has typed into another variable may have a comma and the name of this one in it.
func naming(m *ami.Message) (string, error) {
	named := m.Get(namesEmployee)
	for _, line := range m.Values("Variable") {
		pairs := strings.Split(line, ",")
		for _, pair := range pairs {
			name, value, _ := strings.Cut(pair, "=")
			if name != variableEmployee {
				continue
			}
			if len(pairs) > 1 {
				return "", faultNotAlone
			}
			if named != "" && named != value || value == "" {
				return "", errNotYours
			}
			named = value
		}
	}
	return named, nil
}

const faultNotAlone fault = variableEmployee + " has to be the only variable of its header."

// isAnothers reports whether an Originate has another employee's id as its account than whom it names.
func (s *Server) isAnothers(m *ami.Message, named string) bool {
	account := m.Get("Account")
	if account == "" || account == named || !strings.EqualFold(string(m.Action()), "Originate") {
		return false
	}
	_, ok := colleagueOf(s.cfg.Gate.Phonebook(), account)
	return ok
}

// ownerOf is whose phone a Channel header of an Originate names; nobody where it is no employee's. It proves nothing of who asks.
func (s *Server) ownerOf(channel string) string {
	book := s.cfg.Gate.Phonebook()
	for _, c := range book.Colleagues {
		if _, ok := c.Phone(channel); ok {
			return c.ID
		}
	}
	return ""
}
