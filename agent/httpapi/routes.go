package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/httpapi/panel"
	"github.com/earshot-pbx/earshot/agent/mask"
)

const schemaPrefix = "#/components/schemas/"

// door is how requests that come in here are named in the record.
const door = "http"

// endTimeout bounds how long an answer waits for a supervision's legs to be hung up. It is shorter than the server's ReadTimeout, at which
// net/http takes the client to be gone.
const endTimeout = 10 * time.Second

// Supervise is the body of POST /v1/supervisions.
type Supervise struct {
	Target string `json:"target" doc:"Id of the employee to supervise"`
	Mode   string `json:"mode" enum:"spy,whisper,barge" doc:"spy: hear both sides; whisper: speak to the target too; barge: speak to both"`
	Call   string `json:"call,omitempty" doc:"Id of the call, from the target's row; without it, the only one that is up and not held"`
	Phone  string `json:"phone,omitempty" doc:"The own phone to ring, one of those that /v1/me lists; without it, the first"`
	Reason string `json:"reason,omitempty" maxLength:"500" doc:"Why one asks, in one's own words, for the record; where the policy requires one, without it the request is refused with the code reason_required"`
}

// Take is the body of POST /v1/intercepts.
type Take struct {
	Target string `json:"target,omitempty" doc:"Id of the employee whose phone rings; left out, the call is an offer's, by its id"`
	Call   string `json:"call,omitempty" doc:"Id of the call, from the target's row; without it, the only one that rings there. Without a target, the id of one of one's offers (incoming): the client's call is taken where it rings, or, where no phone rings him, he comes to one's own phone once it is answered"`
	Phone  string `json:"phone,omitempty" doc:"The own phone to ring, one of those that /v1/me lists; without it, the first"`
}

// Mode is the body of PATCH /v1/supervisions/{id}.
type Mode struct {
	Mode   string `json:"mode" enum:"spy,whisper,barge" doc:"spy: hear both sides; whisper: speak to the target too; barge: speak to both"`
	Reason string `json:"reason,omitempty" maxLength:"500" doc:"Why one asks, as with POST; left out, what was said before stands. Of a change that does not come about it is not kept"`
}

// Supervisions is the answer of GET /v1/supervisions.
type Supervisions struct {
	Supervisions []mask.Supervision `json:"supervisions" nullable:"false" doc:"One's own that run"`
}

// Call is the body of POST /v1/calls: one of number and employee.
type Call struct {
	Number   string `json:"number,omitempty" doc:"The number, as one would dial it"`
	Employee string `json:"employee,omitempty" doc:"Id of the colleague to call"`
	Phone    string `json:"phone,omitempty" doc:"The own phone to ring; the first, if left out"`
}

type (
	nothing          struct{}
	answer[T any]    struct{ Body T }
	supervisionBegun struct {
		Location string `header:"Location" doc:"Where the supervision is"`
		Body     mask.Supervision
	}
	byID struct {
		ID string `path:"id" doc:"Id of the supervision"`
	}
	change struct {
		ID   string `path:"id" doc:"Id of the supervision"` // huma does not look into an embedded type that is not exported
		Body body[Mode]
	}
	object[T any] struct{ Body body[T] }
)

// routes registers everything that the door answers. The description at /openapi.json is made from the same registrations.
func (s *Server) routes() {
	api := humago.New(s.mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Earshot", Version: s.cfg.Version,
				Description: "Who may be within earshot of a call: the live calls as one may see them, and listening, whispering, barging and intercepting as one may do them.",
				License:     &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry(schemaPrefix, huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"bearer": {Type: "http", Scheme: "bearer", Description: "A token made by `earshot token`, a JSON web token where the administrator has configured its issuer, or a session made with one of them. It is never taken from the address."},
				},
			},
			Security: []map[string][]string{{"bearer": {}}},
		},
		Formats:       formats,
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{transform},
	})
	g := s.cfg.Gate
	add(s, api, op(http.MethodGet, "/v1/me", "get-me", "Who one is, which phones one has, and which buttons will work"),
		func(_ context.Context, who auth.Subject, _ *nothing) (*answer[gate.Me], error) {
			me, err := g.Me(who)
			return reply(me, err)
		})
	add(s, api, op(http.MethodGet, "/v1/employees", "list-employees", "The board: all employees and their live calls, as one may see them"),
		func(_ context.Context, who auth.Subject, _ *nothing) (*answer[gate.Board], error) {
			board, err := g.Employees(who)
			return reply(board, err)
		})
	add(s, api, op(http.MethodGet, "/v1/supervisions", "list-supervisions", "One's own supervisions that run"),
		func(_ context.Context, who auth.Subject, _ *nothing) (*answer[Supervisions], error) {
			list, err := g.Supervisions(who)
			return reply(Supervisions{Supervisions: list}, err)
		})
	add(s, api, op(http.MethodGet, "/v1/supervisions/{id}", "get-supervision", "One of one's own supervisions"),
		func(_ context.Context, who auth.Subject, in *byID) (*answer[mask.Supervision], error) {
			v, err := g.Supervision(who, in.ID)
			return reply(v, err)
		})
	add(s, api, op(http.MethodDelete, "/v1/supervisions/{id}", "end-supervision", "End a supervision; answered when its legs are hung up"),
		func(ctx context.Context, who auth.Subject, in *byID) (*nothing, error) {
			ctx, cancel := context.WithTimeout(ctx, endTimeout)
			defer cancel()
			return nil, g.EndSupervision(ctx, who, in.ID)
		})
	patch := op(http.MethodPatch, "/v1/supervisions/{id}", "change-mode", "Change to another mode; a new decision, answered when the new mode is in force")
	patch.Description = "With a PBX that is slow the answer may take 15 s. pbx_failed (503) says that the change was not made in time or not at all, and has been taken back: the mode is as it was, " +
		"and stays so. no_such_supervision (404) says that the supervision has ended meanwhile; it does where a change is neither made nor taken back."
	add(s, api, patch,
		func(ctx context.Context, who auth.Subject, in *change) (*answer[mask.Supervision], error) {
			if in.Body.problem != nil {
				return nil, in.Body.problem
			}
			v, err := g.ChangeMode(context.WithoutCancel(ctx), who, in.ID, in.Body.value.Mode, in.Body.value.Reason)
			return reply(v, err)
		})
	post := op(http.MethodPost, "/v1/supervisions", "supervise", "Ring one's own phone and, once it is answered, listen to a colleague's call")
	post.DefaultStatus = http.StatusCreated
	add(s, api, post, func(ctx context.Context, who auth.Subject, in *object[Supervise]) (*supervisionBegun, error) {
		b := in.Body.value
		if p := in.Body.complete(b.Target); p != nil {
			return nil, p
		}
		// What has been decided and recorded is carried out, though the client may have gone.
		v, err := g.Supervise(context.WithoutCancel(ctx), who, gate.Ask{Target: b.Target, Mode: b.Mode, Call: b.Call, Phone: b.Phone, Reason: b.Reason, Door: door})
		if err != nil {
			return nil, err
		}
		return &supervisionBegun{Location: "/v1/supervisions/" + v.ID, Body: v}, nil
	})
	post = op(http.MethodPost, "/v1/calls", "call", "Ring one's own phone and, once it is answered, call a number or a colleague, as one may")
	post.DefaultStatus = http.StatusCreated
	add(s, api, post, func(ctx context.Context, who auth.Subject, in *object[Call]) (*answer[mask.Dialled], error) {
		b := in.Body.value
		if in.Body.problem != nil {
			return nil, in.Body.problem
		}
		if (b.Number == "") == (b.Employee == "") {
			return nil, newProblem(http.StatusUnprocessableEntity, "whom_to_call", "Name whom to call: either number, as one would dial it, or employee, a colleague's id.")
		}
		v, err := g.Dial(ctx, who, gate.DialAsk{Number: b.Number, Employee: b.Employee, Phone: b.Phone, Door: door})
		return reply(v, err)
	})
	post = op(http.MethodPost, "/v1/intercepts", "intercept", "Ring one's own phone and, once it is answered, take the call that rings at a colleague's, or one's own client who waits")
	post.DefaultStatus = http.StatusCreated
	add(s, api, post, func(ctx context.Context, who auth.Subject, in *object[Take]) (*answer[mask.Intercept], error) {
		b := in.Body.value
		if p := in.Body.complete(b.Target + b.Call); p != nil {
			return nil, p
		}
		v, err := g.Intercept(context.WithoutCancel(ctx), who, gate.Ask{Target: b.Target, Call: b.Call, Phone: b.Phone, Door: door})
		return reply(v, err)
	})
	s.lockRoutes(api)
	s.policyRoutes(api)
	s.policyLookRoutes(api)
	s.settingsRoutes(api)
	s.lineRoutes(api)
	s.journalRoutes(api)
	s.recordingRoutes(api)
	if s.cfg.Sessions != nil {
		s.sessionRoutes(api)
	}
	s.clientRoutes(api)
	s.accessRoutes(api)
	s.mux.HandleFunc("GET /v1/events", s.events)
	if s.cfg.Panel {
		s.mux.HandleFunc("GET /{$}", page)
		s.mux.HandleFunc("GET "+panel.Prefix+"{file...}", page)
	}
	s.describe(api)
	s.mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(s.openapi)
	})
}

// page is the panel page and its files, for everybody: what they show comes by the routes above, to a token.
func page(w http.ResponseWriter, r *http.Request) {
	x := w.(*exchange) // ServeHTTP put it there
	p := query(r.URL)
	if p == nil && !panel.Serve(x, r) {
		p = ofStatus(http.StatusNotFound)
	}
	if p != nil {
		x.fail(p)
	}
}

// complete reports what is wrong with a body: that it could not be read, or that it names no target.
func (b *body[T]) complete(target string) *Problem {
	if b.problem == nil && target == "" {
		return newProblem(http.StatusUnprocessableEntity, "no_target", "target is required: the id of an employee, as GET /v1/employees lists them.")
	}
	return b.problem
}

func reply[T any](v T, err error) (*answer[T], error) {
	if err != nil {
		return nil, err
	}
	return &answer[T]{Body: v}, nil
}

func op(method, path, id, summary string) huma.Operation {
	return huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary,
		// Bodies are bounded, read and checked before huma sees them.
		MaxBodyBytes: maxBody + 1, BodyReadTimeout: -1, SkipValidateBody: true,
	}
}

// employeeHeader is read by authenticate.
var employeeHeader = &huma.Param{
	Name: namesEmployee, In: "header", Schema: &huma.Schema{Type: huma.TypeString},
	Description: "With the token of a panel's back end, and only with one: the id of the employee for whom it asks. A browser cannot send it on a WebSocket.",
}

// add registers an operation for employees.
func add[I, O any](s *Server, api huma.API, o huma.Operation, f func(context.Context, auth.Subject, *I) (*O, error)) {
	o.Parameters = []*huma.Param{employeeHeader}
	register(s, api, o, func(x *exchange, r *http.Request) (auth.Subject, *Problem) { return s.authenticate(x, r, false) }, f)
}

// register registers an operation behind the checks that all have in common: who asks, how the body comes, which parameters the address has.
func register[W, I, O any](s *Server, api huma.API, o huma.Operation, prove func(*exchange, *http.Request) (W, *Problem), f func(context.Context, W, *I) (*O, error)) {
	takes := parameters(reflect.TypeFor[I]())
	if o.Responses == nil {
		o.Responses = map[string]*huma.Response{}
	}
	o.Responses["default"] = &huma.Response{
		Description: "The request was not carried out; code says why. With 429 and 503 the header Retry-After says when to try again.",
		Content:     map[string]*huma.MediaType{problemType: {Schema: api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "")}},
	}
	_, hasBody := reflect.TypeFor[I]().FieldByName("Body")
	o.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		x := w.(*exchange) // ServeHTTP put it there
		who, p := prove(x, r)
		if p == nil {
			p = query(r.URL, takes...)
		}
		if p == nil && hasBody {
			p = takeBody(r, o.MaxBodyBytes-1)
		}
		if p != nil {
			x.fail(p)
			return
		}
		next(huma.WithContext(ctx, withWho(ctx.Context(), who)))
	}}
	huma.Register(api, o, func(ctx context.Context, in *I) (*O, error) {
		out, err := f(ctx, whoAsks[W](ctx), in)
		if err != nil {
			return nil, asProblem(err)
		}
		return out, nil
	})
}

// parameters lists what an operation's input takes from the address.
func parameters(t reflect.Type) []string {
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		if name, ok := f.Tag.Lookup("query"); ok {
			name, _, _ = strings.Cut(name, ",")
			names = append(names, name)
		}
	}
	return names
}

// transform gives huma's own errors the form of all others, and keeps each for the log.
func transform(ctx huma.Context, _ string, v any) (any, error) {
	var p *Problem
	switch e := v.(type) {
	case *huma.ErrorModel:
		p = ofStatus(e.Status)
		p.place(e.Errors)
	case *Problem:
		p = e
	default:
		return v, nil
	}
	_, w := humago.Unwrap(ctx)
	w.(*exchange).note(p)
	return p, nil
}

// describe finishes the description: what huma cannot know of the event stream, without what it would add of its own.
func (s *Server) describe(api huma.API) {
	doc := api.OpenAPI()
	message := doc.Components.Schemas.Schema(reflect.TypeFor[gate.Message](), true, "")
	problem := doc.Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "")
	doc.AddOperation(&huma.Operation{
		Method: http.MethodGet, Path: "/v1/events", OperationID: "watch", Summary: "The event stream, a WebSocket",
		Description: "The first message is a snapshot, then one comes for each change that one may see; seq counts from 1 without gaps. " +
			"A browser offers the subprotocols `earshot.v1, bearer.TOKEN`; others send the header Authorization, and a panel's back end " +
			namesEmployee + " beside it. The client sends nothing. " +
			"Close codes: 1013 try again and begin with the snapshot (too slow, or Earshot stops), 1008 the credential or the employee is no longer known, " +
			"1003 the client sent a message.",
		Parameters: []*huma.Param{employeeHeader},
		Responses: map[string]*huma.Response{
			"101":     {Description: "Each text message is one of these", Content: map[string]*huma.MediaType{"application/json": {Schema: message}}},
			"default": {Description: "There is no stream; code says why.", Content: map[string]*huma.MediaType{problemType: {Schema: problem}}},
		},
	})
	describeHooks(doc, problem)
	describeRecordings(doc, problem)
	describeConfiguration(doc, problem)
	schemas := doc.Components.Schemas.Map()
	delete(schemas, "ErrorModel")
	delete(schemas, "ErrorDetail")
	asked := map[string]bool{"Client": true} // an entry of what is put
	for name, path := range doc.Paths {
		if strings.HasPrefix(name, accessPrefix) {
			continue // what others add to these forms is passed over
		}
		for _, o := range []*huma.Operation{path.Post, path.Put, path.Delete} {
			if o != nil && o.RequestBody != nil {
				asked[strings.TrimPrefix(o.RequestBody.Content["application/json"].Schema.Ref, schemaPrefix)] = true
			}
		}
	}
	for name, schema := range schemas {
		if !asked[name] {
			schema.AdditionalProperties = nil // a client must not choke on what a later version tells beside
		}
	}
	out, err := json.Marshal(doc)
	if err != nil {
		panic(err) // cannot be: it is made from what is registered above, and the tests read it
	}
	s.openapi = append(out, '\n')
}
