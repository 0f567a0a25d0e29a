package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// PrivateLock is the body of POST /v1/locks.
type PrivateLock struct {
	Call string `json:"call,omitempty" doc:"Id of the call, from one's own row; without it, the only one that is up, or, when none is, the only one on hold"`
}

// Locks is the answer of GET /v1/locks.
type Locks struct {
	Locks []mask.Lock `json:"locks" nullable:"false" doc:"One's own that lie on a call"`
}

type lockByID struct {
	ID string `path:"id" doc:"Id of the lock"`
}

// SupervisedCalls is the answer of GET /v1/me/supervised.
type SupervisedCalls struct {
	Supervised []mask.Supervised `json:"supervised" nullable:"false" doc:"Those that run, and those that are over, newest first"`
}

func (s *Server) lockRoutes(api huma.API) {
	g := s.cfg.Gate
	add(s, api, op(http.MethodGet, "/v1/me/supervised", "list-supervised", "The supervisions of one's own calls of which the policy wants one told"),
		func(_ context.Context, who auth.Subject, _ *nothing) (*answer[SupervisedCalls], error) {
			list, err := g.Supervised(who)
			return reply(SupervisedCalls{Supervised: list}, err)
		})
	add(s, api, op(http.MethodGet, "/v1/locks", "list-locks", "One's own private locks"),
		func(_ context.Context, who auth.Subject, _ *nothing) (*answer[Locks], error) {
			list, err := g.Locks(who)
			return reply(Locks{Locks: list}, err)
		})
	add(s, api, op(http.MethodDelete, "/v1/locks/{id}", "unlock", "Take a private lock off"),
		func(ctx context.Context, who auth.Subject, in *lockByID) (*nothing, error) {
			return nil, g.Unlock(context.WithoutCancel(ctx), who, in.ID)
		})
	post := op(http.MethodPost, "/v1/locks", "lock", "Lock a call of one's own: nobody supervises it from now on, wherever it is transferred")
	post.DefaultStatus = http.StatusCreated
	add(s, api, post, func(ctx context.Context, who auth.Subject, in *object[PrivateLock]) (*answer[mask.Lock], error) {
		if in.Body.problem != nil {
			return nil, in.Body.problem
		}
		v, err := g.Lock(context.WithoutCancel(ctx), who, gate.LockAsk{Call: in.Body.value.Call, Door: door})
		return reply(v, err)
	})
}
