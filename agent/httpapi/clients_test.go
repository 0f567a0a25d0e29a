package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

const ivanovsClient = `{"clients":[{"number":"8 (916) 123-45-67","name":"Ivanov Ltd","responsible":"boris","access":["anna"]}]}`

func TestACRMPutsAndDeletesClients(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pushed.jsonl")
	c := newCRMWorld(t, path)
	if n := c.put(t, ivanovsClient); n != (gate.ClientsPut{Added: 1, Total: 1}) {
		t.Fatalf("%+v", n)
	}
	if n := c.put(t, ivanovsClient); n != (gate.ClientsPut{Unchanged: 1, Total: 1}) { // a second time
		t.Fatalf("%+v", n)
	}
	if n := c.put(t, `{"clients":[{"number":"+79161234567","name":"Ivanov & Sons","responsible":"boris"},{"number":"2205","name":"Branch"}]}`); n != (gate.ClientsPut{Added: 1, Changed: 1, Total: 2}) {
		t.Fatalf("%+v", n)
	}
	if n := c.put(t, `{"clients":[]}`); n != (gate.ClientsPut{Total: 2}) {
		t.Fatalf("%+v", n)
	}
	if client, a := c.sources.Find(ivanov.number); a != clients.Found || client.Name != "Ivanov & Sons" || client.Responsible != "boris" || len(client.Access) != 0 {
		t.Fatalf("%v %q", a, client.Name)
	}
	a := c.ask("crm", http.MethodDelete, "/v1/clients", `{"numbers":["22-05","+79269999999"]}`)
	var n gate.ClientsDeleted
	if a.decode(t, &n); a.status != 200 || n != (gate.ClientsDeleted{Deleted: 1, Absent: 1, Total: 1}) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	// Each is on record before and after, under one id, by the CRM, and nobody's number or name is.
	var want []string
	for _, e := range []string{"clients.put n:1", "clients.put n:1", "clients.put n:2", "clients.put n:0", "clients.delete n:2"} {
		want = append(want, "decided allow crm_token "+e, "done   "+e)
	}
	var got []string
	entries := c.recorded()
	for i, e := range entries {
		got = append(got, fmt.Sprintf("%s %s %s %s %s", e.Phase, e.Outcome, e.Reason, e.Action, e.Detail))
		if e.Subject != "" || e.Credential != "crm:pushed" || e.Door != "http" || e.ID == "" || e.ID != entries[i&^1].ID || len(e.Targets)+len(e.Employees) > 0 {
			t.Errorf("%+v", e)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("on record:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	c.logged(t, `"route":"/v1/clients","method":"DELETE"`)
	if log := c.log.String(); strings.Contains(log, "9161234567") || strings.Contains(log, "Ivanov") || strings.Contains(log, crmToken) || !strings.Contains(log, `"crm":"pushed"`) {
		t.Errorf("the log:\n%s", log)
	}
	// What was pushed is there after a restart.
	if err := c.sources.Close(); err != nil {
		t.Fatal(err)
	}
	again := newCRMWorld(t, path)
	if client, a := again.sources.Find("89161234567"); a != clients.Found || client.Responsible != "boris" {
		t.Errorf("%v", a)
	}
	if n := again.put(t, `{"clients":[{"number":"+79161234567","name":"Ivanov & Sons","responsible":"boris"}]}`); n != (gate.ClientsPut{Unchanged: 1, Total: 1}) {
		t.Errorf("%+v", n)
	}
}

// A call that rings is a call of a client from the moment at which the CRM says so, until it says otherwise.
func TestWhatIsPushedTakesEffectOnLiveCalls(t *testing.T) {
	c := newCRMWorld(t, "")
	s := c.watch("boris")
	s.next() // the snapshot
	c.ingest(ivanov.rings("1", "PJSIP/101", "101", 10)...)
	// shown waits until her call is shown so; before that there may be news of what is the same to him.
	shown := func(offered bool) mask.Row {
		for {
			var row mask.Row
			switch m := s.next(); {
			case m.Employee != nil:
				row = *m.Employee
			case m.Board != nil: // whose client a number is changes what everybody is shown
				row = m.Board.Employees[0]
			}
			if row.ID == "anna" && row.State == "ringing" && len(row.Calls) == 1 && slices.Contains(row.Can, "intercept") == offered && row.Calls[0].Hidden != offered {
				return row
			}
		}
	}
	shown(false)
	take := func() answer { return c.ask("boris", http.MethodPost, "/v1/intercepts", `{"target":"anna"}`) }
	if a := take(); a.status != 403 || a.problem(t).Code != "not_client" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	c.put(t, ivanovsClient)
	if row := shown(true); row.Calls[0].Peer == nil || row.Calls[0].Peer.Name != "Ivanov Ltd" {
		t.Fatalf("after: %+v", row)
	}
	if a := c.ask("crm", http.MethodDelete, "/v1/clients", `{"numbers":["+79161234567"]}`); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	shown(false)
	if a := take(); a.status != 403 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	c.put(t, ivanovsClient)
	if a := take(); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if o := recv(t, c.pbx.taken); o.Ringing != "1.p" {
		t.Errorf("%+v", o)
	}
}

func TestWithoutASourceForItThereIsNoPath(t *testing.T) {
	w := newWorld(t)
	w.token["crm"] = crmToken
	for _, who := range []string{"", "crm", "carl"} {
		for _, method := range []string{http.MethodPut, http.MethodDelete} {
			if a := w.ask(who, method, "/v1/clients", ivanovsClient); a.status != 404 || a.problem(t).Code != "no_such_path" {
				t.Errorf("%q %s: %d %s", who, method, a.status, a.body)
			}
		}
	}
	if a := w.ask("", http.MethodPost, "/v1/clients/hooks/office", `{"token":"`+hookToken+`","all":true}`); a.status != 401 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if doc := string(w.door.OpenAPI()); strings.Contains(doc, "put-clients") || strings.Contains(doc, `"crm"`) {
		t.Error("what is not there is described")
	}
}

func TestTheCRMsRoutesAreDescribed(t *testing.T) {
	c := newCRMWorld(t, "")
	var doc struct {
		Paths map[string]map[string]struct {
			Security    []map[string][]string
			Parameters  []any
			RequestBody struct{ Content map[string]any }
			Responses   map[string]any
		}
		Components struct {
			SecuritySchemes map[string]struct{ Type, Scheme string }
			Schemas         map[string]struct{ AdditionalProperties any }
		}
	}
	if err := json.Unmarshal(c.door.OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"put", "delete"} {
		o := doc.Paths["/v1/clients"][method]
		if len(o.Security) != 1 || o.Security[0]["crm"] == nil || len(o.Parameters) > 0 || o.Responses["200"] == nil || o.Responses["default"] == nil || o.RequestBody.Content["application/json"] == nil {
			t.Errorf("%s: %+v", method, o)
		}
	}
	hook := doc.Paths["/v1/clients/hooks/{source}"]["post"]
	if hook.Security == nil || len(hook.Security) > 0 || len(hook.RequestBody.Content) != 2 || hook.Responses["204"] == nil {
		t.Errorf("%+v", hook)
	}
	if s := doc.Components.SecuritySchemes["crm"]; s.Type != "http" || s.Scheme != "bearer" {
		t.Errorf("%+v", s)
	}
	for _, name := range []string{"PutClients", "DeleteClients", "Client"} {
		if s, ok := doc.Components.Schemas[name]; !ok || s.AdditionalProperties != false {
			t.Errorf("%s: %+v", name, s)
		}
	}
	for _, name := range []string{"ClientsPut", "ClientsDeleted"} {
		if s, ok := doc.Components.Schemas[name]; !ok || s.AdditionalProperties != nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
}
