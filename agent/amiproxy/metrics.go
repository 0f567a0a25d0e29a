package amiproxy

import (
	"errors"
	"io"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/ami"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the door's. Labels hold names from the table and fixed words, never what a client wrote.
type metrics struct {
	actions *prometheus.CounterVec
	logins  *prometheus.CounterVec
	ends    *prometheus.CounterVec
}

// actionNone stands for what is no action of the table.
const actionNone = "none"

// Outcomes, beside the codes of the gate's problems.
const (
	outcomeOK      = "ok"
	outcomeRefused = "refused"     // by the table or for whom it was asked, before the gate
	outcomeUnknown = "unknown"     // not in the table
	outcomeInvalid = "invalid"     // could not be read, or made no sense
	outcomeLimited = "limited"     // asked, or logged in, too often
	outcomeGone    = "client_gone" // before he had the answer
)

func newMetrics(r prometheus.Registerer, server *ami.Server) *metrics {
	m := &metrics{
		actions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "earshot_ami_door_actions_total", Help: "Actions at the AMI door, by action and what came of it; what is not in the door's table has the action none.",
		}, []string{"action", "outcome"}),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "earshot_ami_door_logins_total", Help: "Log-ins at the AMI door, by outcome.",
		}, []string{"outcome"}),
		ends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "earshot_ami_door_connections_ended_total", Help: "Connections to the AMI door that ended, or for which there was no room, by reason.",
		}, []string{"reason"}),
	}
	for _, outcome := range []string{outcomeOK, outcomeRefused, outcomeLimited} {
		m.logins.WithLabelValues(outcome)
	}
	for _, e := range ends {
		m.ends.WithLabelValues(e.word)
	}
	m.ends.WithLabelValues(endOther)
	if r != nil {
		r.MustRegister(m.actions, m.logins, m.ends, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "earshot_ami_door_sessions", Help: "Clients that are logged in at the AMI door.",
		}, func() float64 { all, pending := server.Len(); return float64(all - pending) }))
	}
	return m
}

// endOther is for connections that broke, and for faults.
const endOther = "broken"

var ends = []struct {
	cause error
	word  string
}{
	{io.EOF, "client_gone"},
	{ami.ErrLogoff, "logoff"},
	{ami.ErrAuth, "login_refused"},
	{ami.ErrLoginTime, "login_timeout"},
	{ami.ErrSlow, "too_slow"},
	{ami.ErrTooMany, "too_many"},
	{ami.ErrCrowded, "crowded_out"},
	{ami.ErrFilters, "filters"},
	{ami.ErrServerClosed, "shutdown"},
	{errRevoked, "credential_ended"},
	{gate.CutSlow, "too_slow"},
	{gate.CutShutdown, "shutdown"},
	{gate.CutUnknown, "unknown_employee"},
}

func endWord(cause error) string {
	for _, e := range ends {
		if errors.Is(cause, e.cause) {
			return e.word
		}
	}
	return endOther
}
