package amiproxy

import (
	"context"
	"errors"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/ami"
)

// exchange is one action while it is answered.
type exchange struct {
	*Server
	ctx     context.Context
	session *ami.Session
	client  *client
	m       *ami.Message
	who     auth.Subject // nobody where nobody is needed and none was named
}

// handle answers one action. Every road ends in one answer and one count.
func (s *Server) handle(ctx context.Context, session *ami.Session, m *ami.Message) {
	row, c := s.table[fold(string(m.Action()))], clientOf(session)
	name := actionNone
	if row != nil {
		name = row.name
	}
	if !c.share.actions.Allow() {
		s.met.actions.WithLabelValues(name, outcomeLimited).Inc()
		_ = session.Error(m, string(faultTooMany)) // like every answer here, it fails for a session that is over
		return
	}
	if row == nil {
		s.met.actions.WithLabelValues(name, outcomeUnknown).Inc()
		s.note(session, c.subject, actionNone, codeUnknown)
		_ = session.Unknown(m)
		return
	}
	x := &exchange{Server: s, ctx: ctx, session: session, client: c, m: m}
	outcome := x.answer(row)
	s.met.actions.WithLabelValues(row.name, outcome).Inc()
	if row.kind == command {
		s.log.Info().Str("action", row.name).Str("outcome", outcome).Str("subject", x.who.Employee()).Str("panel", x.who.Panel()).Msg("AMI command")
	}
}

// note has the record say that the door has refused something.
func (s *Server) note(session *ami.Session, who auth.Subject, action, code string) {
	s.cfg.Gate.RefusedAtDoor(who, gate.DoorRefusal{Door: doorName, Action: action, Code: code, Panel: clientOf(session).panel})
}

// answer answers and tells what came of it.
func (x *exchange) answer(row *action) (outcome string) {
	if !x.holds(x.client) {
		x.session.End(errRevoked)
		return outcomeRefused
	}
	who, err := x.Server.who(x.ctx, x.client, x.m)
	x.who = who
	switch {
	case row.do == nil:
		x.note(x.session, who, row.name, codeForbidden)
		_ = x.session.Denied(x.m)
		return outcomeRefused
	case !row.any:
		for i := range x.m.Len() {
			if name, _ := x.m.Field(i); !row.takes(string(name)) {
				return x.refuse(row, faultHeader)
			}
		}
	}
	if err != nil && (row.kind != local && !row.unnamed || !errors.Is(err, errUnnamed)) {
		return x.refuse(row, err)
	}
	if row.kind == command && (!who.Known() && !x.client.share.unnamed.Allow() || who.Known() && x.cfg.Command != nil && !x.cfg.Command(who)) {
		return x.refuse(row, faultTooOften)
	}
	if err := row.do(x); err != nil {
		return x.refuse(row, err)
	}
	return outcomeOK
}

// done answers a command that was carried out, or whose phone rings for it.
func (x *exchange) done(words string, err error) error {
	if err != nil {
		return err
	}
	return x.session.Success(x.m, words)
}
