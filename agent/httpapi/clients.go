package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// maxClientsBody is how many bytes a list of clients may have.
const maxClientsBody = 4 << 20

// PutClients is the body of PUT /v1/clients.
type PutClients struct {
	Clients entries[gate.Client] `json:"clients" nullable:"false" maxItems:"10000" doc:"Each is put in the place of the one that has his number; others stay"`
}

// DeleteClients is the body of DELETE /v1/clients.
type DeleteClients struct {
	Numbers entries[string] `json:"numbers" nullable:"false" maxItems:"10000" doc:"The numbers of the clients, in any form"`
}

// entries is a list that is read as strictly as a body: each entry that is an object by what is written in T alone.
type entries[T any] []T

// UnmarshalJSON reads the list. The error is a *Problem that has the place of the first entry that cannot be read.
func (e *entries[T]) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil // as if it were not there
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return newProblem(http.StatusBadRequest, "wrong_type", "The body's one member must be a list.")
	}
	list := entries[T]{} // there, though it may be empty
	for dec.More() {
		if len(list) == gate.MaxClients {
			return tooManyEntries()
		}
		var (
			raw json.RawMessage
			v   T
			p   *Problem
		)
		if err := dec.Decode(&raw); err != nil {
			return newProblem(http.StatusBadRequest, "malformed_json", "The body is not well-formed JSON.") // cannot be: it was looked through before
		}
		if reflect.TypeFor[T]().Kind() == reflect.Struct {
			p = decode(raw, &v)
		} else if json.Unmarshal(raw, &v) != nil {
			p = newProblem(http.StatusBadRequest, "wrong_type", "This must be a "+reflect.TypeFor[T]().String()+".")
		}
		if p != nil {
			at := newProblem(p.Status, p.Code, "An entry of the list cannot be read, so nothing was changed; errors has its place, from 0, and why.")
			at.Errors = []gate.BadEntry{{Index: len(list), Text: p.Detail}}
			return at
		}
		list = append(list, v)
	}
	*e = list
	return nil
}

// clientRoutes registers what a CRM asks. Without a source that it may fill there is only the way in for webhooks, which is there always, so
// that it does not tell who has sources.
func (s *Server) clientRoutes(api huma.API) {
	s.mux.HandleFunc("POST /v1/clients/hooks/{source}", s.hook)
	g := s.cfg.Gate
	if !g.TakesClients() {
		return
	}
	api.OpenAPI().Components.SecuritySchemes["crm"] = &huma.SecurityScheme{
		Type: "http", Scheme: "bearer", Description: "The token of the CRM that pushes clients, from the file that the configuration names. It proves no employee and opens nothing else.",
	}
	crm := func(method, id, summary string) huma.Operation {
		o := op(method, "/v1/clients", id, summary)
		o.MaxBodyBytes = maxClientsBody + 1
		o.Security = []map[string][]string{{"crm": {}}}
		return o
	}
	put := crm(http.MethodPut, "put-clients", "Put clients into the directory, all or none; by a CRM")
	put.Description = "Answered when they are on the disk and live calls are decided by them. To put the same again changes nothing."
	register(s, api, put, s.proveCRM, func(ctx context.Context, c gate.CRM, in *object[PutClients]) (*answer[gate.ClientsPut], error) {
		if p := in.Body.list(in.Body.value.Clients != nil, "clients"); p != nil {
			return nil, p
		}
		n, err := g.PutClients(ctx, c, in.Body.value.Clients, door)
		return reply(n, entryProblem(err))
	})
	del := crm(http.MethodDelete, "delete-clients", "Delete clients from the directory by their numbers, all or none; by a CRM")
	del.DefaultStatus = http.StatusOK
	register(s, api, del, s.proveCRM, func(ctx context.Context, c gate.CRM, in *object[DeleteClients]) (*answer[gate.ClientsDeleted], error) {
		if p := in.Body.list(in.Body.value.Numbers != nil, "numbers"); p != nil {
			return nil, p
		}
		n, err := g.DeleteClients(ctx, c, in.Body.value.Numbers, door)
		return reply(n, entryProblem(err))
	})
}

// list reports what is wrong with a body: that it could not be read, or that it has no list.
func (b *body[T]) list(there bool, name string) *Problem {
	if b.problem == nil && !there {
		return newProblem(http.StatusUnprocessableEntity, "no_list", name+" is required: a list, which may be empty.")
	}
	return b.problem
}

// entryProblem adds to an answer the entries that cannot be taken.
func entryProblem(err error) error {
	var bad *gate.BadEntries
	if !errors.As(err, &bad) {
		return err
	}
	p := asProblem(err)
	p.Errors = bad.Entries
	return p
}

// proveCRM proves the CRM by the header Authorization. Whoever names an employee is none.
func (s *Server) proveCRM(x *exchange, r *http.Request) (gate.CRM, *Problem) {
	c, ok := credential(r.Header, false)
	if !ok || c.Employee != "" {
		return gate.CRM{}, unauthenticated()
	}
	var crm gate.CRM
	p := s.look(x, r, "crm\x00"+c.Token, func() (bool, error) {
		crm = s.cfg.Gate.ProveCRM(c.Token)
		return crm.Known(), nil
	})
	x.crm = crm.Name()
	return crm, p
}

// hook takes a webhook. Whether there is such a source is not told to who does not have its token, nor by how he writes what he sends.
func (s *Server) hook(w http.ResponseWriter, r *http.Request) {
	x := w.(*exchange) // ServeHTTP put it there
	if p := s.takeHook(x, r); p != nil {
		x.fail(p)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) takeHook(x *exchange, r *http.Request) *Problem {
	data, p := readBody(r, maxBody)
	if p != nil {
		return p
	}
	g, source, contentType := s.cfg.Gate, r.PathValue("source"), r.Header.Get("Content-Type")
	token, ok := g.HookToken(contentType, data)
	if !ok {
		return unprovenHook()
	}
	if p := query(r.URL); p != nil {
		return p
	}
	var failed error
	p = s.look(x, r, "hook\x00"+source+"\x00"+token, func() (bool, error) {
		failed = g.Hook(r.Context(), source, contentType, data)
		return !errors.Is(failed, gate.ErrUnproven), nil
	})
	switch {
	case p != nil && p.Status == http.StatusUnauthorized:
		return unprovenHook()
	case p != nil:
		return p
	case failed != nil:
		return asProblem(failed)
	}
	return nil
}

// unprovenHook is the same for a token that is not good, a source that is not there, and a body that cannot be read.
func unprovenHook() *Problem {
	return newProblem(http.StatusUnauthorized, "unauthenticated", "This is no webhook of a source that is here: the source's name belongs in the path, its token in the body, "+
		`which is an event of Bitrix24's as it sends it, or JSON: {"token": "…", "numbers": ["…"]} or {"token": "…", "all": true}.`)
}

func tooManyEntries() *Problem {
	return newProblem(http.StatusRequestEntityTooLarge, "too_many_entries", "The list is too long; send at most 10000 entries at a time.")
}

// describeHooks describes the way in for webhooks.
func describeHooks(doc *huma.OpenAPI, problem *huma.Schema) {
	text := func(what string) *huma.Schema { return &huma.Schema{Type: huma.TypeString, Description: what} }
	doc.AddOperation(&huma.Operation{
		Method: http.MethodPost, Path: "/v1/clients/hooks/{source}", OperationID: "client-hook", Summary: "A webhook: a system's word that clients have changed",
		Description: "What is known of these clients is forgotten, so that the system is asked again; what else stands in the body is never believed. " +
			"The credential is the token in the body, which the administrator gives to this one source.",
		Security:   []map[string][]string{},
		Parameters: []*huma.Param{{Name: "source", In: "path", Required: true, Schema: text("Name of the source in the configuration")}},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/json": {Schema: &huma.Schema{
				Type: huma.TypeObject, Required: []string{"token"}, AdditionalProperties: false, Description: "With numbers or with all, not with both",
				Properties: map[string]*huma.Schema{
					"token": text("The source's"), "all": {Type: huma.TypeBoolean, Description: "true: of all clients"},
					"numbers": {Type: huma.TypeArray, Items: text("In any form"), Description: "Of the clients with these numbers; at most 1000"},
				},
			}},
			"application/x-www-form-urlencoded": {Schema: &huma.Schema{
				Type: huma.TypeObject, Description: "An outgoing webhook of Bitrix24's", Required: []string{"event", "auth[application_token]"},
				Properties: map[string]*huma.Schema{
					"event": text("ONCRMCONTACTUPDATE and its like"), "data[FIELDS][ID]": text("The contact's, company's or lead's"), "auth[application_token]": text("The source's token"),
				},
			}},
		}},
		Responses: map[string]*huma.Response{
			"204":     {Description: "It is forgotten, or was nothing about clients"},
			"default": {Description: "Nothing was forgotten for certain; code says why.", Content: map[string]*huma.MediaType{problemType: {Schema: problem}}},
		},
	})
}
