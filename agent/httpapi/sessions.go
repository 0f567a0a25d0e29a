package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/earshot-pbx/earshot/agent/auth"
)

// NewSession is the body of POST /v1/sessions.
type NewSession struct {
	TTL *int `json:"ttl,omitempty" minimum:"1" doc:"For how many seconds; without it, as long as the administrator has set. Less is given where he has set a bound, and where the credential that asks ends sooner; expires tells"`
}

// Session is the answer of POST /v1/sessions.
type Session struct {
	Token    string    `json:"token" doc:"The session's credential; it is shown once. It is sent as other tokens are, without X-Earshot-Employee"`
	Employee string    `json:"employee" doc:"Whose it is"`
	Expires  time.Time `json:"expires" doc:"When it ends; sooner when the credential that made it does, or when it is ended"`
}

// maxTTL keeps a number of seconds from being too many for a duration. No session lasts as long.
const maxTTL = 1 << 31

// sessionRoutes registers what makes and ends sessions.
func (s *Server) sessionRoutes(api huma.API) {
	sessions := s.cfg.Sessions
	post := op(http.MethodPost, "/v1/sessions", "make-session", "A short-lived credential for the employee who asks, or for whom a panel asks; for a browser")
	post.DefaultStatus = http.StatusCreated
	post.Description = "What a panel's back end hands to a browser instead of its own token. A session makes no other."
	add(s, api, post, func(ctx context.Context, who auth.Subject, in *object[NewSession]) (*answer[Session], error) {
		if in.Body.problem != nil {
			return nil, in.Body.problem
		}
		var ttl time.Duration
		if asked := in.Body.value.TTL; asked != nil {
			if *asked < 1 {
				return nil, newProblem(http.StatusUnprocessableEntity, "no_time", "ttl must be at least 1: for how many seconds the session is to last.")
			}
			ttl = time.Duration(min(*asked, maxTTL)) * time.Second
		}
		made, err := sessions.Make(ctx, who, ttl)
		if err != nil {
			return nil, sessionProblem(err)
		}
		return &answer[Session]{Body: Session{Token: made.Token, Employee: made.Employee, Expires: made.Expires}}, nil
	})
	one := op(http.MethodDelete, "/v1/sessions/current", "end-session", "End the session that asks, and what runs on its strength")
	add(s, api, one, func(ctx context.Context, who auth.Subject, _ *nothing) (*nothing, error) {
		return nil, sessionProblem(sessions.End(ctx, who))
	})
	all := op(http.MethodDelete, "/v1/sessions", "end-sessions", "End all sessions of the employee that the credential which asks has made")
	add(s, api, all, func(ctx context.Context, who auth.Subject, _ *nothing) (*nothing, error) {
		return nil, sessionProblem(sessions.EndAll(ctx, who))
	})
}

// sessionProblem is the answer for an error of the sessions; nil for none.
func sessionProblem(err error) error {
	var p *Problem
	switch {
	case err == nil:
		return nil
	case errors.Is(err, auth.ErrSession):
		p = newProblem(http.StatusForbidden, "is_session", "A session makes no session and ends none but itself; ask with the credential that made it.")
	case errors.Is(err, auth.ErrNoSession):
		p = newProblem(http.StatusNotFound, "no_such_session", "The credential that asks is no session; DELETE /v1/sessions ends those that it has made.")
	case errors.Is(err, auth.ErrTooManySessions):
		p = newProblem(http.StatusConflict, "too_many_sessions", "The employee has as many sessions as there may be; end some, or wait for one to expire.")
	case errors.Is(err, auth.ErrDenied):
		p = unauthenticated() // it ended while it asked
	case errors.Is(err, auth.ErrStore):
		p = newProblem(http.StatusServiceUnavailable, "sessions_unavailable",
			"The store of sessions is away: none was made, and what was to end has ended here and not for certain at every other Earshot. Try again shortly.")
	default:
		p = internal(nil)
	}
	p.cause = err
	return p
}
