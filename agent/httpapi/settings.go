package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// PutSettings is the body of PUT /v1/employees/{id}/settings.
type PutSettings struct {
	Forward      orNull `json:"forward,omitempty" doc:"The number to which all his calls are to go, as he would dial it, one that he may call himself; null: none. Left out, it stays"`
	DoNotDisturb *bool  `json:"do_not_disturb,omitempty" doc:"Whether his telephone is not to ring. Left out, it stays"`
	Paused       flags  `json:"paused,omitempty" doc:"By the ids of lines on which he works, whether he is called no more. Lines that are left out stay"`
}

// orNull is text, or null to have none, or left out: nil.
type orNull struct{ text *string }

// UnmarshalJSON reads text or null.
func (o *orNull) UnmarshalJSON(data []byte) error {
	o.text = new(string)
	if string(data) != "null" && json.Unmarshal(data, o.text) != nil || string(data) == `""` {
		return newProblem(http.StatusBadRequest, "wrong_type", "forward must be a number, as text, or null.")
	}
	return nil
}

// Schema describes it.
func (orNull) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Nullable: true}
}

// flags are read strictly: no name twice.
type flags map[string]bool

// UnmarshalJSON reads an object. The error is a *Problem.
func (f *flags) UnmarshalJSON(data []byte) error {
	if twice(json.NewDecoder(bytes.NewReader(data))) {
		return newProblem(http.StatusBadRequest, "duplicate_member", "An object in the body has a member twice.")
	}
	m := map[string]*bool{}
	if json.Unmarshal(data, &m) != nil {
		return newProblem(http.StatusBadRequest, "wrong_type", "paused must be an object of true and false.")
	}
	*f = flags{}
	for line, paused := range m {
		if paused == nil {
			return newProblem(http.StatusBadRequest, "wrong_type", "paused must be an object of true and false.")
		}
		(*f)[line] = *paused
	}
	return nil
}

type settingsPut struct {
	ID   string `path:"id" doc:"Id of the employee"`
	Body body[PutSettings]
}

func (s *Server) settingsRoutes(api huma.API) {
	g := s.cfg.Gate
	add(s, api, op(http.MethodGet, "/v1/employees/{id}/settings", "get-settings", "An employee's forwarding, do-not-disturb and pauses; for who may change them"),
		func(ctx context.Context, who auth.Subject, in *policyOf) (*answer[gate.UserSettings], error) {
			ctx, cancel := context.WithTimeout(ctx, endTimeout)
			defer cancel()
			v, err := g.Settings(ctx, who, in.ID)
			return reply(v, err)
		})
	add(s, api, op(http.MethodPut, "/v1/employees/{id}/settings", "put-settings", "Change an employee's forwarding, do-not-disturb and pauses; what is left out stays"),
		func(ctx context.Context, who auth.Subject, in *settingsPut) (*answer[gate.UserSettings], error) {
			if in.Body.problem != nil {
				return nil, in.Body.problem
			}
			b := in.Body.value
			v, err := g.ChangeSettings(ctx, who, gate.SettingsAsk{Employee: in.ID, Forward: b.Forward.text, DoNotDisturb: b.DoNotDisturb, Paused: b.Paused, Door: door})
			return reply(v, err)
		})
}
