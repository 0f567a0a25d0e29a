package amiproxy

import (
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/prometheus/client_golang/prometheus"
)

// Show has everybody see these channels in the lists, whatever the gate says. It is to be called before anybody has logged in.
func (s *Server) Show(view gate.Channels) {
	s.View(func(auth.Subject) (gate.Channels, error) { return view, nil })
}

// View has everybody see what f says. It is to be called before anybody has logged in.
func (s *Server) View(f func(auth.Subject) (gate.Channels, error)) { s.view = f }

// Logins is the counter of log-ins.
func (s *Server) Logins(outcome string) prometheus.Counter {
	return s.met.logins.WithLabelValues(outcome)
}
