package httpapi_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/gate"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/httpapi"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// TestEachRequestIsLoggedOnceAndTellsOfNobody looks for everything secret in the log and the labels of the metrics after a bit of everything.
func TestEachRequestIsLoggedOnceAndTellsOfNobody(t *testing.T) {
	w := newWorld(t)
	w.talking(ivanov, "1", "PJSIP/101", "101")
	var board struct{ Employees []mask.Row }
	a := w.ask("carl", http.MethodGet, "/v1/employees", "")
	if err := json.Unmarshal(a.body, &board); err != nil {
		t.Fatal(err)
	}
	handle := board.Employees[0].Calls[0].ID
	var v mask.Supervision
	w.ask("carl", http.MethodPost, "/v1/supervisions", `{"target":"anna","mode":"spy","call":"`+handle+`","reason":"Ivanov complains"}`).decode(t, &v)
	w.ask("boris", http.MethodPost, "/v1/supervisions", `{"target":"anna","mode":"spy"}`)
	w.ask("carl", http.MethodGet, "/v1/supervisions/"+v.ID, "")
	w.ask("carl", http.MethodGet, "/v1/supervisions/"+strings.TrimPrefix(ivanov.number, "+"), "")
	w.ask("carl", http.MethodGet, "/secret/"+strings.TrimPrefix(ivanov.number, "+"), "")
	w.ask("carl", http.MethodGet, "/v1/me?token="+w.token["carl"], "")
	w.ask("", http.MethodGet, "/v1/me", "")
	w.ask("carl", "TELEPORT", "/v1/me", "")
	s := w.watch("carl")
	s.next()
	if err := s.conn.Close(websocket.StatusNormalClosure, "Ivanov"); err != nil {
		t.Fatal(err)
	}
	w.logged(t, `"ended":"client_gone"`)
	log := w.log.String()
	lines := strings.Split(strings.TrimSpace(log), "\n")
	if len(lines) != 10 {
		t.Errorf("%d lines for 10 requests:\n%s", len(lines), log)
	}
	labels := w.series(t)
	for _, secret := range []string{
		"Ivanov", "79161234567", "Petrova", "Weber", "PJSIP", handle, "secret", "token=", "TELEPORT",
		w.token["carl"], w.token["boris"], w.token["carl"][4:12],
	} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q:\n%s", secret, log)
		}
		if strings.Contains(labels, secret) {
			t.Errorf("the metrics have %q:\n%s", secret, labels)
		}
	}
	if strings.Contains(labels, v.ID) {
		t.Errorf("the metrics have an id:\n%s", labels)
	}
	// What is there is of use: who, which route, what came of it, and the record that tells more.
	for _, want := range []string{`"subject":"carl"`, `"route":"/v1/supervisions/{id}"`, `"code":"no_right"`, `"status":201`, `"messages":1`, `"route":"none"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s:\n%s", want, log)
		}
	}
	for _, want := range []string{
		`earshot_http_requests_total{code="201",method="POST",route="/v1/supervisions"}`,
		`earshot_http_requests_total{code="405",method="other",route="none"}`,
		`earshot_http_request_duration_seconds{route="/v1/me"}`,
		`earshot_http_streams_ended_total{reason="client_gone"}`,
	} {
		if !strings.Contains(labels, want) {
			t.Errorf("the metrics have no %s:\n%s", want, labels)
		}
	}
}

// TestTheDescriptionIsOfWhatIsThere holds /openapi.json against the door: each path that it names answers, and each answer's form is described.
func TestTheDescriptionIsOfWhatIsThere(t *testing.T) {
	w, _ := sessionWorld(t)
	a := w.ask("", http.MethodGet, "/openapi.json", "")
	if a.status != 200 || a.header.Get("Content-Type") != "application/json" || string(a.body) != string(w.door.OpenAPI()) {
		t.Fatalf("%d %v", a.status, a.header)
	}
	checkHeaders(t, a)
	var doc struct {
		OpenAPI string
		Info    struct{ Version string }
		Paths   map[string]map[string]struct {
			Parameters []struct{ Name, In string }
			Responses  map[string]json.RawMessage
		}
		Components struct {
			Schemas map[string]struct {
				Properties           map[string]json.RawMessage
				AdditionalProperties any
			}
		}
	}
	if err := json.Unmarshal(a.body, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Info.Version != "1.2.3" {
		t.Fatalf("%s %s", doc.OpenAPI, doc.Info.Version)
	}
	var routes []string
	for path, methods := range doc.Paths {
		for method, o := range methods {
			routes = append(routes, strings.ToUpper(method)+" "+path)
			if o.Responses["default"] == nil || len(o.Responses) < 2 {
				t.Errorf("%s %s: the answers are %v", method, path, o.Responses)
			}
			if path == "/.well-known/authzen-configuration" {
				continue // for everybody
			}
			if path == gate.LinkPath+"{word}" {
				continue // the link is the credential
			}
			if hook := path == "/v1/clients/hooks/{source}"; !hook && !slices.ContainsFunc(o.Parameters, func(p struct{ Name, In string }) bool { return p.Name == "X-Earshot-Employee" && p.In == "header" }) {
				t.Errorf("%s %s: no header that names the employee in %v", method, path, o.Parameters)
			}
			// Without a token each is there and asks for one.
			if a := w.ask("", strings.ToUpper(method), strings.Replace(path, "{id}", "x", 1), ""); a.status != 401 {
				t.Errorf("%s %s without a token: %d", method, path, a.status)
			}
		}
	}
	if len(routes) != 57 {
		t.Errorf("%d operations: %v", len(routes), routes)
	}
	refs := regexp.MustCompile(`"#/components/schemas/(\w+)"`).FindAllStringSubmatch(string(a.body), -1)
	if len(refs) == 0 {
		t.Fatal("no references")
	}
	used := map[string]bool{}
	for _, r := range refs {
		used[r[1]] = true
		if doc.Components.Schemas[r[1]].Properties == nil {
			t.Errorf("%s is not described", r[1])
		}
	}
	for name, s := range doc.Components.Schemas {
		if !used[name] {
			t.Errorf("%s is described and not used", name)
		}
		strict := name == "Supervise" || name == "Record" || name == "Take" || name == "NewSession" || name == "PrivateLock" || name == "Call" || name == "Member" || name == "Conversation" || name == "PutGrade" || name == "LinkRequest" || name == "PutRights" || name == "PutSettings"
		if strict != (s.AdditionalProperties == false) {
			t.Errorf("%s: additionalProperties %v", name, s.AdditionalProperties)
		}
	}
	for _, member := range []string{"type", "title", "status", "detail", "code", "rule", "id"} {
		if doc.Components.Schemas["Problem"].Properties[member] == nil {
			t.Errorf("Problem has no %s", member)
		}
	}
}

// TestTheServerBoundsWhatAClientCanDrawOut keeps the bounds from being lost: a zero here means for ever.
func TestTheServerBoundsWhatAClientCanDrawOut(t *testing.T) {
	w := newWorld(t)
	s := w.door.HTTP()
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 || s.ErrorLog == nil {
		t.Fatalf("%+v", s)
	}
	a := w.ask("carl", http.MethodGet, "/v1/me", "", "X-Large", strings.Repeat("x", 64<<10))
	if a.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Fatalf("%d", a.status)
	}
}

func TestADoorThatNobodyMeasuresWorks(t *testing.T) {
	w := newWorld(t, func(c *httpapi.Config) { c.Registerer, c.Version = nil, "" })
	if a := w.ask("carl", http.MethodGet, "/v1/me", ""); a.status != 200 {
		t.Fatalf("%d", a.status)
	}
}
