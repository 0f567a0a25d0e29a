package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// OpenID Authorization API 1.0 (AuthZEN): other software asks the policy in force. The sections named in this file are that specification's.

const (
	accessPrefix      = "/access/v1/"
	evaluationPath    = accessPrefix + "evaluation"
	evaluationsPath   = accessPrefix + "evaluations"
	searchActionPath  = accessPrefix + "search/action"
	configurationPath = "/.well-known/authzen-configuration"

	// namesRequest is the header by which whoever asks tells answers apart (section 10.1.3). It comes back as it is, and goes nowhere else.
	namesRequest = "X-Request-Id"
)

// answerTime bounds how long the questions of one request wait for a directory of clients altogether.
const answerTime = 5 * time.Second

func (s *Server) accessRoutes(api huma.API) {
	question(s, api, evaluationPath, "evaluate", "Ask whether an employee may do something (AuthZEN)",
		"What may not be is a decision of false, and so is what is not known. Of a call the answer tells nothing that the employee's board does not; what is begun is decided anew, over everybody on it.",
		(*asker).evaluate)
	question(s, api, evaluationsPath, "evaluate-several", "Ask several such questions at once (AuthZEN)",
		"One that cannot be read or may not be asked is a decision of false with an error; each counts as a request for the limits.",
		(*asker).evaluateAll)
	question(s, api, searchActionPath, "search-actions", "Ask what an employee may do to something (AuthZEN)",
		"Of an employee, spy, whisper, barge and intercept are those of his row on the board, and work now.",
		(*asker).search)
	s.mux.HandleFunc("GET "+configurationPath, s.configuration)
}

// question registers an operation that asks and does nothing.
func question[I, O any](s *Server, api huma.API, path, id, summary, description string, f func(*asker, context.Context, *I) (O, *Problem)) {
	o := op(http.MethodPost, path, id, summary)
	o.Description = description + " Members that are not known are passed over."
	o.Parameters = []*huma.Param{employeeHeader, {
		Name: "X-Request-ID", In: "header", Schema: &huma.Schema{Type: huma.TypeString}, Description: "Any text; it comes back with the answer",
	}}
	register(s, api, o, s.proveAsker, func(ctx context.Context, a *asker, in *struct{ Body tolerant[I] }) (*answer[O], error) {
		if in.Body.problem != nil {
			return nil, a.refuse(in.Body.problem)
		}
		ctx, cancel := context.WithTimeout(ctx, answerTime)
		defer cancel()
		out, p := f(a, ctx, &in.Body.value)
		if p != nil {
			return nil, p
		}
		return &answer[O]{Body: out}, nil
	})
}

// configuration tells where the questions go (section 9), by the address under which it is asked itself.
func (s *Server) configuration(w http.ResponseWriter, r *http.Request) {
	x := w.(*exchange) // ServeHTTP put it there
	if p := query(r.URL); p != nil {
		x.fail(p)
		return
	}
	base, ok := s.origin(r)
	if !ok {
		x.fail(ofStatus(http.StatusBadRequest))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = formats["json"].Marshal(w, AccessConfiguration{
		DecisionPoint: base, Evaluation: base + evaluationPath, Evaluations: base + evaluationsPath, SearchAction: base + searchActionPath,
	})
}

// describeConfiguration describes that.
func describeConfiguration(doc *huma.OpenAPI, problem *huma.Schema) {
	form := doc.Components.Schemas.Schema(reflect.TypeFor[AccessConfiguration](), true, "")
	doc.AddOperation(&huma.Operation{
		Method: http.MethodGet, Path: configurationPath, OperationID: "access-configuration", Summary: "Where the questions of AuthZEN go",
		Description: "Anybody may ask this. The scheme is https when the door has a certificate, or stands behind a proxy that the administrator has named and that says so.",
		Security:    []map[string][]string{},
		Responses: map[string]*huma.Response{
			"200":     {Description: "OK", Content: map[string]*huma.MediaType{"application/json": {Schema: form}}},
			"default": {Description: "The request could not be read; code says why.", Content: map[string]*huma.MediaType{problemType: {Schema: problem}}},
		},
	})
}
