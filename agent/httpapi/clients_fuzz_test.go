package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/httpapi"
)

// FuzzPutClients holds what the door makes of a body against encoding/json and the directory. What is taken is, client for client, what
// encoding/json reads, is found afterwards, and changes nothing when it comes again; of what is not taken nothing is there. And what
// encoding/json reads is never malformed when encoding/json writes it.
func FuzzPutClients(f *testing.F) {
	for _, seed := range []string{
		ivanovsClient, `{"clients":[]}`, `{"clients":null}`, `{}`, `{"clients":[null]}`, `{"clients":[{}]}`, `{"clients":[{"number":"101","name":"A"},{"number":"101","name":"B"}]}`,
		`{"clients":[{"number":"2205","name":"Лютик","access":["anna","anna","boris"],"responsible":"boris"}]}`, `{"clients":[{"number":"101","Number":"102","name":"A"}]}`,
		`{"clients":[{"number":101}]}`, `{"clients":[{"number":"101","name":"\u0000"}]}`, `{"clients":{"0":{}}}`, `{"clients":[[]]}`, `{"clients":[{"number":"101","name":"A","access":[null]}]}x`,
	} {
		f.Add([]byte(seed))
	}
	c := newCRMWorld(f, "")
	pushed := c.sources.Pushed()
	send := func(t *testing.T, body []byte) (int, gate.ClientsPut, httpapi.Problem) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/v1/clients", bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+crmToken)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		c.door.ServeHTTP(w, r)
		var (
			n   gate.ClientsPut
			p   httpapi.Problem
			err error
		)
		if w.Code == http.StatusOK {
			err = json.Unmarshal(w.Body.Bytes(), &n)
		} else if err = json.Unmarshal(w.Body.Bytes(), &p); p.Code == "" || p.Detail == "" || p.Code == "bad_entries" && len(p.Errors) == 0 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if err != nil {
			t.Fatal(err)
		}
		return w.Code, n, p
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c.book.Forget()
		var told struct {
			Clients []gate.Client `json:"clients"`
		}
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.DisallowUnknownFields()
		readable := dec.Decode(&told) == nil && json.Valid(body)
		status, n, p := send(t, body)
		switch status {
		case http.StatusOK:
			if !readable || n.Added != len(told.Clients) || n.Changed+n.Unchanged != 0 || n.Total != len(told.Clients) || pushed.Len() != n.Total || len(c.recorded()) != 2 {
				t.Fatalf("%+v of %d clients, %d on record", n, len(told.Clients), len(c.recorded()))
			}
		case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
			if pushed.Len() != 0 || len(c.recorded()) > 0 {
				t.Fatalf("%d %s, and %d clients", status, p.Code, pushed.Len())
			}
		default:
			t.Fatalf("%d %s", status, p.Code)
		}
		if !readable {
			return
		}
		again, err := json.Marshal(told)
		if err != nil {
			t.Fatal(err)
		}
		rewritten, m, q := send(t, again)
		var numbers []string
		for _, want := range told.Clients {
			numbers = append(numbers, want.Number)
		}
		switch {
		case rewritten == http.StatusBadRequest:
			t.Fatalf("%s is malformed: %s %+v", again, q.Code, q.Errors)
		case status == http.StatusOK && (rewritten != http.StatusOK && told.Clients != nil || m.Unchanged != len(told.Clients)):
			t.Fatalf("a second time: %d %+v", rewritten, m)
		case rewritten != http.StatusOK:
			return
		}
		for _, want := range told.Clients {
			got, a := pushed.Find(want.Number)
			if a != clients.Found || got.Name != want.Name || got.Responsible != want.Responsible {
				t.Fatalf("%v %q %q, want %q %q", a, got.Name, got.Responsible, want.Name, want.Responsible)
			}
			for _, id := range want.Access {
				if id != want.Responsible && !slices.Contains(got.Access, id) {
					t.Fatalf("%q has no access", id)
				}
			}
			for _, id := range got.Access {
				if !slices.Contains(want.Access, id) {
					t.Fatalf("%q has access", id)
				}
			}
		}
		if err := pushed.Delete(context.Background(), numbers); err != nil || pushed.Len() != 0 {
			t.Fatalf("%v, %d are left", err, pushed.Len())
		}
	})
}
