package httpapi

import (
	"context"
	"net/http"
	"net/url"

	"github.com/danielgtaylor/huma/v2"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// Lines is the answer of GET /v1/lines.
type Lines struct {
	Lines []mask.Line `json:"lines" nullable:"false" doc:"Those that one may view, in the order of the policy"`
}

// Replies is the answer of GET /v1/lines/{id}/replies.
type Replies struct {
	Replies []mask.Reply `json:"replies" nullable:"false" doc:"In the order of the file"`
}

// Member is the body of PUT /v1/lines/{id}/members/{employee}.
type Member struct {
	Penalty *int  `json:"penalty,omitempty" minimum:"0" maximum:"1000" doc:"Those of a higher one are rung only when nobody of a lower one is free; left out, it stays, and of who comes it is 0"`
	Paused  *bool `json:"paused,omitempty" doc:"Whether the queue is to ring him no more for the time being; left out, it stays, and who comes is not"`
}

// Conversation is the body of POST /v1/lines/{id}/joins and /v1/lines/{id}/takeovers.
type Conversation struct {
	Target string `json:"target" doc:"Id of the employee whose conversation it is"`
	Call   string `json:"call,omitempty" doc:"Id of the call, from the target's row; without it, the only one of the line that fits"`
	Phone  string `json:"phone,omitempty" doc:"The own phone to ring, one of those that /v1/me lists; without it, the first"`
}

// Joins is the answer of GET /v1/lines/{id}/joins.
type Joins struct {
	Joins  []mask.Join       `json:"joins" nullable:"false" doc:"One's own on this line: conversations that one is in, or is about to come into or to take over"`
	Joined []mask.Supervised `json:"joined" nullable:"false" doc:"Who has joined conversations of this line that are one's own"`
}

// Conversations is the answer of GET /v1/lines/{id}/conversations.
type Conversations struct {
	Conversations []mask.LineCall `json:"conversations" nullable:"false" doc:"Those that the board would show one, and those that one may join or take over, by employee in the order of the policy. Who waits stands in the line"`
}

// OwnJoins is the answer of GET /v1/me/joins.
type OwnJoins struct {
	Joins []mask.Join `json:"joins" nullable:"false" doc:"One's own on all lines: conversations that one is in, or is about to come into or to take over"`
}

type (
	joinBegun struct {
		Location string `header:"Location" doc:"Where it is until it is over"`
		Body     mask.Join
	}
	joinByID struct {
		ID   string `path:"id" doc:"Id of the line"`
		Join string `path:"join" doc:"Id of the joining or the take-over"`
	}
	lineByID struct {
		ID string `path:"id" doc:"Id of the line"`
	}
	memberByID struct {
		ID       string `path:"id" doc:"Id of the line"`
		Employee string `path:"employee" doc:"Id of the employee"`
	}
	memberPut struct {
		ID       string `path:"id" doc:"Id of the line"`
		Employee string `path:"employee" doc:"Id of the employee"`
		Body     body[Member]
	}
	onLine struct {
		ID   string `path:"id" doc:"Id of the line"`
		Body body[Conversation]
	}
)

// lineRoutes registers what is about lines.
func (s *Server) lineRoutes(api huma.API) {
	g := s.cfg.Gate
	add(s, api, op(http.MethodGet, "/v1/lines", "list-lines", "The lines that one may view: who works there, and who waits"),
		func(_ context.Context, who auth.Subject, _ *nothing) (*answer[Lines], error) {
			list, err := g.Lines(who)
			return reply(Lines{Lines: list}, err)
		})
	add(s, api, op(http.MethodGet, "/v1/lines/{id}", "get-line", "One of the lines that one may view"),
		func(_ context.Context, who auth.Subject, in *lineByID) (*answer[mask.Line], error) {
			v, err := g.Line(who, in.ID)
			return reply(v, err)
		})
	add(s, api, op(http.MethodGet, "/v1/lines/{id}/replies", "list-replies", "The line's quick replies"),
		func(_ context.Context, who auth.Subject, in *lineByID) (*answer[Replies], error) {
			list, err := g.Replies(who, in.ID)
			return reply(Replies{Replies: list}, err)
		})
	add(s, api, op(http.MethodPut, "/v1/lines/{id}/members/{employee}", "put-member", "Let a line's queue ring an employee, or change how"),
		func(ctx context.Context, who auth.Subject, in *memberPut) (*nothing, error) {
			if in.Body.problem != nil {
				return nil, in.Body.problem
			}
			b := in.Body.value
			return nil, g.ChangeMember(ctx, who, gate.MemberAsk{Line: in.ID, Employee: in.Employee, Penalty: b.Penalty, Paused: b.Paused, Door: door})
		})
	add(s, api, op(http.MethodDelete, "/v1/lines/{id}/members/{employee}", "delete-member", "Take an employee out of a line's queue"),
		func(ctx context.Context, who auth.Subject, in *memberByID) (*nothing, error) {
			return nil, g.ChangeMember(ctx, who, gate.MemberAsk{Line: in.ID, Employee: in.Employee, Remove: true, Door: door})
		})
	s.joinRoutes(api)
}

// joinRoutes registers what is about conversations of lines that go on.
func (s *Server) joinRoutes(api huma.API) {
	g := s.cfg.Gate
	add(s, api, op(http.MethodGet, "/v1/me/joins", "list-own-joins", "The conversations of all lines that one has joined, or is about to join or take over"),
		func(_ context.Context, who auth.Subject, _ *nothing) (*answer[OwnJoins], error) {
			list, err := g.Joins(who)
			return reply(OwnJoins{Joins: list}, err)
		})
	add(s, api, op(http.MethodGet, "/v1/lines/{id}/joins", "list-joins", "The conversations of a line that one has joined, or is about to join or take over, and who has joined one's own"),
		func(_ context.Context, who auth.Subject, in *lineByID) (*answer[Joins], error) {
			own, joined, err := g.JoinsOfLine(who, in.ID)
			return reply(Joins{Joins: own, Joined: joined}, err)
		})
	add(s, api, op(http.MethodGet, "/v1/lines/{id}/conversations", "list-conversations", "What is said on a line now, and what rings there, with what one may join and take over"),
		func(_ context.Context, who auth.Subject, in *lineByID) (*answer[Conversations], error) {
			list, err := g.Conversations(who, in.ID)
			return reply(Conversations{Conversations: list}, err)
		})
	add(s, api, op(http.MethodGet, "/v1/lines/{id}/joins/{join}", "get-join", "One of one's own joinings and take-overs, until it is over"),
		func(_ context.Context, who auth.Subject, in *joinByID) (*answer[mask.Join], error) {
			v, err := g.Join(who, in.ID, in.Join)
			return reply(v, err)
		})
	add(s, api, op(http.MethodDelete, "/v1/lines/{id}/joins/{join}", "end-join", "Leave a conversation, in which the others go on, or call off a joining or a take-over; answered when one's leg is hung up"),
		func(ctx context.Context, who auth.Subject, in *joinByID) (*nothing, error) {
			ctx, cancel := context.WithTimeout(ctx, endTimeout)
			defer cancel()
			return nil, g.EndJoin(ctx, who, in.ID, in.Join)
		})
	for _, o := range []struct {
		path, id, summary string
		do                func(context.Context, auth.Subject, gate.LineAsk) (mask.Join, error)
	}{
		{"joins", "join-line", "Ring one's own phone and, once it is answered, join a colleague's conversation, heard and seen by all", g.JoinLine},
		{"takeovers", "take-over", "Ring one's own phone and, once it is answered, take the customer of a colleague who is away", g.TakeOverLine},
	} {
		post := op(http.MethodPost, "/v1/lines/{id}/"+o.path, o.id, o.summary)
		post.DefaultStatus = http.StatusCreated
		add(s, api, post, func(ctx context.Context, who auth.Subject, in *onLine) (*joinBegun, error) {
			b := in.Body.value
			if p := in.Body.complete(b.Target); p != nil {
				return nil, p
			}
			// What has been decided and recorded is carried out, though the client may have gone.
			v, err := o.do(context.WithoutCancel(ctx), who, gate.LineAsk{Line: in.ID, Ask: gate.Ask{Target: b.Target, Call: b.Call, Phone: b.Phone, Door: door}})
			if err != nil {
				return nil, err
			}
			return &joinBegun{Location: "/v1/lines/" + url.PathEscape(v.Line) + "/joins/" + v.ID, Body: v}, nil
		})
	}
}
